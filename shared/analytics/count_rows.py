"""The rows of table `rollups`: their keys, and how a tally becomes one entity.

- `minute-YYYYMMDD`, `{minute}~{minute of the facts}`: what the facts of one minute say of another.
  A text that waited counts at the minute in which it was sent, and its facts lie in the minute in
  which it was asked for. What the ledger says of a minute stands under `{minute}~optouts`.
- `hour-YYYYMM`, `{hour}`, and `day-YYYY`, `{day}`: sums of the level below.
- `late-YYYYMMDD`: minutes that have to be folded again (shared/analytics/late.py).
- `state`, `fold`: how far the fold has come.

One entity holds all dimensions, each in a property of its own, so that a fold writes once and a
reader, who names the property, is sent no other.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shared.analytics.counts import DIMENSIONS, Counts, Tally, largest
from shared.azure.tables import Entity

TABLE: Final = "rollups"
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
# A binary property holds 64 KiB, an entity 1 MiB; Azurite checks neither.
_PROPERTY: Final = 64_000
_PARTS: Final = 9
_ENTITY: Final = 900_000
# Groups of a dimension that a row keeps apart, as long as they fit.
_ROOMS: Final = (2000, 1000, 500, 250, 125)
# Applications can give each text a tag of its own.
_NARROW: Final = frozenset({"tag", "campaign"})
NARROW_ROOM: Final = 500


@dataclass(frozen=True, slots=True)
class Level:
    """One level of the rollups.

    Attributes:
        name: with which its partitions begin.
        length: of the time that one of its rows covers.
        period: of the time that one of its partitions covers, as strftime writes it.
        key: of a row, likewise.
    """

    name: str
    length: timedelta
    period: str
    key: str

    def floor(self, moment: datetime) -> datetime:
        """The beginning of the row that covers a moment."""
        changes: dict[str, Any] = {"second": 0, "microsecond": 0}
        if self.length >= HOUR:
            changes["minute"] = 0
        if self.length >= DAY:
            changes["hour"] = 0
        return moment.astimezone(UTC).replace(**changes)

    def partition(self, moment: datetime) -> str:
        """The partition that holds a moment's row."""
        return f"{self.name}-{moment:{self.period}}"

    def row(self, moment: datetime) -> str:
        """The key of a moment's row; of a minute's rows, what they begin with."""
        return f"{moment:{self.key}}"

    def moment(self, row: str) -> datetime:
        """The moment with which a row begins."""
        text = row.partition("~")[0]
        return datetime.strptime(text, self.key).replace(tzinfo=UTC)

    def periods(self, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """A stretch of time as its partitions divide it."""
        found = []
        while start < end:
            stop = min(end, self._next_period(start))
            found.append((start, stop))
            start = stop
        return found

    def _next_period(self, moment: datetime) -> datetime:
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        if self.length == MINUTE:
            return day + DAY
        if self.length == HOUR:
            return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        return day.replace(year=day.year + 1, month=1, day=1)


MINUTES: Final = Level("minute", MINUTE, "%Y%m%d", "%Y%m%d%H%M")
HOURS: Final = Level("hour", HOUR, "%Y%m", "%Y%m%d%H")
DAYS: Final = Level("day", DAY, "%Y", "%Y%m%d")


def entity_of(level: Level, moment: datetime, tally: Tally, *, cause: str = "") -> Entity:
    """The row of a tally. The same tally makes the same bytes.

    Args:
        level: of the rollups.
        moment: which of its rows.
        tally: what is counted.
        cause: of a minute's row, which of its rows.
    """
    row = level.row(moment) + (f"~{cause}" if cause else "")
    keys: Entity = {"PartitionKey": level.partition(moment), "RowKey": row}
    for room in _ROOMS:
        packed = {
            name: _packed(_fitting(name, groups, room, level)) for name, groups in tally if groups
        }
        sizes = [len(data) for data in packed.values()]
        if sum(sizes) <= _ENTITY and max(sizes, default=0) <= _PROPERTY * _PARTS:
            break
    else:
        raise ValueError(f"the counts of {row} do not fit into one entity")
    for name, data in packed.items():
        keys |= dict(zip(properties(name), _pieces(data), strict=False))
    return keys


def _fitting(
    name: str, groups: Mapping[str, Counts], room: int, level: Level
) -> Mapping[str, Counts]:
    if name in _NARROW and level is not MINUTES:
        room = min(room, NARROW_ROOM)
    return largest(groups, room)


def _packed(groups: Mapping[str, Counts]) -> bytes:
    text = json.dumps(groups, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return zlib.compress(text.encode("utf-8", "surrogatepass"), level=1)


def _pieces(data: bytes) -> list[bytes]:
    return [data[at : at + _PROPERTY] for at in range(0, len(data), _PROPERTY)]


def properties(dimension: str) -> list[str]:
    """The properties over which a dimension may be spread."""
    return [dimension, *(f"{dimension}{part}" for part in range(1, _PARTS))]


def groups_in(row: Mapping[str, Any], dimension: str) -> dict[str, Counts]:
    """The groups of one dimension of a row."""
    data = b"".join(row[name] for name in properties(dimension) if row.get(name))
    if not data:
        return {}
    found: dict[str, Counts] = json.loads(zlib.decompress(data).decode("utf-8", "surrogatepass"))
    return found


def tally_of(rows: Iterable[Mapping[str, Any]]) -> Tally:
    """The sum of rows."""
    found = Tally()
    for row in rows:
        part = Tally()
        for dimension in DIMENSIONS:
            part.groups[dimension] = groups_in(row, dimension)
        found.add(part)
    return found
