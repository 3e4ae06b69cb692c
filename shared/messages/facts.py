"""The facts that are recorded of a message, and their rows.

A table per month, a partition per shard and minute, both computable from any id:

- `{sendId}`: the intent: everything that was asked, packed, and what was planned for its parts. The
  only row that is ever changed: an attempt that ended without an outcome, or that another one took
  over, is noted in it, and the text of a one-time code is taken out of it.
- `{sendId}.outcome`: for each recipient the decision and ACS's answer.
- `{messageId}.{8 hex}`: one delivery report.
- `{messageId}.answer`: somebody has answered; written where texts are counted (shared/analytics).
- `{ULID}.in`: an inbound message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shared.azure.event_grid import Answered, PlatformReport, Received
from shared.azure.packing import pack, unpack
from shared.azure.tables import Entity, etag_of, stored_at
from shared.base import ids
from shared.base.clock import from_iso, iso
from shared.messages.request import Asked, SendRequest
from shared.messages.state import Report
from shared.rules.delivery_codes import DELIVERED, DeliveryCode, code_in
from shared.rules.message_states import State
from shared.rules.timing.windows import read_window, written

OUTCOME: Final = ".outcome"
ANSWER: Final = ".answer"
# Characters of a report's details that are kept and told.
MOST_DETAILS: Final = 1000


@dataclass(frozen=True, slots=True)
class Retry:
    """What a send repeats, if it repeats a text that failed.

    Attributes:
        of: the message id of the text that failed.
        number: the first retry of the first text is 1.
        at: when the report that asked for it was taken in.
    """

    of: str
    number: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Part:
    """What was planned, when a send was accepted, for those whose time is another than the rest's.

    A send of its own carries it. Settings, zone data and the time of day change: whoever has to
    begin that send after a crash goes by what stands here, and plans nothing anew.

    Attributes:
        send_id: of the send that carries it.
        addresses: whom it texts.
        send_at: when it is to leave.
        why_waiting: what it waits for.
        expires_at: after which it is no longer worth sending.
    """

    send_id: str
    addresses: tuple[str, ...]
    send_at: datetime
    why_waiting: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Intent:
    """What somebody wants sent, and how far the attempts at it have come.

    Attributes:
        send_id: its id.
        request: what was asked for.
        segments: of the text.
        encoding: of the text.
        keyed: whether an Idempotency-Key guards it.
        created_at: when it was accepted. No attempt changes it.
        first_attempt_at: when it was first attempted.
        attempt_at: when the latest attempt began.
        doubt_since: when the first attempt began of which it is unknown whether it sent anything;
            None if it is known of each. ACS is told this time.
        ended_at: when the latest attempt ended without an outcome; None while it may still run.
        error: why it ended so.
        attempt: a nonce of the latest attempt: whose row it is, after an answer of storage was
            lost.
        trace: the W3C `traceparent` of the first attempt, for the report to link to.
        send_at: when it is to leave, if it has to wait.
        due_at: the moment by which its row in the table `due` was placed, if it has or had one.
        why_waiting: what it waits for.
        expires_at: after which it is no longer worth sending.
        canceled: addresses that were taken out while it waited.
        parts: those whose texts other sends carry, at other times than this one.
        retry: what it repeats, if it does.
        etag: of the row, once it has been read or written.
    """

    send_id: str
    request: SendRequest
    segments: int
    encoding: str
    keyed: bool
    created_at: datetime
    first_attempt_at: datetime
    attempt_at: datetime
    doubt_since: datetime | None
    ended_at: datetime | None = None
    error: str | None = None
    attempt: str = ""
    trace: str | None = None
    send_at: datetime | None = None
    due_at: datetime | None = None
    why_waiting: str | None = None
    expires_at: datetime | None = None
    canceled: frozenset[str] = frozenset()
    parts: tuple[Part, ...] = ()
    retry: Retry | None = None
    etag: str | None = None

    @property
    def waiting(self) -> bool:
        """Whether no attempt has begun, because its time has not come."""
        return not self.attempt

    @property
    def ordered_at(self) -> datetime:
        """When somebody asked for its text: an erasure that is younger has it canceled."""
        return self.request.ordered_at or self.created_at

    def addresses(self) -> list[str]:
        """Whom this send itself is to text: those whose text another send carries are left out."""
        carriers = self.carriers()
        return [a for a in self.request.addresses() if a not in carriers]

    def has_message(self, id_key: bytes, address: str, message_id: str) -> bool:
        """Whether this send itself texts an address, or has, before it was erased."""
        return any(
            own == address
            or (ids.is_erased(own) and ids.message_id(id_key, self.send_id, own) == message_id)
            for own in self.addresses()
        )

    def carriers(self) -> dict[str, str]:
        """By address, the sends that carry the texts of those whom this send does not text."""
        return {address: part.send_id for part in self.parts for address in part.addresses}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one recipient when the send was done.

    Attributes:
        address: E.164.
        state: sent, failed, blocked or uncertain.
        status: the `httpStatusCode` of the item.
        error: its `errorMessage`.
        platform_id: ACS's message id.
        ledger_sequence: the ledger's change that blocked it.
    """

    address: str
    state: State
    status: int
    error: str | None = None
    platform_id: str | None = None
    ledger_sequence: int | None = None


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A delivery report as recorded.

    Attributes:
        retried_by: the message id of the retry that it has led to.
    """

    message_id: str
    platform_id: str
    status: str
    details: str
    received: datetime
    attempts: list[Any]
    arrived: datetime
    retried_by: str | None = None

    @property
    def report(self) -> Report:
        """As the fold of states wants it."""
        return Report(self.status, self.code, self.received, self.arrived)

    @property
    def code(self) -> DeliveryCode | None:
        """What its details speak of; never success where the platform says that it failed."""
        return code_in(self.details, delivered=self.status == DELIVERED)


def intent_row(intent: Intent, shards: int) -> Entity:
    """The whole row of an intent."""
    return {
        "PartitionKey": ids.partition(intent.send_id, shards),
        "RowKey": intent.send_id,
        "digest": intent.request.digest,
        "keyed": intent.keyed,
        "request": _packed_request(intent),
        "trace": intent.trace or "",
        "createdAt": iso(intent.created_at),
        "expiresAt": iso(intent.expires_at) if intent.expires_at else "",
        **_attempt_members(intent),
    }


def blank_row(intent: Intent, shards: int) -> Entity:
    """The member of an intent's row that holds its text, without it; all else is as it was."""
    blank = replace(intent, request=replace(intent.request, message=""))
    return {
        "PartitionKey": ids.partition(intent.send_id, shards),
        "RowKey": intent.send_id,
        "request": _packed_request(blank),
    }


