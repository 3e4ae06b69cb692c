"""What may wait, waits, while ACS does not let Parley in: nobody fails for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from local.stack import Stack
from shared.campaigns.chunk_sender import ChunkSender
from shared.jobs.dispatch import Dispatch
from shared.sending.scheduled_job import PACE
from shared.services import Services
from tests.campaigns.support import campaign, campaign_in_state, chunks_of, order, ordered
from tests.support.client import Parley, Platform, send_body
from tests.support.due import brought, due_of
from tests.support.parts import parts_of, send_request
from tests.support.people import People
from tests.support.polling import eventually

WRONG_KEY = "d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3I="
PAUSE = timedelta(seconds=30)


class Shelf(Dispatch):
    """Keeps what is to be done later, with its moment; nobody does it."""

    def __init__(self, parts: Services) -> None:
        super().__init__(parts.parts.queues, parts.parts.clock)
        self.kept: list[tuple[datetime, dict[str, Any]]] = []

    async def at(self, moment: datetime, message: Mapping[str, Any]) -> None:
        self.kept.append((moment, json.loads(json.dumps(message))))


def chunks_with(parts: Services, shelf: Shelf) -> ChunkSender:
    return ChunkSender(
        replace(parts.parts, jobs=replace(parts.parts.jobs, dispatch=shelf)),
        store=parts.campaigns.store,
        sending=parts.sending.api,
        pacing=parts.limits.pacing,
        caps=parts.limits.caps,
    )


async def test_a_scheduled_send_is_put_off_and_goes_out_later(
    stack: Stack, platform: Platform, person: str
) -> None:
    """It reads scheduled, no attempt is in doubt, and the next attempt texts once."""
    when = datetime.now(UTC) + timedelta(minutes=5)
    body = send_body(person, sendAt=when.isoformat())
    async with parts_of(stack) as parts:
        answer = await parts.sending.api.send(send_request(parts, body))
    message_id = str(answer.items[0].message_id)
    async with parts_of(stack, clock=lambda: when, PARLEY_ACS_ACCESS_KEY=WRONG_KEY) as parts:
        (planned,) = await due_of(parts.parts.jobs.due, answer.send_id)
        # It has its place in time: none is reserved by a clock that is ahead of everybody's.
        await brought(parts, [replace(planned, why=PACE)])
        (again,) = await due_of(parts.parts.jobs.due, answer.send_id)
        assert again.moment == when + PAUSE
        assert (again.why, again.tries, again.queued) == ("PlatformDenied", 1, 1)
        message = await parts.messages.get_message(message_id)
        assert (message["state"], message["isFinal"]) == ("scheduled", False)
        assert message["history"][-1]["event"] == "attemptFailed"
        assert message["history"][-1]["details"] == "PlatformDenied"
    async with parts_of(stack, clock=lambda: again.moment) as parts:
        await brought(parts, [replace(again, why=PACE)])
        assert await due_of(parts.parts.jobs.due, answer.send_id) == []
        assert (await parts.messages.get_message(message_id))["state"] in {"sent", "delivered"}
    assert len(await platform.accepted(person)) == 1


async def tomorrow(parley: Parley, *persons: str) -> str:
    """A campaign whose chunks are written down and leave only tomorrow."""
    start = datetime.now(UTC) + timedelta(days=1)
    made = await ordered(parley, order(*persons, startAt=start.isoformat()))
    campaign_id: str = made["campaignId"]

    async def look() -> bool:
        return bool((await campaign(parley, campaign_id))["totals"])

    await eventually(look, "its chunks are written down")
    return campaign_id


async def test_a_chunk_is_put_off_and_goes_out_later(
    stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """The campaign runs on, its people are still queued, and the next try texts each once."""
    persons = people.many(3)
    campaign_id = await tomorrow(parley, *persons)
    async with parts_of(stack, PARLEY_ACS_ACCESS_KEY=WRONG_KEY) as parts:
        (chunk,) = await chunks_of(parts, campaign_id)
        shelf, began = Shelf(parts), parts.parts.clock()
        message = {"campaignId": campaign_id, **chunk.piece.to_json()}
        await chunks_with(parts, shelf).send_chunk(message)
        ((moment, again),) = shelf.kept
        # A chunk's message is to be there two and a half seconds before its moment.
        assert moment >= began + PAUSE - timedelta(seconds=3)
    found = await campaign(parley, campaign_id)
    assert (found["state"], found["counts"]) == ("scheduled", {"queued": 3})
    async with parts_of(stack) as parts:
        await chunks_with(parts, Shelf(parts)).send_chunk({**again, "slot": None})
    for person in persons:
        assert len(await platform.accepted(person)) == 1


async def test_a_denial_that_does_not_pass_pauses_the_campaign(
    stack: Stack, parley: Parley, platform: Platform, person: str
) -> None:
    """After some twenty minutes of it the campaign waits for somebody, with ACS's reason."""
    campaign_id = await tomorrow(parley, person)
    async with parts_of(stack, PARLEY_ACS_ACCESS_KEY=WRONG_KEY) as parts:
        (chunk,) = await chunks_of(parts, campaign_id)
        shelf = Shelf(parts)
        chunks = chunks_with(parts, shelf)
        message: dict[str, Any] = {"campaignId": campaign_id, **chunk.piece.to_json()}
        waited = timedelta(0)
        for turn in range(10):
            await chunks.send_chunk({**message, "slot": None})
            assert len(shelf.kept) == turn + 1
            moment, message = shelf.kept[-1]
            waited += moment - parts.parts.clock()
        assert waited > timedelta(minutes=15)
        await chunks.send_chunk({**message, "slot": None})
        assert len(shelf.kept) == 10
    paused = await campaign_in_state(parley, campaign_id, "paused")
    assert "PlatformDenied" in paused["reason"]
    assert await platform.accepted(person) == []
