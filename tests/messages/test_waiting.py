"""What is scheduled: listed soonest first with until when and why, and counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from local.stack import Stack
from shared.base.clock import iso
from shared.jobs.due_worker import PutOff
from shared.messages.waiting import ListedUpTo
from tests.support.client import Parley
from tests.support.due import brought, due_of
from tests.support.parts import parts_of
from tests.support.people import People


async def listed(parley: Parley, *, size: int = 500) -> list[dict[str, Any]]:
    """All pages of what is scheduled."""
    found: list[dict[str, Any]] = []
    query: str | None = urlencode({"state": "scheduled", "maxpagesize": size})
    while query is not None:
        reply = await parley.own("GET", f"/messages?{query}")
        assert reply.status == 200, reply.body
        found += reply.json["value"]
        link = reply.json.get("nextLink")
        query = None if link is None else link.partition("?")[2]
    return found


async def test_what_waits_is_listed_soonest_first_with_its_reason(
    parley: Parley, people: People
) -> None:
    """Each message once, whatever the size of the pages; without one that was canceled."""
    now = datetime.now(UTC)
    persons = people.many(5)
    moments = [now + timedelta(hours=hours) for hours in (3, 1, 2, 2, 5)]
    items = []
    for person, moment in zip(persons, moments, strict=True):
        items += await parley.send(person, sendAt=iso(moment))
    await parley.own("DELETE", f"/messages/{items[4]['messageId']}")
    for size in (500, 1, 2):
        found = [m for m in await listed(parley, size=size) if m["to"] in persons]
        assert len(found) == 4
        untils = [message["waits"]["until"] for message in found]
        assert untils == sorted(untils)
        assert {m["to"]: m["waits"]["until"] for m in found} == {
            person: iso(moment) for person, moment in list(zip(persons, moments, strict=True))[:4]
        }
        assert {message["waits"]["why"] for message in found} == {"sendAt"}
        assert {message["state"] for message in found} == {"scheduled"}


async def test_a_send_to_many_is_listed_across_pages(parley: Parley, people: People) -> None:
    """A page may end inside a send."""
    persons = people.many(7)
    later = iso(datetime.now(UTC) + timedelta(hours=6))
    await parley.send(*persons, sendAt=later)
    for size in (1, 3, 500):
        found = [m["to"] for m in await listed(parley, size=size)]
        assert sorted(to for to in found if to in persons) == sorted(persons)


async def test_what_was_put_off_is_listed_with_the_new_reason(
    stack: Stack, parley: Parley, person: str
) -> None:
    """Until when it waits now; the row that it no longer names shows nothing."""
    moment = datetime.now(UTC) + timedelta(hours=7)
    (item,) = await parley.send(person, sendAt=iso(moment))
    send_id = item["messageId"].partition(".")[0]
    async with parts_of(stack) as parts:
        (due,) = await due_of(parts.parts.jobs.due, send_id)
        later = moment + timedelta(hours=3)
        worker, job = parts.parts.jobs.worker, parts.sending.job
        await worker._put_off(job, due, PutOff(later, "pace"))
        # The old row once more, as a crash leaves it.
        await parts.parts.jobs.due._put(due)
        page = await parts.waiting.list_waiting(after=ListedUpTo(), limit=500)
        (found,) = [view for view in page.value if view["to"] == person]
        assert found["waits"] == {"until": iso(later), "why": "pace"}
        await brought(parts, [due])
        (left,) = await due_of(parts.parts.jobs.due, send_id)
        assert left.moment == later


async def test_what_waits_is_counted(parley: Parley, people: People) -> None:
    """So many sends, by what they wait for, from the soonest to the latest."""
    moment = datetime.now(UTC) + timedelta(hours=8)
    before = await counted(parley)
    for person in people.many(3):
        await parley.send(person, sendAt=iso(moment))
    after = await counted(parley)
    assert after["sends"] == before["sends"] + 3
    assert after["more"] is False
    assert sum(reason["sends"] for reason in after["reasons"]) == after["sends"]
    assert after["first"] <= iso(moment) <= after["last"]


async def counted(parley: Parley) -> dict[str, Any]:
    reply = await parley.own("GET", "/messages?state=scheduled&count=true&maxpagesize=1")
    found: dict[str, Any] = reply.json["counts"]
    return found


@pytest.mark.parametrize(
    "query",
    [
        "state=sent",
        "state=scheduled&startTime=2026-11-22T00:00:00Z",
        "state=scheduled&endTime=2026-11-22T00:00:00Z",
        "state=scheduled&after=202611291200-3",
        "state=scheduled&after=x~01JD8Z0W0Q4T9V6X2Y3N5M7K8P.0123456789",
    ],
)
async def test_what_the_list_does_not_know_is_refused(parley: Parley, query: str) -> None:
    """Another state, a span of time, a key that is none of ours: 400 with the member."""
    reply = await parley.own("GET", f"/messages?{query}")
    assert (reply.status, reply.json["code"]) == (400, "InvalidRequest")
