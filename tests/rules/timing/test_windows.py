"""Windows: their JSON, their holidays, what two of them leave open."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from shared.rules.timing.windows import described, easter, narrowed, read_window


@pytest.mark.parametrize(
    ("year", "day"),
    [
        (1818, date(1818, 3, 22)),
        (1943, date(1943, 4, 25)),
        (1954, date(1954, 4, 18)),
        (1981, date(1981, 4, 19)),
        (2024, date(2024, 3, 31)),
        (2025, date(2025, 4, 20)),
        (2026, date(2026, 4, 5)),
        (2027, date(2027, 3, 28)),
        (2038, date(2038, 4, 25)),
        (2049, date(2049, 4, 18)),
        (2076, date(2076, 4, 19)),
    ],
)
def test_easter(year: int, day: date) -> None:
    """Easter is right in its earliest, its latest and its exceptional years."""
    assert easter(year) == day


def test_closed_days() -> None:
    """A day of every year, one date and a day reckoned from Easter are closed, no others."""
    window = read_window(
        {"from": "08:00", "to": "24:00", "closedOn": ["12-25", "2026-11-26", "easter+1", "02-29"]}
    )
    closed = [date(2026, 12, 25), date(2027, 12, 25), date(2026, 11, 26), date(2026, 4, 6),
              date(2027, 3, 29), date(2028, 2, 29)]  # fmt: skip
    open_ = [date(2027, 11, 26), date(2026, 4, 5), date(2027, 4, 6), date(2028, 2, 28)]
    assert [window.on(day) for day in closed] == [None] * len(closed)
    assert all(window.on(day) for day in open_)


def test_two_windows_leave_their_common_hours() -> None:
    """A campaign's window narrows the law's and never widens it."""
    law = read_window({"from": "08:00", "to": "20:00", "days": {"sunday": None}})
    campaign = read_window({"from": "10:00", "to": "22:00", "closedOn": ["12-25"]})
    both = narrowed(law, campaign)
    assert described(both) == "monday to saturday 10:00-20:00, sunday closed"
    assert both.on(date(2026, 12, 25)) is None
    assert narrowed(campaign, law).days == both.days


def test_two_windows_without_a_common_hour_are_refused() -> None:
    """A window that never opens is told before anything waits for it."""
    morning = read_window({"from": "06:00", "to": "08:00"})
    with pytest.raises(ValueError, match="no hour in common"):
        narrowed(read_window({"from": "08:00", "to": "21:00"}), morning)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (None, "window must be an object"),
        ({"from": 8, "to": "21:00"}, "window.from must be a time such as 08:00, not 8"),
        ({"from": "08:00", "to": "21:00", "closedOn": ["easter+"]}, "window.closedOn"),
        ({"from": "08:00", "to": "21:00", "closedOn": ["2026-02-29"]}, "window.closedOn"),
        ({"from": "08:00", "to": "21:00", "closedOn": [25]}, "window.closedOn"),
        (
            {
                "from": "08:00",
                "to": "21:00",
                "days": dict.fromkeys(
                    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
                ),
            },
            "window: a window that never opens",
        ),
    ],
)
def test_bad_windows(value: Any, complaint: str) -> None:
    """What is wrong with a window is said with the member's name."""
    with pytest.raises(ValueError, match=complaint):
        read_window(value)
