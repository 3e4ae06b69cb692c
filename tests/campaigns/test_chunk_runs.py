"""A chunk has one run at a time: a slow one is not taken for lost, a dead one is made up for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.stack import Stack
from shared.campaigns.campaign import Chunk, Fate, Phase
from shared.campaigns.engine import Engine
from shared.campaigns.pump import Pump
from shared.services import Services
from tests.campaigns.support import chunks_of, pumped
from tests.campaigns.test_steering import SENDERS, is_text, one_chunk
from tests.campaigns.test_steering import Chunk as OneChunk
from tests.sending.test_denials import Shelf, chunks_with
from tests.support.client import Platform
from tests.support.parts import parts_of
from tests.support.people import People
from tests.support.transports import HeldTransport, Inner

COUNT = 12
# After which no attempt of a send is alive.
A_WHILE = timedelta(seconds=45)


class Clock:
    """A clock that stands where it is put; near the real time, by which signatures are checked."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.moment


class HeldText(HeldTransport):
    """Holds the answers to what is asked of ACS."""

    def __init__(self, inner: Inner) -> None:
        super().__init__(inner, is_text)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def held_and_parts(stack: Stack, clock: Clock) -> AsyncIterator[tuple[HeldText, Services]]:
    made: list[HeldText] = []

    def way(inner: Inner) -> Inner:
        made.append(HeldText(inner))
        return made[0]

    async with parts_of(stack, way=way, clock=clock, PARLEY_SENDERS=SENDERS) as parts:
        yield made[0], parts


@pytest.fixture
def parts(held_and_parts: tuple[HeldText, Services]) -> Services:
    return held_and_parts[1]


async def row_of(parts: Services, chunk: OneChunk) -> Chunk:
    (row,) = await chunks_of(parts, chunk.campaign_id)
    return row


async def counts_of(parts: Services, chunk: OneChunk) -> dict[str, int]:
    counts: dict[str, int] = (await parts.campaigns.api.get_campaign(chunk.campaign_id))["counts"]
    assert sum(counts.values()) == len(chunk.people)
    return counts


def engine_with(parts: Services, shelf: Shelf) -> Engine:
    """An engine that puts chunks in their place on a shelf."""
    ours = replace(parts.parts, jobs=replace(parts.parts.jobs, dispatch=shelf))
    room, lease = parts.campaigns, parts.campaigns.chunks.lease
    return Engine(
        ours,
        store=room.store,
        expansion=room.expansion,
        eta=room.engine._eta,
        counting=room.counting,
        pump=Pump(ours, store=room.store, pacing=parts.limits.pacing, lease=lease),
    )


async def test_a_message_that_meets_a_living_run_waits(
    held_and_parts: tuple[HeldText, Services], platform: Platform, people: People
) -> None:
    """It comes back when that run would be dead, finds the chunk done, and does nothing."""
    held, parts = held_and_parts
    chunk, shelf = await one_chunk(parts, people.many(COUNT), "Hello {name}"), Shelf(parts)
    sender = chunks_with(parts, shelf)
    held.hold()
    run = asyncio.ensure_future(sender.send_chunk(chunk.message))
    await held.arrived.wait()
    asked = held.sent
    row = await row_of(parts, chunk)
    assert row.is_run(parts.parts.clock())
    await sender.send_chunk(chunk.message)
    ((moment, again),) = shelf.kept
    assert moment == row.busy_until
    held.released.set()
    await run
    assert asked < held.sent == COUNT
    done = await row_of(parts, chunk)
    assert (done.fate, done.attempt, done.busy_until) == (Fate.DONE, "", None)
    await sender.send_chunk(again)
    assert (held.sent, len(shelf.kept)) == (COUNT, 1)
    assert await chunk.texted(platform) == dict.fromkeys(chunk.people, 1)
    assert (await row_of(parts, chunk)).done_at == done.done_at


