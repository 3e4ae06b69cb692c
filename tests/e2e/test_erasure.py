"""Erasing a person: afterwards a search through all of storage finds them in the ledger alone."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from local.stack import Stack
from shared.base import ids
from shared.base.clock import utc_now
from shared.conversations.index import TABLE as INDEX
from shared.erasure.erasures import KEPT
from shared.jobs.poison import Taken
from shared.optouts.rows import TABLE as LEDGER
from shared.services import Services
from tests.campaigns.support import campaign_in_state, order, ordered, steered, uploaded
from tests.support.client import TEN_DLC, TOLL_FREE, UNHURRIED, Parley, Platform
from tests.support.golden import golden_event
from tests.support.parts import parts_of
from tests.support.people import People
from tests.support.polling import eventually
from tests.support.storage import everything
from tests.support.transports import Inner, Wrapper

A_MONTH = timedelta(days=40)
# Places in which a person stands before, as they are played here.
PLACES = {"quarantine", "poison", "lists", "conversations", INDEX, LEDGER}


class Clock:
    """The time, or a time to come."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@asynccontextmanager
async def later_parts(stack: Stack, **named: Any) -> AsyncIterator[tuple[Services, Clock]]:
    """Parley's own parts, with a clock that can be put forward."""
    clock = Clock()
    async with parts_of(stack, clock=clock, **named) as parts:
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


@dataclass
class Person:
    """Somebody with two numbers for one telephone, and everywhere that they stand.

    Attributes:
        number, other: the two.
        secret: what stands in their texts.
        left: messages that have left.
        waiting: messages that wait.
        neighbours: others in the same sends and lists, who keep everything.
        to_many: their message of a send to all of them, and that of the first neighbour.
        campaign: one that is yet to begin.
    """

    number: str
    other: str
    neighbours: list[str]
    secret: str = field(default_factory=lambda: f"K{uuid.uuid4().hex}")
    left: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    to_many: tuple[str, str] = ("", "")
    campaign: str = ""

    @classmethod
    async def played(cls, stack: Stack, parley: Parley, people: People) -> Person:
        """One who stands everywhere."""
        tail = people.one()[-7:]
        made = cls(f"+549112{tail}", f"+54112{tail}", people.many(5))
        await made._send(parley)
        await made._wait(parley)
        await made._speak(parley)
        await made._lie_aside(stack)
        return made

    async def _send(self, parley: Parley) -> None:
        (alone,) = await parley.send(self.number, sender=TEN_DLC, message=f"Dear {self.secret}")
        many = await parley.send(
            self.number, *self.neighbours, sender=TEN_DLC, message="To all of you"
        )
        (again,) = await parley.send(self.other, sender=TEN_DLC, message=f"Again {self.secret}")
        self.left = [item["messageId"] for item in (alone, *many, again)]
        self.to_many = (many[0]["messageId"], many[1]["messageId"])
        for message_id in self.left:
            await parley.message_in_state(message_id, "delivered")

    async def _wait(self, parley: Parley) -> None:
        later = (datetime.now(UTC) + timedelta(days=20)).isoformat()
        words = f"Soon {self.secret}"
        (alone,) = await parley.send(self.number, sender=TEN_DLC, message=words, sendAt=later)
        (first, _) = await parley.send(
            self.other, self.neighbours[0], sender=TEN_DLC, message="Later", sendAt=later
        )
        self.waiting = [alone["messageId"], first["messageId"]]
        name, first_one, last_one = f"people-{uuid.uuid4().hex}.csv", *self.neighbours[:2]
        rows = [f"{first_one};A", f'{self.number};"{self.secret}\nof B"', f"{last_one};C"]
        await uploaded(parley, name, "phone;name\r\n" + "\r\n".join(rows) + "\r\n")
        body = order(self.number, *self.neighbours, **{"from": UNHURRIED, "startAt": later})
        self.campaign = (await ordered(parley, body))["campaignId"]

    async def _speak(self, parley: Parley) -> None:
        texts = {"message": f"I am {self.secret}"}, {"to": "?", "message": self.secret}
        for data in (*texts, {"message": "STOP"}):
            event: dict[str, Any] = golden_event("received", person=self.number)
            event["data"] |= {"from": self.number[1:], "messageId": str(uuid.uuid4()), **data}
            assert await parley.deliver("inbound", [event]) == 202
        stray: dict[str, Any] = golden_event("report-delivered-without-tag", person=self.number)
        stray["data"]["to"] = self.number
        assert await parley.deliver("delivery_report", [stray]) == 202

    async def _lie_aside(self, stack: Stack) -> None:
        data = {"from": self.number, "message": self.secret}
        event = {"id": "x", "type": "Parley.SMSReceived", "data": data}
        async with parts_of(stack) as parts:
            text = json.dumps({"kind": "relay", "event": event})
            await parts.poison.collect(Taken("record", text, 5, None))
            # The list of conversations, as the timer writes it a few minutes later.
            start = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=2)
            index = parts.conversations.index
            async for facts in parts.parts.record.minutes(start, start + timedelta(minutes=3)):
                for row in index.rows(facts.minute, facts):
                    await parts.parts.tables.put(INDEX, row)

    async def stands_in(self, stack: Stack) -> set[str]:
        """The tables, queues and containers in which a number or a word of theirs stands."""
        words = (self.number[1:], self.other[1:], self.secret)
        return {
            place.partition("/")[0]
            async for place, text in everything(stack.storage)
            if any(word in f"{place} {text}" for word in words)
        }

    async def states(self, parley: Parley) -> list[str]:
        """What has become of their messages, and of those in the same sends."""
        return [(await parley.message(message_id))["state"] for message_id in self.left]


