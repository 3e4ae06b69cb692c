"""A change that changes nothing adds no row; what has not been told for certain is told again."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, cast

from shared.azure.topic import OutgoingEvent, Topic
from shared.base.clock import iso
from shared.base.randomness import SYSTEM
from shared.optouts import Channel, Direction, Effect, Made
from shared.optouts.api import TOLD_AGAIN_WITHIN, Operation, OptOutApi
from shared.optouts.events import opt_out_changed
from shared.rules.senders import parse_senders
from tests.optouts.bench import EARLY, SENDER, Bench, change, check_rules

PERSON, WITH_NINE = "+541123456789", "+5491123456789"
NOON = EARLY - timedelta(hours=1)
MADE = Made(1, Effect.APPLIED, fresh=True)


class ToldTopic:
    """A topic that takes everything."""

    def __init__(self) -> None:
        self.events: list[OutgoingEvent] = []

    async def publish_or_queue(self, events: list[OutgoingEvent]) -> None:
        self.events += events


class Asked:
    """The opt-outs interface as one process has it, and what it told."""

    def __init__(self, bench: Bench, now: datetime) -> None:
        self.now, self.topic = now, ToldTopic()
        self._api = OptOutApi(
            clock=lambda: self.now,
            randomness=SYSTEM,
            ledger=bench.ledger(clock=lambda: self.now),
            topic=cast("Topic", self.topic),
            senders=parse_senders(json.dumps([{"sender": SENDER, "program": "reminders"}])),
        )

    async def add(self, *people: str) -> list[str]:
        """Opt them out; the ids of the events that this call has told."""
        before = len(self.topic.events)
        body: dict[str, Any] = {"from": SENDER, "recipients": [{"to": to} for to in people]}
        await self._api.change_or_check(Operation.ADD, json.dumps(body).encode())
        return [event.id for event in self.topic.events[before:]]


async def test_who_is_out_and_says_so_again_adds_no_row(bench: Bench) -> None:
    """Five equal changes are one row, however the number is written; who asks learns which."""
    ledger = bench.ledger()
    changes = [
        change(f"change-{n}", PERSON if n % 2 else WITH_NINE, Direction.OUT, minute=n)
        for n in range(5)
    ]
    made = [(await ledger.change([one]))[0] for one in changes]
    assert [one.effect for one in made] == [Effect.APPLIED, *[Effect.UNCHANGED] * 4]
    assert {one.sequence for one in made} == {1}
    assert len((await bench.rows())["log"]) == len((await bench.rows())["src"]) == 1
    await check_rules(bench, changes)
    assert [said.sequence for said in await ledger.said(PERSON, SENDER)] == [1]


async def test_what_was_said_last_counts_though_it_has_no_row(bench: Bench) -> None:
    """STOP, STOP again, and a START between the two that comes in late: the person is out."""
    ledger = bench.ledger()
    await ledger.change([change("stop", PERSON, Direction.OUT, minute=1)])
    await ledger.change([change("again", PERSON, Direction.OUT, minute=5)])
    (late,) = await ledger.change([change("start", PERSON, Direction.IN, minute=3)])
    assert late.effect is Effect.SUPERSEDED
    await ledger.news()
    assert ledger.closed_by(WITH_NINE, SENDER) == 1


async def test_the_same_of_another_program_is_a_change(bench: Bench) -> None:
    """What an opt-out names is what the settings said at that time: a sender that has joined a
    program since closes that, too."""
    ledger = bench.ledger()
    await ledger.change([change("one", PERSON, Direction.OUT)])
    joined = change("two", PERSON, Direction.OUT, minute=1, program="offers")
    (made,) = await ledger.change([joined])
    assert (made.sequence, made.effect) == (2, Effect.APPLIED)


async def test_a_repeat_of_the_change_that_decides_is_no_other_change(bench: Bench) -> None:
    """Its maker may have died before telling of it: it is found by its id, not as one that changes
    nothing, so that its event is told."""
    one = change("one", PERSON, Direction.OUT)
    await bench.ledger().change([one])
    (again,) = await bench.ledger().change([one])
    assert (again.sequence, again.effect, again.fresh) == (1, Effect.APPLIED, False)


async def test_a_request_that_comes_again_tells_the_same_event(bench: Bench) -> None:
    """A process that dies between the ledger and the topic is repeated by a request with another
    id: the event is told under the id of the change that was made. Two days later nobody
    repeats."""
    died = change("died", PERSON, Direction.OUT, channel=Channel.API)
    await bench.ledger(clock=lambda: NOON).change([died])
    asked = Asked(bench, NOON + timedelta(minutes=1))
    told = await asked.add(WITH_NINE)
    assert told == await asked.add(PERSON, WITH_NINE) == [opt_out_changed(died, MADE).id]
    assert asked.topic.events[0].data["saidAt"] == iso(died.said_at)
    assert asked.topic.events[0].data["sequence"] == 1
    asked.now = NOON + TOLD_AGAIN_WITHIN
    assert await asked.add(PERSON) == []
    assert len((await bench.rows())["log"]) == 1


async def test_a_person_under_two_spellings_is_one_change(bench: Bench) -> None:
    """In one request of the opt-outs interface as well."""
    asked = Asked(bench, NOON)
    assert len(await asked.add(PERSON, WITH_NINE, "+54 11 15 2345-6789")) == 1
    assert len((await bench.rows())["log"]) == 1
