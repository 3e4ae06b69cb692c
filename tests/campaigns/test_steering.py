"""Pausing, canceling and resuming at the moments that matter: in the middle of a chunk."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.core.rest import HttpRequest

from local.stack import Stack
from shared.azure.storage import StorageDown
from shared.base import ulid
from shared.base.clock import iso
from shared.campaigns.campaign import Campaign, Fate, Phase
from shared.campaigns.list_reader import HEAD, sniff
from shared.campaigns.order import Definition
from shared.campaigns.store import CONTAINER
from shared.services import Services
from tests.campaigns.support import (
    campaign,
    campaign_in_state,
    campaign_with_counts,
    chunks_of,
    pumped,
    steered,
)
from tests.support.client import UNHURRIED, Parley, Platform
from tests.support.parts import parts_of
from tests.support.people import People
from tests.support.polling import eventually
from tests.support.transports import Inner, Wrapper

# A rate of which forty are one chunk.
SENDERS = json.dumps([{"sender": UNHURRIED, "ratePerMinute": 15_000}])
COUNT = 40
# What is under way at once, and what may begin before the campaign is looked at again.
AT_MOST = 16
STATES = {"pause": "queued", "cancel": "canceled"}


class Meanwhile(Wrapper):
    """A network on which something happens right before the first request of a kind."""

    def __init__(self, inner: Inner) -> None:
        super().__init__(inner)
        self._concerns: Callable[[HttpRequest], bool] = lambda _: False
        self._happens: Callable[[], Awaitable[Any]] | None = None

    def before(
        self, concerns: Callable[[HttpRequest], bool], happens: Callable[[], Awaitable[Any]]
    ) -> None:
        """Do something before the first such request from now on."""
        self._concerns, self._happens = concerns, happens

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        happens = self._happens
        if happens is not None and self._concerns(request):
            self._happens = None
            await happens()
        return await super().send(request, **named)


def is_text(request: HttpRequest) -> bool:
    return request.method == "POST" and "/sms?" in request.url


def is_list(request: HttpRequest) -> bool:
    return request.method == "GET" and f"/{CONTAINER}/" in request.url


@dataclass(frozen=True)
class Chunk:
    """A campaign of one chunk, and the chunk's message, which is on no queue."""

    campaign_id: str
    people: list[str]
    message: dict[str, Any]

    async def texted(self, platform: Platform) -> dict[str, int]:
        account = await platform.control("GET", "/account")
        to = [message["to"] for message in account["messages"]]
        return {person: to.count(person) for person in self.people if person in to}


async def one_chunk(parts: Services, people: list[str], message: str, **members: Any) -> Chunk:
    desk, now = parts.campaigns.api, parts.parts.clock()
    campaign_id = ulid.new(now, bytes.fromhex(f"{int(people[0][1:]):020x}"))
    content = "".join(["phone,name\n", *(f"{one},N{i}\n" for i, one in enumerate(people))])
    etag = await desk._blobs.upload(CONTAINER, campaign_id, content.encode(), "text/csv")
    definition = Definition(
        (UNHURRIED,), message, blob=campaign_id, etag=etag, shape=sniff(content.encode()[:HEAD])
    )
    made = Campaign(campaign_id, definition, Phase.RUNNING, now, campaign_id, **members)
    found = await parts.campaigns.expansion.expand(made)
    assert found is not None
    totals, chunks, _ = found
    made = replace(made, expanded=True, totals=totals, chunks=chunks, next=chunks)
    assert await desk._store.insert(made)
    (piece,) = await desk._store.pieces(campaign_id, 0, 1)
    assert piece.recipients == len(people)
    kind = {"kind": "campaign.chunk", "v": 1, "campaignId": campaign_id, "at": iso(now)}
    return Chunk(campaign_id, people, {**kind, **piece.to_json()})


async def fate_of(parts: Services, campaign_id: str) -> Fate:
    chunk = await parts.campaigns.store.chunk(campaign_id, 0)
    assert chunk is not None
    return chunk.fate


@pytest.mark.parametrize("operation", ["pause", "cancel"])
async def test_what_comes_while_a_chunk_waits_for_its_moment_holds_it_up(
    operation: str,
    stack: Stack,
    parley: Parley,
    platform: Platform,
    people: People,
) -> None:
    """Nobody is texted by a chunk that was at work already, but waited, when it was steered."""
    networks: list[Meanwhile] = []

    def way(network: Inner) -> Inner:
        networks.append(Meanwhile(network))
        return networks[0]

    async with parts_of(stack, way=way, PARLEY_SENDERS=SENDERS) as parts:
        chunk = await one_chunk(parts, people.many(COUNT), "Hello")
        networks[0].before(is_list, lambda: steered(parley, chunk.campaign_id, operation))
        await parts.parts.dispatch.run_work(json.dumps(chunk.message))
        assert await chunk.texted(platform) == {}
        assert (await campaign(parley, chunk.campaign_id))["counts"] == {STATES[operation]: COUNT}


