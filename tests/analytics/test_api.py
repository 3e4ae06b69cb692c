"""`GET /analytics` and `POST /analytics:rebuild` as a client meets them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import pytest

from local.ports import Ports
from local.stack import Stack, StackOptions
from shared.analytics.api import read_query, read_rebuild
from shared.analytics.spreadsheet import safe
from shared.base.clock import utc_now
from shared.base.errors import InvalidRequest
from tests.analytics.world import ODD_TAGS
from tests.docs import documents
from tests.support.client import Parley, Platform
from tests.support.parts import parts_of
from tests.support.people import People
from tests.support.polling import eventually

NOW = datetime(2026, 11, 22, 13, 7, 20, tzinfo=UTC)
START, END = "2026-11-22T00:00:00Z", "2026-11-22T12:00:00Z"


def _span(start: str, end: str) -> dict[str, str]:
    return {"startTime": start, "endTime": end}


BAD = [
    ({"startTime": END, "endTime": START}, "endTime", "ends before it begins"),
    ({"startTime": END, "endTime": END}, "endTime", "ends before it begins"),
    (_span("2025-05-22", "2026-11-22") | {"interval": "day"}, "startTime", "366 days"),
    (_span("2025-05-22", "2026-11-22") | {"interval": "total"}, "startTime", "366 days"),
    (_span("2026-09-01", "2026-11-22") | {"interval": "hour"}, "startTime", "62 days"),
    (_span("2026-11-20", "2026-11-22") | {"interval": "minute"}, "startTime", "1 day."),
    (
        {"startTime": "2026-11-01", "endTime": "2026-11-22", "timeZone": "Asia/Kolkata"},
        "startTime",
        "between UTC's",
    ),
    ({"startTime": "yesterday"}, "startTime", "ISO 8601"),
    ({"startTime": ""}, "startTime", "ISO 8601"),
    ({"endTime": "2026-13-01"}, "endTime", "ISO 8601"),
    ({"endTime": "2026-02-30T00:00:00Z"}, "endTime", "ISO 8601"),
    ({"startTime": "0001-01-01T00:00:00+14:00"}, "startTime", "ISO 8601"),
    ({"startTime": "9999-12-31T23:59:59-14:00"}, "startTime", "ISO 8601"),
    ({"interval": "week"}, "interval", "minute, hour, day, total"),
    ({"interval": ""}, "interval", "minute"),
    ({"groupBy": "recipient"}, "groupBy", "sender, program, tag"),
    ({"groupBy": "Tag"}, "groupBy", "sender"),
    ({"timeZone": "Mars/Olympus"}, "timeZone", "IANA"),
    ({"timeZone": "../../etc/passwd"}, "timeZone", "IANA"),
    ({"timeZone": ""}, "timeZone", "IANA"),
    ({"timeZone": "x" * 5000}, "timeZone", "IANA"),
    ({"timeZone": "a\x00b"}, "timeZone", "IANA"),
    ({"from": START, "to": END}, "from", "not known"),
    ({"top": "0"}, "top", "1 to 500"),
    ({"top": "501"}, "top", "1 to 500"),
    ({"top": "-1"}, "top", "1 to 500"),
    ({"top": "1" * 5000}, "top", "1 to 500"),
    ({"top": "\u0663"}, "top", "1 to 500"),
    ({"format": "xlsx"}, "format", "json or csv"),
    ({"groupby": "tag"}, "groupby", "not known"),
]


@pytest.mark.parametrize(("params", "member", "reason"), BAD)
def test_bad_questions(params: dict[str, str], member: str, reason: str) -> None:
    """The parameter at fault is named, with the reason."""
    with pytest.raises(InvalidRequest) as error:
        read_query(params, NOW)
    assert reason in " ".join(error.value.errors[member])


def test_everything_at_fault_is_named_at_once() -> None:
    """One answer names all parameters at fault."""
    with pytest.raises(InvalidRequest) as error:
        read_query({"startTime": "x", "interval": "x", "groupBy": "x", "top": "x", "q": "x"}, NOW)
    assert error.value.errors.keys() == {"startTime", "interval", "groupBy", "top", "q"}


@pytest.mark.parametrize(
    ("body", "member", "reason"),
    [
        ([], "", "JSON object"),
        ({}, "startTime", "ISO 8601"),
        ({"startTime": START}, "endTime", "ISO 8601"),
        ({"startTime": 7, "endTime": END}, "startTime", "ISO 8601"),
        ({"startTime": None, "endTime": END}, "startTime", "ISO 8601"),
        ({"startTime": END, "endTime": START}, "endTime", "ends before it begins"),
        ({"startTime": "2027-01-01", "endTime": "2027-01-02"}, "endTime", "has not begun"),
        ({"startTime": "2025-05-22", "endTime": END}, "startTime", "366 days"),
        ({"startTime": START, "endTime": END, "all": True}, "all", "not known"),
        ({"from": START, "to": END}, "to", "not known"),
    ],
)
def test_bad_rebuilds(body: Any, member: str, reason: str) -> None:
    """The member at fault is named, with the reason."""
    with pytest.raises(InvalidRequest) as error:
        read_rebuild(body, NOW)
    assert reason in " ".join(error.value.errors[member])


@pytest.mark.parametrize(("interval", "top"), [("total", 500), ("hour", 500), ("minute", 13)])
def test_an_answer_has_an_end(interval: str, top: int) -> None:
    """Where many intervals are asked for, fewer groups are told apart."""
    query = read_query({"interval": interval, "groupBy": "tag", "top": "500"}, NOW)
    assert query.top == top


async def test_bad_questions_over_http(parley: Parley) -> None:
    """A problem with 400, the code, and every parameter at fault."""
    reply = await parley.own("GET", f"/analytics?{urlencode({'startTime': END, 'endTime': START})}")
    assert reply.status == 400
    assert (reply.json["code"], list(reply.json["errors"])) == ("InvalidRequest", ["endTime"])
    reply = await parley.own("POST", "/analytics:rebuild", b"{")
    assert reply.status == 400
    reply = await parley.own("POST", "/analytics:forget", {})
    assert reply.status == 404


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose time may be told: what is counted in it ahead of time disturbs nobody."""
    options = StackOptions(
        ports=Ports.any_free(), logs=tmp_path_factory.mktemp("logs"), delivery_seconds=0.05
    )
    with Stack(options) as running:
        yield running


