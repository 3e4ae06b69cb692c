"""The application's topic takes nothing: Event Grid does not hear of it, and no event is lost."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.core.rest import HttpRequest

from local.stack import Stack
from shared.azure.event_grid import (
    SMS_DELIVERY_REPORT_RECEIVED,
    SMS_RECEIVED,
    Envelope,
    read_received,
)
from shared.azure.packing import read_message
from shared.azure.storage import StorageDown
from shared.azure.topic import Topic, event_from_json
from shared.base import ids
from shared.messages.events import sms_received
from shared.settings import load
from tests.support.client import TOLL_FREE, Parley, Platform
from tests.support.loops import SkippingLoop
from tests.support.parts import parts_of
from tests.support.settings import minimal
from tests.support.transports import Inner, Wrapper

RECEIVED, REPORT = "Parley.SMSReceived", "Parley.SMSDeliveryReportReceived"
LONGEST = 10_000
# Event Grid gives an answer thirty seconds.
EVENT_GRID_WAITS = 30


class WithoutHosts(Wrapper):
    """A network on which some paths lead nowhere."""

    def __init__(self, inner: Inner, *paths: str) -> None:
        super().__init__(inner)
        self._paths = paths

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        if any(path in urlsplit(request.url).path for path in self._paths):
            raise ServiceRequestError("no connection")
        return await super().send(request, **named)


def down(stack: Stack, *paths: str) -> Any:
    return parts_of(stack, way=lambda network: WithoutHosts(network, *paths))


TOPIC, QUEUE = "/api/events", "/record/messages"


def text_from(person: str, text: str) -> Envelope:
    platform_id = str(uuid.uuid4())
    now = datetime.now(UTC)
    data = {
        "messageId": platform_id,
        "from": person,
        "to": TOLL_FREE,
        "message": text,
        "receivedTimestamp": now.isoformat(),
    }
    return Envelope(platform_id, SMS_RECEIVED, now, data)


async def test_a_stop_is_taken_and_relayed_later(
    stack: Stack, parley: Parley, platform: Platform, person: str
) -> None:
    """The ledger knows, the event is answered as taken, and both events come by the queue."""
    async with down(stack, TOPIC) as parts:
        await parts.receiving.inbound.record_text(text_from(person, "STOP"))
    (decision,) = await parley.optouts(person)
    assert decision["isOptedOut"]
    await platform.relayed_event("Parley.OptOutChanged", recipient=person)
    told = await platform.relayed_event(RECEIVED, **{"from": person})
    assert told["data"]["keyword"]["intent"] == "stop"


async def test_a_report_is_taken_and_relayed_later(
    stack: Stack, parley: Parley, platform: Platform, person: str, a_slow_carrier: None
) -> None:
    """A report settles its message and reaches the application by the queue, with as much of the
    platform's words as the message shows."""
    (item,) = await parley.send(person)
    tag = ids.platform_tag(item["messageId"].partition(".")[0], "")
    words = "ErrorCode: 4006. " + "\N{GRINNING FACE}" * 70_000
    now = datetime.now(UTC)
    data = {
        "messageId": str(uuid.uuid4()),
        "from": TOLL_FREE,
        "to": person,
        "deliveryStatus": "Failed",
        "deliveryStatusDetails": words,
        "receivedTimestamp": now.isoformat(),
        "tag": tag,
    }
    async with down(stack, TOPIC) as parts:
        await parts.receiving.delivery_reports.record_report(
            Envelope("x", SMS_DELIVERY_REPORT_RECEIVED, now, data)
        )
    await parley.message_in_state(item["messageId"], "undelivered")
    told = await platform.relayed_event(REPORT, messageId=item["messageId"])
    assert told["data"]["deliveryStatusDetails"] == words[:1000]


async def test_an_event_that_cannot_be_kept_is_brought_again(stack: Stack, person: str) -> None:
    """Only where the queue fails as well is Event Grid asked to come again."""
    async with down(stack, TOPIC, QUEUE) as parts:
        with pytest.raises(StorageDown):
            await parts.receiving.inbound.record_text(text_from(person, "Hello"))


def drawn(*ranges: tuple[int, int]) -> str:
    """A text that compresses badly."""
    numbers = [number for low, high in ranges for number in range(low, high)]
    return "".join(map(chr, Random(7).choices(numbers, k=LONGEST)))  # noqa: S311  # no secret


@pytest.mark.parametrize(
    "text",
    [
        drawn((0x20, 0x7F)),
        drawn((0x01, 0x20)),
        drawn((0x4E00, 0xA000)),
        drawn((0x10000, 0x110000)),
        drawn((0x01, 0x20), (0xFFF0, 0x10000), (0x10000, 0x110000)),
        "&" * LONGEST,
        '"\\' * (LONGEST // 2),
    ],
    ids=["letters", "control", "Chinese", "any plane", "mixed", "ampersands", "quotes"],
)
async def test_the_longest_text_goes_through_the_queue(
    text: str, stack: Stack, platform: Platform, person: str
) -> None:
    """Whatever a text consists of, its event fits into a queue message and arrives whole."""
    async with down(stack, TOPIC) as parts:
        await parts.receiving.inbound.record_text(text_from(person, text))
    told = await platform.relayed_event(RECEIVED, **{"from": person})
    assert told["data"]["message"] == text


class Silence(Inner):
    """A network on which no request ever gets an answer."""

    async def send(self, request: HttpRequest, **_options: Any) -> Any:  # noqa: ARG002  # its name
        await asyncio.Event().wait()

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        return None

    async def __aexit__(self, *_error: object) -> None:
        return None


class Kept:
    """A queue, as far as the topic uses one."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    async def enqueue(self, queue: str, text: str) -> None:
        assert queue == "record"
        self.messages.append(text)


def test_a_silent_topic_is_given_up_before_event_grid_gives_up() -> None:
    """The event is on the queue well before Event Grid counts the delivery as failed."""
    queue: Any = Kept()
    topic = Topic(load(minimal()), queue, transport=Silence())
    received = read_received(text_from("+14255550123", "Hello"), datetime.now(UTC))
    event = sms_received("id", received, None)

    async def seconds_until_it_is_queued() -> float:
        begun = asyncio.get_running_loop().time()
        await topic.publish_or_queue([event])
        return asyncio.get_running_loop().time() - begun

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        assert runner.run(seconds_until_it_is_queued()) < EVENT_GRID_WAITS / 2
    (message,) = queue.messages
    assert event_from_json(read_message(message)["event"]) == event
