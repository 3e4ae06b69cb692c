"""The moment to send at, as callers write it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.base.errors import InvalidRequest
from shared.rules.timing.when import read_send_at

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "zone", "moment"),
    [
        ("2026-03-08T14:30:00Z", None, "2026-03-08T14:30:00"),
        ("2026-03-08t14:30z", None, "2026-03-08T14:30:00"),
        ("2026-03-08T09:30:00-05:00", None, "2026-03-08T14:30:00"),
        ("2026-03-08T14:30:00.1234567+00:00", None, "2026-03-08T14:30:00.123456"),
        ("2026-03-01T11:59:00Z", None, "2026-03-01T11:59:00"),
        ("2027-03-01T12:00:00Z", None, "2027-03-01T12:00:00"),
        ("2026-03-08T03:00:00", "America/New_York", "2026-03-08T07:00:00"),
        ("2026-03-08T01:59:59", "America/New_York", "2026-03-08T06:59:59"),
        ("2026-03-08T02:30:00", "America/Phoenix", "2026-03-08T09:30:00"),
        ("2026-11-01T01:30:00-04:00", "America/New_York", "2026-11-01T05:30:00"),
        ("2026-11-01T01:30:00-05:00", "America/New_York", "2026-11-01T06:30:00"),
        ("2026-11-01T02:00:00", "America/New_York", "2026-11-01T07:00:00"),
    ],
)
def test_what_is_understood(text: str, zone: str | None, moment: str) -> None:
    """A moment with an offset, or a local time that happens once in the zone beside it."""
    assert read_send_at(text, NOW, time_zone=zone) == datetime.fromisoformat(moment).replace(
        tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("text", "zone", "member", "reason"),
    [
        ("2026-03-08T09:30:00", None, "sendAt", "names no time zone"),
        ("2026-03-01T11:58:59Z", None, "sendAt", "is in the past"),
        ("2027-03-02T12:00:01Z", None, "sendAt", "more than a year ahead"),
        ("9999-12-31T23:59:59-12:00", None, "sendAt", "outside the years 1 to 9999"),
        ("0001-01-01T00:00:00+12:00", None, "sendAt", "outside the years 1 to 9999"),
        ("9999-12-31T23:59:59", "America/New_York", "sendAt", "outside the years 1 to 9999"),
        ("2026-02-30T10:00:00Z", None, "sendAt", "a day that does not exist"),
        ("2026-03-08", None, "sendAt", "must be a date and time"),
        ("tomorrow", None, "sendAt", "must be a date and time"),
        ("", None, "sendAt", "must be a date and time"),
        (1772971200, None, "sendAt", "must be a date and time"),
        (None, None, "sendAt", "must be a date and time"),
        ("2026-03-08T25:00:00Z", None, "sendAt", "must be a date and time"),
        ("2026-03-08T10:00:60Z", None, "sendAt", "must be a date and time"),
        ("2026-03-08T10:00:00+24:00", None, "sendAt", "must be a date and time"),
        ("\u0662026-03-08T10:00:00Z", None, "sendAt", "must be a date and time"),
        ("2026-03-08T10:00:00", "EST5NOWHERE", "timeZone", "must be an IANA time zone"),
        ("2026-03-08T10:00:00", 5, "timeZone", "must be an IANA time zone"),
        ("2026-03-08T10:00:00", "", "timeZone", "must be an IANA time zone"),
        (
            "2026-03-08T02:30:00",
            "America/New_York",
            "sendAt",
            (
                "sendAt: 02:30 does not happen on 2026-03-08 in America/New_York: the clocks go"
                " forward to 03:00 and leap over it."
            ),
        ),
        (
            "2026-11-01T01:30:00",
            "America/New_York",
            "sendAt",
            (
                "sendAt: 01:30 happens twice on 2026-11-01 in America/New_York: the clocks go back."
                " Write 2026-11-01T01:30:00-04:00 or 2026-11-01T01:30:00-05:00."
            ),
        ),
        (
            "2026-03-08T10:00:00Z",
            "America/New_York",
            "sendAt",
            "disagree: at that moment clocks in America/New_York show 2026-03-08T06:00:00-04:00",
        ),
    ],
)
def test_what_is_refused(text: object, zone: object, member: str, reason: str) -> None:
    """Nothing is guessed: every other text is refused with the member and a sentence."""
    with pytest.raises(InvalidRequest) as refused:
        read_send_at(text, NOW, time_zone=zone)
    assert list(refused.value.errors) == [member]
    assert reason in refused.value.errors[member][0]


@settings(deadline=None)
@given(st.datetimes(timezones=st.timezones(), allow_imaginary=False), st.text())
def test_nothing_else_is_raised(moment: datetime, text: str) -> None:
    """Any text gives a moment within the bounds or InvalidRequest."""
    for written in (moment.isoformat(), text):
        try:
            found = read_send_at(written, NOW)
        except InvalidRequest:
            continue
        assert NOW - timedelta(minutes=1) <= found <= NOW + timedelta(days=366)
