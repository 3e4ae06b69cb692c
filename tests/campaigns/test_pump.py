"""The pump of a campaign: places ahead, places again, an end; and what dies on the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.stack import Stack
from shared.campaigns.campaign import Chunk, Fate, Phase, Piece
from shared.campaigns.pump import MOST_PLACES, had_its_turn, is_overdue
from shared.jobs.due import Due
from tests.campaigns.support import campaign, chunks_of, order, ordered, pumped, steered
from tests.campaigns.test_chunk_runs import engine_with
from tests.campaigns.test_steering import SENDERS, one_chunk
from tests.sending.test_denials import Shelf
from tests.support.client import UNHURRIED, Parley
from tests.support.due import due_of, free
from tests.support.parts import parts_of
from tests.support.people import People
from tests.support.polling import eventually

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PIECE = Piece(0, 0, 10, 1, (), 0.0, {"24680": 1}, 1)


@pytest.mark.parametrize(("placed", "seconds"), [(1, 45), (2, 120), (3, 240), (4, 480), (9, 480)])
def test_when_a_chunk_is_overdue(placed: int, seconds: int) -> None:
    """45 seconds after its moment, then 2, 4 and 8 minutes; not while a run of it is alive."""
    chunk = Chunk(PIECE, slot=NOW, placed=placed)
    assert not is_overdue(chunk, NOW + (seconds - 1) * SECOND)
    late = NOW + seconds * SECOND
    assert is_overdue(chunk, late)
    assert not is_overdue(replace(chunk, attempt="a run", busy_until=late + SECOND), late)
    assert not is_overdue(replace(chunk, placed=0), late)
    assert is_overdue(Chunk(PIECE), NOW)


def test_a_queue_that_is_behind_makes_no_chunk_overdue() -> None:
    """Its message, seen two and a half seconds before its moment, has not had its turn."""
    chunk = Chunk(PIECE, slot=NOW, placed=1)
    assert had_its_turn(chunk, None)
    assert had_its_turn(chunk, NOW)
    assert not had_its_turn(chunk, NOW - 3 * SECOND)


class Clock:
    """A clock that is moved by hand, from the real time on."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.moment


async def test_a_chunk_that_is_never_done_is_given_up_and_told(
    stack: Stack, parley: Parley, people: People
) -> None:
    """It gets four places, as if its process died each time; then the campaign pauses, and says
    why. A resume tries it anew."""
    clock = Clock()
    async with parts_of(stack, clock=clock, PARLEY_SENDERS=SENDERS) as parts:
        chunk, shelf = await one_chunk(parts, people.many(1), "Hello"), Shelf(parts)
        engine = engine_with(parts, shelf)
        await no_queue(parts)
        places: list[Any] = []
        for _ in range(60):
            await pumped(parts, chunk.campaign_id, engine)
            places += shelf.kept
            shelf.kept.clear()
            clock.moment += timedelta(seconds=30)
            if (await parts.campaigns.store.get(chunk.campaign_id)).phase is Phase.PAUSED:  # type: ignore[union-attr]
                break
        assert len(places) == MOST_PLACES
        (row,) = await chunks_of(parts, chunk.campaign_id)
        assert row.fate is Fate.FAILED
        # The sender's place in time is as far ahead as this clock; others need it now.
        await free(parts, UNHURRIED)
    paused = await campaign(parley, chunk.campaign_id)
    assert (paused["state"], "gave a chunk up" in paused["reason"]) == ("paused", True)
    await steered(parley, chunk.campaign_id, "resume")

    async def done() -> bool:
        return bool((await campaign(parley, chunk.campaign_id))["state"] == "done")

    await eventually(done, "the campaign is done")


async def no_queue(parts: Any) -> None:
    """Nothing of other tests stands in front of the queue."""

    async def empty() -> bool:
        return await parts.parts.dispatch.first_visible() is None

    await eventually(empty, "the queue is worked off")


async def test_a_campaign_has_one_row_and_none_once_it_is_over(
    stack: Stack, parley: Parley, people: People
) -> None:
    """From its order on, through pauses and resumes, until it is canceled or done."""
    start = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = await ordered(parley, order(*people.many(2), startAt=start))
    campaign_id = made["campaignId"]
    async with parts_of(stack) as parts:
        due = parts.parts.jobs.due

        async def waits() -> list[Due]:
            found = await due_of(due, campaign_id)
            return found if [one.why for one in found] == ["startAt"] else []

        (row,) = await eventually(waits, "it waits for its start")
        assert row.kind == "campaign"
        assert row.moment.isoformat() == start
        await steered(parley, campaign_id, "pause")
        await steered(parley, campaign_id, "resume")
        assert await eventually(waits, "it waits for its start again")
        await steered(parley, campaign_id, "cancel")
        await steered_no_more(parley, campaign_id)
        await parts.parts.jobs.worker.run_message(named(row))
        assert await due_of(due, campaign_id) == []


def named(due: Due) -> dict[str, Any]:
    work = [due.kind, due.work_id, due.moment.isoformat(), 1, 0, due.why]
    return {"in": due.place, "works": [work]}


async def steered_no_more(parley: Parley, campaign_id: str) -> None:
    reply = await parley.own("POST", f"/campaigns/{campaign_id}:resume")
    assert (reply.status, reply.json["code"]) == (409, "CampaignEnded")
