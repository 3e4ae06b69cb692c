"""STOP, START and the platform's 4007, through the handlers, in every order and twice.

Event Grid promises no order. What counts is when each was said; at equal times the opt-out wins.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from local.stack import Stack
from shared.azure.event_grid import SMS_DELIVERY_REPORT_RECEIVED, SMS_RECEIVED, Envelope
from shared.base.clock import iso
from shared.services import Services
from tests.support.client import TOLL_FREE, Parley, Platform
from tests.support.parts import parts_of
from tests.support.people import People

STOP, START, BLOCK = "STOP", "START", "4007"
WORDS = (STOP, START, BLOCK)
# Every way in which three moments can lie: all orders, and all ties.
MOMENTS = [
    ranks
    for ranks in itertools.product(range(3), repeat=3)
    if set(ranks) >= set(range(max(ranks) + 1))
]
ARRIVALS = list(itertools.permutations(WORDS))
A_WHILE_AGO = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


@dataclass(frozen=True)
class Story:
    """Who said what when, and in which order it arrives."""

    person: str
    message_id: str
    minute_of: dict[str, int]
    arrivals: tuple[str, ...]

    @property
    def ends_closed(self) -> bool:
        """The latest word decides; START only if it is later than both others."""
        return self.minute_of[START] <= max(self.minute_of[STOP], self.minute_of[BLOCK])

    def event(self, word: str) -> Envelope:
        """The event that brings a word; the same each time."""
        said = A_WHILE_AGO + timedelta(minutes=self.minute_of[word])
        event_id = f"{word}-{self.message_id}"
        data = {"messageId": event_id, "receivedTimestamp": iso(said)}
        if word == BLOCK:
            data |= {
                "from": TOLL_FREE,
                "to": self.person,
                "deliveryStatus": "Failed",
                "deliveryStatusDetails": "Sender blocked for given recipient.",
                "Tag": f"{self.message_id.partition('.')[0]}:order-17",
            }
            return Envelope(event_id, SMS_DELIVERY_REPORT_RECEIVED, said, data)
        data |= {"from": self.person, "to": TOLL_FREE, "message": word}
        return Envelope(event_id, SMS_RECEIVED, said, data)


async def arrive(parts: Services, story: Story, word: str) -> None:
    receiving, event = parts.receiving, story.event(word)
    if word == BLOCK:
        await receiving.delivery_reports.record_report(event)
    else:
        await receiving.inbound.record_text(event)


async def check_the_end(parley: Parley, stories: list[Story]) -> None:
    """The opt-outs interface of another process says of each story what its times say."""
    assert any(story.ends_closed for story in stories)
    assert not all(story.ends_closed for story in stories)
    body = {"from": TOLL_FREE, "recipients": [{"to": story.person} for story in stories]}
    reply = await parley.signed("POST", "/sms/optouts:check", body)
    found = {item["to"]: item["isOptedOut"] for item in reply.items}
    assert found == {story.person: story.ends_closed for story in stories}


@pytest.fixture
async def stories(parley: Parley, platform: Platform, people: People) -> list[Story]:
    """A person and a message for each way in which times and arrivals can lie."""
    ways = list(itertools.product(MOMENTS, ARRIVALS))
    many = people.many(len(ways))
    await platform.slow(*many)
    items = await parley.send(*many, tag="order-17")
    return [
        Story(item["to"], item["messageId"], dict(zip(WORDS, moments, strict=True)), arrivals)
        for item, (moments, arrivals) in zip(items, ways, strict=True)
    ]


async def test_every_order_and_twice(stack: Stack, parley: Parley, stories: list[Story]) -> None:
    """After all words came twice, in every order, their own times have decided."""
    async with parts_of(stack) as parts:
        for _ in range(2):
            for place in range(len(WORDS)):
                await asyncio.gather(
                    *(arrive(parts, story, story.arrivals[place]) for story in stories)
                )
        await check_the_end(parley, stories)
        for story in stories:
            found = await parts.conversations.entries.oldest(
                parts.conversations.entries.ids.of(TOLL_FREE, story.person), limit=10
            )
            said = [str(entry.text) for entry in found.entries if entry.inbound]
            assert sorted(said) == sorted((STOP, START))
            in_time = [story.minute_of[word] for word in said]
            assert in_time == sorted(in_time)


async def test_all_at_once_and_twice(stack: Stack, parley: Parley, people: People) -> None:
    """So it ends where all words arrive at one time, in two processes, each of which gets all."""
    stories = [
        Story(
            number,
            f"01JD8Z0W0Q4T9V6X2Y3N5M7K8P.{index:010x}",
            dict(zip(WORDS, moments, strict=True)),
            WORDS,
        )
        for index, (number, moments) in enumerate(
            zip(people.many(len(MOMENTS)), MOMENTS, strict=True)
        )
    ]
    async with parts_of(stack) as one, parts_of(stack) as other:
        await asyncio.gather(
            *(
                arrive(parts, story, word)
                for story in stories
                for word in WORDS
                for parts in (one, other)
            )
        )
    await check_the_end(parley, stories)
