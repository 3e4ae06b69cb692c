"""Buckets of time as a reader wants them, and the rows that cover them exactly.

Hours and days are those of the reader's zone: a day is 23 or 25 hours long when the clocks change.
Rows are in UTC. A bucket is covered by days where whole days lie in it, by hours beside them, and
by minutes where a zone is not whole hours from UTC.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from shared.analytics.count_rows import DAY, DAYS, HOUR, HOURS, MINUTE, MINUTES, Level
from shared.rules.timing.local_time import moments

# Rows that no bucket asks for are read along where that spares a query.
_GAPS: Final = {MINUTES.name: timedelta(0), HOURS.name: 6 * HOUR, DAYS.name: 7 * DAY}


class Interval(StrEnum):
    """How long a bucket is."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    TOTAL = "total"


Bucket = tuple[datetime, datetime]


def buckets(start: datetime, end: datetime, interval: Interval, zone: ZoneInfo) -> list[Bucket]:
    """The buckets, in UTC, that cover everything from `start` to `end`, both in UTC.

    The first begins where `start` lies in it, the last ends at `end` or after it.
    """
    if interval is Interval.TOTAL:
        return [(MINUTES.floor(start), _raised(end))]
    found = []
    at = _floor(start, interval, zone)
    while at < end:
        following = _next(at, interval, zone)
        found.append((at, following))
        at = following
    return found


def _raised(moment: datetime) -> datetime:
    floor = MINUTES.floor(moment)
    return floor if floor == moment else floor + MINUTE


def _floor(moment: datetime, interval: Interval, zone: ZoneInfo) -> datetime:
    if interval is Interval.MINUTE:
        return MINUTES.floor(moment)
    local = moment.astimezone(zone)
    if interval is Interval.HOUR:
        return MINUTES.floor(moment) - timedelta(minutes=local.minute)
    return _midnight(local.replace(tzinfo=None), zone)


def _next(at: datetime, interval: Interval, zone: ZoneInfo) -> datetime:
    if interval is Interval.MINUTE:
        return at + MINUTE
    if interval is Interval.HOUR:
        # Where clocks change by half an hour, an hour's name lasts half an hour more or less.
        following = _floor(at + HOUR, interval, zone)
        return following if following > at else at + HOUR
    local = at.astimezone(zone).replace(tzinfo=None)
    # Noon of the day after: whatever the clocks do, it is that day.
    return _midnight(local.replace(hour=12, minute=0) + DAY, zone)


def _midnight(local: datetime, zone: ZoneInfo) -> datetime:
    naive = local.replace(hour=0, minute=0, second=0, microsecond=0)
    # A midnight that happens twice begins the day once; one that never happens, where it would.
    found = moments(naive, zone).first
    return found.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class BucketRows:
    """Rows of one level that belong to one bucket: from `start` to `end`."""

    level: Level
    start: datetime
    end: datetime
    bucket: int


def cover(bucket: Bucket, number: int) -> Iterator[BucketRows]:
    """The rows that make up a bucket, each moment once."""
    start, end = bucket
    rising = [(MINUTES, HOURS), (HOURS, DAYS)]
    before: list[BucketRows] = []
    after: list[BucketRows] = []
    for level, above in rising:
        up, down = _ceiling(start, above), above.floor(end)
        if up >= down:
            before.append(BucketRows(level, start, end, number))
            start = end
            break
        before.append(BucketRows(level, start, up, number))
        after.append(BucketRows(level, down, end, number))
        start, end = up, down
    else:
        before.append(BucketRows(DAYS, start, end, number))
    yield from (piece for piece in (*before, *reversed(after)) if piece.start < piece.end)


def _ceiling(moment: datetime, level: Level) -> datetime:
    floor = level.floor(moment)
    return floor if floor == moment else floor + level.length


class Plan:
    """What is read for some buckets, and which bucket each row belongs to."""

    def __init__(self, wanted: Sequence[Bucket]) -> None:
        pieces: dict[str, list[BucketRows]] = {}
        for number, bucket in enumerate(wanted):
            for piece in cover(bucket, number):
                pieces.setdefault(piece.level.name, []).append(piece)
        self._pieces = {
            name: sorted(found, key=lambda piece: piece.start) for name, found in pieces.items()
        }

    def ranges(self) -> Iterator[tuple[Level, datetime, datetime]]:
        """The ranges of rows to read, none across two partitions."""
        for name, pieces in self._pieces.items():
            level = pieces[0].level
            start, end = pieces[0].start, pieces[0].end
            for piece in pieces[1:]:
                if piece.start - end > _GAPS[name]:
                    yield from ((level, *period) for period in level.periods(start, end))
                    start = piece.start
                end = piece.end
            yield from ((level, *period) for period in level.periods(start, end))

    def bucket_of(self, level: Level, moment: datetime) -> int | None:
        """The bucket that a row belongs to; None for one that was only read along."""
        pieces = self._pieces[level.name]
        place = bisect_right(pieces, moment, key=lambda piece: piece.start) - 1
        if place < 0 or moment >= pieces[place].end:
            return None
        return pieces[place].bucket
