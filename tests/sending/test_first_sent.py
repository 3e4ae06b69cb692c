"""The time that ACS is told as that of a text's first attempt: the first one that is in doubt."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.core.rest import HttpRequest

from local.stack import Stack
from shared.azure.storage import StorageDown
from shared.base.clock import from_http_date
from shared.base.errors import ParleyError
from shared.rules.message_states import State
from shared.services import Services
from tests.support.client import UNHURRIED, Platform, send_body
from tests.support.parts import parts_of, send_request
from tests.support.transports import Inner, Wrapper

# After which neither an attempt nor a denial stands in the way of the next try.
A_WHILE = timedelta(seconds=45)
DENIED = ("unauthorized", 2)
THROTTLED = ("throttle", 1)
LOST = ("closeConnection", 3)


class Told(Wrapper):
    """Notes the first-sent times that ACS is told, one for each try of a request."""

    def __init__(self, inner: Inner) -> None:
        super().__init__(inner)
        self.times: list[datetime] = []
        self.without_budgets = False

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        path = urlsplit(request.url).path
        if self.without_budgets and "/budgets" in path:
            raise ServiceRequestError("no connection")
        if path == "/sms":
            content: Any = request.content
            (recipient,) = json.loads(content)["smsRecipients"]
            self.times.append(from_http_date(recipient["repeatabilityFirstSent"]))
        return await super().send(request, **named)


class Clock:
    """A clock that stands where it is put; near the real time, by which signatures are checked."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def told_and_parts(stack: Stack, clock: Clock) -> AsyncIterator[tuple[Told, Services]]:
    made: list[Told] = []

    def way(inner: Inner) -> Inner:
        made.append(Told(inner))
        return made[0]

    async with parts_of(stack, clock=clock, way=way) as parts:
        yield made[0], parts


@pytest.mark.parametrize(
    ("ends", "first"),
    [
        ([DENIED], 1),
        ([THROTTLED], 1),
        ([DENIED, THROTTLED, DENIED], 3),
        ([LOST], 0),
        ([LOST, THROTTLED], 0),
        ([DENIED, LOST], 1),
        ([THROTTLED, LOST, DENIED], 1),
    ],
    ids=str,
)
async def test_a_repeat_tells_the_time_of_the_first_attempt_in_doubt(
    ends: list[tuple[str, int]],
    first: int,
    *,
    told_and_parts: tuple[Told, Services],
    clock: Clock,
    platform: Platform,
    person: str,
) -> None:
    """An attempt that certainly sent nothing leaves a fresh time to the next one: ACS may refuse
    an id whose first time is minutes ago. While one is in doubt, its time is told."""
    told, parts = told_and_parts
    request = send_request(parts, send_body(person, sender=UNHURRIED))
    begun: list[datetime] = []
    for behaviour, times in ends:
        await platform.order_fault("send", behaviour, number=person, times=times)
        begun.append(clock.moment)
        with pytest.raises(ParleyError):
            await parts.sending.api.send(request, key=f"first-sent-{person}")
        # However often the client has tried.
        await platform.control("DELETE", "/faults")
        clock.moment += A_WHILE
    begun.append(clock.moment)
    answer = await parts.sending.api.send(request, key=f"first-sent-{person}")
    assert [item.status for item in answer.items] == [202]
    assert told.times[-1] == begun[first]
    assert len(await platform.accepted(person)) == 1


async def test_trouble_with_our_own_storage_leaves_no_doubt(
    stack: Stack, clock: Clock, platform: Platform, person: str
) -> None:
    """Nobody was asked for where limits could not be counted: long after the repeat window the
    same request is sent, as if for the first time."""
    budget = json.dumps({"reminders": {"segments": 1_000_000}})
    made: list[Told] = []

    def way(inner: Inner) -> Inner:
        made.append(Told(inner))
        return made[0]

    async with parts_of(stack, clock=clock, way=way, PARLEY_DAILY_BUDGETS=budget) as parts:
        request = send_request(parts, send_body(person, sender=UNHURRIED))
        made[0].without_budgets = True
        with pytest.raises(StorageDown):
            await parts.sending.api.send(request, key=f"no-doubt-{person}")
        made[0].without_budgets = False
        clock.moment += timedelta(minutes=10)
        answer = await parts.sending.api.send(request, key=f"no-doubt-{person}")
    assert [item.state for item in answer.items] == [State.SENT]
    assert made[0].times == [clock.moment]
    assert len(await platform.accepted(person)) == 1
