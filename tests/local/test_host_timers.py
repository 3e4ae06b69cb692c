"""Timers on a clock of the test's own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from local.host.schedule import Schedule
from local.host.timers import follow

START = datetime(2026, 11, 22, 14, 30, 0, tzinfo=UTC)


class Clock:
    """A clock that only moves when slept on, and stops the timer at an end."""

    def __init__(self, end: datetime, *, short_by: timedelta = timedelta(0)) -> None:
        self.moment = START
        self._end = end
        self._short_by = short_by

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        if self.moment >= self._end:
            raise asyncio.CancelledError
        # A real sleep may end a moment before its time by the other clock.
        self.moment += timedelta(seconds=seconds) - self._short_by
        self._short_by = timedelta(0)


async def calls(
    schedule: str, clock: Clock, *, run_on_startup: bool = False, takes: float = 0
) -> list[str]:
    seen: list[str] = []

    async def run() -> None:
        seen.append(clock.moment.strftime("%H:%M:%S"))
        clock.moment += timedelta(seconds=takes)

    with pytest.raises(asyncio.CancelledError):
        await follow(
            Schedule.parse(schedule),
            run,
            run_on_startup=run_on_startup,
            now=clock.now,
            sleep=clock.sleep,
        )
    return seen


async def test_is_called_at_each_due_moment() -> None:
    """The function runs at every moment of its schedule and at no other."""
    clock = Clock(START + timedelta(seconds=20))
    assert await calls("*/10 * * * * *", clock) == ["14:30:10", "14:30:20"]


async def test_run_on_startup() -> None:
    """`run_on_startup` runs the function once more, at once."""
    clock = Clock(START + timedelta(seconds=10))
    seen = await calls("*/10 * * * * *", clock, run_on_startup=True)
    assert seen == ["14:30:00", "14:30:10"]


async def test_a_slow_run_delays_the_next() -> None:
    """Runs never overlap; what became due meanwhile is not made up for."""
    clock = Clock(START + timedelta(seconds=40))
    assert await calls("*/10 * * * * *", clock, takes=15) == ["14:30:10", "14:30:30"]


async def test_a_short_sleep_does_not_call_twice() -> None:
    """A sleep that ends a moment early neither calls early nor twice."""
    clock = Clock(START + timedelta(seconds=20), short_by=timedelta(milliseconds=3))
    assert await calls("*/10 * * * * *", clock) == ["14:30:10", "14:30:20"]