@pytest.mark.parametrize("why", ["at work", "put back"])
async def test_a_slow_chunk_is_not_placed_again(
    why: str,
    held_and_parts: tuple[HeldText, Services],
    clock: Clock,
    *,
    platform: Platform,
    people: People,
) -> None:
    """However long ago its moment was, the pump leaves it alone while its run is alive, or is to
    come by a message that is under way. After that it is lost, and is placed once."""
    held, parts = held_and_parts
    long_ago = clock.moment - timedelta(hours=1)
    chunk = await one_chunk(parts, people.many(COUNT), "Hello {name}", last_slot=long_ago)
    shelf = Shelf(parts)
    sender, engine = chunks_with(parts, shelf), engine_with(parts, shelf)
    if why == "put back":
        for person in chunk.people:
            await platform.order_fault("send", "throttle", number=person, times=1, retryAfter=60)
        await sender.send_chunk(chunk.message)
        ((moment, _),) = shelf.kept
        assert moment > clock.moment
        shelf.kept.clear()
        run = asyncio.ensure_future(asyncio.sleep(0))
    else:
        held.hold()
        run = asyncio.ensure_future(sender.send_chunk(chunk.message))
        await held.arrived.wait()
    await pumped(parts, chunk.campaign_id, engine)
    assert shelf.kept == []
    row = await row_of(parts, chunk)
    assert row.busy_until is not None
    held.released.set()
    await run
    if why == "at work":
        assert (await row_of(parts, chunk)).fate is Fate.DONE
        return
    clock.moment = row.busy_until
    for _ in range(2):
        await pumped(parts, chunk.campaign_id, engine)
    ((_, placed),) = shelf.kept
    assert placed["kind"] == "campaign.chunk"


async def test_a_put_back_chunk_is_not_run_by_another_message(
    parts: Services, platform: Platform, people: People
) -> None:
    """A second message of a chunk that has to pause does not make it run at once."""
    chunk, shelf = await one_chunk(parts, people.many(1), "Hello"), Shelf(parts)
    sender = chunks_with(parts, shelf)
    (person,) = chunk.people
    await platform.order_fault("send", "throttle", number=person, times=1, retryAfter=60)
    await sender.send_chunk(chunk.message)
    asked = await platform.calls(person)
    await sender.send_chunk(chunk.message)
    assert await platform.calls(person) == asked
    (_, again), (later, other) = shelf.kept
    assert later == (await row_of(parts, chunk)).busy_until
    assert (again["tries"], "tries" in other) == (1, False)


async def test_a_run_outlives_its_lease_as_long_as_it_is_alive(
    held_and_parts: tuple[HeldText, Services], clock: Clock, people: People
) -> None:
    """Before every few sends it says so in the chunk's row, whoever else has counted there; a run
    that was taken for dead stops."""
    held, parts = held_and_parts
    chunk, shelf = await one_chunk(parts, people.many(40), "Hello {name}"), Shelf(parts)
    sender = chunks_with(parts, shelf)
    held.hold()
    run = asyncio.ensure_future(sender.send_chunk(chunk.message))
    await held.arrived.wait()
    row = await row_of(parts, chunk)
    await parts.campaigns.store.record_chunk(chunk.campaign_id, row, settled=False)
    clock.moment += sender.lease * 0.75
    held.released.set()
    await run
    assert held.sent > 16
    # Sends that had not asked yet when the clock moved on have had no time left for it.
    while shelf.kept:
        _, again = shelf.kept.pop()
        clock.moment += A_WHILE
        await sender.send_chunk({**again, "slot": None})
    done = await row_of(parts, chunk)
    assert (done.fate, done.counts) == (Fate.DONE, {"sent": 40})

    other = await one_chunk(parts, people.many(40), "Hello {name}")
    held.hold()
    held.sent = 0
    run = asyncio.ensure_future(sender.send_chunk(other.message))
    await held.arrived.wait()
    row = await row_of(parts, other)
    await parts.campaigns.store.record_chunk(other.campaign_id, row, attempt="another run's")
    clock.moment += sender.lease * 0.75
    held.released.set()
    await run
    assert held.sent < 40
    taken = await row_of(parts, other)
    assert (taken.fate, taken.attempt) == (Fate.OPEN, "another run's")
    counts = await counts_of(parts, other)
    assert 0 < counts["queued"] <= 40 - held.sent


