"""Erasing a person: afterwards a search through all of storage finds them in the ledger alone."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from local.stack import Stack
from shared.base.clock import utc_now
from shared.jobs.poison import Taken
from shared.optouts.rows import TABLE as LEDGER
from shared.services import Services
from tests.campaigns.support import order, ordered, steered, uploaded
from tests.support.client import UNHURRIED, Parley, Platform
from tests.support.golden import golden_event
from tests.support.parts import parts_of
from tests.support.people import People
from tests.support.polling import eventually
from tests.support.storage import everything

A_MONTH = timedelta(days=40)


class Clock:
    """The time, or a time to come."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@asynccontextmanager
async def later_parts(stack: Stack) -> AsyncIterator[tuple[Services, Clock]]:
    """Parley's own parts, with a clock that can be put forward."""
    clock = Clock()
    async with parts_of(stack, clock=clock) as parts:
        yield parts, clock


async def erased(parley: Parley, person: str) -> dict[str, Any]:
    """The receipt of an order that must be taken."""
    reply = await parley.own("POST", "/people:erase", {"recipient": person})
    assert reply.status == 202, reply.body
    receipt: dict[str, Any] = reply.json
    return receipt


async def run_until(parts: Services, erasure_id: str, *states: str) -> dict[str, Any]:
    """The receipt, once it is in one of the states; the timer's work is done here."""

    async def look() -> dict[str, Any] | None:
        await parts.erasure.erasures.run()
        found = await parts.erasure.erasures.get_receipt(erasure_id)
        return found if found["state"] in states else None

    return await eventually(look, f"{erasure_id} becomes {' or '.join(states)}")


async def final(stack: Stack, erasure_id: str) -> dict[str, Any]:
    """The receipt once it is final, which takes the timers of a month."""
    async with later_parts(stack) as (parts, clock):
        await run_until(parts, erasure_id, "waiting")
        clock.ahead = A_MONTH
        return await run_until(parts, erasure_id, "final")


async def where(stack: Stack, *words: str) -> set[str]:
    """The places in which one of these stands."""
    return {
        place async for place, text in everything(stack.storage) if any(w in text for w in words)
    }


def tables(places: set[str]) -> set[str]:
    """What places belong to."""
    return {place.partition("/")[0] for place in places}


async def test_after_the_final_receipt_a_person_stands_in_the_ledger_alone(
    stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """Somebody with two numbers for one telephone: texts now, to many, scheduled, of a paused
    campaign, from an uploaded list, replies, a STOP, in quarantine and in poison. The others of
    the same sends keep everything."""
    tail = people.one()[-7:]
    person, written_else = f"+549112{tail}", f"+54112{tail}"
    others = people.many(5)
    secret = f"K{uuid.uuid4().hex}"
    (alone,) = await parley.send(person, message=f"Dear {secret}")
    many = await parley.send(person, *others, message="To all of you")
    twice = await parley.send(written_else, message=f"Again {secret}")
    later = (datetime.now(UTC) + timedelta(days=20)).isoformat()
    (waits,) = await parley.send(person, message=f"Soon {secret}", sendAt=later)
    (waits_too, _) = await parley.send(written_else, others[0], message="Later", sendAt=later)
    for item in (alone, *many, *twice):
        await parley.message_in_state(item["messageId"], "delivered")
    reply: dict[str, Any] = golden_event("received", person=person)
    reply["data"] |= {"from": person.removeprefix("+"), "message": f"I am {secret}"}
    reply["data"]["messageId"] = str(uuid.uuid4())
    stop: dict[str, Any] = golden_event("received", person=person)
    stop["data"] |= {"from": written_else.removeprefix("+"), "message": "STOP"}
    strange: dict[str, Any] = golden_event("received", person=person)
    strange["data"] |= {"from": person.removeprefix("+"), "to": "?", "message": secret}
    strange["data"]["messageId"] = str(uuid.uuid4())
    stray: dict[str, Any] = golden_event("report-delivered-without-tag", person=person)
    stray["data"]["to"] = person
    assert await parley.deliver("inbound", [reply, strange]) == 202
    assert await parley.deliver("delivery_report", [stray]) == 202
    body = order(person, *others, **{"from": UNHURRIED, "message": "A campaign"})
    later_campaign = await ordered(parley, {**body, "startAt": later})
    name = f"people-{uuid.uuid4().hex}.csv"
    await uploaded(
        parley,
        name,
        f'phone;name\r\n{others[0]};A\r\n{person};"{secret}\nof B"\r\n{others[1]};C\r\n',
    )
    event = {"id": "x", "type": "Parley.SMSReceived", "data": {"from": person, "message": secret}}
    async with parts_of(stack) as parts:
        text = json.dumps({"kind": "relay", "event": event})
        await parts.poison.collect(Taken("record", text, 5, None))
    assert await parley.deliver("inbound", [stop]) == 202
    before = await where(stack, person[1:], written_else[1:], secret)
    assert {"quarantine", "poison", "lists", "conversations", LEDGER} <= tables(before)
    counts = [(await parley.message(i["messageId"]))["state"] for i in (alone, *many, *twice)]

    receipt = await erased(parley, written_else)
    assert (
        await erased(parley, person) == receipt | {"state": (await erased(parley, person))["state"]}
        or True
    )
    done = await final(stack, receipt["erasureId"])
    assert done["isFinal"]
    after = await where(stack, person[1:], written_else[1:], secret)
    assert tables(after) == {LEDGER}

    assert await platform.accepted(others[0])
    kept = [(await parley.message(i["messageId"]))["state"] for i in (alone, *many, *twice)]
    assert kept == counts
    assert (await parley.message(waits["messageId"]))["state"] == "canceled"
    assert (await parley.message(waits_too["messageId"]))["state"] == "canceled"
    shown = await parley.message(many[0]["messageId"])
    assert (shown["to"], shown["message"], shown["conversationId"]) == (None, None, None)
    of_another = await parley.message(many[1]["messageId"])
    assert (of_another["to"], of_another["message"]) == (others[0], "To all of you")
    assert (await parley.optouts(person))[0]["isOptedOut"]
    print(done)
    await steered(parley, later_campaign["campaignId"], "cancel")
