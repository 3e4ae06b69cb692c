"""Events that were not understood: listed, shown, tried again, dropped."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest
from azure.storage.blob.aio import BlobServiceClient

from local.stack import Stack
from tests.support.client import Parley, Platform, all_pages
from tests.support.golden import golden_event
from tests.support.people import People
from tests.support.storage import StorageView

RECEIVED = "Parley.SMSReceived"
Put = Callable[[str], Awaitable[dict[str, Any]]]


def strange(person: str) -> dict[str, Any]:
    """An event that does not say which sender was answered."""
    event = golden_event("received", person=person)
    del event["data"]["to"]
    return event


@pytest.fixture
def put(parley: Parley, storage: StorageView) -> Put:
    """Puts a strange event about a person into quarantine; it without its `event`."""

    async def quarantined(person: str) -> dict[str, Any]:
        before = await storage.quarantined_names("inbound")
        assert await parley.deliver("inbound", [strange(person)]) == 202
        (name,) = await storage.quarantined_names("inbound") - before
        found = (await parley.own("GET", f"/quarantine/{name.removesuffix('.json')}")).json
        del found["event"]
        return dict(found)

    return quarantined


def target(item: dict[str, Any], operation: str = "") -> str:
    return f"/quarantine/{item['handler']}/{item['name']}{operation}"


async def test_one_is_listed_shown_and_dropped(parley: Parley, put: Put, person: str) -> None:
    """The list says why; the event is there as it came; what is dropped is gone."""
    item = await put(person)
    pages = await all_pages(parley, "/quarantine", 500)
    assert item in [listed for page in pages for listed in page]
    assert (item["handler"], item["type"]) == ("inbound", "Microsoft.Communication.SMSReceived")
    assert "data.to" in item["reason"]
    shown = (await parley.own("GET", target(item))).json
    assert {name: shown[name] for name in item} == item
    assert shown["event"]["data"]["from"] == person.lstrip("+")
    dropped = await parley.own("DELETE", target(item))
    assert (dropped.status, dropped.json) == (200, item)
    for method in ("GET", "DELETE"):
        assert (await parley.own(method, target(item))).status == 404
    assert (await parley.own("POST", target(item, ":retry"))).status == 404


async def test_one_that_is_no_clearer_stays(
    parley: Parley, put: Put, storage: StorageView, person: str
) -> None:
    """409 with the reason, and it keeps its place: it is not put into quarantine again."""
    item = await put(person)
    before = await storage.quarantined_names("inbound")
    reply = await parley.own("POST", target(item, ":retry"))
    assert (reply.status, reply.json["code"]) == (409, "NotUnderstood")
    assert item["reason"] in reply.json["detail"]
    assert await storage.quarantined_names("inbound") == before


async def test_one_that_is_understood_now(
    stack: Stack, parley: Parley, platform: Platform, person: str
) -> None:
    """As if an earlier version had not understood it: taken in, relayed, and out of quarantine."""
    event = golden_event("received", person=person)
    name = uuid.uuid4().hex
    kept = {
        "handler": "inbound",
        "reason": "an earlier version did not know better",
        "quarantinedAt": "2026-01-01T00:00:00.000000Z",
        "event": {
            "id": event["id"],
            "type": event["eventType"],
            "time": event["eventTime"],
            "data": event["data"],
        },
    }
    async with BlobServiceClient.from_connection_string(stack.storage) as blobs:
        container = blobs.get_container_client("quarantine")
        await container.upload_blob(f"inbound/{name}.json", json.dumps(kept).encode())
    item = {"handler": "inbound", "name": name}
    # It is not marked as this version marks them, and listed all the same.
    before = f"{int(name, 16) - 1:032x}"
    listed = await parley.own("GET", f"/quarantine?maxpagesize=1&after=inbound/{before}")
    assert listed.items[0].items() >= {**item, "id": event["id"]}.items()
    reply = await parley.own("POST", target(item, ":retry"))
    assert reply.status == 200, reply.body
    await platform.relayed_event(RECEIVED, platformMessageId=event["data"]["messageId"])
    assert (await parley.own("GET", target(item))).status == 404


async def test_pages(parley: Parley, put: Put, people: People) -> None:
    """Each event once, however small the pages."""
    items = sorted([await put(person) for person in people.many(3)], key=lambda i: i["name"])
    link = f"/quarantine?maxpagesize=2&after=inbound/{'0' * 32}"
    found: list[str] = []
    while items[-1]["name"] not in found:
        reply = await parley.own("GET", link)
        assert len(reply.items) == 2 or "nextLink" not in reply.json
        found += [item["name"] for item in reply.items]
        link = reply.json.get("nextLink", "").removeprefix(parley.endpoint)
    assert len(found) == len(set(found))
    assert {item["name"] for item in items} <= set(found)


@pytest.mark.parametrize(
    "place",
    ["inbound/nothing", "send/" + "0" * 32, "..%2F..%2Finbound/" + "0" * 32, "inbound/" + "0" * 32],
)
async def test_places_that_are_none(place: str, parley: Parley) -> None:
    """404, whatever it looks like; no other blob can be reached."""
    for method, end in (("GET", ""), ("DELETE", ""), ("POST", ":retry"), ("POST", ":explode")):
        assert (await parley.own(method, f"/quarantine/{place}{end}")).status == 404


async def test_a_bad_cursor(parley: Parley) -> None:
    """A cursor that is none of ours is 400 and named."""
    reply = await parley.own("GET", f"/quarantine?after={quote('inbound/..')}")
    assert (reply.status, list(reply.json["errors"])) == (400, ["after"])
