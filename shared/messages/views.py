"""Messages as a reader wants them: one state, folded from the facts at the moment of reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.azure.event_grid import Received
from shared.base import ids
from shared.base.clock import iso
from shared.base.errors import PlatformDenied, PlatformRefused, Throttled
from shared.messages.events import BLOCKED_DETAILS
from shared.messages.facts import Outcome, StoredReport
from shared.messages.record import Send
from shared.messages.state import aged, state_after
from shared.rules import keywords
from shared.rules.conversation_ids import ConversationId
from shared.rules.delivery_codes import CODES, OPTED_OUT
from shared.rules.message_states import MAY_HAVE_LEFT, TERMINAL, State

# Attempts that ended so have sent nothing for certain.
_CERTAIN_ENDS: Final = frozenset({Throttled.code, PlatformDenied.code, PlatformRefused.code})

# What a text without an outcome may be that has left.
_UNDECIDED: Final = frozenset({State.SENDING, State.UNCERTAIN})


@dataclass(frozen=True, slots=True)
class Seen:
    """One recipient's part of a send, as the facts have it now.

    Attributes:
        message_id: its id.
        address: the recipient.
        state: now.
        outcome: of the send, if it has one.
        reports: in the order of arrival.
    """

    message_id: str
    address: str
    state: State
    outcome: Outcome | None
    reports: list[StoredReport]

    @property
    def retried_by(self) -> str | None:
        """The message id of the text that repeats it, if one does."""
        return next((report.retried_by for report in self.reports if report.retried_by), None)

    @property
    def may_have_left(self) -> bool:
        """Whether ACS took it, or may have taken it."""
        if self.reports:
            return True
        if self.outcome is not None:
            return self.outcome.state in MAY_HAVE_LEFT
        return self.state in _UNDECIDED


def recipients_of(
    send: Send, *, id_key: bytes, now: datetime, acs_timeout: timedelta
) -> Iterator[Seen]:
    """Each recipient's part of a send, in the caller's order."""
    by_message: dict[str, list[StoredReport]] = {}
    for report in sorted(send.reports, key=lambda r: (r.arrived, r.received)):
        by_message.setdefault(report.message_id, []).append(report)
    for address in send.intent.addresses():
        message_id = ids.message_id(id_key, send.intent.send_id, address)
        outcome = send.outcomes.get(address) if send.outcomes is not None else None
        reports = by_message.get(message_id, [])
        start = (
            outcome.state
            if outcome is not None
            else _without_outcome(send, address, now, acs_timeout)
        )
        state = state_after(start, [report.report for report in reports])
        yield Seen(
            message_id, address, aged(state, send.intent.first_attempt_at, now), outcome, reports
        )


def _without_outcome(send: Send, address: str, now: datetime, acs_timeout: timedelta) -> State:
    intent = send.intent
    if address in intent.canceled:
        return State.CANCELED
    if intent.waiting:
        return State.SCHEDULED
    if intent.ended_at is None and now < intent.attempt_at + acs_timeout:
        return State.SENDING
    if intent.doubt_since is not None:
        return State.UNCERTAIN
    if intent.due_at is not None and intent.error != PlatformRefused.code:
        # It has sent nothing for certain, and is made again: the send has its row in `due`.
        return State.SCHEDULED
    return State.FAILED


def outgoing(
    send: Send, seen: Seen, conversation: ConversationId, blocked_by: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The full view of an outgoing message.

    Args:
        send: the send.
        seen: the recipient's part.
        conversation: the one that it belongs to.
        blocked_by: the ledger's entry that blocked it, if one did.
    """
    request, outcome = send.intent.request, seen.outcome
    erased = ids.is_erased(seen.address)
    view: dict[str, Any] = {
        "messageId": seen.message_id,
        "direction": "outbound",
        "from": request.sender,
        "to": None if erased else seen.address,
        "conversationId": None if erased else str(conversation),
        "message": None if erased else request.shown,
        "state": str(seen.state),
        "isFinal": seen.state in TERMINAL,
        "encoding": send.intent.encoding,
        "segments": send.intent.segments,
        "tag": request.tag or None,
        "category": request.category,
        "ignored": list(request.ignored),
        "createdAt": iso(send.intent.created_at),
        "sendAt": iso(send.intent.send_at) if send.intent.send_at else None,
        "expiresAt": iso(send.intent.expires_at) if send.intent.expires_at else None,
        "platformMessageId": _platform_id(seen),
        "errorMessage": outcome.error if outcome else send.intent.error,
        "blockedBy": dict(blocked_by) if blocked_by is not None else None,
        "retryOf": send.intent.retry.of if send.intent.retry is not None else None,
        "retriedBy": seen.retried_by,
        "history": list(_history(send, seen)),
    }
    view |= _last_code(seen)
    return view