async def test_a_cancel_between_personal_texts_counts_what_had_left(
    stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """Few leave after it, and they are told apart from those who are canceled."""
    networks: list[Meanwhile] = []

    def way(network: Inner) -> Inner:
        networks.append(Meanwhile(network))
        return networks[0]

    async with parts_of(stack, way=way, PARLEY_SENDERS=SENDERS) as parts:
        chunk = await one_chunk(parts, people.many(COUNT), "Hello {name}")
        networks[0].before(is_text, lambda: steered(parley, chunk.campaign_id, "cancel"))
        await parts.parts.dispatch.run_work(json.dumps(chunk.message))
    texted = await chunk.texted(platform)
    assert 0 < len(texted) <= AT_MOST
    left = len(texted)
    await campaign_with_counts(parley, chunk.campaign_id, delivered=left, canceled=COUNT - left)


async def test_a_pause_between_personal_texts_and_a_resume_text_everybody_once(
    stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """What had left is counted while the campaign is paused; the rest leaves when it goes on."""
    networks: list[Meanwhile] = []

    def way(network: Inner) -> Inner:
        networks.append(Meanwhile(network))
        return networks[0]

    async with parts_of(stack, way=way, PARLEY_SENDERS=SENDERS) as parts:
        chunk = await one_chunk(parts, people.many(COUNT), "Hello {name}")
        networks[0].before(is_text, lambda: steered(parley, chunk.campaign_id, "pause"))
        await parts.parts.dispatch.run_work(json.dumps(chunk.message))
        assert await fate_of(parts, chunk.campaign_id) is Fate.PARKED
    left = len(await chunk.texted(platform))
    assert 0 < left <= AT_MOST
    await campaign_with_counts(parley, chunk.campaign_id, delivered=left, queued=COUNT - left)
    await steered(parley, chunk.campaign_id, "resume")
    await campaign_in_state(parley, chunk.campaign_id, "done")
    await campaign_with_counts(parley, chunk.campaign_id, delivered=COUNT)
    assert await chunk.texted(platform) == dict.fromkeys(chunk.people, 1)


class NoPlaceAtFirst(Wrapper):
    """A network on which the pace of senders cannot be written for a while."""

    down = False

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        if self.down and "/pacing" in request.url:
            raise ServiceRequestError("no connection")
        return await super().send(request, **named)


async def test_a_resume_that_meets_a_hiccup_loses_no_chunk(
    stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """A chunk that got no place in time stays held up, and the next try gives it one."""
    networks: list[NoPlaceAtFirst] = []

    def way(network: Inner) -> Inner:
        networks.append(NoPlaceAtFirst(network))
        return networks[0]

    async with parts_of(stack, way=way, PARLEY_SENDERS=SENDERS) as parts:
        chunk = await one_chunk(parts, people.many(2), "Hello")
        (row,) = await chunks_of(parts, chunk.campaign_id)
        await parts.campaigns.store.record_chunk(chunk.campaign_id, row, fate=str(Fate.PARKED))
        networks[0].down = True
        with pytest.raises(StorageDown):
            await pumped(parts, chunk.campaign_id)
        assert await fate_of(parts, chunk.campaign_id) is Fate.PARKED
        networks[0].down = False
        await pumped(parts, chunk.campaign_id)
        await all_texted_once(chunk, platform)
    await steered(parley, chunk.campaign_id, "resume")
    await campaign_in_state(parley, chunk.campaign_id, "done")


async def all_texted_once(chunk: Chunk, platform: Platform) -> None:
    async def look() -> bool:
        return await chunk.texted(platform) == dict.fromkeys(chunk.people, 1)

    await eventually(look, "everybody of the chunk is texted once")


async def test_a_resume_repairs_a_chunk_whose_message_was_lost(
    stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """A chunk whose moment has long passed without a word of it gets another place in time."""
    async with parts_of(stack, PARLEY_SENDERS=SENDERS) as parts:
        long_ago = parts.parts.clock() - timedelta(hours=1)
        chunk = await one_chunk(parts, people.many(2), "Hello", last_slot=long_ago)
    await steered(parley, chunk.campaign_id, "resume")
    await all_texted_once(chunk, platform)
    await campaign_in_state(parley, chunk.campaign_id, "done")
