"""The fold: what one minute's facts, or one minute of the ledger's log, come to.

Pure functions: the same facts, in whatever order they were read, make the same counts. Everything
about an outgoing text counts at the minute of its first attempt, whenever its reports came; that
minute never changes, so that a later fold writes the same rows with better counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Final

from shared.analytics.count_rows import MINUTES
from shared.analytics.counts import MONEY, NONE, Counts, Tally, seconds_kept
from shared.azure.event_grid import Received
from shared.base import ids
from shared.base.clock import from_iso
from shared.limits.reasons import reason_of
from shared.messages.facts import Intent, Outcome, StoredReport
from shared.messages.record import MinuteFacts, Send
from shared.messages.state import Report, arrival, outcome_of, state_after
from shared.optouts.changes import Direction, Effect
from shared.rules import keywords
from shared.rules.cost.prices import PriceTable
from shared.rules.keywords import Meaning
from shared.rules.message_states import TERMINAL, State
from shared.rules.senders import Sender, SenderKind, kind_of

# Told by a report, of a text that ACS had taken.
BLOCKED_BY_PLATFORM: Final = "platform"
BLOCKED_BY_LEDGER: Final = "optedOut"
NO_CODE: Final = "none"
# Numbers whose country is remembered.
_MOST_COUNTRIES: Final = 100_000


@dataclass(frozen=True)
class Tariff:
    """What a text costs.

    Attributes:
        senders: those configured; another's kind is told by its form.
        prices: the table.
        country_of: a number's country.
    """

    senders: Mapping[str, Sender]
    prices: PriceTable
    country_of: Callable[[str], str | None]

    @cached_property
    def _countries(self) -> dict[str, str]:
        return {}

    def country(self, address: str) -> str:
        """The group of a number's country."""
        found = self._countries.get(address)
        if found is None:
            if len(self._countries) >= _MOST_COUNTRIES:
                self._countries.clear()
            found = self._countries[address] = self.country_of(address) or NONE
        return found

    def cost(self, sender: str, country: str, segments: int) -> Counts:
        """What so many segments cost; that their price is not known, where it is not."""
        kind = self._kind(sender)
        price = self.prices.price(kind, country) if kind is not None else None
        total: Decimal | None = price.total if price is not None else None
        if total is None:
            return {"unpriced": segments}
        return {f"cost.{self.prices.currency}": int(total * segments * MONEY)}

    def _kind(self, sender: str) -> SenderKind | None:
        known = self.senders.get(sender)
        return known.kind if known is not None else kind_of(sender)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a text was sent for: the groups that whatever answers it belongs to."""

    tag: str
    campaign: str
    category: str

    @classmethod
    def from_intent(cls, intent: Intent) -> Origin:
        """The origin that a send gives to all of its texts."""
        request = intent.request
        return cls(request.tag or NONE, request.campaign or NONE, request.category or NONE)

    def groups(self) -> dict[str, str]:
        """By dimension."""
        return {"tag": self.tag, "campaign": self.campaign, "category": self.category}


UNASKED: Final = Origin(NONE, NONE, NONE)


def fold_minute(
    facts: MinuteFacts, *, id_key: bytes, tariff: Tariff, origins: Mapping[str, Origin]
) -> dict[datetime, Tally]:
    """What one minute's facts say, by the minute that they say it of.

    Args:
        facts: of one minute.
        id_key: from which message ids are derived.
        tariff: what texts cost.
        origins: of what people's texts answer, by send id.
    """
    found: dict[datetime, Tally] = {}
    for send in facts.sends:
        if send.intent.waiting:
            continue
        tally = found.setdefault(MINUTES.floor(send.intent.first_attempt_at), Tally())
        _count_send(tally, send, id_key, tariff)
    for _, received in facts.inbound:
        tally = found.setdefault(facts.minute, Tally())
        tally.count(
            {
                "sender": received.ours,
                "country": tariff.country(received.theirs),
                **_answered(received, origins).groups(),
            },
            _of_inbound(received),
        )
    return {minute: tally for minute, tally in found.items() if tally}


def _count_send(tally: Tally, send: Send, id_key: bytes, tariff: Tariff) -> None:
    intent = send.intent
    origin = Origin.from_intent(intent)
    reports: dict[str, list[StoredReport]] = {}
    for report in send.reports:
        reports.setdefault(report.message_id, []).append(report)
    for address in intent.addresses():
        message_id = ids.message_id(id_key, intent.send_id, address)
        country = tariff.country(address)
        counts = _of_text(send, address, reports.get(message_id, []))
        if "sent" in counts:
            counts |= {"segments": intent.segments}
            counts |= tariff.cost(intent.request.sender, country, intent.segments)
        if message_id in send.answered:
            counts["replied"] = 1
        tally.count(
            {"sender": intent.request.sender, "country": country, **origin.groups()}, counts
        )


def _of_text(send: Send, address: str, reports: list[StoredReport]) -> Counts:
    """What became of one recipient's text: one of the words for it, and whether ACS had it."""
    outcome = send.outcomes.get(address) if send.outcomes is not None else None
    start = outcome.state if outcome is not None else _without_outcome(send.intent, address)
    if start in TERMINAL:
        return {_decided_by_us(start, outcome, send.intent): 1}
    arrived = sorted((report.report for report in reports), key=arrival)
    state = state_after(start, arrived)
    if state is State.UNCERTAIN:
        return {"uncertain": 1}
    decided = next((r for r in arrived if outcome_of(r.status, r.code) is state), None)
    counts: Counts = {"sent": 1, _told_by_platform(state, decided): 1}
    if state is State.DELIVERED and decided is not None:
        took = decided.at - (send.intent.doubt_since or send.intent.first_attempt_at)
        counts[f"time.{seconds_kept(took.total_seconds())}"] = 1
    return counts


