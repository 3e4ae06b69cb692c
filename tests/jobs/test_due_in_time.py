"""What is due, minute by minute: done at its moment, once, whatever dies on the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.azure.tables import Entity
from shared.jobs import wire
from shared.jobs.due import Due
from shared.jobs.due_table import DueTable
from shared.jobs.due_worker import PutOff
from tests.jobs.virtual import MINUTE, SECOND, START, MemoryTables, Work, World

MOMENTS = st.integers(0, 600).map(lambda seconds: START + timedelta(seconds=seconds))


@given(moments=st.lists(MOMENTS, min_size=1, max_size=20))
@settings(max_examples=25)
async def test_each_is_done_once_at_its_moment_and_leaves_nothing(moments: list[Any]) -> None:
    """Never early, a second late at most, and no row is left."""
    world = World()
    for number, moment in enumerate(moments):
        assert await world.order(f"w{number}", moment)
    await world.until(START + 13 * MINUTE)
    for number, moment in enumerate(moments):
        (done,) = world.job.works[f"w{number}"].done
        assert moment <= done <= max(moment, START) + SECOND
    assert world.due_rows() == []


async def test_no_message_is_hidden_for_more_than_two_minutes() -> None:
    """Whenever the work is due: what is far waits in the table."""
    world = World()
    for number, minutes in enumerate((0, 1, 2, 3, 60)):
        await world.order(f"w{number}", START + minutes * MINUTE)
    await world.until(START + 61 * MINUTE)
    assert world.queues.longest <= 120
    assert all(work.done for work in world.job.works.values())


@given(
    seconds=st.integers(0, 400),
    order=st.integers(0, 4),
    deaths=st.lists(st.integers(0, 9), max_size=3),
    paced=st.booleans(),
)
@settings(max_examples=150)
async def test_killed_between_any_two_steps_what_was_answered_is_done_once(
    seconds: int, order: int, deaths: list[int], *, paced: bool
) -> None:
    """Order, timer and worker die at any call, up to three times: nothing that was answered is
    dropped, nothing is done twice, and no row stays."""
    world = World()
    moment = START + timedelta(seconds=seconds)

    answered = await world.order("w", moment, dies_at=order)
    written = "w" in world.job.works
    # A pace that is far away: the row goes to another place.
    turns = iter([PutOff(moment + 5 * MINUTE, "pace"), None]) if paced else iter([None])
    world.job.later["w"] = lambda _due: next(turns, None)
    left = iter(deaths)
    await world.until(START + 60 * MINUTE, dies=lambda: next(left, None))
    if answered:
        assert written
    if written:
        work = world.job.works["w"]
        assert len(work.done) == 1
        assert not work.given_up
    assert world.due_rows() == []


async def test_five_postponements_give_nothing_up() -> None:
    """Pace, holds and trouble may put a work off for as long as they last."""
    world = World()
    await world.order("w", START)
    put_off: list[Due] = []

    def later(due: Due) -> PutOff | None:
        put_off.append(due)
        return PutOff(world.now + MINUTE, "hold", due.tries + 1) if len(put_off) < 12 else None

    world.job.later["w"] = later
    await world.until(START + 30 * MINUTE)
    assert len(put_off) == 12
    assert {due.queued for due in put_off} == {1}
    assert len(world.job.works["w"].done) == 1
    assert world.job.works["w"].given_up == []


async def test_a_work_that_kills_its_process_is_given_up_at_the_fifth_queueing() -> None:
    """Four times it is tried, 1, 2, 4 and 8 minutes apart; then it is told, and its row goes. Those
    that were named beside it are done."""
    world = World()
    for number in range(20):
        await world.order(f"w{number}", START + 3 * MINUTE)
    world.job.kills.add("w7")
    await world.until(START + 30 * MINUTE)
    killer = world.job.works["w7"]
    assert world.job.begun["w7"] == 4
    assert len(killer.given_up) == 1
    assert killer.given_up[0] >= START + 18 * MINUTE
    others = [work for name, work in world.job.works.items() if name != "w7"]
    assert all(len(work.done) == 1 for work in others)
    assert world.due_rows() == []


async def test_a_dead_works_second_try_is_within_two_minutes() -> None:
    """Inside the repeat window of four minutes, whatever lease the host has on its message."""
    world = World()
    moment = START + 5 * MINUTE
    await world.order("w", moment)
    world.job.kills.add("w")
    await world.until(moment + SECOND)
    assert world.job.begun["w"] == 1
    world.job.kills.clear()
    await world.until(START + 20 * MINUTE)
    (done,) = world.job.works["w"].done
    assert moment + MINUTE <= done <= moment + 2 * MINUTE + 35 * SECOND


async def test_a_queue_that_is_behind_is_no_death() -> None:
    """Ten minutes nobody reads the queue: nothing is queued again, and nothing is given up."""
    world = World()
    for number in range(10):
        await world.order(f"w{number}", START + number * MINUTE)
    world.stopped = True
    await world.until(START + 20 * MINUTE)
    # Each has one message.
    assert len(world.queues.messages) == 10
    world.stopped = False
    await world.until(START + 22 * MINUTE)
    assert all(len(work.done) == 1 for work in world.job.works.values())
    assert world.due_rows() == []


async def test_a_row_without_its_work_is_dropped_at_the_fifth_queueing() -> None:
    """Nobody was answered for it: its process died before the work was written."""
    world = World()
    assert not await world.order("w", START, dies_at=1)
    assert "w" not in world.job.works
    await world.until(START + 14 * MINUTE)
    assert len(world.due_rows()) == 1
    await world.until(START + 20 * MINUTE)
    assert world.due_rows() == []


@pytest.mark.parametrize("minutes", [1, 5, 14])
async def test_a_work_whose_row_is_long_under_way_is_done(minutes: int) -> None:
    """Its due row is there first, and waits for it."""
    world = World()
    written = START + minutes * MINUTE

    async def write() -> None:
        await world.until(written)
        world.job.works["w"] = Work(START)

    await world.jobs.due.begin(Due("work", "w", START), write)
    await world.until(START + 30 * MINUTE)
    assert len(world.job.works["w"].done) == 1
    assert world.due_rows() == []


async def test_a_work_that_was_queued_twice_is_done_once() -> None:
    """A run of the timer died between queueing and marking."""
    world = World()
    await world.order("w", START + 4 * MINUTE)
    # The query, the message; the mark is not made.
    world.now = START + 3 * MINUTE
    assert not await world.process(world.jobs.timer.run, dies_at=2)
    assert await world.process(world.jobs.timer.run)
    assert len(world.queues.messages) == 2
    await world.until(START + 10 * MINUTE)
    assert len(world.job.works["w"].done) == 1
    assert world.due_rows() == []


async def test_who_meets_a_living_attempt_counts_it_as_queued_once() -> None:
    """A long work is nobody's death."""
    world = World()
    await world.order("w", START)
    work = world.job.works["w"]
    work.attempted = START + 40 * MINUTE
    await world.until(START + 39 * MINUTE)
    assert work.done == work.given_up == []
    await world.until(START + 45 * MINUTE)
    assert len(work.done) == 1


async def test_while_storage_is_down_nothing_is_given_up() -> None:
    """For half an hour; then it is done, once."""
    world = World()
    await world.order("w", START)
    world.calls.down = True
    await world.until(START + 30 * MINUTE)
    world.calls.down = False
    await world.until(START + 60 * MINUTE)
    work = world.job.works["w"]
    assert (len(work.done), work.given_up) == (1, [])
    assert world.due_rows() == []


class SlowAtFirst(MemoryTables):
    """Takes twenty-five seconds for its first row."""

    def __init__(self, world: World) -> None:
        super().__init__(world.calls)
        self._world = world
        self.written = 0

    async def put(self, table: str, entity: Entity) -> None:
        if self.written == 0:
            self._world.now += timedelta(seconds=25)
        self.written += 1
        await super().put(table, entity)


async def test_a_row_that_took_long_to_write_is_written_again() -> None:
    """What it is about follows within twenty seconds of the row, by the process's own clock."""
    world = World()
    tables = SlowAtFirst(world)
    table: DueTable = wire(tables, world.queues, world.clock).due  # type: ignore[arg-type]

    async def write() -> int:
        return tables.written

    assert await table.begin(Due("work", "w", START + 60 * MINUTE), write) == 2
