"""Work of the queue `dispatch` whose time has come while storage does not answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.core.rest import HttpRequest

from local.stack import Stack
from shared.base.clock import iso, utc_now
from shared.base.errors import Unavailable, Unintelligible
from shared.jobs.dispatch import Dispatch
from tests.support.client import Parley, Platform
from tests.support.parts import parts_of
from tests.support.transports import Inner, Wrapper


class OnlyTheQueue(Wrapper):
    """A network on which nothing but one queue answers, and what is put there."""

    def __init__(self, inner: Inner) -> None:
        super().__init__(inner)
        self.messages: list[dict[str, Any]] = []

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        if not urlsplit(request.url).path.endswith("/dispatch/messages"):
            raise ServiceRequestError("no connection")
        content: Any = request.content
        text = ET.fromstring(content).findtext("MessageText")  # noqa: S314  # our own
        self.messages.append(json.loads(str(text)))
        return await super().send(request, **named)


async def test_a_text_whose_time_comes_in_an_outage_leaves_after_it(
    stack: Stack, parley: Parley, platform: Platform, person: str
) -> None:
    """Its message fails no attempt of the queue, however often it meets the outage; it is put back
    each time with a longer pause, and the text leaves once."""
    when = datetime.now(UTC) + timedelta(seconds=2)
    (item,) = await parley.send(person, sendAt=iso(when))
    message: Mapping[str, Any] = {
        "kind": "scheduled",
        "sendId": item["messageId"].partition(".")[0],
        "at": iso(when),
    }
    networks: list[OnlyTheQueue] = []

    def way(network: Inner) -> Inner:
        networks.append(OnlyTheQueue(network))
        return networks[0]

    async with parts_of(stack, way=way, clock=lambda: when) as parts:
        for _ in range(3):
            await parts.parts.dispatch.run_work(json.dumps({**message, "at": iso(when)}))
            message = networks[0].messages[-1]
    assert [kept["tries"] for kept in networks[0].messages] == [1, 2, 3]
    moments = [datetime.fromisoformat(kept["at"]) - when for kept in networks[0].messages]
    assert [moment.total_seconds() for moment in moments] == [2, 4, 8]
    await parley.message_in_state(item["messageId"], "sent", "delivered")
    assert len(await platform.accepted(person)) == 1


class Kept:
    """A queue, as far as dispatching uses one."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, int]] = []

    async def enqueue(self, _queue: str, text: str, *, delay_seconds: int = 0) -> None:
        self.messages.append((text, delay_seconds))


async def test_any_kind_of_work_is_put_back_while_something_is_unavailable() -> None:
    """Whoever does it: the rule is the queue's. The pause grows to five minutes, and is at least
    what the error asks for; what makes no sense fails."""
    queue: Any = Kept()
    dispatch = Dispatch(queue, utc_now)

    async def never(_message: Mapping[str, Any]) -> None:
        raise Unavailable("not now", retry_after=3)

    async def senseless(_message: Mapping[str, Any]) -> None:
        raise Unintelligible("what is this?")

    dispatch.register("never", never)
    dispatch.register("senseless", senseless)
    text = json.dumps({"kind": "never", "at": iso(utc_now()), "chunk": 7})
    for tries, pause in ((1, 3), (2, 4), (3, 8)):
        await dispatch.run_work(text)
        kept, delay = queue.messages[-1]
        assert delay == pause
        message = json.loads(kept)
        assert (message["tries"], message["chunk"]) == (tries, 7)
        text = json.dumps({**message, "at": iso(utc_now())})
    await dispatch.run_work(json.dumps({"kind": "never", "at": iso(utc_now()), "tries": 60}))
    assert queue.messages[-1][1] == 300
    with pytest.raises(Unintelligible):
        await dispatch.run_work(json.dumps({"kind": "senseless", "at": iso(utc_now())}))
