"""Writing counts: the rows of minutes, then those of the hours and days that they change.

Nothing is ever added to a row that was read: a row is made from the rows of the level below and
replaces what was there, so that writing twice is once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from azure.data.tables import UpdateMode

from shared.analytics.count_rows import DAYS, HOURS, MINUTES, TABLE, Level, entity_of, tally_of
from shared.analytics.counts import Tally
from shared.azure.tables import Entity, Tables

# What is folded before it is written: so many minutes with facts, or so many texts.
_MOST_MINUTES: Final = 60
_MOST_TEXTS: Final = 20_000
# The service takes 100 entities and 4 MB at once.
_MOST_ROWS: Final = 100
_MOST_BYTES: Final = 3_000_000
_LEVELS: Final = ((HOURS, MINUTES), (DAYS, HOURS))
_ROWS: Final = "PartitionKey eq @partition and RowKey ge @low and RowKey lt @high"


@dataclass(slots=True)
class Batch:
    """What has been folded and not yet written.

    Attributes:
        rows: by table.
        minutes: those that the rows of counts belong to.
        folded: minutes of facts.
        texts: in them.
    """

    rows: dict[str, list[Entity]] = field(default_factory=dict)
    minutes: set[datetime] = field(default_factory=set)
    folded: int = 0
    texts: int = 0

    @property
    def full(self) -> bool:
        """Whether it is to be written now."""
        return self.folded >= _MOST_MINUTES or self.texts >= _MOST_TEXTS

    def add_rows(self, table: str, rows: Iterable[Entity]) -> None:
        """Have rows written."""
        self.rows.setdefault(table, []).extend(rows)

    def add_tally(self, minute: datetime, tally: Tally, *, cause: str) -> None:
        """Have a tally of one minute written, as the row that one cause has there."""
        self.add_rows(TABLE, [entity_of(MINUTES, minute, tally, cause=cause)])
        self.minutes.add(minute)


class CountWriter:
    """Writes batches."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def write(self, batch: Batch) -> None:
        """Write a batch, then the hours and the days that it changes."""
        for table, rows in batch.rows.items():
            await self._put_all(table, rows)
        changed = batch.minutes
        for level, below in _LEVELS:
            changed = {level.floor(moment) for moment in changed}
            await self._put_all(
                TABLE, [await self._summed(level, below, moment) for moment in sorted(changed)]
            )

    async def _summed(self, level: Level, below: Level, moment: datetime) -> Entity:
        rows = [
            row
            async for row in self._tables.query(
                TABLE,
                _ROWS,
                partition=below.partition(moment),
                low=below.row(moment),
                high=below.row(moment + level.length - below.length) + "~~",
            )
        ]
        return entity_of(level, moment, tally_of(rows))

    async def _put_all(self, table: str, rows: Sequence[Entity]) -> None:
        for group in _groups(rows):
            if len(group) == 1:
                await self._tables.put(table, group[0])
            else:
                await self._tables.commit(
                    table, [("upsert", row, {"mode": UpdateMode.REPLACE}) for row in group]
                )


def _groups(rows: Sequence[Entity]) -> Iterator[list[Entity]]:
    """Rows as they can be written at once; of rows with the same keys the last."""
    latest = {(row["PartitionKey"], row["RowKey"]): row for row in rows}
    group: list[Entity] = []
    size = 0
    for _, row in sorted(latest.items(), key=lambda item: item[0]):
        weight = _weight(row)
        if group and (
            group[0]["PartitionKey"] != row["PartitionKey"]
            or len(group) == _MOST_ROWS
            or size + weight > _MOST_BYTES
        ):
            yield group
            group, size = [], 0
        group.append(row)
        size += weight
    if group:
        yield group


def _weight(row: Entity) -> int:
    # Bytes travel as base64; a little for names and what is around them.
    return sum(100 + 2 * len(value) for value in row.values() if isinstance(value, str | bytes))
