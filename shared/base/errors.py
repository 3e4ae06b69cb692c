"""Every error that Parley raises on purpose.

    ParleyError
    ├── SettingsError            the app is configured wrongly; it does not start
    ├── RequestError             the caller's doing; nothing was sent
    │   ├── InvalidRequest       400, with the members at fault
    │   │   └── PlatformRefused  400, ACS refused the whole request
    │   ├── NotAuthorized        401
    │   ├── ForeignSender        401 as ACS has it, 403 on Parley's own face
    │   ├── NotFound             404
    │   ├── AlreadyRunning       409, the same Idempotency-Key is still at work
    │   ├── NotCancelable        409, a text that has left or is leaving
    │   ├── CampaignExists       409, the campaign's id is taken
    │   ├── CampaignEnded        409, there is nothing left to pause, resume or cancel
    │   ├── PlanChanged          409, something has changed since the dry run
    │   ├── NotUnderstood        409, an event that is no clearer than it was (receiving)
    │   ├── LengthRequired       411, a body in chunks, which the Functions host drops
    │   └── KeyReused            422, the same Idempotency-Key came with another body
    ├── Unavailable              503, trying again helps and is safe
    │   ├── LedgerUnavailable    the opt-out ledger could not be read: nothing was sent
    │   │   ├── LedgerMissing    its table is not there; an operator must bring it back
    │   │   ├── LedgerHalted     its table was put back; an operator must look and lift the halt
    │   │   └── LedgerUnreadable a row of it has a version that this one does not know
    │   ├── StillSending         an earlier attempt of this very send may still be at work
    │   ├── AnswerMissing        ACS did not say what became of the send
    │   ├── PlatformDenied       ACS does not let Parley itself in: nothing was sent
    │   │   └── NoToken          Parley has nothing to show there; ACS was not asked
    │   ├── StorageDown          storage did not answer, or not in time (azure)
    │   │   ├── TableMissing     a table that has to be there is not
    │   │   └── UnknownVersion   a row of a layout that this release does not know
    │   ├── TopicDown            the outgoing topic did not take an event (azure)
    │   ├── PaceUnavailable      a sender's next free moment could not be reserved (limits)
    │   ├── MarkBusy             too many set one conversation's read mark (conversations)
    │   └── CampaignBusy         too many change one campaign (campaigns)
    ├── Throttled                429, ACS asked for a pause: nothing was sent
    ├── Unforeseen               500, a mistake of ours, with the id that its log has
    └── Unintelligible           an event that cannot be understood; it is quarantined
        └── UnknownMessageVersion  a queue message of an unknown layout; it is kept (azure)

Those with a room in brackets are defined there. Each class says what the caller is told (`status`,
`code`) and whether the same request may be repeated (`retryable`). The two faces of the HTTP
interface give them their shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar


class ParleyError(Exception):
    """The root; never raised itself."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "InternalError"
    # An instance may know better than its class.
    retryable: bool = False

    @property
    def retry_after(self) -> int | None:
        """Whole seconds after which trying again makes sense; None where it does not."""
        return None


class SettingsError(ParleyError):
    """Settings that are missing or malformed, all of them in one message."""

    code = "InvalidSettings"


class RequestError(ParleyError):
    """The caller's doing. Nothing was sent and nothing was stored."""


class InvalidRequest(RequestError):
    """A request whose members do not make sense.

    Args:
        errors: member (as the caller wrote it, e.g. `smsRecipients[3].to`) to its reasons.
        code: a stable code where `InvalidRequest` says too little.
    """

    status = 400
    code = "InvalidRequest"

    def __init__(self, errors: Mapping[str, Sequence[str]], *, code: str | None = None) -> None:
        self.errors = {member: list(reasons) for member, reasons in errors.items()}
        if code is not None:
            self.code = code  # type: ignore[misc]  # an instance may be more exact than its class
        super().__init__(
            "; ".join(f"{m}: {r}" if m else r for m, rs in self.errors.items() for r in rs)
        )

    @classmethod
    def of(cls, member: str, reason: str, *, code: str | None = None) -> InvalidRequest:
        """The error for one member."""
        return cls({member: [reason]}, code=code)


class PlatformRefused(InvalidRequest):
    """ACS refused the whole request for what is in it. Repeating it changes nothing.

    Args:
        platform_status: what ACS answered.
        errors: member as ACS spells it, or "" for the whole, to ACS's reasons.
    """

    code = "PlatformRefused"

    def __init__(self, platform_status: int, errors: Mapping[str, Sequence[str]]) -> None:
        self.platform_status = platform_status
        super().__init__(errors)

    def __str__(self) -> str:
        return f"Azure Communication Services answered {self.platform_status}: {super().__str__()}"


class NotAuthorized(RequestError):
    """The request does not prove who sent it."""

    status = 401
    code = "Unauthorized"


class ForeignSender(RequestError):
    """The sender is none of those that are configured here."""

    status = 401
    code = "SenderNotConfigured"

    def __init__(self) -> None:
        super().__init__("from: this sender is not configured here.")


class NotFound(RequestError):
    """What was asked for is not there."""

    status = 404
    code = "NotFound"


class AlreadyRunning(RequestError):
    """A request with the same Idempotency-Key is still at work."""

    status = 409
    code = "IdempotencyKeyInUse"
    retryable = True

    def __init__(self, retry_after: int) -> None:
        self._retry_after = retry_after
        super().__init__("A request with this Idempotency-Key is still at work.")

    @property
    def retry_after(self) -> int | None:
        """Seconds until the running attempt has either answered or died."""
        return self._retry_after


