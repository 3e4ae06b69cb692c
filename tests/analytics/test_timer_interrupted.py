"""A fold that is cut off at any of its calls to storage, and repeated, writes the same bytes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from azure.core.rest import HttpRequest

from shared.analytics.count_rows import TABLE
from shared.analytics.timer import CLAIM
from shared.azure.tables import Entity
from tests.analytics.world import END, Account, Author, FakeClock, World, run_until_done
from tests.support.transports import Inner, Wrapper

LATE = 12


class Killed(Exception):
    """The process is gone."""


class DyingTransport(Wrapper):
    """Lets so many requests through; then the process dies, before or after the next is done."""

    def __init__(self, inner: Inner, calls: int, *, after: bool) -> None:
        super().__init__(inner)
        self._left = calls
        self._after = after
        self.died = False

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        if self._left > 0:
            self._left -= 1
            return await super().send(request, **named)
        if self._after and not self.died:
            answer = await super().send(request, **named)
            await answer.close()
        self.died = True
        raise Killed


@pytest.fixture
async def world(account: Account) -> World:
    """Facts, some of them late, and marks; nothing has been folded since they came."""
    made = Author(7, account.id_key).write(300)
    await account.put(made)
    return made


async def _come_late(account: Account, clock: FakeClock, world: World) -> None:
    record = account.record(clock)
    for message_id, report in world.late[:LATE]:
        await record.report(message_id, report)


async def _undisturbed(account: Account, clock: FakeClock) -> dict[tuple[str, str], Entity]:
    """What is counted where nothing was counted before."""
    await account.storage.drop_table(TABLE)
    await run_until_done(account.parts(clock), clock)
    return await account.rollups()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_cut_off_anywhere(account: Account, world: World, *, after: bool) -> None:
    """Wherever runs end, those that follow write what undisturbed ones write."""
    clock = FakeClock(END + timedelta(hours=3))
    for calls in range(1000):
        # Each run gets one call further than the one before, the last one to its end.
        dying = DyingTransport(account.network, calls, after=after)
        try:
            await account.parts(clock, dying).analytics.timer.run()
        except Killed:
            clock.forward(seconds=CLAIM.total_seconds())
        if not dying.died:
            assert calls > 10
            break
    # The counts of answers have marked the minutes of their texts.
    await run_until_done(account.parts(clock), clock)
    got = await account.rollups()
    assert got == await _undisturbed(account, clock)


async def test_cut_off_while_late_facts_are_counted(account: Account, world: World) -> None:
    """Marks are heeded by whoever comes after a run that was cut off while it heeded them."""
    clock = FakeClock(END + timedelta(hours=3))
    await run_until_done(account.parts(clock), clock)
    await _come_late(account, clock, world)
    clock.forward(minutes=9)
    for calls in range(100):
        dying = DyingTransport(account.network, calls, after=True)
        try:
            await account.parts(clock, dying).analytics.timer.run()
        except Killed:
            clock.forward(seconds=CLAIM.total_seconds())
        else:
            break
    await run_until_done(account.parts(clock), clock)
    got = await account.rollups()
    assert got == await _undisturbed(account, clock)


async def test_two_at_once(account: Account, world: World) -> None:
    """While one run folds, another does nothing; a claim that was left behind ends by itself."""
    clock = FakeClock(END + timedelta(hours=3))
    with pytest.raises(Killed):
        await account.parts(
            clock, DyingTransport(account.network, 5, after=False)
        ).analytics.timer.run()
    parts = account.parts(clock)
    claimed = await parts.analytics.timer.state()
    await parts.analytics.timer.run()
    assert await parts.analytics.timer.state() == claimed
    assert await account.rollups() == {}
    clock.forward(seconds=CLAIM.total_seconds())
    await parts.analytics.timer.run()
    assert await account.rollups() != {}


async def test_nothing_to_fold_writes_nothing_but_how_far_it_came(account: Account) -> None:
    """Without facts a run makes no rows."""
    clock = FakeClock(END)
    parts = account.parts(clock)
    for _ in range(3):
        await parts.analytics.timer.run()
        clock.forward(minutes=1)
    assert await account.rollups() == {}
    state = await parts.analytics.timer.state()
    assert state is not None
    assert state.folded_up_to == END