def _without_outcome(intent: Intent, address: str) -> State:
    # As a reader of the message is told, once the attempt can no longer be at work; only that what
    # was put off counts as failed until it is attempted again.
    if address in intent.canceled:
        return State.CANCELED
    return State.UNCERTAIN if intent.doubt_since is not None else State.FAILED


def _decided_by_us(state: State, outcome: Outcome | None, intent: Intent) -> str:
    if state is State.FAILED:
        return f"failed.{outcome.status if outcome is not None else intent.error or NO_CODE}"
    if state is State.BLOCKED and outcome is not None:
        by_ledger = outcome.ledger_sequence is not None
        return f"blocked.{BLOCKED_BY_LEDGER if by_ledger else reason_of(outcome.error)}"
    return str(state)


def _told_by_platform(state: State, decided: Report | None) -> str:
    if decided is None or state is State.SENT:
        return "awaiting"
    if state in {State.DELIVERED, State.UNKNOWN}:
        return str(state)
    if state is State.BLOCKED:
        return f"blocked.{BLOCKED_BY_PLATFORM}"
    return f"{state}.{decided.code.code if decided.code is not None else NO_CODE}"


def _answered(received: Received, origins: Mapping[str, Origin]) -> Origin:
    answered = answers(received)
    if answered is None:
        return UNASKED
    return origins.get(answered[: ids.ULID_LENGTH], UNASKED)


def answers(received: Received) -> str | None:
    """The message that a person's text answers."""
    return received.in_reply_to.message_id if received.in_reply_to is not None else None


def _of_inbound(received: Received) -> Counts:
    keyword = keywords.read(received.text)
    if keyword is not None and keyword.intent is Meaning.HELP:
        return {"inbound": 1, "help": 1}
    return {"inbound": 1}


# The ledger -------------------------------------------------------------------------------------


def minute_of_change(row: Mapping[str, Any], before: datetime | None) -> datetime:
    """The minute that a change counts at: its own, and never one before an earlier change's.

    A minute is so one stretch of the log, whatever the clocks of those who wrote it say, and is
    over for good when a later one has begun.

    Args:
        row: of the log.
        before: the minute of the change before it.
    """
    minute = MINUTES.floor(from_iso(row["time"]))
    return minute if before is None else max(before, minute)


def count_change(tally: Tally, row: Mapping[str, Any], *, tariff: Tariff, origin: Origin) -> None:
    """Count one change of the ledger, if it decided something."""
    if row["effect"] != Effect.APPLIED or not Direction(row["direction"]).decides:
        return
    name = "optOuts" if row["direction"] == Direction.OUT else "resumes"
    tally.count(
        {
            "sender": row["sender"],
            "country": tariff.country(row["address"]),
            **origin.groups(),
        },
        {name: 1},
    )
