"""Work that failed too often: kept with its reason, listed, put back, dropped."""

from __future__ import annotations

import base64
import itertools
import json
import re
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.storage.queue.aio import QueueClient

from local.stack import ROOT, Stack
from shared.azure.packing import message_text
from shared.azure.storage import StorageDown
from shared.base.clock import iso
from shared.base.errors import ParleyError, Unavailable, Unintelligible
from shared.jobs.poison import DIED, MOST_ATTEMPTS, Poison, Taken, id_of, reason_of
from shared.optouts.events import OPT_OUT_CHANGED
from shared.services import Services
from tests.support.client import Parley, Platform
from tests.support.parts import parts_of
from tests.support.polling import eventually
from tests.support.queues import KeptMessages
from tests.support.transports import Inner, Trouble, TroubledTransport

LONG_AGO = datetime(2026, 11, 22, 15, tzinfo=UTC)


@pytest.fixture
async def parts(stack: Stack) -> AsyncIterator[Services]:
    async with parts_of(stack) as made:
        yield made


def event_message(person: str, **members: Any) -> str:
    """A message of the `record` queue: an event that the topic did not take."""
    event = {
        "id": str(uuid.uuid4()),
        "type": OPT_OUT_CHANGED,
        "subject": f"/phonenumber/{person.lstrip('+')}",
        "time": iso(LONG_AGO),
        "data": {"recipient": person},
    }
    return message_text({"kind": "relay", "event": event, **members})


def taken(text: str, *, attempts: int = MOST_ATTEMPTS, queue: str = "record") -> Taken:
    return Taken(queue, text, attempts, LONG_AGO)


async def fail(text: str) -> None:
    raise Unintelligible(f"nothing can be made of +14255550123, {len(text)} characters")


def poison_id(stack: Stack, text: str) -> str:
    """The id of a message in the table of this stack."""
    return id_of(text, base64.b64decode(stack.keys.id_key))


async def listed(stack: Stack, parley: Parley, text: str) -> dict[str, Any] | None:
    """The item of a message, wherever in the list it stands."""
    target = "/poison?maxpagesize=2"
    while True:
        reply = await parley.own("GET", target)
        assert reply.status == 200, reply.body
        assert len(reply.items) <= 2
        for item in reply.items:
            if item["id"] == poison_id(stack, text):
                return dict(item)
        if "nextLink" not in reply.json:
            return None
        target = reply.json["nextLink"].removeprefix(parley.endpoint)


async def test_only_the_last_attempt_keeps_a_message(
    stack: Stack, parley: Parley, parts: Services
) -> None:
    """While there are attempts left the work's own error goes to the host."""
    text = message_text({"kind": "conversations", "sendId": "01JD8Z0W0Q4T9V6X2Y3N5M7K8P"})
    for attempts in range(1, MOST_ATTEMPTS):
        with pytest.raises(Unintelligible):
            await parts.poison.guard(taken(text, attempts=attempts), fail)
    assert await listed(stack, parley, text) is None
    for _ in range(2):
        await parts.poison.guard(taken(text), fail)
    item = await listed(stack, parley, text)
    assert item is not None
    assert item.pop("failedAt") > iso(LONG_AGO)
    assert item == {
        "queue": "record",
        "id": poison_id(stack, text),
        "kind": "conversations",
        "insertedAt": iso(LONG_AGO),
        "reason": f"Unintelligible: nothing can be made of …, {len(text)} characters",
        "summary": f"sendId {json.loads(text)['sendId']}",
    }


def test_the_last_attempt_is_the_hosts() -> None:
    """What this counts as the last attempt is `maxDequeueCount` of host.json."""
    host = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
    assert host["extensions"]["queues"]["maxDequeueCount"] == MOST_ATTEMPTS


async def away(text: str) -> None:
    raise Unavailable(f"storage is away for {len(text)} characters")


async def test_what_is_not_broken_in_itself_is_no_poison(
    stack: Stack, parley: Parley, platform: Platform, parts: Services, person: str
) -> None:
    """Work that needs what is unavailable comes back after its last attempt, and is done then."""
    text = event_message(person)
    with pytest.raises(Unavailable):
        await parts.poison.guard(taken(text, attempts=MOST_ATTEMPTS - 1), away)
    queues = KeptMessages()
    poison = Poison(parts.parts.tables, queues, parts.parts.clock, parts.parts.id_key)
    await poison.guard(taken(text), away)
    ((queue, kept, pause),) = queues.messages
    assert (queue, kept) == ("record", text)
    assert 0 < pause <= 120
    assert await listed(stack, parley, text) is None
    await parts.sending.follow_up.run_queued(kept)
    await platform.relayed_event(OPT_OUT_CHANGED, recipient=person)


