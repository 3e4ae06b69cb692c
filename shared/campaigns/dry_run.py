"""What a campaign would come to, without sending: the dry run, and the plan that it makes.

A plan's hash says that nothing has changed between the dry run and the start: not the order, not
the list, not the prices, not the quiet hours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from shared.azure.storage import Changed
from shared.base.clock import iso
from shared.base.digests import keyed_digest
from shared.base.errors import PlanChanged
from shared.campaigns.eta import EtaEstimator
from shared.campaigns.list_reader import ListRow, Refused
from shared.campaigns.order import Definition
from shared.campaigns.recipients import TWICE, Recipient, Recipients, read_recipients
from shared.messages.parts import Parts
from shared.optouts import Ledger
from shared.rules import segments
from shared.rules.cost.estimate import CostTally
from shared.rules.cost.prices import own_prices
from shared.rules.reach import is_out_of_reach
from shared.rules.recipient_warnings import RecipientWarnings
from shared.rules.senders import Sender
from shared.rules.text_warnings import find_warnings
from shared.rules.timing.quiet import built_in_rules
from shared.sending.timetable import Timetable

MOST_LINES_SHOWN: Final = 100
_MOST_CHARACTERS_SHOWN: Final = 20


class DryRun:
    """Reads a campaign's list as its expansion would, and counts instead of writing.

    Args:
        parts: shared ones; the lists are blobs.
        eta: when the last text would leave.
        timetable: who must wait.
    """

    def __init__(self, parts: Parts, *, eta: EtaEstimator, timetable: Timetable) -> None:
        self._id_key = parts.id_key
        self._clock = parts.clock
        self._blobs = parts.blobs
        self._ledger = parts.ledger
        self._senders = parts.senders
        self._prices = parts.settings.prices
        self._quiet_hours = parts.settings.quiet_hours
        self._eta = eta
        self._timetable = timetable

    def plan_hash(self, definition: Definition) -> str:
        """HMAC over everything that decides what the campaign would do, hex."""
        prices = self._prices or own_prices()
        rules = self._quiet_hours or built_in_rules()
        return keyed_digest(
            self._id_key, "plan", definition.to_json(), _plain(prices), _plain(rules)
        ).hex()

    async def run(self, definition: Definition, inline: bytes | None) -> dict[str, Any]:
        """What the campaign would come to, as the interface shows it.

        Args:
            definition: with its list.
            inline: the recipients that came with the request, if they did.

        Raises:
            LedgerUnavailable: who is blocked cannot be said.
            PlanChanged: the list was replaced while it was read.
        """
        await self._ledger.news()
        now = self._clock()
        start = definition.start_at or now
        recipients = Recipients(definition, self._senders, timetable=self._timetable, start=start)
        found = _Findings(definition, self._ledger, self._senders)
        try:
            async for row, judged in read_recipients(self._blobs, definition, recipients, inline):
                found.add_row(row, judged)
        except Changed:
            raise PlanChanged("The list was replaced while it was read; repeat it.") from None
        eta = await self._eta.estimate(definition, found.segments, start)
        if found.latest is not None:
            eta = max(eta, found.latest)
        return {
            "planHash": self.plan_hash(definition),
            "list": _shape(definition),
            **found.shown(),
            "cost": self._cost(found),
            "warnings": [*self._warnings(definition), *found.warnings.shown()],
            "startAt": iso(start),
            "lastLeavesAt": iso(eta),
        }

    def _cost(self, found: _Findings) -> list[dict[str, Any]]:
        prices = self._prices or own_prices()
        return [
            {"from": sender, **tally.estimate(self._senders[sender], prices).shown()}
            for sender, tally in found.tallies.items()
        ]

    def _warnings(self, definition: Definition) -> list[dict[str, Any]]:
        sender = self._senders[definition.senders[0]]
        return [
            {"code": str(one.code), "message": one.message, "position": one.position}
            for one in find_warnings(
                definition.message,
                sender,
                category=definition.category,
                first=True,
                columns=definition.layout.columns,
            )
        ]


class _Findings:
    """Counts what a list holds; its size does not depend on the list's."""

    def __init__(
        self, definition: Definition, ledger: Ledger, senders: Mapping[str, Sender]
    ) -> None:
        self._ledger = ledger
        self._senders = senders
        self._rows = self._refused = self._duplicates = self._blocked = self._waiting = 0
        self._lines: list[Refused] = []
        self._encodings: Counter[str] = Counter()
        self._saved = 0
        self._characters: dict[str, tuple[int, str | None]] = {}
        self._last: tuple[str, segments.Measure, int] | None = None
        self.segments: Counter[str] = Counter()
        self.latest: datetime | None = None
        self.tallies = {address: CostTally() for address in definition.senders}
        self.warnings = RecipientWarnings()
        self._recipients = 0

    def add_row(self, row: ListRow | Refused, judged: Recipient | str) -> None:
        """One row."""
        self._rows += 1
        if isinstance(judged, str):
            self._duplicates += judged == TWICE
            self._refused += judged != TWICE
            if len(self._lines) < MOST_LINES_SHOWN:
                self._lines.append(Refused(row.line, judged))
            return
        self._recipients += 1
        if self._ledger.closed_by(judged.address, judged.sender) is not None:
            self._blocked += 1
            return
        self.warnings.add(
            range_known=judged.range_known,
            doubtful=judged.doubtful,
            out_of_reach=is_out_of_reach(self._senders[judged.sender], judged.address),
        )
        if judged.until is not None:
            self._waiting += 1
            self.latest = max(self.latest or judged.until, judged.until)
        measure, saved = self._measured(judged.text)
        self._encodings[str(measure.encoding)] += 1
        self._saved += saved
        self.segments[judged.sender] += measure.segments
        self.tallies[judged.sender].add_text(judged.address, measure.segments)

    def _measured(self, text: str) -> tuple[segments.Measure, int]:
        # Most campaigns have one text; it is measured once.
        if self._last is None or self._last[0] != text:
            measure = segments.measure(text)
            plain = segments.measure(segments.in_gsm7(text)) if measure.costly else measure
            self._last = (text, measure, max(0, measure.segments - plain.segments))
        _, measure, saved = self._last
        for costly in measure.costly:
            count, _ = self._characters.get(costly.character, (0, None))
            if count or len(self._characters) < _MOST_CHARACTERS_SHOWN:
                self._characters[costly.character] = (count + costly.count, costly.stand_in)
        return measure, saved

    def shown(self) -> dict[str, Any]:
        """As the interface shows it."""
        return {
            "rows": self._rows,
            "recipients": self._recipients,
            "refused": self._refused,
            "duplicates": self._duplicates,
            "refusedLines": [{"line": one.line, "reason": one.reason} for one in self._lines],
            "blocked": self._blocked,
            "waitForHours": self._waiting,
            "texts": self._recipients - self._blocked,
            "encodings": dict(self._encodings),
            "segments": sum(self.segments.values()),
            "costlyCharacters": [
                {
                    "character": character,
                    "codePoint": " ".join(f"U+{ord(c):04X}" for c in character),
                    "count": count,
                    "standIn": stand_in,
                }
                for character, (count, stand_in) in self._characters.items()
            ],
            "segmentsSavedByStandIns": self._saved,
        }


def _shape(definition: Definition) -> dict[str, Any] | None:
    """How an uploaded list was understood; None for recipients that came with the request."""
    if definition.list_name is None:
        return None
    return {"name": definition.list_name, **definition.layout.to_json()}


def _plain(value: Any) -> Any:
    """A value as JSON, the same in every process: sets and mappings in order."""
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return sorted([_plain(key), _plain(item)] for key, item in value.items())
    if isinstance(value, frozenset | set):
        return sorted(_plain(item) for item in value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, date | Decimal):
        return str(value)
    return value