@pytest.mark.parametrize("end", [Phase.PAUSED, Phase.CANCELED])
async def test_what_a_dead_run_has_sent_counts(
    end: Phase,
    held_and_parts: tuple[HeldText, Services],
    clock: Clock,
    *,
    platform: Platform,
    people: People,
) -> None:
    """Its process died before it could note anything; then the campaign was paused or canceled.
    Whoever was texted is not called queued or canceled."""
    held, parts = held_and_parts
    chunk, shelf = await one_chunk(parts, people.many(COUNT), "Hello {name}"), Shelf(parts)
    sender = chunks_with(parts, shelf)
    held.hold()
    run = asyncio.ensure_future(sender.send_chunk(chunk.message))
    await held.arrived.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    held.released.set()
    texted = await chunk.texted(platform)
    assert 0 < len(texted) < COUNT
    await parts.campaigns.store.stop(chunk.campaign_id, end, "a reason", clock.moment)
    waiting = "queued" if end is Phase.PAUSED else "canceled"
    # While it may be alive, it is waited for.
    await sender.send_chunk(chunk.message)
    clock.moment += sender.lease
    await sender.send_chunk(chunk.message)
    counts = await counts_of(parts, chunk)
    # Those of whom it is not known are uncertain.
    assert 0 < counts[waiting] <= COUNT - len(texted)
    fates = {Phase.PAUSED: Fate.PARKED, Phase.CANCELED: Fate.CANCELED}
    assert (await row_of(parts, chunk)).fate is fates[end]


async def test_what_is_in_doubt_is_not_canceled(
    parts: Services, platform: Platform, people: People
) -> None:
    """A send without an answer counts as uncertain, also where the campaign ends before it is
    asked for again; the others keep their counts through a second run that is cut at once."""
    chunk, shelf = await one_chunk(parts, people.many(COUNT), "Hello {name}"), Shelf(parts)
    sender = chunks_with(parts, shelf)
    lost = chunk.people[0]
    await platform.order_fault("send", "acceptThenClose", number=lost, times=9)
    await sender.send_chunk(chunk.message)
    await platform.control("DELETE", "/faults")
    ((_, again),) = shelf.kept
    row = await row_of(parts, chunk)
    assert (row.fate, row.counts) == (Fate.OPEN, {"sent": COUNT - 1, "uncertain": 1})
    await parts.campaigns.api.cancel(chunk.campaign_id)
    await sender.send_chunk(again)
    counts = await counts_of(parts, chunk)
    assert "canceled" not in counts


async def test_a_look_at_a_part_does_not_outlive_the_whole(
    parts: Services, platform: Platform, people: People
) -> None:
    """Who counted a chunk that was cut short, and writes that down only after it is done, changes
    nothing."""
    chunk, shelf = await one_chunk(parts, people.many(COUNT), "Hello {name}"), Shelf(parts)
    sender = chunks_with(parts, shelf)
    await platform.order_fault("send", "throttle", number=chunk.people[0], times=1, retryAfter=1)
    await sender.send_chunk(chunk.message)
    part = await row_of(parts, chunk)
    assert part.counts == {"sent": COUNT - 1}
    ((_, again),) = shelf.kept
    await sender.send_chunk(json.loads(json.dumps({**again, "slot": None})))
    counted = await parts.campaigns.counting.count_chunk(chunk.campaign_id, part)
    assert sum(counted.counts.values()) == COUNT - 1
    row = await row_of(parts, chunk)
    assert (row.fate, sum(row.counts.values())) == (Fate.DONE, COUNT)
    await counts_of(parts, chunk)


async def test_a_late_run_does_not_undo_what_is_done(
    held_and_parts: tuple[HeldText, Services], clock: Clock, people: People
) -> None:
    """A run that was taken for dead and is cut short later leaves the finished chunk as it is."""
    held, parts = held_and_parts
    chunk, shelf = await one_chunk(parts, people.many(COUNT), "Hello {name}"), Shelf(parts)
    sender = chunks_with(parts, shelf)
    held.hold()
    late = asyncio.ensure_future(sender.send_chunk(chunk.message))
    await held.arrived.wait()
    row = await row_of(parts, chunk)
    everybody: dict[str, Any] = {
        "fate": str(Fate.DONE),
        "counts": {"delivered": COUNT},
        "settled": True,
        "attempt": "",
        "busyUntil": None,
    }
    await parts.campaigns.store.record_chunk(chunk.campaign_id, row, **everybody)
    clock.moment += sender.lease * 0.75
    held.released.set()
    await late
    done = await row_of(parts, chunk)
    assert (done.fate, done.counts, done.settled) == (Fate.DONE, {"delivered": COUNT}, True)