class NotCancelable(RequestError):
    """A text that has left, is leaving, or was decided otherwise cannot be canceled."""

    status = 409
    code = "NotCancelable"

    def __init__(self) -> None:
        super().__init__("This text no longer waits: it has left, is leaving, or was decided.")


class CampaignExists(RequestError):
    """A campaign id is used once."""

    status = 409
    code = "CampaignExists"


class CampaignEnded(RequestError):
    """A campaign that is over cannot be paused, resumed or canceled."""

    status = 409
    code = "CampaignEnded"


class PlanChanged(RequestError):
    """The list, the text or the rules are no longer those of the dry run."""

    status = 409
    code = "PlanChanged"


class LengthRequired(RequestError):
    """The body came in chunks, without a length: the Functions host hands nothing of it on."""

    status = 411
    code = "LengthRequired"

    def __init__(self) -> None:
        super().__init__(
            "The body came without a Content-Length, so the Functions host dropped it. Send the"
            " request again with a Content-Length instead of Transfer-Encoding: chunked."
        )


class KeyReused(RequestError):
    """The same Idempotency-Key came with another body."""

    status = 422
    code = "IdempotencyKeyReused"


class Unavailable(ParleyError):
    """Something that Parley needs did not answer. The same request may be repeated."""

    status = 503
    code = "ServiceUnavailable"
    retryable = True

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        self._retry_after = retry_after
        super().__init__(message)

    @property
    def retry_after(self) -> int | None:
        """Whole seconds."""
        return self._retry_after


class LedgerUnavailable(Unavailable):
    """The opt-out ledger could not be read or written. Nobody is texted on a guess."""

    code = "LedgerUnavailable"


class LedgerMissing(LedgerUnavailable):
    """The ledger's table is not there. That never reads as "nobody has opted out"."""

    code = "LedgerMissing"

    def __init__(self) -> None:
        super().__init__(
            "The storage account has no table `optouts`, which holds the opt-out ledger. Nobody is"
            " texted until it is back: look at where PARLEY_STORAGE points, or restore the table.",
            retry_after=30,
        )


class LedgerHalted(LedgerUnavailable):
    """The ledger's table is not the one that was read before: nobody is texted until it is lifted.

    Args:
        since: when that was noticed, ISO.
        why: a sentence.
    """

    code = "LedgerHalted"

    def __init__(self, since: str, why: str) -> None:
        self.since = since
        self.why = why
        super().__init__(
            f"All sending is halted since {since}. {why} Nobody is texted until an operator has"
            " looked (GET /optouts:halt) and lifted it (POST /optouts:lift).",
            retry_after=60,
        )


class LedgerUnreadable(LedgerUnavailable):
    """A row of the ledger was written by a version of Parley that this one does not know.

    Args:
        row: its key, or the kind of row where the key would say whose it is.
        found: its version.
        known: the version that this Parley reads.
    """

    code = "LedgerUnreadable"

    def __init__(self, row: str, found: object, known: int) -> None:
        super().__init__(
            f"The opt-out ledger's row {row} has version {found}, and this version of Parley reads"
            f" version {known} alone. Nobody is texted: deploy the version that wrote it.",
            retry_after=60,
        )


class StillSending(Unavailable):
    """An earlier attempt of the same send has no outcome yet and may still be at work."""

    code = "StillSending"


class AnswerMissing(Unavailable):
    """ACS did not say what became of the send; repeating it with the same ids is safe."""

    code = "PlatformUnavailable"


class PlatformDenied(Unavailable):
    """ACS does not accept Parley's own identity, role or endpoint. Nothing was sent.

    Usual for ten minutes after a first deployment; a repeat may then succeed.

    Args:
        platform_status: what ACS answered: 401, 403 or 404.
        reason: in ACS's words.
    """

    code = "PlatformDenied"

    def __init__(self, platform_status: int, reason: str) -> None:
        self.platform_status = platform_status
        super().__init__(
            f"Azure Communication Services answered Parley {platform_status}: {reason}. Nothing was"
            " sent. For some minutes after a first deployment this is usual and passes; if it"
            " lasts, look at Parley's identity and role there, at its endpoint, and whether the"
            " resource owns the sender.",
            retry_after=30,
        )


class NoToken(PlatformDenied):
    """Parley's own identity gave no token, so that ACS was not asked. Nothing was sent.

    Args:
        reason: a sentence that says why; holds nothing of what the identity's endpoint said.
    """

    def __init__(self, reason: str) -> None:
        self.platform_status = 401
        Unavailable.__init__(
            self,
            f"Parley has no token for Azure Communication Services. {reason} Nothing was sent. If"
            " this lasts, look at the app's managed identity.",
            retry_after=30,
        )


class Throttled(ParleyError):
    """ACS answered 429. Nothing was sent."""

    status = 429
    code = "TooManyRequests"
    retryable = True

    def __init__(self, retry_after: int) -> None:
        self._retry_after = retry_after
        super().__init__("Azure Communication Services asks for a pause; nothing was sent.")

    @property
    def retry_after(self) -> int | None:
        """Seconds, as ACS gave them, else our own guess."""
        return self._retry_after


class Unforeseen(ParleyError):
    """A mistake of ours. What has become of the request is not known."""

    def __init__(self, trace_id: str) -> None:
        super().__init__(
            "Parley made a mistake with this request. Its log says where, in the event"
            f" request.failed with the traceId {trace_id}."
        )


class Unintelligible(ParleyError):
    """An event that no repeat will make understandable; it is quarantined with this reason."""

    code = "Unintelligible"
