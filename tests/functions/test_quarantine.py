"""Events that were not understood: listed, shown, tried again, dropped."""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import quote

import pytest
from azure.storage.blob.aio import BlobServiceClient

from local.stack import Stack
from tests.support.client import Parley, Platform, all_pages
from tests.support.golden import golden_event
from tests.support.storage import StorageView

RECEIVED = "Parley.SMSReceived"


def strange(person: str) -> dict[str, Any]:
    """An event without the number of whoever wrote."""
    event = golden_event("received", person=person)
    del event["data"]["from"]
    return event


async def quarantined(parley: Parley, event: dict[str, Any]) -> dict[str, Any]:
    """The item of an event, once it is in quarantine."""
    assert await parley.deliver("inbound", [event]) == 202
    pages = await all_pages(parley, "/quarantine", 500)
    (item,) = [i for page in pages for i in page if i["id"] == event["id"]]
    return item


def target(item: dict[str, Any], operation: str = "") -> str:
    return f"/quarantine/{item['handler']}/{item['name']}{operation}"


async def test_one_is_listed_shown_and_dropped(parley: Parley, person: str) -> None:
    """The list says why; the event is there as it came; what is dropped is gone."""
    event = strange(person)
    item = await quarantined(parley, event)
    assert (item["handler"], item["type"]) == ("inbound", "Microsoft.Communication.SMSReceived")
    assert "from" in item["reason"]
    shown = (await parley.own("GET", target(item))).json
    assert {name: shown[name] for name in item} == item
    assert (shown["event"]["id"], shown["event"]["data"]) == (event["id"], event["data"])
    dropped = await parley.own("DELETE", target(item))
    assert (dropped.status, dropped.json) == (200, item)
    for method in ("GET", "DELETE"):
        assert (await parley.own(method, target(item))).status == 404
    assert (await parley.own("POST", target(item, ":retry"))).status == 404


async def test_one_that_is_no_clearer_stays(
    parley: Parley, storage: StorageView, person: str
) -> None:
    """409 with the reason, and it keeps its place: it is not put into quarantine again."""
    item = await quarantined(parley, strange(person))
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
    reply = await parley.own("POST", target(item, ":retry"))
    assert reply.status == 200, reply.body
    await platform.relayed_event(RECEIVED, platformMessageId=event["data"]["messageId"])
    assert (await parley.own("GET", target(item))).status == 404


async def test_pages(parley: Parley, people: Any) -> None:
    """Each event once, however small the pages."""
    expected = {(await quarantined(parley, strange(person)))["name"] for person in people.many(3)}
    pages = await all_pages(parley, "/quarantine", 2)
    names = [item["name"] for page in pages for item in page]
    assert len(names) == len(set(names))
    assert expected <= set(names)


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