def changed_members(intent: Intent) -> Entity:
    """The members of an intent's row in which people stand, and those about its attempts."""
    return {"request": _packed_request(intent), **_attempt_members(intent)}


def _packed_request(intent: Intent) -> bytes:
    request = intent.request
    packed = {
        "from": request.sender,
        "message": request.message,
        "tag": request.tag,
        "report": request.wants_report,
        "timeout": request.report_timeout_seconds,
        "category": request.category,
        "segments": intent.segments,
        "encoding": intent.encoding,
        **_optional(intent),
        **_repeated(intent.retry),
        "asked": [
            [
                a.to,
                a.address if a.address != a.to else 1,
                a.repeat_id,
                int(a.first_sent.timestamp()) if a.first_sent else None,
                a.refusal,
                a.rejected,
            ]
            if a.repeat_id or a.refusal
            else [a.to, a.address if a.address != a.to else 1]
            for a in request.asked
        ],
    }
    return pack(packed)


def _optional(intent: Intent) -> dict[str, Any]:
    # What most sends do not have, and only where there is any.
    request = intent.request
    live = request.time_to_live
    members = {
        "sendAt": iso(request.send_at) if request.send_at is not None else None,
        "live": live.total_seconds() if live is not None else None,
        "expires": iso(request.expires_at) if request.expires_at is not None else None,
        "zone": request.zone,
        "window": written(request.window) if request.window is not None else None,
        "campaign": request.campaign,
        "ignored": list(request.ignored) or None,
        "ordered": iso(request.ordered_at) if request.ordered_at is not None else None,
        "parts": [_packed_part(part) for part in intent.parts] or None,
    }
    return {name: value for name, value in members.items() if value is not None}


