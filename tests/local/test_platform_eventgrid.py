"""Event Grid delivers at least once, by the ladder, the limits and the handshakes of its rules."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from local.platform.behaviour import Behaviour
from local.platform.eventgrid import Delivery, EventGrid, Reply, Subscription
from local.platform.faults import Fault, Faults
from local.platform.topic import Topic
from tests.local.platform_support import CountedIds, HandClock, ScriptedCaller

EVENT = {"id": "1", "eventType": "Something", "data": {}}
CLOUD_EVENT = {"id": "1", "source": "/here", "type": "Something", "specversion": "1.0"}


class Post:
    """An Event Grid whose network and clock are the test's; sleeping moves the clock at once."""

    def __init__(self, **settings: Any) -> None:
        self.clock, self.caller, self.faults = HandClock(), ScriptedCaller(), Faults()
        self.slept: list[float] = []
        self.dead: list[dict[str, Any]] = []
        self.grid = EventGrid(
            behaviour=Behaviour(settings),
            faults=self.faults,
            caller=self.caller,
            sleep=self._sleep,
            now=self.clock,
            new_id=CountedIds(),
            changed=lambda _delivery: None,
            dead=self.dead.append,
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.moment += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    def subscribe(self, **members: Any) -> None:
        self.grid.subscribe(Subscription("inbound", "http://functions", **members))

    def answer(self, *replies: int | Exception) -> None:
        self.caller.replies.extend(
            reply if isinstance(reply, Exception) else Reply(reply, {}, b"") for reply in replies
        )

    async def publish(self, *events: Any, **members: Any) -> Delivery:
        sequence = self.grid.publish("inbound", list(events) or [EVENT], **members)
        await self.settle()
        return self.grid.deliveries[sequence - 1]

    async def settle(self) -> None:
        while self.grid._tasks:
            await asyncio.gather(*self.grid._tasks)


@pytest.mark.parametrize("status", [200, 201, 202, 203, 204])
async def test_success(status: int) -> None:
    """200 to 204 end a delivery."""
    post = Post()
    post.subscribe()
    post.answer(status)
    delivery = await post.publish()
    assert (delivery.state, len(delivery.attempts)) == ("delivered", 1)


async def test_request() -> None:
    """An event goes as an array of one, with Event Grid's headers."""
    post = Post()
    post.subscribe()
    post.answer(500)
    await post.publish()
    method, url, headers, body = post.caller.asked[0]
    assert (method, url, json.loads(body)) == ("POST", "http://functions", [EVENT])
    assert headers["aeg-event-type"] == "Notification"
    assert headers["aeg-subscription-name"] == "INBOUND"
    assert [asked[2]["aeg-delivery-count"] for asked in post.caller.asked] == ["0", "1"]


async def test_ladder() -> None:
    """Failures are repeated after 10 s, 30 s, 1, 5, 10 and 30 min, 1, 3, 6 and then 12 h."""
    post = Post()
    post.subscribe()
    post.answer(*[500] * 30)
    delivery = await post.publish()
    assert post.slept[:9] == [10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600]
    assert set(post.slept[9:]) == {43_200}
    assert delivery.state == "deadLettered"
    assert post.dead[0]["event"]["deadLetterReason"] == "TimeToLiveExceeded"


async def test_attempts_are_limited() -> None:
    """After the last allowed attempt the event is dead-lettered with what happened."""
    post = Post(maxAttempts=3, retryScale=0.001)
    post.subscribe()
    post.answer(500, TimeoutError(), ConnectionError())
    await post.publish()
    (letter,) = post.dead
    assert letter["subscription"] == "inbound"
    assert letter["event"] | EVENT == letter["event"]
    assert letter["event"]["deadLetterReason"] == "MaxDeliveryAttemptsExceeded"
    assert letter["event"]["deliveryAttempts"] == 3
    assert letter["event"]["lastDeliveryOutcome"] == "SocketError"
    assert post.slept == [0.01, 0.03]


@pytest.mark.parametrize(
    ("status", "outcome"), [(400, "BadRequest"), (403, "Forbidden"), (413, "PayloadTooLarge")]
)
async def test_final_answers(status: int, outcome: str) -> None:
    """400, 403 and 413 are not repeated: the event is dead-lettered at once."""
    post = Post()
    post.subscribe()
    post.answer(status)
    delivery = await post.publish()
    assert (delivery.state, len(delivery.attempts)) == ("deadLettered", 1)
    assert post.dead[0]["event"]["lastDeliveryOutcome"] == outcome


@pytest.mark.parametrize("status", [301, 401, 404, 408, 409, 429, 500, 503])
async def test_other_answers_are_repeated(status: int) -> None:
    """Every other answer of a function is tried again."""
    post = Post()
    post.subscribe()
    post.answer(status, 202)
    delivery = await post.publish()
    assert [attempt["status"] for attempt in delivery.attempts] == [status, 202]


async def test_cloud_events_dead_letter() -> None:
    """A dead CloudEvent carries its extra attributes in lower case."""
    post = Post()
    post.subscribe()
    post.answer(400)
    await post.publish(CLOUD_EVENT)
    assert {"deadletterreason", "deliveryattempts"} <= post.dead[0]["event"].keys()


@pytest.mark.parametrize(
    ("events", "content_type", "single"),
    [
        ([EVENT], "application/json; charset=utf-8", False),
        ([CLOUD_EVENT], "application/cloudevents+json; charset=utf-8", True),
        (
            [CLOUD_EVENT, CLOUD_EVENT],
            "application/cloudevents-batch+json; charset=utf-8",
            False,
        ),
    ],
)
async def test_content_types(events: list[Any], content_type: str, *, single: bool) -> None:
    """Event Grid events go as an array; one CloudEvent goes alone, several as a batch."""
    post = Post()
    post.subscribe()
    await post.publish(*events)
    _, _, headers, body = post.caller.asked[0]
    assert headers["Content-Type"] == content_type
    assert json.loads(body) == (events[0] if single else events)


async def test_raw_body() -> None:
    """A raw body goes out as it is."""
    post = Post()
    post.subscribe()
    await post.publish(raw=b"{nonsense")
    assert post.caller.asked[0][3] == b"{nonsense"


async def test_pause_and_resume() -> None:
    """What is published while paused is held, and goes when resumed."""
    post = Post()
    post.subscribe()
    await post.settle()
    post.grid.pause()
    delivery = await post.publish()
    assert (delivery.state, post.caller.asked) == ("held", [])
    post.grid.resume()
    await post.settle()
    assert delivery.state == "delivered"


async def test_release_in_an_order() -> None:
    """Held events go in the order asked for; a failed one does not stop the next."""
    post = Post()
    post.subscribe()
    post.grid.pause()
    for name in "abc":
        post.grid.publish("inbound", [{**EVENT, "id": name}])
    post.answer(500)
    await post.grid.release([3, 1])
    await post.settle()
    sent = [json.loads(asked[3])[0]["id"] for asked in post.caller.asked]
    assert sent == ["c", "a", "c"]
    assert post.slept == [10]
    assert [held.sequence for held in post.grid.held()] == [2]
    with pytest.raises(ValueError, match="7 is not held"):
        await post.grid.release([7])


async def test_events_wait_for_a_url() -> None:
    """A subscription whose webhook is not known yet keeps its events until it is."""
    post = Post()
    post.grid.subscribe(Subscription("inbound", ""))
    sequence = post.grid.publish("inbound", [EVENT])
    await asyncio.sleep(0)
    assert post.caller.asked == []
    post.subscribe()
    await post.settle()
    assert post.grid.deliveries[sequence - 1].state == "delivered"
    assert post.grid.undelivered() == []


@pytest.mark.parametrize(
    ("behaviour", "status", "reached"),
    [
        ("serverError", 500, False),
        ("throttle", 429, False),
        ("closeConnection", None, False),
        ("acceptThenServerError", 500, True),
        ("acceptThenTimeout", None, True),
    ],
)
async def test_delivery_faults(behaviour: str, status: int | None, *, reached: bool) -> None:
    """A fault on delivery fails one attempt; the accepting kinds make the webhook see it twice."""
    post = Post()
    post.subscribe()
    await post.settle()
    post.faults.order(Fault("delivery", behaviour))
    delivery = await post.publish()
    assert [attempt["status"] for attempt in delivery.attempts] == [status, 200]
    assert len(post.caller.asked) == (2 if reached else 1)


class Shy:
    """A webhook that answers the handshake only from its third time on."""

    def __init__(self, right: Reply, wrong: Reply | Exception) -> None:
        self._right, self._wrong = right, wrong
        self.asked: list[str] = []

    async def __call__(self, method: str, url: str, **_: Any) -> Reply:
        self.asked.append(f"{method} {url}")
        if len(self.asked) >= 3:
            return self._right
        if isinstance(self._wrong, Exception):
            raise self._wrong
        return self._wrong


@pytest.mark.parametrize(
    "wrong",
    [
        Reply(404, {}, b""),
        Reply(200, {}, b"no json"),
        Reply(200, {}, b'{"validationResponse":"another"}'),
        Reply(202, {}, b'{"validationResponse":"00000000-0000-0000-0000-000000000001"}'),
        ConnectionError(),
    ],
)
async def test_handshake_is_repeated(wrong: Reply | Exception) -> None:
    """No event goes before a 200 with the right code; the handshake waits for the host to come."""
    post = Post()
    # The third handshake's code is the fifth id: each takes one for the code, one for the event.
    code = "00000000-0000-0000-0000-000000000005"
    shy = Shy(Reply(200, {}, json.dumps({"validationResponse": code}).encode()), wrong)
    post.grid._caller = shy
    post.subscribe()
    delivery = await post.publish()
    assert delivery.state == "delivered"
    assert shy.asked == ["POST http://functions"] * 4


async def test_cloud_events_handshake() -> None:
    """A CloudEvents webhook must allow the origin that asks."""
    post = Post()
    shy = Shy(Reply(200, {"webhook-allowed-origin": "*"}, b""), Reply(200, {}, b""))
    post.grid._caller = shy
    post.subscribe(handshake="cloudEvents")
    await post.publish()
    assert shy.asked == ["OPTIONS http://functions"] * 3 + ["POST http://functions"]


def topic_of(post: Post) -> Topic:
    return Topic(key="k", grid=post.grid, now=post.clock, changed=lambda _entry: None)


BATCH = "application/cloudevents-batch+json; charset=utf-8"


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        (BATCH, [CLOUD_EVENT, CLOUD_EVENT], 200),
        ("application/cloudevents+json", CLOUD_EVENT, 200),
        ("application/json", [EVENT], 415),
        (BATCH, [CLOUD_EVENT, EVENT], 400),
        (BATCH, CLOUD_EVENT, 400),
        (BATCH, [{**CLOUD_EVENT, "specversion": "0.3"}], 400),
        (BATCH, [{**CLOUD_EVENT, "id": ""}], 400),
    ],
)
async def test_topic_input(content_type: str, body: Any, status: int) -> None:
    """The topic takes CloudEvents 1.0 alone or in a batch, all or none."""
    topic = topic_of(Post())
    assert topic.accept(content_type, json.dumps(body).encode()).status == status
    assert bool(topic.received) == (status == 200)


async def test_topic_keeps_order_and_cursor() -> None:
    """What came is kept in order, and can be read on from a known entry."""
    topic = topic_of(Post())
    for name in "abc":
        event = {**CLOUD_EVENT, "id": name}
        topic.accept(BATCH, json.dumps([event]).encode())
    assert [entry["event"]["id"] for entry in topic.after(1)] == ["b", "c"]
    assert [entry["sequence"] for entry in topic.after(0)] == [1, 2, 3]


async def test_topic_fans_out() -> None:
    """Every webhook gets every event from its subscription on, one in a request."""
    post = Post()
    topic = topic_of(post)
    post.caller.replies.append(Reply(200, {"webhook-allowed-origin": "*"}, b""))
    topic.subscribe("http://application/hook")
    await post.settle()
    topic.accept(BATCH, json.dumps([CLOUD_EVENT, {**CLOUD_EVENT, "id": "2"}]).encode())
    await post.settle()
    posts = [json.loads(asked[3]) for asked in post.caller.asked if asked[0] == "POST"]
    assert [event["id"] for event in posts] == ["1", "2"]
