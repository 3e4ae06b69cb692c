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
from shared.jobs.due import Due
from shared.messages.waiting import SCHEDULED
from tests.support.client import UNHURRIED, Parley, Platform, send_body
from tests.support.due import brought, due_of, free
from tests.support.parts import parts_of, send_request
from tests.support.transports import AskedOfStorage, Inner, Wrapper


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
    due = Due(SCHEDULED, item["messageId"].partition(".")[0], when)
    works = [[due.kind, due.work_id, iso(when), 1, 0, "sendAt"]]
    message: Mapping[str, Any] = {"kind": "due", "v": 1, "in": due.place, "works": works}
    networks: list[OnlyTheQueue] = []

    def way(network: Inner) -> Inner:
        networks.append(OnlyTheQueue(network))
        return networks[0]

    async with parts_of(stack, way=way, clock=lambda: when) as parts:
        for _ in range(3):
            await parts.parts.dispatch.run_work(json.dumps({**message, "at": iso(when)}))
            message = networks[0].messages[-1]
    assert [kept["works"][0][4] for kept in networks[0].messages] == [1, 2, 3]
    # However often: that is no death.
    assert {kept["works"][0][3] for kept in networks[0].messages} == {1}
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
    text = json.dumps({"kind": "never", "v": 1, "at": iso(utc_now()), "chunk": 7})
    for tries, pause in ((1, 3), (2, 4), (3, 8)):
        await dispatch.run_work(text)
        kept, delay = queue.messages[-1]
        assert delay == pause
        message = json.loads(kept)
        assert (message["tries"], message["chunk"]) == (tries, 7)
        text = json.dumps({**message, "at": iso(utc_now())})
    await dispatch.run_work(
        json.dumps({"kind": "never", "v": 1, "at": iso(utc_now()), "tries": 60})
    )
    text, delay = queue.messages[-1]
    wait = (datetime.fromisoformat(json.loads(text)["at"]) - utc_now()).total_seconds()
    # No message is hidden for more than two minutes: it is handed on on the way.
    assert (290 < wait <= 300, delay) == (True, 120)
    with pytest.raises(Unintelligible):
        await dispatch.run_work(json.dumps({"kind": "senseless", "v": 1, "at": iso(utc_now())}))


@pytest.mark.parametrize("version", [None, 0, 2, "1"])
async def test_a_message_of_another_version_is_refused_with_a_sentence(version: Any) -> None:
    """It is not guessed at: whoever runs the older release is told to put it back."""
    queue: Any = Kept()
    dispatch = Dispatch(queue, utc_now)
    done: list[Mapping[str, Any]] = []

    async def work(message: Mapping[str, Any]) -> None:
        done.append(message)

    dispatch.register("work", work)
    with pytest.raises(Unintelligible, match="version"):
        await dispatch.run_work(json.dumps({"kind": "work", "v": version, "at": iso(utc_now())}))
    assert done == []


async def test_a_message_that_comes_again_is_dropped_where_its_works_are_seen_to() -> None:
    """Its process died: the timer queues what it named, and each queueing is one death at most."""
    queue: Any = Kept()
    dispatch = Dispatch(queue, utc_now)
    done: list[Mapping[str, Any]] = []

    async def work(message: Mapping[str, Any]) -> None:
        done.append(message)

    dispatch.register("once", work, once=True)
    dispatch.register("again", work)
    for kind in ("once", "again"):
        text = json.dumps({"kind": kind, "v": 1, "at": iso(utc_now())})
        await dispatch.run_work(text, attempts=2)
    assert [message["kind"] for message in done] == ["again"]


@pytest.mark.usefixtures("a_slow_carrier")
@pytest.mark.parametrize(("minutes", "operations"), [(60, 3), (1, 4)], ids=["far", "near"])
async def test_what_an_order_for_later_costs(
    stack: Stack, person: str, minutes: int, operations: int
) -> None:
    """The due row, the send's own and the conversation's entry; where it is due within two minutes
    a queue message more."""
    networks: list[AskedOfStorage] = []

    def way(network: Inner) -> Inner:
        networks.append(AskedOfStorage(network, urlsplit(stack.platform).netloc))
        return networks[0]

    async with parts_of(stack, way=way) as parts:
        when = iso(datetime.now(UTC) + timedelta(minutes=minutes))
        body = send_body(person, sendAt=when, sender=UNHURRIED)
        # The first of a month makes its table.
        for _ in range(2):
            networks[0].asked.clear()
            await parts.sending.api.send(send_request(parts, body))
    assert len(networks[0].asked) == operations, networks[0].asked


@pytest.mark.usefixtures("a_slow_carrier")
async def test_what_a_text_whose_time_has_come_costs(stack: Stack, person: str) -> None:
    """The send, its place in time, the attempt beside the ledger's news and the conversation's
    entry, its outcome, and its due row; and, once a minute, the mark of a late fact."""
    networks: list[AskedOfStorage] = []

    def way(network: Inner) -> Inner:
        networks.append(AskedOfStorage(network, urlsplit(stack.platform).netloc))
        return networks[0]

    when = datetime.now(UTC) + timedelta(minutes=4)
    async with parts_of(stack) as parts:
        body = send_body(person, sendAt=iso(when), sender=UNHURRIED)
        answer = await parts.sending.api.send(send_request(parts, body))
        (due,) = await due_of(parts.parts.jobs.due, answer.send_id)
    async with parts_of(stack, way=way, clock=lambda: when) as parts:
        # The first of a process reads the ledger and the sender's place in time.
        await parts.parts.ledger.news()
        await parts.limits.pacing.reserve(UNHURRIED, 0)
        networks[0].asked.clear()
        await brought(parts, [due])
        asked = list(networks[0].asked)
        await free(parts, UNHURRIED)
        assert await due_of(parts.parts.jobs.due, answer.send_id) == []
    assert len(asked) == 8, asked