async def test_put_back_it_is_done_and_gone(
    stack: Stack, parley: Parley, platform: Platform, parts: Services, person: str
) -> None:
    """A message that is put back is worked on as if for the first time; a second time is 404."""
    text = event_message(person, tries=34)
    await parts.poison.guard(taken(text), fail)
    item = await listed(stack, parley, text)
    assert item is not None
    assert person not in json.dumps(item)
    path = f"/poison/record/{item['id']}:retry"
    reply = await parley.own("POST", path)
    assert (reply.status, reply.json) == (200, item)
    await platform.relayed_event(OPT_OUT_CHANGED, recipient=person)
    assert await listed(stack, parley, text) is None
    again = await parley.own("POST", path)
    assert (again.status, again.json["code"]) == (404, "NotFound")


async def test_dropped_it_is_gone(
    stack: Stack, parley: Parley, parts: Services, person: str
) -> None:
    """A message that is dropped is not worked on any more."""
    text = event_message(person)
    await parts.poison.guard(taken(text), fail)
    for status in (200, 404):
        gone = await parley.own("DELETE", f"/poison/record/{poison_id(stack, text)}")
        assert gone.status == status
    assert await listed(stack, parley, text) is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/poison/record/0123:retry"),
        ("POST", f"/poison/record/{'0' * 32}:retry"),
        ("POST", f"/poison/record/{'0' * 32}:forget"),
        ("POST", f"/poison/optouts/{'0' * 32}:retry"),
        ("DELETE", f"/poison/dispatch/{'0' * 32}"),
        ("DELETE", "/poison/ledger/head"),
    ],
)
async def test_what_is_not_there(parley: Parley, method: str, path: str) -> None:
    """Neither another queue's name nor another id leads to anything."""
    assert (await parley.own(method, path)).status == 404


@pytest.mark.parametrize("query", ["maxpagesize=0", "after=x", f"after=optouts~{'0' * 32}"])
async def test_a_page_that_makes_no_sense(parley: Parley, query: str) -> None:
    """A query that is none is refused with its member."""
    reply = await parley.own("GET", f"/poison?{query}")
    assert reply.status == 400
    assert list(reply.json["errors"]) == [query.partition("=")[0]]


@pytest.mark.parametrize("queue", ["record", "dispatch"])
async def test_what_the_host_gave_up_is_collected(
    stack: Stack, parley: Parley, queue: str, person: str
) -> None:
    """A message that lies in a poison queue comes into the list, without its work's reason."""
    text = event_message(person)
    async with QueueClient.from_connection_string(stack.storage, f"{queue}-poison") as client:
        await client.send_message(text)

    async def look() -> dict[str, Any] | None:
        return await listed(stack, parley, text)

    item = await eventually(look, "the message is collected")
    assert (item["queue"], item["kind"], item["reason"]) == (queue, "relay", DIED)
    await parley.own("DELETE", f"/poison/{queue}/{item['id']}")


async def test_a_known_reason_is_not_lost(
    stack: Stack, parley: Parley, parts: Services, person: str
) -> None:
    """A message that was kept and then comes by the poison queue as well keeps its reason."""
    text = event_message(person)
    await parts.poison.guard(taken(text), fail)
    await parts.poison.collect(taken(text, attempts=1))
    item = await listed(stack, parley, text)
    assert item is not None
    assert item["reason"] != DIED
    await parts.poison.drop("record", item["id"])


async def test_without_the_table_nothing_is_lost(stack: Stack, parley: Parley, person: str) -> None:
    """Kept nowhere, the message stays the host's; collected nowhere, it is a new one there."""
    text = event_message(person)

    def without_table(network: Inner) -> Inner:
        return TroubledTransport(
            network, itertools.repeat(Trouble.UNSENT), lambda request: "/poison" in request.url
        )

    async with parts_of(stack, way=without_table) as parts:
        with pytest.raises(Unintelligible):
            await parts.poison.guard(taken(text), fail)
        # Its poison queue is the stack's, whose own function collects it a minute later.
        await parts.poison.collect(taken(text))
        with pytest.raises(StorageDown):
            await parts.poison.drop("record", poison_id(stack, text))
    assert await listed(stack, parley, text) is None


def raised(error: Exception) -> Exception:
    try:
        raise error
    except type(error) as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Unavailable("away"), "ServiceUnavailable: away"),
        (ParleyError("for +14255550123 and 14255550123"), "InternalError: for … and …"),
        (
            Unintelligible("the send 01M81WKDE185XHP35WN7HBYY94 is not on record"),
            "Unintelligible: the send 01M81WKDE185XHP35WN7HBYY94 is not on record",
        ),
        (KeyError("+14255550123"), "KeyError"),
        (ParleyError("x" * 2000), f"InternalError: {'x' * 485}"),
    ],
)
def test_reasons(error: Exception, reason: str) -> None:
    """Parley's own errors speak; of others the class is told. No number, no endless text."""
    assert reason_of(raised(error)) == reason


def test_a_reason_says_where() -> None:
    """Of an error that nobody foresaw, the line of ours that it came by."""
    with pytest.raises(TypeError) as caught:
        id_of("", None)  # type: ignore[arg-type]  # on purpose
    assert re.fullmatch(r"TypeError in shared/base/digests\.py:[0-9]+", reason_of(caught.value))