async def _ask(parley: Parley, **params: str) -> dict[str, Any]:
    reply = await parley.own("GET", f"/analytics?{urlencode(params, quote_via=quote)}")
    assert reply.status == 200, reply.body
    found: dict[str, Any] = reply.json
    return found


async def test_what_was_sent_is_counted(
    own_stack: Stack, web: aiohttp.ClientSession, people: People
) -> None:
    """From a send over HTTP to its row: each odd tag as it was given, opt-outs, replies, CSV."""
    parley, platform = Parley(own_stack, web), Platform(own_stack, web)
    tags = [tag for tag in ODD_TAGS if tag]
    for tag, person in zip(tags, people.many(len(tags)), strict=True):
        (item,) = await parley.send(person, tag=tag)
        await parley.message_in_state(item["messageId"], "delivered")
        if tag == "visit-17":
            await platform.speak(person, "STOP")
            await platform.relayed_event("Parley.OptOutChanged", recipient=person)
            await parley.send(person, tag=tag)
    async with parts_of(own_stack, clock=lambda: utc_now() + timedelta(minutes=4)) as parts:
        await parts.analytics.timer.run()
    async with parts_of(own_stack, clock=lambda: utc_now() + timedelta(minutes=8)) as parts:
        await parts.analytics.timer.run()
    answer = await _ask(parley, interval="total", groupBy="tag")
    rows = {row["group"]: row for row in answer["value"]}
    assert rows.keys() == {*tags}
    assert all((row["sent"], row["delivered"]) == (1, 1) for row in rows.values())
    visit = rows["visit-17"]
    counts = ("optOuts", "optOutRate", "replied", "inbound")
    assert [visit[name] for name in counts] == [1, 1.0, 1, 1]
    assert visit["blocked"]["optedOut"] == 1
    assert visit["cost"] == {"USD": "0.0100"}
    reply = await parley.own("GET", "/analytics?interval=total&groupBy=tag&format=csv")
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    table = list(csv.reader(io.StringIO(reply.body.decode("utf-8-sig"), newline="")))
    assert {row[2] for row in table[1:]} == {safe(tag) for tag in tags}
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for row in table for cell in row)


async def test_the_document_has_every_member(own_stack: Stack, web: aiohttp.ClientSession) -> None:
    """A row and an answer have the members that docs/interface.md prints, and no others."""
    section = documents.section(documents.named("interface"), "Analytics")
    printed = json.loads(
        next(block.text for block in documents.blocks(section) if block.language == "json")
    )
    answer = await _ask(Parley(own_stack, web))
    assert answer.keys() == {
        *("startTime", "endTime", "interval", "timeZone", "groupBy", "upTo", "value", "total")
    }
    assert len(answer["value"]) in {24, 25}
    assert answer["value"][0].keys() == answer["total"][0].keys() == printed.keys()
    told = documents.code_spans(section)
    assert {*printed, "upTo", "total", "value"} <= told


async def test_the_host_counts_by_itself(parley: Parley, stack: Stack) -> None:
    """The timer's function runs in the real host, and says how far it came."""
    fired = await parley.call(
        "POST",
        "/admin/functions/fold_rollups",
        b"{}",
        {"x-functions-key": stack.keys.host_master, "Content-Type": "application/json"},
    )
    assert fired.status == 202

    async def look() -> str | None:
        up_to: str | None = (await _ask(parley))["upTo"]
        return up_to

    assert await eventually(look, "the fold has come somewhere")


async def test_a_rebuild_is_taken(parley: Parley) -> None:
    """The span is answered in whole minutes, 202: the timer does the work."""
    body = {"startTime": "2026-11-22T13:00:30Z", "endTime": "2026-11-22T13:59:30Z"}
    reply = await parley.own("POST", "/analytics:rebuild", body)
    assert reply.status == 202
    assert reply.json == {
        "startTime": "2026-11-22T13:00:00.000000Z",
        "endTime": "2026-11-22T14:00:00.000000Z",
    }