def _packed_part(part: Part) -> list[Any]:
    return [
        part.send_id,
        iso(part.send_at),
        part.why_waiting,
        iso(part.expires_at) if part.expires_at is not None else None,
        list(part.addresses),
    ]


def _read_part(packed: Sequence[Any]) -> Part:
    send_id, send_at, why, expires_at, addresses = packed
    return Part(send_id, tuple(addresses), from_iso(send_at), why, _moment(expires_at))


def _moment(text: str | None) -> datetime | None:
    return from_iso(text) if text else None


def _repeated(retry: Retry | None) -> dict[str, Any]:
    return {"retry": [retry.of, retry.number, iso(retry.at)]} if retry is not None else {}


def _read_retry(packed: Sequence[Any] | None) -> Retry | None:
    return Retry(packed[0], packed[1], from_iso(packed[2])) if packed is not None else None


def attempt_row(intent: Intent, shards: int) -> Entity:
    """The members of an intent's row that change from attempt to attempt."""
    return {
        "PartitionKey": ids.partition(intent.send_id, shards),
        "RowKey": intent.send_id,
        **_attempt_members(intent),
    }


def _attempt_members(intent: Intent) -> Entity:
    # Empty rather than absent: a merge leaves absent members as they were.
    return {
        "firstAttemptAt": iso(intent.first_attempt_at),
        "attemptAt": iso(intent.attempt_at),
        "doubtSince": iso(intent.doubt_since) if intent.doubt_since else "",
        "endedAt": iso(intent.ended_at) if intent.ended_at else "",
        "error": intent.error or "",
        "attempt": intent.attempt,
        "sendAt": iso(intent.send_at) if intent.send_at else "",
        "why": intent.why_waiting or "",
        "dueAt": iso(intent.due_at) if intent.due_at else "",
        "canceled": pack(sorted(intent.canceled)) if intent.canceled else b"",
    }


def read_intent(row: Entity) -> Intent:
    """An intent from its row."""
    packed = unpack(row["request"])
    request = SendRequest(
        sender=packed["from"],
        message=packed["message"],
        asked=tuple(_read_asked(*entry) for entry in packed["asked"]),
        tag=packed["tag"],
        wants_report=packed["report"],
        report_timeout_seconds=packed["timeout"],
        category=packed["category"],
        digest=row["digest"],
        send_at=_moment(packed.get("sendAt")),
        time_to_live=timedelta(seconds=packed["live"]) if "live" in packed else None,
        expires_at=_moment(packed.get("expires")),
        zone=packed.get("zone"),
        window=read_window(packed["window"]) if "window" in packed else None,
        campaign=packed.get("campaign"),
        ignored=tuple(packed.get("ignored", ())),
        ordered_at=_moment(packed.get("ordered")),
    )
    return Intent(
        send_id=row["RowKey"],
        request=request,
        segments=packed["segments"],
        encoding=packed["encoding"],
        keyed=row["keyed"],
        created_at=from_iso(row["createdAt"]),
        first_attempt_at=from_iso(row["firstAttemptAt"]),
        attempt_at=from_iso(row["attemptAt"]),
        doubt_since=_moment(row["doubtSince"]),
        ended_at=_moment(row["endedAt"]),
        error=row["error"] or None,
        attempt=row["attempt"],
        trace=row["trace"] or None,
        send_at=_moment(row["sendAt"]),
        why_waiting=row["why"] or None,
        due_at=_moment(row["dueAt"]),
        expires_at=_moment(row["expiresAt"]),
        canceled=frozenset(unpack(row["canceled"])) if row["canceled"] else frozenset(),
        parts=tuple(_read_part(part) for part in packed.get("parts", ())),
        retry=_read_retry(packed.get("retry")),
        etag=etag_of(row),
    )