async def test_after_the_final_receipt_a_person_stands_in_the_ledger_alone(
    stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """Under both their numbers: texts to one and to many, scheduled, of a campaign that is yet to
    begin, in a list, said by them, in quarantine, in poison. States stay, and so do the opt-out and
    all that is the others'."""
    person = await Person.played(stack, parley, people)
    assert person.number != person.other
    month = f"messages{datetime.now(UTC):%Y%m}"
    assert (await person.stands_in(stack)) >= PLACES | {month}
    before = await person.states(parley)

    receipt = await erased(parley, person.other)
    assert (await erased(parley, person.number))["erasureId"] == receipt["erasureId"]
    done = await final(stack, receipt["erasureId"])
    assert done["isFinal"]
    assert await person.stands_in(stack) == {LEDGER}

    assert await person.states(parley) == before
    assert [(await parley.message(one))["state"] for one in person.waiting] == ["canceled"] * 2
    theirs, another = [await parley.message(one) for one in person.to_many]
    assert (theirs["to"], theirs["message"], theirs["conversationId"]) == (None, None, None)
    assert (another["to"], another["message"]) == (person.neighbours[0], "To all of you")
    assert (await parley.optouts(person.number))[0]["isOptedOut"]
    assert done["removed"] == {
        "textsToPerson": 5,
        "textsFromPerson": 2,
        "entries": done["removed"]["entries"],
        "listRecords": 2,
        "strayReports": 1,
        "quarantined": 1,
        "failedWork": 1,
    }
    assert done["removed"]["entries"] >= 7
    assert done["kept"] == list(KEPT)
    reply = await parley.own("GET", f"/erasures/{receipt['erasureId']}")
    assert (reply.status, reply.json) == (200, done)
    for ours in (TEN_DLC, TOLL_FREE):
        gone = parley.conversation_id(ours, person.number)
        assert (await parley.own("GET", f"/conversations/{gone}?include=hidden")).status == 404
    await steered(parley, person.campaign, "cancel")


class Died(Exception):
    """The process is no more."""


class Cut(Wrapper):
    """The process dies after so many requests."""

    def __init__(self, inner: Inner) -> None:
        super().__init__(inner)
        self.left = 0

    async def send(self, request: Any, **named: Any) -> Any:
        if self.left <= 0:
            raise Died
        self.left -= 1
        return await super().send(request, **named)


async def test_cut_off_anywhere_it_is_gone_on_with(
    stack: Stack, parley: Parley, people: People
) -> None:
    """After one request, after two, after three, and so on until it is done: the same is gone."""
    person = await Person.played(stack, parley, people)
    erasure_id = (await erased(parley, person.number))["erasureId"]
    cuts: list[Cut] = []

    def cut(network: Inner) -> Inner:
        cuts.append(Cut(network))
        return cuts[-1]

    async with later_parts(stack, way=cut) as (parts, clock):
        for state in ("waiting", "final"):
            found: dict[str, Any] = {}
            for requests in range(1, 400):
                cuts[0].left = requests
                with suppress(Died):
                    await parts.erasure.erasures.run()
                cuts[0].left = 10
                found = await parts.erasure.erasures.get_receipt(erasure_id)
                if found["state"] == state:
                    break
            assert found["state"] == state
            clock.ahead = A_MONTH
    assert await person.stands_in(stack) == {LEDGER}
    await steered(parley, person.campaign, "cancel")


async def test_what_was_ordered_before_is_not_sent_from_then_on(
    stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """A scheduled text and a campaign whose moment comes right after the order, before anything
    else is done; a text that somebody orders later is sent."""
    person, other = people.many(2)
    soon = (datetime.now(UTC) + timedelta(seconds=4)).isoformat()
    (waits,) = await parley.send(person, sendAt=soon)
    body = order(person, other, **{"from": UNHURRIED, "startAt": soon})
    campaign_id = (await ordered(parley, body))["campaignId"]
    async with later_parts(stack) as (parts, _):
        receipt = await parts.erasure.erasures.order(person)
    await campaign_in_state(parley, campaign_id, "done")
    await parley.message_in_state(waits["messageId"], "canceled")
    assert await platform.accepted(person) == []
    assert len(await platform.accepted(other)) == 1
    async with later_parts(stack) as (parts, clock):
        clock.ahead = timedelta(minutes=1)
        assert receipt["erasureId"].startswith("er_")

    async def sent() -> bool:
        (item,) = await parley.send(person)
        found = await parley.message_in_state(item["messageId"], "delivered", "canceled")
        return bool(found["state"] == "delivered")

    await eventually(sent, "somebody who is texted anew gets the text")


async def test_a_running_campaign_goes_on_with_the_others(
    stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """Its list was read when it was ordered and is another blob since: by its ETag, not by what it
    says of the others."""
    person, *others = people.many(6)
    name = f"people-{uuid.uuid4().hex}.csv"
    await uploaded(parley, name, "phone\n" + "\n".join([others[0], person, *others[1:]]) + "\n")
    # The list is read at once, and sent from three seconds later.
    soon = (datetime.now(UTC) + timedelta(seconds=4)).isoformat()
    body = order(**{"from": UNHURRIED, "startAt": soon, "list": {"name": name}})
    campaign_id = (await ordered(parley, body))["campaignId"]
    await campaign_in_state(parley, campaign_id, "running")
    async with later_parts(stack) as (parts, _):
        receipt = await parts.erasure.erasures.order(person)
        await run_until(parts, receipt["erasureId"], "waiting")
    found = await campaign_in_state(parley, campaign_id, "done", "failed")
    assert found["state"] == "done"
    assert await platform.accepted(person) == []
    for other in others:
        assert len(await platform.accepted(other)) == 1


async def test_a_report_that_comes_later_finds_its_message(
    stack: Stack, parley: Parley, people: People
) -> None:
    """It counts as before, and brings no number back."""
    person = people.one()
    (item,) = await parley.send(person)
    await parley.message_in_state(item["messageId"], "delivered")
    async with later_parts(stack) as (parts, clock):
        receipt = await parts.erasure.erasures.order(person)
        await run_until(parts, receipt["erasureId"], "waiting")
        send_id = item["messageId"][: ids.ULID_LENGTH]
        report = golden_event("report-failed-5000", person=person, send_id=send_id)
        assert await parley.deliver("delivery_report", [report]) == 202
        assert (await parley.message(item["messageId"]))["state"] == "delivered"
        clock.ahead = A_MONTH
        await run_until(parts, receipt["erasureId"], "final")
    places = {
        place.partition("/")[0]
        async for place, text in everything(stack.storage)
        if person[1:] in text
    }
    assert places == {LEDGER}


async def test_an_event_that_comes_again_brings_no_words_back(
    stack: Stack, parley: Parley, person: str
) -> None:
    """Event Grid repeats what it has delivered, also after the person was erased: the words stay
    away, and what they say of opting out is heard all the same."""
    said: dict[str, Any] = golden_event("received", person=person)
    secret = f"STOP K{uuid.uuid4().hex}"
    said["data"] |= {"message": secret, "messageId": str(uuid.uuid4())}
    assert await parley.deliver("inbound", [said]) == 202
    before = await parley.optouts(person)
    async with later_parts(stack) as (parts, clock):
        receipt = await parts.erasure.erasures.order(person)
        await run_until(parts, receipt["erasureId"], "waiting")
        assert await parley.deliver("inbound", [said]) == 202
        clock.ahead = A_MONTH
        await run_until(parts, receipt["erasureId"], "final")
        assert await parley.deliver("inbound", [said]) == 202
    places = {
        place.partition("/")[0]
        async for place, text in everything(stack.storage)
        if person[1:] in text or secret in text
    }
    assert places == {LEDGER}
    assert await parley.optouts(person) == before


async def test_orders_that_make_no_sense(parley: Parley, person: str) -> None:
    """No number, none that can be, another member; and a receipt that is not there."""
    for body, member in (
        ({}, "recipient"),
        ({"recipient": "CONTOSO"}, "recipient"),
        ({"recipient": person, "reason": "Asked."}, "reason"),
    ):
        reply = await parley.own("POST", "/people:erase", body)
        assert (reply.status, list(reply.json["errors"])) == (400, [member])
    for name in ("er_1", f"er_{'0' * 36}", "x"):
        assert (await parley.own("GET", f"/erasures/{name}")).status == 404
