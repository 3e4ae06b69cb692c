"""A send to as many as one request takes."""

from __future__ import annotations

from typing import Any

from tests.support.client import TOLL_FREE, Parley, Platform, send_body
from tests.support.people import People
from tests.support.polling import eventually

BLOCKED = "Sender blocked for given recipient."


async def opt_out(parley: Parley, *numbers: str) -> None:
    body = {"from": TOLL_FREE, "recipients": [{"to": number} for number in numbers]}
    reply = await parley.signed("POST", "/sms/optouts:add", body)
    assert reply.status == 200


async def test_a_hundred_of_all_sorts(parley: Parley, platform: Platform, people: People) -> None:
    """One answer in the caller's order: good, bad, doubled and opted-out recipients side by side.

    ACS is asked once, for each good recipient once; the conversations are written from the queue.
    """
    good, closed, bad = people.many(80), people.many(8), [f"+1425555{n:03d}" for n in range(6)]
    doubled = [*good[:3], f"{good[3][:2]} {good[3][2:5]}-{good[3][5:]}", closed[0], bad[0]]
    everyone = [*good[:40], *closed, *bad, *good[40:], *doubled]
    assert len(everyone) == 100
    await opt_out(parley, *closed)

    reply = await parley.own("POST", "/messages", send_body(*everyone, tag="bulk"))
    assert reply.status == 202
    assert [await platform.calls(number) for number in good] == [1] * len(good)

    items = reply.items
    assert [item["to"] for item in items] == everyone
    first: dict[str, dict[str, Any]] = {}
    for item in items:
        number = "+" + "".join(c for c in item["to"] if c.isdigit())
        expected = (202, None) if number in good else (403, BLOCKED)
        if number in bad:
            assert item["httpStatusCode"] == 400
            assert item["messageId"] is None
            continue
        assert (item["httpStatusCode"], item["errorMessage"]) == expected
        again = first.setdefault(number, item)
        assert again["messageId"] == item["messageId"]
    assert len({item["messageId"] for item in first.values()}) == 88

    for number in good:
        await parley.message_in_state(first[number]["messageId"], "delivered")
        assert len(await platform.accepted(number)) == 1
    for number in closed:
        assert await platform.accepted(number) == []
        event = await platform.relayed_event(
            "Parley.SMSDeliveryReportReceived", messageId=first[number]["messageId"]
        )
        assert (event["data"]["code"], event["data"]["tag"]) == (4007, "bulk")

    for number in (good[0], good[-1]):
        entries = await eventually(
            lambda n=number: parley.conversation(TOLL_FREE, n),  # type: ignore[misc]
            "the record queue has written the conversation",
        )
        assert [entry["messageId"] for entry in entries] == [first[number]["messageId"]]
    assert await parley.conversation(TOLL_FREE, closed[0]) == []


async def test_everybody_opted_out(parley: Parley, platform: Platform, people: People) -> None:
    """Where nobody may be texted ACS is not called at all."""
    closed = people.many(3)
    await opt_out(parley, *closed)
    items = await parley.send(*closed)
    assert {item["errorMessage"] for item in items} == {BLOCKED}
    assert [await platform.calls(number) for number in closed] == [0, 0, 0]


async def test_an_opt_out_is_known_to_the_very_next_send(
    parley: Parley, platform: Platform, people: People
) -> None:
    """Whoever has opted out when a send begins is not texted by it; others are not delayed."""
    for number in people.many(10):
        await opt_out(parley, number)
        (item,) = await parley.send(number)
        assert item["errorMessage"] == BLOCKED
        assert await platform.accepted(number) == []


async def test_a_long_text_keeps_its_measure(parley: Parley, person: str) -> None:
    """Segments and encoding are kept with the message as they were told to the caller."""
    body = send_body(person, message="\N{GRINNING FACE}" * 36)
    reply = await parley.own("POST", "/messages", body)
    assert (reply.json["encoding"], reply.json["segments"]) == ("UCS-2", 2)
    message = await parley.message(reply.items[0]["messageId"])
    assert (message["encoding"], message["segments"]) == ("UCS-2", 2)