def _platform_id(seen: Seen) -> str | None:
    if seen.outcome is not None and seen.outcome.platform_id:
        return seen.outcome.platform_id
    return next((report.platform_id for report in seen.reports if report.platform_id), None)


def _last_code(seen: Seen) -> dict[str, Any]:
    codes = [code for report in seen.reports if (code := report.code) is not None]
    if not codes and seen.outcome is not None and seen.outcome.ledger_sequence is not None:
        codes = [CODES[OPTED_OUT]]
    if not codes:
        return {"code": None, "meaning": None, "nextStep": None, "retryable": None}
    code = codes[-1]
    return {
        "code": code.code,
        "meaning": code.meaning,
        "nextStep": code.next_step or None,
        "retryable": code.retryable,
    }


def _history(send: Send, seen: Seen) -> Iterator[dict[str, Any]]:
    intent = send.intent
    if intent.send_at is not None:
        yield {
            "at": iso(intent.created_at),
            "event": "scheduled",
            "details": intent.why_waiting,
        }
    if intent.waiting:
        return
    yield {"at": iso(intent.first_attempt_at), "event": "accepted"}
    if intent.attempt_at != intent.first_attempt_at:
        yield {"at": iso(intent.attempt_at), "event": "attemptedAgain"}
    if intent.ended_at is not None and send.outcomes is None:
        certain = intent.error in _CERTAIN_ENDS
        yield {
            "at": iso(intent.ended_at),
            "event": "attemptFailed" if certain else "attemptUnanswered",
            "details": intent.error,
        }
    if seen.outcome is not None and send.outcome_at is not None:
        yield {
            "at": iso(send.outcome_at),
            "event": str(seen.outcome.state),
            "details": seen.outcome.error,
            "platformMessageId": seen.outcome.platform_id,
        }
    for report in seen.reports:
        yield {
            "at": iso(report.received),
            "event": "deliveryReport",
            "status": report.status,
            "details": report.details,
            "arrivedAt": iso(report.arrived),
        }


def inbound(message_id: str, received: Received, conversation: ConversationId) -> dict[str, Any]:
    """The full view of an inbound message."""
    keyword = keywords.read(received.text)
    erased = ids.is_erased(received.theirs)
    return {
        "messageId": message_id,
        "direction": "inbound",
        "from": None if erased else received.theirs,
        "canBeAnswered": received.can_be_answered and not erased,
        "to": received.ours,
        "conversationId": None if erased else str(conversation),
        "message": None if erased else received.text,
        "state": "received",
        "segments": received.segments,
        "keyword": {"intent": keyword.intent, "word": keyword.word} if keyword else None,
        "createdAt": iso(received.received),
        "platformMessageId": received.platform_id,
        "inReplyTo": received.in_reply_to.message_id if received.in_reply_to else None,
    }


def acs_delivery_report(send: Send, seen: Seen) -> dict[str, Any] | None:
    """The report as `GET /deliveryReports/{id}` of ACS shapes it; None while there is none.

    The report that decides is shown: the last one that moved the state.
    """
    decisive = _decisive(seen)
    if decisive is not None:
        status, details, received = decisive.status, decisive.details, decisive.received
    elif seen.outcome is not None and seen.outcome.ledger_sequence is not None:
        # Ours: ACS never saw this text.
        status, details, received = "Failed", BLOCKED_DETAILS, send.intent.first_attempt_at
    else:
        return None
    view: dict[str, Any] = {
        "deliveryStatus": status,
        "messageId": seen.message_id,
        "from": send.intent.request.sender,
        "to": "" if ids.is_erased(seen.address) else seen.address,
        "deliveryStatusDetails": details,
        "deliveryAttempts": decisive.attempts if decisive is not None else [],
        "receivedTimestamp": iso(received),
    }
    if send.intent.request.tag:
        view["tag"] = send.intent.request.tag
    return view


def _decisive(seen: Seen) -> StoredReport | None:
    for count, report in enumerate(seen.reports, start=1):
        if state_after(State.SENT, [r.report for r in seen.reports[:count]]) in TERMINAL:
            return report
    return seen.reports[-1] if seen.reports else None
