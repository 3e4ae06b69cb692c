"""What puts a text off is asked before every attempt, not before the first alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.stack import Stack
from shared.base.errors import AnswerMissing, PlatformDenied, StillSending
from shared.campaigns.campaign import Fate
from shared.rules.message_states import State
from shared.services import Services
from tests.campaigns.support import campaign, chunks_of, order, ordered, steered
from tests.sending.test_denials import Shelf, chunks_with
from tests.support.client import UNHURRIED, Parley, Platform, send_body
from tests.support.due import run_due
from tests.support.parts import parts_of, send_request
from tests.support.people import People
from tests.support.polling import eventually

WRONG_KEY = "d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3I="
A_WHILE = timedelta(seconds=45)
Parts = Callable[..., AbstractAsyncContextManager[Services]]


class Clock:
    """A clock that stands where it is put; near the real time, by which signatures are checked."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def awake(stack: Stack, clock: Clock) -> Parts:
    """Parts for whom nobody sleeps."""
    always = json.dumps({"default": {"from": "00:00", "to": "24:00"}})
    return lambda **settings: parts_of(
        stack, clock=clock, **{"PARLEY_QUIET_HOURS": always, **settings}
    )


@pytest.fixture
def asleep(stack: Stack, clock: Clock) -> Parts:
    """Parts for whom everybody has just gone to sleep."""
    in_twelve_hours = (clock.moment + timedelta(hours=12)).hour
    window = {"from": f"{in_twelve_hours:02}:00", "to": f"{in_twelve_hours + 1:02}:00"}
    closed = json.dumps({"default": window})
    return lambda **settings: parts_of(
        stack, clock=clock, **{"PARLEY_QUIET_HOURS": closed, **settings}
    )


def marketing(person: str, **members: Any) -> dict[str, Any]:
    # The window is by the zone that the caller names.
    return send_body(
        person, sender=UNHURRIED, category="marketing", **{"timeZone": "UTC", **members}
    )


async def state(parts: Services, message_id: object) -> str:
    return str((await parts.messages.get_message(str(message_id)))["state"])


async def test_a_denied_text_that_waited_keeps_quiet_hours(
    awake: Parts, asleep: Parts, clock: Clock, platform: Platform, person: str
) -> None:
    """Denied just before they begin, it waits for the morning, and can be canceled."""
    when = clock.moment + timedelta(minutes=5)
    async with awake() as parts:
        request = send_request(parts, marketing(person, sendAt=when.isoformat()))
        answer = await parts.sending.api.send(request)
    (item,) = answer.items
    clock.moment = when
    async with awake(PARLEY_ACS_ACCESS_KEY=WRONG_KEY) as parts:
        with pytest.raises(PlatformDenied):
            await run_due(parts, answer.send_id)
    clock.moment += A_WHILE
    async with asleep() as parts:
        moment = await run_due(parts, answer.send_id)
        assert moment is not None
        assert timedelta(hours=10) < moment - clock.moment < timedelta(hours=13)
        message = await parts.messages.get_message(str(item.message_id))
        assert message["state"] == "scheduled"
        assert datetime.fromisoformat(message["sendAt"]) == moment
        assert "Quiet hours" in message["history"][0]["details"]
        assert await run_due(parts, answer.send_id) == moment
    assert await platform.accepted(person) == []
    async with awake() as parts:
        await parts.sending.api.cancel(str(item.message_id))
        assert await state(parts, item.message_id) == "canceled"


async def test_the_repeat_of_a_denied_request_keeps_quiet_hours(
    awake: Parts, asleep: Parts, clock: Clock, platform: Platform, person: str
) -> None:
    """Repeated under its key in the night, it is accepted as scheduled and not sent."""
    key = f"night-{person}"
    async with awake(PARLEY_ACS_ACCESS_KEY=WRONG_KEY) as parts:
        request = send_request(parts, marketing(person))
        with pytest.raises(PlatformDenied):
            await parts.sending.api.send(request, key=key)
    clock.moment += A_WHILE
    async with asleep() as parts:
        answers = [await parts.sending.api.send(request, key=key) for _ in range(2)]
        for answer in answers:
            (item,) = answer.items
            assert (item.status, item.state) == (202, State.SCHEDULED)
            assert await state(parts, item.message_id) == "scheduled"
    assert await platform.accepted(person) == []


async def test_what_is_in_doubt_is_not_asked_for_in_the_night(
    awake: Parts, asleep: Parts, clock: Clock, platform: Platform, person: str
) -> None:
    """The person may have the text: their sleep ends it as uncertain, within the repeat window."""
    key = f"doubt-{person}"
    await platform.order_fault("send", "closeConnection", number=person, times=3)
    async with awake() as parts:
        request = send_request(parts, marketing(person))
        with pytest.raises(AnswerMissing):
            await parts.sending.api.send(request, key=key)
    asked = await platform.calls(person)
    clock.moment += A_WHILE
    async with asleep() as parts:
        (item,) = (await parts.sending.api.send(request, key=key)).items
    assert (item.status, item.state) == (202, State.UNCERTAIN)
    assert await platform.calls(person) == asked


