"""Conversations as the HTTP interface shows them, on the running stack."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from azure.core.rest import HttpRequest

from local.stack import Stack
from shared.base import ids
from shared.base.clock import from_iso, iso
from shared.base.randomness import SYSTEM
from shared.conversations import Entry, Kind
from shared.conversations.entries import TABLE
from tests.support.client import SHORT_CODE, TOLL_FREE, Parley, Platform, all_pages
from tests.support.golden import golden_event
from tests.support.parts import parts_of
from tests.support.people import People
from tests.support.transports import Inner, Wrapper

RECEIVED = "Parley.SMSReceived"
LONG = 5000
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def conversation(parley: Parley, person: str, sender: str = TOLL_FREE, **query: Any) -> str:
    """The target of a conversation."""
    target = f"/conversations/{parley.conversation_id(sender, person)}"
    return f"{target}?{urlencode(query)}" if query else target


async def spoken(platform: Platform, person: str, text: str, to: str = TOLL_FREE) -> dict[str, Any]:
    """What the application is told of a text, once it is."""
    platform_id = await platform.speak(person, text, to)
    event = await platform.relayed_event(RECEIVED, platformMessageId=platform_id)
    told: dict[str, Any] = event["data"]
    return told


# What a text answers ------------------------------------------------------------------------------


async def test_what_a_text_answers(parley: Parley, platform: Platform, person: str) -> None:
    """The latest text of that sender: in the event, in the message, in the conversation."""
    first = await spoken(platform, person, "Hello?")
    assert first["inReplyTo"] is None
    await parley.send(person, tag="order-1")
    (item,) = await parley.send(person, tag="order-2")
    (other,) = await parley.send(person, sender=SHORT_CODE)
    answer = await spoken(platform, person, "Yes")
    assert answer["inReplyTo"] == {"messageId": item["messageId"], "tag": "order-2"}
    message = await parley.message(answer["messageId"])
    assert message["inReplyTo"] == item["messageId"]
    entries = await parley.conversation(TOLL_FREE, person)
    assert [entry["inReplyTo"] for entry in entries] == [None, None, None, item["messageId"]]
    to_the_other = await spoken(platform, person, "Thanks", SHORT_CODE)
    assert to_the_other["inReplyTo"] == {"messageId": other["messageId"], "tag": None}


@pytest.mark.parametrize("hours", [0.001, 71.99, 72.01])
async def test_a_text_answers_within_three_days(
    hours: float, stack: Stack, parley: Parley, platform: Platform, person: str
) -> None:
    """Of what was sent longer ago, nobody can say that it was answered."""
    sent = entry(person, NOW - timedelta(hours=hours), inbound=False)
    async with parts_of(stack) as parts:
        await parts.conversations.entries.write(sent)
    event = golden_event("received", person=person)
    event["data"]["receivedTimestamp"] = iso(NOW)
    assert await parley.deliver("inbound", [event]) == 202
    told = await platform.relayed_event(RECEIVED, platformMessageId=event["data"]["messageId"])
    expected = {"messageId": sent.message_id, "tag": None} if hours < 72 else None
    assert told["data"]["inReplyTo"] == expected


async def test_a_repeat_answers_what_the_first_answered(
    stack: Stack, parley: Parley, platform: Platform, person: str
) -> None:
    """Event Grid brings a text again; what has been written down since changes nothing."""
    event = golden_event("received", person=person)
    event["data"]["receivedTimestamp"] = iso(NOW)
    platform_id = event["data"]["messageId"]
    assert await parley.deliver("inbound", [event]) == 202
    async with parts_of(stack) as parts:
        await parts.conversations.entries.write(
            entry(person, NOW - timedelta(hours=1), inbound=False)
        )
    assert await parley.deliver("inbound", [event]) == 202
    first, *repeats = await platform.relayed(RECEIVED, platformMessageId=platform_id)
    assert all(repeat["data"] == first["data"] for repeat in repeats)
    assert first["data"]["inReplyTo"] is None
    said = await parley.conversation(TOLL_FREE, person)
    assert [item["inReplyTo"] for item in said if item["direction"] == "inbound"] == [None]


# One conversation ---------------------------------------------------------------------------------


async def test_messages_with_their_states_and_changes_of_mind(
    parley: Parley, platform: Platform, person: str
) -> None:
    """Texts with what became of them; a STOP stands as a text and as what it did."""
    (item,) = await parley.send(person, tag="order-1")
    await parley.message_in_state(item["messageId"], "delivered")
    for word in ("STOP", "START"):
        await spoken(platform, person, word)
    await spoken(platform, person, "STOP", SHORT_CODE)
    oldest = (await parley.own("GET", conversation(parley, person))).items
    assert [(e["type"], e.get("message"), e["direction"], e.get("state")) for e in oldest] == [
        ("message", "Hello", "outbound", "delivered"),
        ("message", "STOP", "inbound", "received"),
        ("optOutChange", None, "out", None),
        ("message", "START", "inbound", "received"),
        ("optOutChange", None, "in", None),
    ]
    change = oldest[2]
    assert change.keys() == {
        *("type", "at", "direction", "channel", "rule", "sequence", "effect"),
    }
    assert (change["channel"], change["effect"]) == ("keyword", "applied")
    newest = (await parley.own("GET", conversation(parley, person, order="desc"))).items
    assert newest == oldest[::-1]
    for size in (1, 2, 3):
        for order in ("asc", "desc"):
            pages = await all_pages(parley, conversation(parley, person, order=order), size)
            assert all(len(page) <= size for page in pages)
            found = [item for page in pages for item in page]
            assert found == (oldest if order == "asc" else newest)


async def test_a_message_that_is_no_longer_on_record(
    stack: Stack, parley: Parley, person: str
) -> None:
    """A month's messages may have been dropped; the conversation goes on to show the text."""
    async with parts_of(stack) as parts:
        await parts.conversations.entries.write(
            entry(person, NOW - timedelta(days=900), inbound=False)
        )
    (shown,) = await parley.conversation(TOLL_FREE, person)
    assert (shown["message"], shown["state"]) == ("Hello", None)