def _read_asked(  # noqa: PLR0917  # the members of a packed list, in its order
    to: str,
    address: str | int | None,
    repeat_id: str | None = None,
    first_sent: int | None = None,
    refusal: str | None = None,
    rejected: bool = False,  # noqa: FBT001, FBT002
) -> Asked:
    return Asked(
        to,
        to if isinstance(address, int) else address,
        repeat_id,
        datetime.fromtimestamp(first_sent, UTC) if first_sent is not None else None,
        refusal,
        rejected,
    )


def packed_outcomes(outcomes: Iterable[Outcome]) -> list[list[Any]]:
    """Outcomes as JSON holds them."""
    return [
        [o.address, str(o.state), o.status, o.error, o.platform_id, o.ledger_sequence]
        for o in outcomes
    ]


def unpacked_outcomes(packed: Iterable[Sequence[Any]]) -> list[Outcome]:
    """Outcomes from JSON."""
    return [
        Outcome(address, State(state), status, error, platform_id, sequence)
        for address, state, status, error, platform_id, sequence in packed
    ]


def outcome_row(send_id: str, outcomes: Iterable[Outcome], *, at: datetime, shards: int) -> Entity:
    """The row of all recipients' outcomes."""
    return {
        "PartitionKey": ids.partition(send_id, shards),
        "RowKey": send_id + OUTCOME,
        "at": iso(at),
        "items": pack(packed_outcomes(outcomes)),
    }


def read_outcomes(row: Entity) -> dict[str, Outcome]:
    """All recipients' outcomes, by address."""
    return {outcome.address: outcome for outcome in unpacked_outcomes(unpack(row["items"]))}


def report_row(
    message_id: str, report: PlatformReport, shards: int, retried_by: str | None = None
) -> Entity:
    """The row of a delivery report; the same report makes the same row."""
    row = {
        "PartitionKey": ids.partition(message_id, shards),
        "RowKey": ids.report_row(message_id, report.status, report.details, report.received_text),
        **report_members(report),
    }
    return row if retried_by is None else {**row, "retriedBy": retried_by}


def report_members(report: PlatformReport) -> Entity:
    """What is kept of a report, wherever it is kept."""
    return {
        "status": report.status,
        "details": report.details[:MOST_DETAILS],
        "receivedAt": iso(report.received),
        "platformId": report.platform_id,
        "attempts": pack(report.attempts[:100]),
    }


def read_report_row(row: Entity) -> StoredReport:
    """A delivery report from its row."""
    return StoredReport(
        message_id=row["RowKey"].rpartition(".")[0],
        platform_id=row["platformId"],
        status=row["status"],
        details=row["details"],
        received=from_iso(row["receivedAt"]),
        attempts=unpack(row["attempts"]),
        arrived=stored_at(row),
        retried_by=row.get("retriedBy"),
    )


def answer_row(message_id: str, by: str, at: datetime, shards: int) -> Entity:
    """The row that says that a message of ours was answered."""
    return {
        "PartitionKey": ids.partition(message_id, shards),
        "RowKey": message_id + ANSWER,
        "by": by,
        "at": iso(at),
    }


def inbound_row(message_id: str, received: Received, shards: int) -> Entity:
    """The row of an inbound message."""
    return {
        "PartitionKey": ids.partition(message_id, shards),
        "RowKey": message_id,
        "receivedAt": iso(received.received),
        "platformId": received.platform_id,
        **inbound_members(received),
    }


def inbound_members(received: Received) -> Entity:
    """What an inbound message says, and who says it."""
    answered = received.in_reply_to
    return {
        "message": pack(
            {
                "from": received.theirs,
                "to": received.ours,
                "message": received.text,
                "segments": received.segments,
                "inReplyTo": [answered.message_id, answered.tag] if answered else None,
            }
        ),
    }


def read_inbound(row: Mapping[str, Any]) -> Received:
    """An inbound message from its row."""
    packed = unpack(row["message"])
    answered = packed.get("inReplyTo")
    return Received(
        platform_id=row["platformId"],
        theirs=packed["from"],
        ours=packed["to"],
        text=packed["message"],
        received=from_iso(row["receivedAt"]),
        segments=packed["segments"],
        in_reply_to=Answered(*answered) if answered else None,
    )
