"""Several things at once."""

from __future__ import annotations

import asyncio

import pytest

from shared.base.tasks import AT_ONCE, every, few_at_once


class Work:
    """Counts what is under way; what is negative fails."""

    def __init__(self) -> None:
        self.running = self.most = self.done = 0

    async def __call__(self, thing: int) -> int:
        self.running += 1
        self.most = max(self.most, self.running)
        for _ in range(3 + thing % 3):
            await asyncio.sleep(0)
        self.running -= 1
        self.done += 1
        if thing < 0:
            raise ValueError(thing)
        return 2 * thing


@pytest.mark.parametrize(("things", "at_once"), [(0, 3), (2, 3), (40, 3), (40, 1), (40, AT_ONCE)])
async def test_a_few_at_once(things: int, at_once: int) -> None:
    """Results in the order of the things, as many under way as may be and never more."""
    work = Work()
    assert await few_at_once(work, range(things), at_once) == [2 * n for n in range(things)]
    assert work.most == min(things, at_once)


async def test_the_first_error_when_nothing_is_left_running() -> None:
    """All are done before the first error is raised."""
    work = Work()
    with pytest.raises(ValueError, match="-1"):
        await few_at_once(work, [1, -1, -2, *range(30)])
    assert (work.running, work.done) == (0, 33)


async def test_an_error_that_is_a_result() -> None:
    """Work may answer with an error; that is not one that it raised."""
    error = ValueError("an answer")

    async def work(_: int) -> ValueError:
        return error

    assert await few_at_once(work, range(2)) == [error, error]
    assert await every(work(1)) == [error]