class Counted(Wrapper):
    """Counts what is asked of the conversations' table."""

    def __init__(self, inner: Inner) -> None:
        super().__init__(inner)
        self.count = 0

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        self.count += f"/{TABLE}(" in request.url
        return await super().send(request, **named)


async def long_talk(stack: Stack, person: str, count: int, apart: timedelta) -> list[str]:
    """So many texts of a person, put down; their ids, oldest first."""
    entries = [
        entry(person, NOW - apart * (count - number), inbound=True) for number in range(count)
    ]
    async with parts_of(stack) as parts:
        await parts.conversations.entries.write_all(entries)
    return [one.message_id for one in entries]


async def read_to_the_end(stack: Stack, person: str, order: str) -> tuple[list[str], int]:
    """Ids of a whole conversation, page by page, and the most queries that a page took."""
    ways: list[Counted] = []

    def way(network: Inner) -> Inner:
        ways.append(Counted(network))
        return ways[-1]

    found: list[str] = []
    most, after = 0, ""
    async with parts_of(stack, way=way) as parts:
        talk = parts.conversations.entries.ids.of(TOLL_FREE, person)
        while True:
            before = ways[0].count
            shown = await parts.conversations.api.read_conversation(
                talk, after=after, limit=500, newest_first=order == "desc"
            )
            most = max(most, ways[0].count - before)
            found += [item["messageId"] for item in shown.page.value]
            if shown.page.after is None:
                return found, most
            after = shown.page.after


@pytest.fixture(scope="module")
async def long_one(stack: Stack, people: People) -> tuple[str, list[str]]:
    """Somebody with 5,000 texts, and their ids, oldest first."""
    person = people.one()
    return person, await long_talk(stack, person, LONG, timedelta(minutes=97))


@pytest.mark.parametrize(("order", "most"), [("asc", 10), ("desc", 1)])
async def test_a_conversation_of_five_thousand(
    order: str, most: int, stack: Stack, long_one: tuple[str, list[str]]
) -> None:
    """Either way, each page costs a bounded number of queries and each text is shown once."""
    person, expected = long_one
    found, queries = await read_to_the_end(stack, person, order)
    assert found == (expected if order == "asc" else expected[::-1])
    assert queries <= most


@pytest.mark.slow
async def test_a_conversation_of_seventy_thousand(stack: Stack, person: str) -> None:
    """As many as a machine may have said in years: pages stay as cheap as those of a short one."""
    expected = await long_talk(stack, person, 70_000, timedelta(minutes=13))
    for order, most in (("asc", 14), ("desc", 1)):
        found, queries = await read_to_the_end(stack, person, order)
        assert found == (expected if order == "asc" else expected[::-1])
        assert queries <= most


