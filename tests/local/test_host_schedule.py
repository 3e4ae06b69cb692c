"""The schedule language of timers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.host.schedule import Schedule

START = datetime(2026, 11, 22, 14, 30, 15, 250_000, tzinfo=UTC)  # a Sunday


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("* * * * * *", "2026-11-22T14:30:16"),
        ("*/5 * * * * *", "2026-11-22T14:30:20"),
        ("15 * * * * *", "2026-11-22T14:31:15"),
        ("0 */5 * * * *", "2026-11-22T14:35:00"),
        ("*/5 * * * *", "2026-11-22T14:35:00"),
        ("0 10,40 * * * *", "2026-11-22T14:40:00"),
        ("0 45/5 * * * *", "2026-11-22T14:45:00"),
        ("0 0 9-17/4 * * *", "2026-11-22T17:00:00"),
        ("0 0 3 * * *", "2026-11-23T03:00:00"),
        ("0 0 0 1 * *", "2026-12-01T00:00:00"),
        ("0 0 0 31 * *", "2026-12-31T00:00:00"),
        ("0 0 12 * * MON-FRI", "2026-11-23T12:00:00"),
        ("0 0 12 * Jan 0", "2027-01-03T12:00:00"),
        ("0 0 0 29 2 *", "2028-02-29T00:00:00"),
        ("0 0 0 13 * fri", "2027-08-13T00:00:00"),
    ],
)
def test_next_moment(text: str, due: str) -> None:
    """A schedule is due at the first whole second after now at which all six fields match."""
    assert Schedule.parse(text).next_after(START).isoformat() == f"{due}+00:00"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("* * * *", "4 fields"),
        ("00:05:00", "1 fields"),
        ("60 * * * * *", "second"),
        ("* * 24 * * *", "hour"),
        ("* * * 0 * *", "day of month"),
        ("* * * * 13 *", "month"),
        ("* * * * * 7", "day of week"),
        ("* 9-5 * * * *", "minute"),
        ("*/0 * * * * *", "step of 0"),
        ("* * * * * L", "day of week"),
        ("* * * ? * *", "day of month"),
    ],
)
def test_refuses_what_is_no_schedule(text: str, reason: str) -> None:
    """A malformed schedule is refused with the field at fault, not taken for something else."""
    with pytest.raises(ValueError, match=reason):
        Schedule.parse(text)


def test_never_due() -> None:
    """A date that no calendar has is an error, not an endless search."""
    with pytest.raises(ValueError, match="never due"):
        Schedule.parse("0 0 0 30 2 *").next_after(START)


def test_reads_local_times() -> None:
    """A schedule is in UTC, whatever zone the clock's answer is in."""
    here = timezone(timedelta(hours=5, minutes=30))
    assert Schedule.parse("0 0 0 * * *").next_after(START.astimezone(here)) == datetime(
        2026, 11, 23, tzinfo=UTC
    )


_FIELD = st.sampled_from(["*", "0", "7", "1-20/3", "*/7", "5,6,40"])


@given(
    second=_FIELD,
    minute=_FIELD,
    hour=st.sampled_from(["*", "0", "3-5", "*/6", "23"]),
    start=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_law_of_next(second: str, minute: str, hour: str, start: datetime) -> None:
    """The next moment matches, lies after the start, and no second between them matches."""
    schedule = Schedule.parse(f"{second} {minute} {hour} * * *")
    due = schedule.next_after(start)
    assert due > start
    assert schedule.matches(due)
    checked = min(due, start.replace(microsecond=0) + timedelta(seconds=300))
    moment = start.replace(microsecond=0) + timedelta(seconds=1)
    while moment < checked:
        assert not schedule.matches(moment)
        moment += timedelta(seconds=1)
