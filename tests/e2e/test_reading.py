"""Reading back: every state, every page, previews."""

from __future__ import annotations

import asyncio
import base64
import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from local.stack import Stack
from shared.base.clock import iso
from tests.support.client import (
    SHORT_CODE,
    TOLL_FREE,
    Parley,
    Platform,
    all_pages,
    message_ids,
    send_body,
    with_ids,
)
from tests.support.golden import golden_event
from tests.support.parts import parts_of
from tests.support.people import People
from tests.support.polling import eventually

BLOCKED = "Sender blocked for given recipient."


async def next_second() -> datetime:
    """The beginning of a second, as it begins: people's texts are listed by whole seconds."""
    now = datetime.now(UTC)
    start = now.replace(microsecond=0) + timedelta(seconds=1)
    await asyncio.sleep((start - now).total_seconds())
    return start


def this_millisecond() -> datetime:
    """Now, as exactly as the ids of messages tell the time."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


# States -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "state", "code"),
    [
        ("+15005550002", "delivered", 2000),
        ("+15005550003", "delivered", 5001),
        ("+15005550008", "failed", None),
        ("+15005554001", "failed", 4001),
        ("+15005554004", "undelivered", 4004),
        ("+15005554005", "undelivered", 4005),
        ("+15005555002", "unknown", 5002),
        ("+15005559999", "undelivered", 9999),
    ],
)
async def test_each_state_that_the_platform_can_bring_about(
    number: str, state: str, code: int | None, parley: Parley
) -> None:
    """The state, whether it can still change, and the code with its meaning."""
    (item,) = await parley.send(number)
    message = await parley.message_in_state(item["messageId"], state)
    assert message["isFinal"] is (state != "unknown")
    assert message["to"] == number

    async def code_now() -> bool:
        return bool((await parley.message(item["messageId"]))["code"] == code)

    await eventually(code_now, f"the last report's code is {code}")
    message = await parley.message(item["messageId"])
    assert message["state"] == state
    assert bool(message["meaning"]) is (code is not None)


@pytest.mark.usefixtures("a_slow_carrier")
async def test_a_message_without_a_report(stack: Stack, parley: Parley, person: str) -> None:
    """It reads sent, and unknown after 72 hours; a late report settles it all the same."""
    (item,) = await parley.send(person, tag="order-17")
    message = await parley.message(item["messageId"])
    assert (message["state"], message["isFinal"]) == ("sent", False)
    assert message["platformMessageId"].startswith("Outgoing_")
    assert (message["tag"], message["errorMessage"]) == ("order-17", None)
    for hours, state in ((71, "sent"), (73, "unknown")):
        later = datetime.now(UTC) + timedelta(hours=hours)
        async with parts_of(stack, clock=lambda at=later: at) as parts:  # type: ignore[misc]
            assert (await parts.messages.get_message(item["messageId"]))["state"] == state
    event = golden_event("report-delivered", person=person, send_id=item["messageId"][:26])
    assert await parley.deliver("delivery_report", [event]) == 202
    assert (await parley.message(item["messageId"]))["state"] == "delivered"


@pytest.mark.usefixtures("a_slow_carrier")
@pytest.mark.parametrize(
    ("order", "state"),
    [
        (["report-failed-5002", "report-delivered"], "delivered"),
        (["report-failed-5002", "report-failed-4005"], "undelivered"),
        (["report-delivered", "report-failed-5002"], "delivered"),
        (["report-delivered", "report-failed-4007"], "delivered"),
        (["report-failed-4004", "report-delivered"], "undelivered"),
    ],
    ids=" then ".join,
)
async def test_a_final_state_never_changes(
    order: list[str], state: str, parley: Parley, person: str
) -> None:
    """Reports that contradict each other: a final state stands, a time-out gives way."""
    (item,) = await parley.send(person)
    for name in order:
        event = golden_event(name, person=person, send_id=item["messageId"][:26])
        assert await parley.deliver("delivery_report", [event]) == 202
    message = await parley.message(item["messageId"])
    assert message["state"] == state
    assert [entry["event"] for entry in message["history"]].count("deliveryReport") == 2


async def test_a_message_in_doubt(stack: Stack, parley: Parley, platform: Platform) -> None:
    """What ACS did not answer for reads uncertain, and its history says since when."""
    number = "+15005550001"
    body = with_ids(send_body(number))
    (message_id,) = message_ids(base64.b64decode(stack.keys.id_key), body).values()
    await platform.order_fault("send", "garbage", number=number)
    assert (await parley.signed("POST", "/sms", body)).status == 503
    message = await parley.message(message_id)
    assert (message["state"], message["isFinal"]) == ("uncertain", False)
    assert message["history"][-1]["event"] == "attemptUnanswered"
    assert message["errorMessage"] == "PlatformUnavailable"


async def test_a_bad_recipient_has_no_message(parley: Parley, people: People) -> None:
    """What was refused at once was never a message; the others of the send are."""
    refused, sent = await parley.send("+1425", people.one())
    assert refused["messageId"] is None
    assert (await parley.message(sent["messageId"]))["direction"] == "outbound"


# Pages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 50])
async def test_pages_of_messages(
    size: int, parley: Parley, platform: Platform, people: People
) -> None:
    """All pages together hold every message once: sends to one, to many, and texts of people."""
    start = await next_second()
    alone = [await parley.send(number) for number in people.many(3)]
    together = await parley.send(*people.many(7), sender=SHORT_CODE)
    author = people.one()
    spoken = await platform.speak(author, "Hello there", SHORT_CODE)
    relayed = await platform.relayed_event("Parley.SMSReceived", platformMessageId=spoken)
    end = datetime.now(UTC) + timedelta(seconds=1)
    expected = {item["messageId"] for items in (*alone, together) for item in items}
    expected.add(relayed["data"]["messageId"])

    span = urlencode({"startTime": iso(start), "endTime": iso(end)})
    pages = await all_pages(parley, f"/messages?{span}", size)
    assert all(len(page) == size for page in pages[:-1])
    found = [message["messageId"] for page in pages for message in page]
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert found == sorted(found)


async def test_messages_written_while_pages_are_read(parley: Parley, people: People) -> None:
    """A list that grows while it is read shows what was there first once, without a gap."""
    start = this_millisecond()
    numbers = people.many(6)
    expected = [(await parley.send(number))[0]["messageId"] for number in numbers]
    span = urlencode({"startTime": iso(start)})
    first = await parley.own("GET", f"/messages?{span}&maxpagesize=2")
    found = [message["messageId"] for message in first.items]
    link = first.json["nextLink"]
    while link:
        await parley.send(people.one())
        page = await parley.own("GET", link.removeprefix(parley.endpoint))
        found += [message["messageId"] for message in page.items]
        link = page.json.get("nextLink")
        if len(found) > 30:
            break
    assert [message_id for message_id in found if message_id in expected] == expected
    assert len(found) == len(set(found))


async def test_a_span_without_messages(parley: Parley) -> None:
    """An empty list is a list, and has no next page."""
    reply = await parley.own("GET", "/messages?startTime=2019-03-01&endTime=2019-03-02")
    assert reply.json == {"value": []}


@pytest.mark.parametrize("size", [1, 4, 9, 50])
async def test_pages_of_a_conversation(
    size: int, parley: Parley, platform: Platform, person: str
) -> None:
    """Both sides in the order of time, each entry once, however small the pages."""
    for count in range(5):
        (item,) = await parley.send(person, message=f"Question {count}")
        await parley.message_in_state(item["messageId"], "delivered")
        if count < 4:
            spoken = await platform.speak(person, f"Answer {count}")
            await platform.relayed_event("Parley.SMSReceived", platformMessageId=spoken)
    pages = await all_pages(
        parley, f"/conversations/{parley.conversation_id(TOLL_FREE, person)}", size
    )
    assert all(len(page) == size for page in pages[:-1])
    said = [entry["message"] for page in pages for entry in page]
    assert said == [
        "Question 0",
        *(text for n in range(4) for text in (f"Answer {n}", f"Question {n + 1}")),
    ]


@pytest.mark.parametrize("plus", ["%2B", "+", ""])
async def test_a_conversation_under_any_spelling(plus: str, parley: Parley, person: str) -> None:
    """A look-up takes numbers with a plus sign, with one that was not encoded, and without."""
    (item,) = await parley.send(person)
    target = f"/conversations?ours={plus}{TOLL_FREE[1:]}&theirs={plus}{person[1:]}"
    (found,) = (await parley.own("GET", target)).items
    assert found["lastMessage"]["messageId"] == item["messageId"]
    assert found["conversationId"] == parley.conversation_id(TOLL_FREE, person)
    (other,) = (
        await parley.own("GET", f"/conversations?ours={SHORT_CODE}&theirs={plus}{person[1:]}")
    ).items
    assert other["lastMessage"] is None


# Previews -----------------------------------------------------------------------------------------


async def test_a_preview_sends_nothing(parley: Parley, platform: Platform, people: People) -> None:
    """Cost, costly characters with stand-ins, and who would be blocked and why; no text leaves."""
    closed, open_ = people.many(2)
    await parley.signed(
        "POST", "/sms/optouts:add", {"from": TOLL_FREE, "recipients": [{"to": closed}]}
    )
    message = "Don\N{RIGHT SINGLE QUOTATION MARK}t be late \N{EM DASH} " + "x" * 60
    reply = await parley.own(
        "POST", "/messages:preview", send_body(closed, open_, "+1425", message=message)
    )
    assert reply.status == 200
    preview = reply.json
    assert (preview["encoding"], preview["segments"], preview["unitsPerSegment"]) == (
        "UCS-2",
        2,
        67,
    )
    assert preview["totalSegments"] == 2
    characters = {entry["character"]: entry["standIn"] for entry in preview["costlyCharacters"]}
    assert characters == {"\N{RIGHT SINGLE QUOTATION MARK}": "'", "\N{EM DASH}": "-"}
    assert preview["withStandIns"]["segments"] == 1
    blocked, fine, bad = preview["recipients"]
    assert (blocked["wouldSend"], blocked["errorMessage"]) == (False, BLOCKED)
    assert blocked["blockedBy"]["channel"] == "api"
    assert (fine["wouldSend"], fine["errorMessage"], fine["blockedBy"]) == (True, None, None)
    assert (bad["wouldSend"], bad["address"]) == (False, None)
    assert await platform.calls(open_) == 0
    assert await parley.conversation(TOLL_FREE, open_) == []


async def test_reading_while_sending(parley: Parley, people: People) -> None:
    """Every message can be read the moment its id is known."""
    numbers = people.many(10)
    sent = await asyncio.gather(*(parley.send(number) for number in numbers))
    messages = await asyncio.gather(*(parley.message(item["messageId"]) for (item,) in sent))
    assert {message["state"] for message in messages} <= {"sent", "delivered"}
    assert [message["to"] for message in messages] == numbers


async def test_a_function_that_nobody_knows(parley: Parley) -> None:
    """A route or a method that is not there is 404, without a hint of what is."""
    for method, path in (("GET", "/sms"), ("DELETE", "/messages"), ("GET", f"/{uuid.uuid4()}")):
        reply = await parley.own(method, path)
        assert (reply.status, reply.body) == (404, b"")