async def test_the_first_page_of_five_thousand(
    parley: Parley, long_one: tuple[str, list[str]]
) -> None:
    """Over HTTP, a page each way."""
    person, expected = long_one
    for order, ends in (("asc", expected[:50]), ("desc", expected[::-1][:50])):
        reply = await parley.own("GET", conversation(parley, person, order=order))
        assert [item["messageId"] for item in reply.items] == ends
        assert "nextLink" in reply.json


# Marking it read ----------------------------------------------------------------------------------


async def mark(parley: Parley, person: str, body: Any = b"") -> dict[str, Any]:
    """Mark it read; the answer."""
    reply = await parley.own("POST", f"{conversation(parley, person)}:markRead", body)
    assert reply.status == 200, reply.body
    marked: dict[str, Any] = reply.json
    return marked


async def test_the_read_mark_never_moves_backwards(parley: Parley, person: str) -> None:
    """Now where no moment is named; an earlier moment changes nothing, one ahead is now."""
    await parley.send(person)
    early, late = "2026-01-01T00:00:00.000000Z", "2026-02-01T00:00:00.000000Z"
    for wanted, marked in ((early, early), (late, late), (early, late)):
        assert await mark(parley, person, {"readUpTo": wanted}) == {
            "conversationId": parley.conversation_id(TOLL_FREE, person),
            "readUpTo": marked,
        }
    for body in (b"", {}, {"readUpTo": "2099-01-01T00:00:00Z"}):
        before = datetime.now(UTC)
        moment = from_iso((await mark(parley, person, body))["readUpTo"])
        assert before <= moment <= datetime.now(UTC)
    assert len(await parley.conversation(TOLL_FREE, person)) == 1


async def test_nobody_marks_what_is_not_there(parley: Parley, person: str) -> None:
    """404, and nothing is written that a later conversation would find."""
    reply = await parley.own("POST", f"{conversation(parley, person)}:markRead")
    assert (reply.status, reply.json["code"]) == (404, "NotFound")
    await parley.send(person)
    found = await parley.own(
        "GET", f"/conversations?theirs={quote(person)}&ours={quote(TOLL_FREE)}"
    )
    assert found.items[0]["readUpTo"] is None


@pytest.mark.parametrize(
    ("body", "member"),
    [
        ({"readUpTo": "yesterday"}, "readUpTo"),
        ({"readUpTo": 5}, "readUpTo"),
        ({"readUpTo": "1969-12-31T23:59:59Z"}, "readUpTo"),
        ({"until": "2026-01-01"}, "until"),
        ([], ""),
        (b"{", ""),
    ],
)
async def test_a_mark_that_makes_no_sense(
    body: Any, member: str, parley: Parley, person: str
) -> None:
    """A bad body is 400 and the member is named."""
    reply = await parley.own("POST", f"{conversation(parley, person)}:markRead", body)
    assert (reply.status, list(reply.json["errors"])) == (400, [member])


@pytest.mark.parametrize(
    ("target", "member"),
    [
        ("?order=down", "order"),
        ("?after=2026", "after"),
        ("?after=998204311299999999~01JD8Z0W0Q4T9V6X2Y3N5M7K8P.zz", "after"),
        ("?after=998204311299999999~!1", "after"),
    ],
)
async def test_bad_parameters(target: str, member: str, parley: Parley, person: str) -> None:
    """A parameter that makes no sense is 400 and named."""
    reply = await parley.own("GET", conversation(parley, person) + target)
    assert (reply.status, list(reply.json["errors"])) == (400, [member])


async def test_an_operation_that_is_none(parley: Parley, person: str) -> None:
    """404, whatever it looks like."""
    for target in (conversation(parley, person), f"{conversation(parley, person)}:forget"):
        assert (await parley.own("POST", target)).status == 404


def entry(person: str, at: datetime, *, inbound: bool) -> Entry:
    """A message of the past."""
    if inbound:
        message_id = ids.inbound_id(f"{person} {iso(at)}", at)
    else:
        message_id = f"{ids.drawn_send_id(at, SYSTEM)}.0123456789"
    kind = Kind.RECEIVED if inbound else Kind.SENT
    return Entry(
        message_id, TOLL_FREE, person, kind, "Hello", at, 1, arrived=at if inbound else None
    )
