"""Facts that come after their minute has been folded: a mark says that it has to be folded again.

A minute's facts are folded 90 seconds after its end. Whoever is about to write one 30 seconds
after that end, or later, first puts a mark; whoever finds the fact has therefore been told. The
minute between is for clocks that differ and for writes under way; a write that takes longer than
it began in time puts its mark afterwards.

A mark is a row of table `rollups`, keyed by when it is due and by the minute that it is about. A
process writes each of them once, so that a burst of late reports costs one operation.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from shared.analytics.count_rows import HOUR, MINUTE, MINUTES, TABLE
from shared.azure.tables import Entity, Tables
from shared.base import ids
from shared.base.clock import Clock, from_iso, iso

# After the end of a minute.
FOLDED_AFTER: Final = timedelta(seconds=90)
LATE_AFTER: Final = timedelta(seconds=30)
# After the moment at which a mark is due: whoever was writing it, or its fact, has finished.
SETTLED_AFTER: Final = timedelta(minutes=2)
# Stragglers of an old minute are waited for a little, so that it is not folded again for each.
_OLD: Final = HOUR
_PATIENCE: Final = timedelta(minutes=5)
PREFIX: Final = "late-"
# What the service deletes at once.
_MOST_ROWS: Final = 100
_MARKS: Final = (
    "PartitionKey ge @first and PartitionKey le @last and RowKey ge @low and RowKey lt @high"
)


class LateMarks:
    """Puts marks.

    Args:
        tables: where marks go.
    """

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock
        self._put: set[tuple[datetime, datetime]] = set()

    @asynccontextmanager
    async def around(self, any_id: str) -> AsyncIterator[None]:
        """Write facts of this id's minute inside; costs nothing where they come in time.

        Raises:
            StorageDown: the mark is not certain. Writing the fact again puts it again.
        """
        minute = MINUTES.floor(ids.time_of(any_id))
        await self.mark(minute)
        try:
            yield
        finally:
            # Also after an error: what storage did not answer, it may have done.
            await self.mark(minute)

    async def mark(self, minute: datetime) -> None:
        """Have a minute folded again, if it may have been folded."""
        now = self._clock()
        if now < minute + MINUTE + LATE_AFTER:
            return
        due = due_at(minute, now)
        if (due, minute) in self._put:
            return
        await self._tables.put(TABLE, mark_row(due, minute))
        self._put = {(d, m) for d, m in self._put if d > now} | {(due, minute)}


def due_at(minute: datetime, now: datetime) -> datetime:
    """When a mark that is put now is due: always later than now, and the same for a while."""
    step = _PATIENCE if now - minute > _OLD else MINUTE
    floor = MINUTES.floor(now)
    return floor - timedelta(minutes=floor.minute % (step // MINUTE)) + step


def mark_row(due: datetime, minute: datetime) -> Entity:
    """The row of a mark."""
    return {
        "PartitionKey": partition_of(due),
        "RowKey": f"{MINUTES.row(due)}~{MINUTES.row(minute)}",
        "due": iso(due),
        "minute": iso(minute),
    }


def partition_of(due: datetime) -> str:
    """Where the marks of a day are."""
    return f"{PREFIX}{due:%Y%m%d}"


Span = tuple[datetime, datetime]


@dataclass(slots=True)
class Marks:
    """The marks that are due at one moment.

    Attributes:
        minutes: that late facts have changed.
        spans: that an operator wants folded again.
    """

    minutes: set[datetime] = field(default_factory=set)
    spans: list[Span] = field(default_factory=list)


class DueMarks:
    """Finds marks whose time has come, and drops them when they have been heeded."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def find(self, after: datetime, upto: datetime) -> dict[datetime, Marks]:
        """Marks by when they are due, past `after` and up to `upto`; one query."""
        found: dict[datetime, Marks] = {}
        async for row in self._tables.query(
            TABLE,
            _MARKS,
            first=partition_of(after),
            last=partition_of(upto),
            low=MINUTES.row(after) + "~~",
            high=MINUTES.row(upto) + "~~",
        ):
            marks = found.setdefault(from_iso(row["due"]), Marks())
            if "end" in row:
                marks.spans.append((from_iso(row["minute"]), from_iso(row["end"])))
            else:
                marks.minutes.add(from_iso(row["minute"]))
        return found

    async def mark_span(self, start: datetime, end: datetime, now: datetime) -> None:
        """Have a span folded again, by the runs to come."""
        due = due_at(start, now)
        await self._tables.put(
            TABLE,
            {
                "PartitionKey": partition_of(due),
                "RowKey": f"{MINUTES.row(due)}~{MINUTES.row(start)}~{MINUTES.row(end)}",
                "due": iso(due),
                "minute": iso(start),
                "end": iso(end),
            },
        )

    async def drop_before(self, moment: datetime) -> int:
        """Drop the marks of the days before that of a moment; how many there were."""
        dropped = 0
        batch: list[Entity] = []
        async for row in self._tables.query(
            TABLE,
            "PartitionKey ge @first and PartitionKey lt @last",
            select=["PartitionKey", "RowKey"],
            first=PREFIX,
            last=partition_of(moment),
        ):
            if batch and (
                len(batch) == _MOST_ROWS or batch[0]["PartitionKey"] != row["PartitionKey"]
            ):
                dropped += await self._drop(batch)
                batch = []
            batch.append({"PartitionKey": row["PartitionKey"], "RowKey": row["RowKey"]})
        return dropped + (await self._drop(batch) if batch else 0)

    async def _drop(self, rows: Sequence[Entity]) -> int:
        await self._tables.commit(TABLE, [("delete", row) for row in rows])
        return len(rows)