async def test_a_denied_text_expires(
    awake: Parts, clock: Clock, platform: Platform, person: str
) -> None:
    """Its time to live is asked before every attempt."""
    when = clock.moment + timedelta(minutes=5)
    async with awake() as parts:
        body = marketing(person, sendAt=when.isoformat(), timeToLiveInSeconds=60)
        answer = await parts.sending.api.send(send_request(parts, body))
    clock.moment = when
    async with awake(PARLEY_ACS_ACCESS_KEY=WRONG_KEY) as parts:
        with pytest.raises(PlatformDenied):
            await run_due(parts, answer.send_id)
    clock.moment += timedelta(seconds=61)
    async with awake() as parts:
        assert await run_due(parts, answer.send_id) is None
        assert await state(parts, answer.items[0].message_id) == "expired"
    assert await platform.accepted(person) == []


async def a_campaign(parley: Parley, *persons: str) -> str:
    """A campaign that begins tomorrow, whose chunks are written down."""
    start = datetime.now(UTC) + timedelta(days=1)
    body = order(*persons, startAt=start.isoformat(), category="marketing", timeZone="UTC")
    campaign_id: str = (await ordered(parley, body))["campaignId"]

    async def look() -> bool:
        return bool((await campaign(parley, campaign_id))["totals"])

    await eventually(look, "its chunks are written down")
    return campaign_id


@pytest.mark.parametrize("behaviour", ["denied", "in doubt"])
async def test_a_campaigns_text_that_failed_once_keeps_its_pause(
    behaviour: str,
    stack: Stack,
    clock: Clock,
    *,
    parley: Parley,
    platform: Platform,
    person: str,
) -> None:
    """While its campaign is paused nobody asks for it again; in doubt it is uncertain once the
    repeat window is over; of one that is canceled nobody is texted."""
    campaign_id = await a_campaign(parley, person)
    when = clock.moment + timedelta(minutes=5)
    async with parts_of(stack, clock=clock) as parts:
        body = send_body(person, sender=UNHURRIED, sendAt=when.isoformat())
        request = replace(send_request(parts, body), campaign=campaign_id)
        answer = await parts.sending.api.send(request)
    clock.moment = when
    times, error = {"denied": (2, PlatformDenied), "in doubt": (3, AnswerMissing)}[behaviour]
    fault = {"denied": "unauthorized", "in doubt": "closeConnection"}[behaviour]
    await platform.order_fault("send", fault, number=person, times=times)
    async with parts_of(stack, clock=clock) as parts:
        with pytest.raises(error):
            await run_due(parts, answer.send_id)
    await platform.control("DELETE", "/faults")
    asked = await platform.calls(person)
    await steered(parley, campaign_id, "pause")
    clock.moment += A_WHILE
    async with parts_of(stack, clock=clock) as parts:
        if behaviour == "denied":
            assert await run_due(parts, answer.send_id) == clock.moment + timedelta(seconds=30)
            assert await state(parts, answer.items[0].message_id) == "scheduled"
            await steered(parley, campaign_id, "cancel")
        else:
            with pytest.raises(StillSending):
                await run_due(parts, answer.send_id)
            clock.moment += timedelta(minutes=5)
        clock.moment += timedelta(seconds=31)
        assert await run_due(parts, answer.send_id) is None
        ends = {"denied": "canceled", "in doubt": "uncertain"}
        assert await state(parts, answer.items[0].message_id) == ends[behaviour]
    assert await platform.calls(person) == asked


async def test_a_denied_chunk_keeps_quiet_hours(
    awake: Parts,
    asleep: Parts,
    clock: Clock,
    *,
    parley: Parley,
    platform: Platform,
    people: People,
) -> None:
    """Its people read scheduled, and nobody is texted at night because ACS denied us at dusk."""
    persons = people.many(3)
    campaign_id = await a_campaign(parley, *persons)
    async with awake(PARLEY_ACS_ACCESS_KEY=WRONG_KEY) as parts:
        (chunk,) = await chunks_of(parts, campaign_id)
        message = {"campaignId": campaign_id, **chunk.piece.to_json()}
        shelf = Shelf(parts)
        await chunks_with(parts, shelf).send_chunk(message)
        ((_, again),) = shelf.kept
    clock.moment += A_WHILE
    async with asleep() as parts:
        await chunks_with(parts, Shelf(parts)).send_chunk({**again, "slot": None})
        (chunk,) = await chunks_of(parts, campaign_id)
    assert (chunk.fate, chunk.counts) == (Fate.DONE, {"scheduled": 3})
    for person in persons:
        assert await platform.accepted(person) == []
