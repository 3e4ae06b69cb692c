"""Texts of one-time codes: shown nowhere, and blanked in their sends' rows when they are over.

Whoever reads yesterday's code may use it today, or learn what codes look like. So a text of the
category `oneTimeCode` stands in one place, the intent's row, from which it is sent and sent again,
and the daily timer takes it out of there once nothing can send it any more. The request's digest
stays: a repeat is still known for one.

Table `codes` says where to look, so that nobody reads all months:

- partition: the day (`YYYYMMDD`) on which texts of a minute are over, as planned when they are
  accepted; row: that minute of their sends' ids (`YYYYMMDDHHMM`), under which the intents lie;
- `at`: when it was last put.

A process puts a row before it writes the intent, at most once a minute, so that a busy minute costs
one operation more. The timer takes a row away when no text is left in its minute, or puts it under
a later day; cut off anywhere, it does the rest the next time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.azure.storage import Changed
from shared.azure.tables import Entity, Tables, etag_of
from shared.base import ids
from shared.base.clock import Clock, from_iso, iso
from shared.base.tasks import few_at_once
from shared.messages.facts import Intent
from shared.messages.record import Record, Send
from shared.rules.categories import ONE_TIME_CODE

TABLE: Final = "codes"
MINUTE: Final = timedelta(minutes=1)
_DAY_FORM: Final = "%Y%m%d"
_MINUTE_FORM: Final = "%Y%m%d%H%M"
# For so long a process relies on a row that it has put, and for so long the intent is perhaps not
# written yet: a row that was put later is left for the next day.
_RELIED_ON: Final = MINUTE
_SETTLED: Final = timedelta(minutes=5)
# A request that has had no outcome can be repeated for so long, by its Idempotency-Key or by ids
# with a first-sent time, and is then sent from its row.
REPEATABLE: Final = timedelta(hours=24, minutes=15)
# Rows looked at a night; what is left over is looked at the next night.
_MOST_ROWS: Final = 20_000


@dataclass(frozen=True, slots=True)
class CodeRules:
    """How long the text of a one-time code is needed.

    Attributes:
        repeat_window: how long after a first attempt in doubt the same text is tried again.
        send_again: whether one is sent again however old the doubt is.
    """

    repeat_window: timedelta
    send_again: bool

    def planned_end(self, intent: Intent) -> datetime:
        """When the text of a new send is over, if all goes as planned."""
        start = max(intent.attempt_at, intent.send_at or intent.attempt_at)
        return max(start + self.repeat_window, intent.expires_at or start)

    def end(self, send: Send) -> datetime | None:
        """When nothing sends the text any more: no repeat, no retry. None where nobody can say."""
        intent = send.intent
        window_ends = self.planned_end(intent)
        if send.outcomes is not None or all(a in intent.canceled for a in intent.addresses()):
            # A report can still have it sent again, within its time to live.
            return window_ends
        if intent.expires_at is not None and intent.send_at is not None:
            return window_ends
        if intent.send_at is not None:
            # The queue goes on with it until it has an outcome.
            return None
        # Only its caller's repeat goes on with it.
        doubt = intent.doubt_since
        if doubt is not None and not self.send_again:
            return max(window_ends, doubt + self.repeat_window)
        return max(window_ends, intent.created_at + REPEATABLE)


class CodeMarks:
    """Says in which minutes there are texts of one-time codes."""

    def __init__(self, tables: Tables, clock: Clock, rules: CodeRules) -> None:
        self._tables = tables
        self._clock = clock
        self._rules = rules
        self._put: dict[tuple[str, str], datetime] = {}

    async def mark(self, intent: Intent) -> None:
        """Have the text of an intent found that is about to be written; nothing for other texts.

        Raises:
            StorageDown: it is not certain; the intent must not be written.
        """
        if intent.request.category != ONE_TIME_CODE:
            return
        now = self._clock()
        row = mark_row(self._rules.planned_end(intent), ids.time_of(intent.send_id), now)
        place = row["PartitionKey"], row["RowKey"]
        if now - self._put.get(place, datetime.min.replace(tzinfo=UTC)) < _RELIED_ON:
            return
        await self._tables.put(TABLE, row)
        self._put = {p: at for p, at in self._put.items() if now - at < _RELIED_ON} | {place: now}


def mark_row(end: datetime, minute: datetime, at: datetime) -> Entity:
    """The row of a minute with texts that are over at `end`."""
    return {
        "PartitionKey": f"{end.astimezone(UTC):{_DAY_FORM}}",
        "RowKey": f"{minute.astimezone(UTC):{_MINUTE_FORM}}",
        "at": iso(at),
    }


class CodeBlanking:
    """Blanks the texts of one-time codes that are over.

    Args:
        tables: where the minutes are marked.
        record: where the texts are.
        rules: when they are over.
    """

    def __init__(self, tables: Tables, record: Record, rules: CodeRules) -> None:
        self._tables = tables
        self._record = record
        self._rules = rules

    async def blank(self, now: datetime) -> int:
        """Blank what is over; how many texts. Doing it again does what was left.

        Raises:
            StorageDown: some are left for the next time.
        """
        due = self._tables.query(
            TABLE, "PartitionKey le @today", page=1000, today=f"{now.astimezone(UTC):{_DAY_FORM}}"
        )
        marks: list[Entity] = []
        async for row in due:
            if now - from_iso(row["at"]) >= _SETTLED:
                marks.append(row)
            if len(marks) == _MOST_ROWS:
                break

        async def one(mark: Entity) -> int:
            return await self._blank_minute(mark, now)

        return sum(await few_at_once(one, marks))

    async def _blank_minute(self, mark: Entity, now: datetime) -> int:
        minute = datetime.strptime(mark["RowKey"], _MINUTE_FORM).replace(tzinfo=UTC)
        over: list[Intent] = []
        left: list[datetime | None] = []
        async for facts in self._record.minutes(minute, minute + MINUTE):
            for send in facts.sends:
                request = send.intent.request
                if request.category != ONE_TIME_CODE or request.is_blank:
                    continue
                end = self._rules.end(send)
                if end is not None and end <= now:
                    over.append(send.intent)
                else:
                    left.append(end)
        blanked = await self._record.blank(over)
        if blanked < len(over):
            # Somebody changed one of them meanwhile; it is looked at tomorrow.
            left.append(None)
        await self._move(mark, minute, left, now)
        return blanked

    async def _move(
        self, mark: Entity, minute: datetime, left: Sequence[datetime | None], now: datetime
    ) -> None:
        """Take a mark away, or to the day on which the first of what is left is over."""
        if left:
            tomorrow = now + timedelta(days=1)
            end = min(max(end or tomorrow, tomorrow) for end in left)
            later = mark_row(end, minute, now)
            await self._tables.put(TABLE, later)
        try:
            await self._tables.remove(
                TABLE, mark["PartitionKey"], mark["RowKey"], etag=etag_of(mark)
            )
        except Changed:
            # Somebody has put it again: a text of that minute has come, or is about to.
            return
