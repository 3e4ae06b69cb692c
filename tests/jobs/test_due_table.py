"""What is due, in storage: rows in their places, messages that name them, marks under ETags."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.azure.storage import Changed, TableMissing
from shared.jobs.due import Due
from shared.jobs.due_table import TABLE, Heartbeat
from tests.jobs.conftest import Room

NEAR, FAR = timedelta(seconds=90), timedelta(hours=1)


async def nothing() -> None:
    return None


async def all_due(room: Room) -> list[Due]:
    return [due async for due in room.jobs.due.after("", "", 2)]


async def test_what_is_far_has_a_row_and_what_is_near_a_message_as_well(room: Room) -> None:
    """The row of the near one says that it is queued."""
    now = room.clock()
    await room.jobs.due.begin(Due("work", "far", now + FAR, why="sendAt"), nothing)
    assert await room.messages() == 0
    await room.jobs.due.begin(Due("work", "near", now + NEAR), nothing)
    assert await room.messages() == 1
    near, far = await all_due(room)
    assert (near.work_id, near.queued, near.queued_at) == ("near", 1, now + NEAR)
    assert (far.work_id, far.queued, far.why, far.moment) == ("far", 0, "sendAt", now + FAR)


async def test_the_row_is_there_before_what_it_is_about(room: Room) -> None:
    """And the message only after it."""
    seen: list[tuple[int, int]] = []

    async def write() -> str:
        seen.append((len(await all_due(room)), await room.messages()))
        return "written"

    assert await room.jobs.due.begin(Due("work", "w", room.clock()), write) == "written"
    assert seen == [(1, 0)]
    assert await room.messages() == 1


async def test_put_off_to_a_near_moment_it_keeps_its_place(room: Room) -> None:
    """One row changed, one message; its own row goes on naming the same place."""
    due = Due("work", "w", room.clock())
    await room.jobs.due.begin(due, nothing)
    named: list[Due] = []

    async def name(_due: Due, later: Due) -> None:
        named.append(later)

    later = Due("work", "w", room.clock() + NEAR, tries=2, why="pace")
    await room.jobs.due.put_off(due, later, name)
    (row,) = await all_due(room)
    assert (row.place, row.moment, row.queued, row.tries) == (due.place, later.moment, 1, 2)
    assert named == []
    assert await room.messages() == 2


async def test_put_off_to_a_far_moment_it_moves(room: Room) -> None:
    """The new row, then what names it, then the old row goes; no message."""
    due = Due("work", "w", room.clock())
    await room.jobs.due.begin(due, nothing)
    places: list[list[str]] = []

    async def name(_due: Due, _later: Due) -> None:
        places.append(sorted(row.place for row in await all_due(room)))

    later = Due("work", "w", room.clock() + FAR, why="quietHours")
    await room.jobs.due.put_off(due, later, name)
    assert places == [sorted([due.place, later.place])]
    (row,) = await all_due(room)
    assert (row.place, row.queued, row.why) == (later.place, 0, "quietHours")
    assert await room.messages() == 1


async def test_a_move_that_cannot_be_named_leaves_both_rows(room: Room) -> None:
    """Whoever meets them sees which one its own row names."""
    due = Due("work", "w", room.clock())
    await room.jobs.due.begin(due, nothing)

    async def name(_due: Due, _later: Due) -> None:
        raise Changed

    with pytest.raises(Changed):
        await room.jobs.due.put_off(due, replace(due, moment=room.clock() + FAR), name)
    assert len(await all_due(room)) == 2


async def test_a_mark_does_not_undo_what_happened_meanwhile(room: Room) -> None:
    """A row that was changed or has gone keeps what became of it; its neighbours are marked."""
    moment = room.clock() + FAR
    found = [Due("work", f"w{number}", moment) for number in range(100)]
    place = found[0].place
    found = [due for due in found if due.place == place]
    assert len(found) > 2
    for due in found:
        await room.jobs.due.begin(due, nothing)
    read = await all_due(room)
    await room.jobs.due.set_back(read[0])
    await room.jobs.due.remove([read[1]])
    await room.jobs.due.mark([replace(due, queued=4) for due in read])
    after = {due.work_id: due.queued for due in await all_due(room)}
    assert after == {due.work_id: 4 for due in read[2:]} | {read[0].work_id: 1}


async def test_what_is_gone_already_can_be_removed_and_set_back(room: Room) -> None:
    """Somebody else has ended it: nothing comes back into being."""
    here = Due("work", "w", room.clock())
    dues = [here, replace(here, work_id="v", partition=here.place)]
    await room.jobs.due.remove(dues)
    await room.jobs.due.set_back(dues[0])
    await room.jobs.due.put_off(dues[0], replace(dues[0], moment=room.clock() + NEAR), named)
    assert await all_due(room) == []


async def named(_due: Due, _later: Due) -> None:
    raise AssertionError("nothing names what is near")


async def test_the_timer_queues_a_crowd_in_messages_of_fifty(room: Room) -> None:
    """Each work is named once, and the next run finds nothing to do."""
    moment = room.clock() + timedelta(minutes=10)
    for number in range(120):
        await room.jobs.due.begin(Due("work", f"w{number}", moment), nothing)
    await room.jobs.timer.run()
    assert await room.messages() == 0
    room.clock.later(minutes=8, seconds=30)
    await room.jobs.timer.run()
    rows = await all_due(room)
    assert {row.queued for row in rows} == {1}
    by_place = {row.place for row in rows}
    # Eight partitions, of which none has more than fifty.
    assert await room.messages() == len(by_place) <= 8
    await room.jobs.timer.run()
    assert await room.messages() == len(by_place)


async def test_the_timer_peeks_whether_the_queue_is_behind(room: Room) -> None:
    """While the first message is one that became visible before a work's, nothing is repeated."""
    await room.jobs.dispatch.at(room.clock(), {"kind": "other"})
    room.clock.later(seconds=1)
    await room.jobs.due.begin(Due("work", "w", room.clock()), nothing)
    room.clock.later(minutes=5)
    await room.jobs.timer.run()
    assert await room.messages() == 2
    beat = await room.jobs.due.last_beat()
    assert beat == Heartbeat(room.clock(), behind=1)
    await room.queue.clear_messages()
    await room.jobs.timer.run()
    assert await room.messages() == 1
    (row,) = await all_due(room)
    assert row.queued == 2


async def test_a_row_of_another_version_holds_up_no_other(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told, and left for the release that wrote it."""
    await room.jobs.due.begin(Due("work", "w", room.clock() + NEAR), nothing)
    (row,) = await room.rows()
    later = {**row, "RowKey": "work~x", "v": 2}
    await room.tables.put(TABLE, later)
    found = [due.work_id async for due in room.jobs.due.due_by(room.clock() + NEAR)]
    assert found == ["w"]
    (told,) = [text for text in caplog.messages if text.startswith("due.unreadable")]
    assert "version 2" in json.loads(told.partition(" ")[2])["reason"]


async def test_without_its_table_nothing_reads_as_done(room: Room) -> None:
    """A table that must be there and is not is an error, not an empty answer."""
    await room.tables.drop_table(TABLE)
    try:
        with pytest.raises(TableMissing):
            await room.jobs.timer.run()
    finally:
        await room.tables.make_table(TABLE)
