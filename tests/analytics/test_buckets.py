"""Buckets of time in every zone, and the rows that cover them: each moment once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.analytics.buckets import Bucket, Interval, Plan, buckets, cover
from shared.analytics.count_rows import DAY, HOUR, MINUTE, Level

ZONES = [
    "UTC",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Pacific/Kiritimati",
]
MOMENTS = st.datetimes(datetime.fromisoformat("2010-01-01"), datetime.fromisoformat("2027-01-01"))
every_zone = pytest.mark.parametrize("zone", ZONES)


@every_zone
@given(MOMENTS, st.integers(1, 14 * 24 * 60), st.sampled_from(Interval))
def test_buckets_leave_no_gap(zone: str, start: datetime, minutes: int, interval: Interval) -> None:
    """They follow each other, hold the whole span, and begin at whole minutes."""
    place, first = ZoneInfo(zone), start.replace(tzinfo=UTC)
    end = first + min(timedelta(minutes=minutes), DAY if interval is Interval.MINUTE else 14 * DAY)
    found = buckets(first, end, interval, place)
    assert found[0][0] <= first < found[0][1]
    assert found[-1][0] < end <= found[-1][1]
    assert all(before[1] == after[0] for before, after in pairwise(found))
    assert all(low < high for low, high in found)
    if interval is Interval.DAY:
        # A day begins at midnight, or where the clocks leap over it.
        for low, _ in found:
            local = low.astimezone(place)
            before = (low - timedelta(seconds=1)).astimezone(place)
            assert local.date() != before.date()


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("America/New_York", "2026-11-22", 24),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("America/Sao_Paulo", "2018-11-04", 23),
    ],
)
def test_days_when_clocks_change(zone: str, day: str, hours: float) -> None:
    """A day is as long as it is in its zone."""
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    ((low, high),) = buckets(noon, noon + MINUTE, Interval.DAY, ZoneInfo(zone))
    assert (high - low) / HOUR == hours


@given(MOMENTS, st.integers(1, 40 * 24 * 60))
def test_a_bucket_is_covered_once(start: datetime, minutes: int) -> None:
    """The rows that make up a bucket follow each other and are whole rows of their levels."""
    low = start.replace(second=0, microsecond=0, tzinfo=UTC)
    bucket: Bucket = (low, low + timedelta(minutes=minutes))
    pieces = list(cover(bucket, 0))
    assert (pieces[0].start, pieces[-1].end) == bucket
    assert all(before.end == after.start for before, after in pairwise(pieces))
    for piece in pieces:
        assert piece.level.floor(piece.start) == piece.start
        assert piece.level.floor(piece.end) == piece.end
    # No level is used where the one above would do.
    assert len(pieces) <= 5


@every_zone
@given(MOMENTS, st.integers(1, 5))
def test_each_row_belongs_to_its_bucket(zone: str, start: datetime, days: int) -> None:
    """Of all that is read, each moment of the buckets is in exactly one row that counts for it."""
    first = start.replace(tzinfo=UTC)
    wanted = buckets(first, first + days * DAY, Interval.DAY, ZoneInfo(zone))
    plan = Plan(wanted)
    seen: list[tuple[datetime, datetime, int]] = []
    read: set[tuple[str, datetime]] = set()
    for level, low, high in plan.ranges():
        assert level.partition(low) == level.partition(high - timedelta(microseconds=1))
        for moment in _rows(level, low, high):
            assert (level.name, moment) not in read
            read.add((level.name, moment))
            number = plan.bucket_of(level, moment)
            if number is not None:
                seen.append((moment, moment + level.length, number))
    seen.sort()
    assert (seen[0][0], seen[-1][1]) == (wanted[0][0], wanted[-1][1])
    assert all(before[1] == after[0] for before, after in pairwise(seen))
    for low, high, number in seen:
        assert wanted[number][0] <= low
        assert high <= wanted[number][1]


def _rows(level: Level, low: datetime, high: datetime) -> list[datetime]:
    return [low + step * level.length for step in range((high - low) // level.length)]


@pytest.mark.parametrize(
    ("interval", "zone", "start", "length", "queries"),
    [
        (Interval.HOUR, "UTC", "2026-11-22T00:00Z", DAY, 1),
        (Interval.HOUR, "America/New_York", "2026-11-22T05:00Z", DAY, 1),
        (Interval.HOUR, "UTC", "2026-10-31T12:00Z", DAY, 2),
        (Interval.DAY, "UTC", "2026-01-01T00:00Z", 365 * DAY, 1),
        (Interval.DAY, "America/New_York", "2026-11-02T05:00Z", 7 * DAY, 1),
        (Interval.MINUTE, "UTC", "2026-11-22T00:00Z", DAY, 1),
        (Interval.TOTAL, "UTC", "2026-11-02T00:00Z", 20 * DAY, 1),
        (Interval.TOTAL, "UTC", "2026-11-02T03:17Z", 20 * DAY, 5),
    ],
)
def test_what_is_read(
    interval: Interval, zone: str, start: str, length: timedelta, queries: int
) -> None:
    """Rows that follow each other are one query, as long as they lie in one partition."""
    first = datetime.fromisoformat(start)
    plan = Plan(buckets(first, first + length, interval, ZoneInfo(zone)))
    assert len(list(plan.ranges())) == queries
