"""The `record` queue's patience: what is unavailable is waited for, what is broken is given up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from aiohttp import web
from azure.core.pipeline.transport import AioHttpTransport

from shared.azure.packing import message_text, read_message
from shared.azure.storage import StorageDown
from shared.azure.topic import OutgoingEvent, Topic
from shared.base.clock import from_iso
from shared.base.errors import Unintelligible
from shared.optouts import Ledger
from shared.sending.follow_up import FollowUp
from shared.sending.outcomes import Outcomes
from shared.settings import load
from tests.support.queues import KeptMessages
from tests.support.settings import minimal
from tests.support.transports import Wrapper

# More than a week of pauses of an hour.
MANY = 200
AN_HOUR = 3600
EVENTS = [
    OutgoingEvent(name, "Parley.Test", "/a", "2026-11-29T12:00:00Z", {"text": name})
    for name in ("good", "bad")
]
RELAY: dict[str, Any] = {
    "kind": "relay",
    "event": {name: getattr(EVENTS[0], name) for name in EVENTS[0].__slots__},
}


class NobodyErased(Ledger):
    """A ledger in which nobody has asked to be erased."""

    def __init__(self) -> None:
        """Nothing is needed."""

    async def news(self) -> None:
        pass

    def erased_up_to(self, _address: str) -> datetime | None:
        return None


class OneErased(NobodyErased):
    """A ledger in which everything of one person is erased up to a moment."""

    def __init__(self, person: str, up_to: str) -> None:
        self._erased = {person: from_iso(up_to)}

    def erased_up_to(self, address: str) -> datetime | None:
        return self._erased.get(address)


class NoStorage(Outcomes):
    """Outcomes while storage is away."""

    def __init__(self) -> None:
        """Nothing is needed."""

    async def conclude_left(self, _message: dict[str, Any]) -> None:
        raise StorageDown("away")


class OneTry(Wrapper):
    """A network whose answers say that the client need not try again by itself."""

    async def send(self, request: Any, **named: Any) -> Any:
        answer = await super().send(request, **named)
        answer.headers["Retry-After"] = "0"
        return answer


class TopicEnd:
    """The end of the topic: answers every event with a status, one named `bad` with another."""

    def __init__(self) -> None:
        self.status = self.for_bad = 200
        self.taken: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        names = [event["id"] for event in await request.json()]
        status = self.for_bad if "bad" in names else self.status
        if status == 200:
            self.taken += names
        return web.json_response({}, status=status)


@pytest.fixture
async def topic_end() -> AsyncIterator[tuple[TopicEnd, Topic, KeptMessages]]:
    end, app, kept = TopicEnd(), web.Application(), KeptMessages()
    app.router.add_post("/api/events", end.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    settings = minimal() | {"PARLEY_TOPIC_ENDPOINT": f"http://{host}:{port}/api/events"}
    async with AioHttpTransport() as network:
        yield end, Topic(load(settings), kept, transport=OneTry(network)), kept
    await runner.cleanup()


async def come_back(
    follow_up: FollowUp, kept: KeptMessages, message: dict[str, Any], times: int
) -> None:
    """Work on a message as often as it comes back."""
    text = message_text(message)
    for turn in range(times):
        await follow_up.run_queued(text)
        assert len(kept.messages) == turn + 1
        _, text, _ = kept.messages[-1]
    pauses = [pause for _, _, pause in kept.messages]
    assert pauses[0] == 5
    assert pauses == sorted(pauses)
    assert pauses[-1] <= AN_HOUR


async def test_what_storage_does_not_take_comes_back_for_as_long_as_that_lasts() -> None:
    """However often a message has been put back, it is put back again, an hour later at most."""
    kept = KeptMessages()
    topic = Topic(load(minimal()), kept, transport=Wrapper(AioHttpTransport()))
    follow_up = FollowUp(
        queues=kept, topic=topic, outcomes=NoStorage(), senders=(), ledger=NobodyErased()
    )
    await come_back(follow_up, kept, {"kind": "outcome", "sendId": "x"}, MANY)
    assert kept.messages[-1][2] == AN_HOUR


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
async def test_what_the_topic_does_not_take_comes_back(
    status: int, topic_end: tuple[TopicEnd, Topic, KeptMessages]
) -> None:
    """A topic that is away, or does not let Parley in, is waited for."""
    end, topic, kept = topic_end
    end.status = status
    follow_up = FollowUp(
        queues=kept, topic=topic, outcomes=NoStorage(), senders=(), ledger=NobodyErased()
    )
    await come_back(follow_up, kept, RELAY, 2)
    end.status = 200
    await follow_up.run_queued(kept.messages[-1][1])
    assert (end.taken, len(kept.messages)) == (["good"], 2)


@pytest.mark.parametrize("status", [400, 413])
async def test_what_the_topic_refuses_is_broken_in_itself(
    status: int, topic_end: tuple[TopicEnd, Topic, KeptMessages]
) -> None:
    """One event of two that are published together is refused for what is in it: the other is
    published, and it alone is given up."""
    end, topic, kept = topic_end
    end.for_bad = status
    await topic.publish_or_queue(EVENTS)
    good, bad = (text for _, text, _ in kept.messages)
    assert read_message(bad)["event"]["id"] == "bad"
    follow_up = FollowUp(
        queues=kept, topic=topic, outcomes=NoStorage(), senders=(), ledger=NobodyErased()
    )
    await follow_up.run_queued(good)
    with pytest.raises(Unintelligible, match=str(status)):
        await follow_up.run_queued(bad)
    assert (end.taken, len(kept.messages)) == (["good"], 2)


@pytest.mark.parametrize(
    ("time", "stays"), [("2026-11-29T12:00:00Z", 0), ("2026-11-30T12:00:00Z", 1)]
)
async def test_what_waits_for_the_topic_and_is_of_an_erased_person_is_dropped(
    time: str, stays: int, topic_end: tuple[TopicEnd, Topic, KeptMessages]
) -> None:
    """At its next try, if it happened before the erasure was ordered; the topic that is up again
    is told."""
    end, topic, kept = topic_end
    ledger = OneErased("+14255550123", "2026-11-29T18:00:00Z")
    follow_up = FollowUp(queues=kept, topic=topic, outcomes=NoStorage(), senders=(), ledger=ledger)
    event = {**RELAY["event"], "time": time, "data": {"from": "+14255550123", "message": "Hi"}}
    text = message_text({"kind": "relay", "event": event})
    end.status = 503
    await follow_up.run_queued(text)
    assert len(kept.messages) == stays
    end.status = 200
    await follow_up.run_queued(text)
    assert end.taken == ["good"]
