"""Local times on the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.rules.timing.local_time import moments, zone


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("local", "place", "first", "last", "happens"),
    [
        ("2026-03-08T01:59:59", "America/New_York", "2026-03-08T06:59:59", None, True),
        ("2026-03-08T02:00:00", "America/New_York", "2026-03-08T07:00:00", None, False),
        ("2026-03-08T02:59:59.9", "America/New_York", "2026-03-08T07:00:00", None, False),
        ("2026-03-08T03:00:00", "America/New_York", "2026-03-08T07:00:00", None, True),
        ("2026-11-01T01:30", "America/New_York", "2026-11-01T05:30", "2026-11-01T06:30", True),
        ("2026-11-01T02:00", "America/New_York", "2026-11-01T07:00", None, True),
        ("2026-10-25T01:00", "Europe/London", "2026-10-25T00:00", "2026-10-25T01:00", True),
        # Half an hour, and a day that a country left out.
        ("2026-10-04T02:15", "Australia/Lord_Howe", "2026-10-03T15:30", None, False),
        ("2011-12-30T12:00", "Pacific/Apia", "2011-12-30T10:00", None, False),
    ],
)
def test_moments(local: str, place: str, first: str, last: str | None, happens: bool) -> None:  # noqa: FBT001
    """A time that is leapt over is the moment of the leap; one that happens twice is both."""
    found = moments(datetime.fromisoformat(local), zone(place))
    assert (found.first, found.last, found.happens) == (_utc(first), _utc(last or first), happens)
    assert found.twice == (last is not None)


@settings(deadline=None)
@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),  # noqa: DTZ001  # local times
    st.sampled_from(["America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Seoul"]),
)
def test_a_moment_shows_the_time_it_was_found_by(local: datetime, place: str) -> None:
    """Both moments of a time show it; the moment of a leap is the first one after it."""
    found = moments(local, zone(place))
    if found.happens:
        for moment in (found.first, found.last):
            assert moment.astimezone(zone(place)).replace(tzinfo=None, fold=0) == local
    else:
        just_before = found.first - timedelta(microseconds=1)
        assert just_before.astimezone(zone(place)).replace(tzinfo=None) < local
        assert found.first.astimezone(zone(place)).replace(tzinfo=None) > local


@pytest.mark.parametrize(
    "name", ["", "Nowhere/Land", "America", "../etc/passwd", "/etc/localtime", "zone.tab", "a\0b"]
)
def test_what_is_no_zone_is_refused(name: str) -> None:
    """A name that is no zone's is a ValueError, whatever it does to the file system."""
    with pytest.raises(ValueError, match="is no IANA time zone"):
        zone(name)
