"""Sends whose time has not come: written down, shown as scheduled, sent once, cancelable."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import HttpRequest

from local.stack import Stack
from shared.azure.storage import StorageDown
from shared.base.clock import from_iso, iso
from shared.base.errors import InvalidRequest, NotCancelable, NotFound
from shared.base.ids import MONTH_TABLES
from shared.sending.answers import Answer
from shared.sending.request_body import read_send
from shared.services import Services, build
from shared.settings import load
from tests.support.client import Platform
from tests.support.due import run_due
from tests.support.parts import parts_of, send_request
from tests.support.people import People
from tests.support.transports import Inner, Trouble, TroubledTransport

SENDER = "+18005550100"
NEW_YORK_NIGHT = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # 23:00 on Sunday
NEW_YORK_MORNING = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)  # 08:00


class Clock:
    """A clock that stands where it is put."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    # ACS and storage check signatures against the real time, so it stays within minutes of it.
    return Clock(datetime.now(UTC))


@pytest.fixture
async def services(stack: Stack, clock: Clock) -> AsyncIterator[Services]:
    transport = AioHttpTransport()
    yield build(load(stack.settings), transport=transport, clock=clock)
    await transport.close()


async def send(services: Services, body: dict[str, Any], *, key: str | None = None) -> Answer:
    request = read_send(
        json.dumps({"from": SENDER, "message": "Hello"} | body).encode(),
        senders=services.parts.settings.senders,
        now=services.parts.clock(),
        knows_report_timeout=False,
        id_key=services.parts.id_key,
    )
    return await services.sending.api.send(request, key=key)


async def state(services: Services, message_id: str) -> str:
    return str((await services.messages.get_message(message_id))["state"])


async def test_a_scheduled_send_leaves_at_its_time_and_once(
    services: Services, clock: Clock, platform: Platform, person: str
) -> None:
    """Before its time nothing is sent; at its time one text, however often its message comes."""
    when = clock.moment + timedelta(minutes=5)
    answer = await send(services, {"smsRecipients": [{"to": person}], "sendAt": when.isoformat()})
    message_id = str(answer.items[0].message_id)
    assert answer.items[0].status == 202
    assert await state(services, message_id) == "scheduled"

    assert await run_due(services, answer.send_id) == when
    assert await platform.accepted(person) == []

    clock.moment = when
    for _ in range(2):
        assert await run_due(services, answer.send_id) is None
    assert await state(services, message_id) in {"sent", "delivered"}
    assert len(await platform.accepted(person)) == 1


async def test_a_repeated_request_for_later_is_one_send(
    services: Services, clock: Clock, person: str
) -> None:
    """The same Idempotency-Key and body meet the send that waits."""
    when = (clock.moment + timedelta(hours=1)).isoformat()
    body = {"smsRecipients": [{"to": person}], "sendAt": when}
    first, second = [await send(services, body, key=f"later-{person}") for _ in range(2)]
    assert first.send_id == second.send_id
    assert second.replayed


async def test_canceled_before_its_time_it_never_leaves(
    services: Services, clock: Clock, platform: Platform, people: People
) -> None:
    """One recipient is taken out, the other is texted; canceling twice is once."""
    when = clock.moment + timedelta(minutes=5)
    one, other = people.one(), people.one()
    answer = await send(
        services, {"smsRecipients": [{"to": one}, {"to": other}], "sendAt": when.isoformat()}
    )
    canceled, kept = (str(item.message_id) for item in answer.items)
    for _ in range(2):
        await services.sending.api.cancel(canceled)
    assert await state(services, canceled) == "canceled"

    clock.moment = when
    await run_due(services, answer.send_id)
    assert await state(services, canceled) == "canceled"
    assert await state(services, kept) in {"sent", "delivered"}
    assert await platform.accepted(one) == []
    assert len(await platform.accepted(other)) == 1


async def test_what_has_left_cannot_be_canceled(services: Services, person: str) -> None:
    """409 for a text that has left, 404 for one that never was."""
    answer = await send(services, {"smsRecipients": [{"to": person}]})
    with pytest.raises(NotCancelable):
        await services.sending.api.cancel(str(answer.items[0].message_id))
    with pytest.raises(NotFound):
        await services.sending.api.cancel(answer.send_id + ".0000000000")


async def test_past_its_time_to_live_it_expires(
    services: Services, clock: Clock, platform: Platform, person: str
) -> None:
    """A text that could not leave in time does not leave at all."""
    when = clock.moment + timedelta(minutes=1)
    answer = await send(
        services,
        {
            "smsRecipients": [{"to": person}],
            "sendAt": when.isoformat(),
            "timeToLiveInSeconds": 60,
        },
    )
    clock.moment = when + timedelta(seconds=61)
    await run_due(services, answer.send_id)
    assert await state(services, str(answer.items[0].message_id)) == "expired"
    assert await platform.accepted(person) == []


async def test_whoever_opts_out_while_it_waits_is_not_texted(
    services: Services, clock: Clock, platform: Platform, person: str
) -> None:
    """The ledger is asked when the text leaves, not when it was accepted."""
    when = clock.moment + timedelta(minutes=5)
    answer = await send(services, {"smsRecipients": [{"to": person}], "sendAt": when.isoformat()})
    await platform.speak(person, "STOP")
    await platform.relayed_event("Parley.OptOutChanged", recipient=person)
    clock.moment = when
    await run_due(services, answer.send_id)
    assert await state(services, str(answer.items[0].message_id)) == "blocked"


async def test_marketing_waits_for_the_morning(services: Services, clock: Clock) -> None:
    """At 23:00 in New York marketing waits until 08:00, a reminder does not."""
    clock.moment = NEW_YORK_NIGHT
    body = {"smsRecipients": [{"to": "+12125550123"}], "category": "marketing"}
    answer = await send(services, body)
    message = await services.messages.get_message(str(answer.items[0].message_id))
    assert message["state"] == "scheduled"
    assert message["sendAt"] == "2026-11-23T13:00:00.000000Z"
    assert "Quiet hours" in message["history"][0]["details"]


async def test_only_those_who_sleep_wait(stack: Stack, clock: Clock, platform: Platform) -> None:
    """The rest of the send leaves now; each message has one id from the beginning."""
    there = clock.moment.astimezone(ZoneInfo("America/New_York")) + timedelta(hours=12)
    rules = {
        "default": {"from": "00:00", "to": "24:00"},
        "+1212": {"from": f"{there.hour:02}:00", "to": f"{there.hour + 1:02}:00"},
    }
    settings = load({**stack.settings, "PARLEY_QUIET_HOURS": json.dumps(rules)})
    transport = AioHttpTransport()
    services = build(settings, transport=transport, clock=clock)
    body = {
        "smsRecipients": [{"to": "+12125550124"}, {"to": "+821012345678"}],
        "category": "marketing",
    }
    answer = await send(services, body, key="night-and-day")
    sleeping, awake = (str(item.message_id) for item in answer.items)
    assert await state(services, sleeping) == "scheduled"
    assert await state(services, awake) in {"sent", "delivered"}
    again = await send(services, body, key="night-and-day")
    assert [str(item.message_id) for item in again.items] == [sleeping, awake]
    assert len(await platform.accepted("+821012345678")) == 1
    assert await platform.accepted("+12125550124") == []
    await transport.close()


async def test_a_repeat_begins_what_was_planned_whatever_has_changed(
    stack: Stack, clock: Clock, person: str
) -> None:
    """The process dies between the send's row and those of its parts; quiet hours change; the
    repeat finds every message under the id, for the moment and until the end that were planned."""
    there = clock.moment.astimezone(ZoneInfo("America/New_York")) + timedelta(hours=12)
    night = {"from": f"{there.hour:02}:00", "to": f"{there.hour + 1:02}:00"}
    when = clock.moment + timedelta(hours=2)
    body = {
        "smsRecipients": [{"to": "+12125550125"}, {"to": "+821012345677"}],
        "category": "marketing",
        "sendAt": when.isoformat(),
        "timeToLiveInSeconds": 86_400,
    }
    key = f"planned-{person}"

    def rules(**by_prefix: dict[str, str]) -> str:
        always = {"from": "00:00", "to": "24:00"}
        return json.dumps({"default": always, **{f"+{p}": w for p, w in by_prefix.items()}})

    def dies(network: Inner) -> Inner:
        """Of the rows of messages only the first is taken."""
        troubles = itertools.chain([Trouble.NONE], itertools.repeat(Trouble.UNSENT))
        return TroubledTransport(network, troubles, _is_record)

    async with parts_of(
        stack, clock=clock, way=dies, PARLEY_QUIET_HOURS=rules(**{"1212": night})
    ) as first:
        with pytest.raises(StorageDown):
            await send(first, body, key=key)
    async with parts_of(stack, clock=clock, PARLEY_QUIET_HOURS=rules()) as later:
        clock.moment += timedelta(minutes=3)
        answer = await send(later, body, key=key)
        assert [item.status for item in answer.items] == [202, 202]
        night_text, day_text = [
            await later.messages.get_message(str(item.message_id)) for item in answer.items
        ]
    assert day_text["sendAt"] == iso(when)
    assert day_text["expiresAt"] == iso(when + timedelta(days=1))
    opens = from_iso(night_text["sendAt"])
    assert opens.astimezone(ZoneInfo("America/New_York")).hour == there.hour
    assert "Quiet hours" in night_text["history"][0]["details"]
    assert night_text["expiresAt"] == iso(opens + timedelta(days=1))
    assert (
        night_text["createdAt"] == day_text["createdAt"] == iso(clock.moment - timedelta(minutes=3))
    )


def _is_record(request: HttpRequest) -> bool:
    return request.method == "POST" and f"/{MONTH_TABLES}2" in request.url


async def test_a_key_is_known_while_its_send_waits_and_a_day_longer(
    stack: Stack, platform: Platform, person: str
) -> None:
    """A job that orders next week's reminder every second day orders it once, also when its moment
    has passed; without the key that moment is refused."""
    clock = Clock(datetime.now(UTC))
    ordered = clock.moment
    when = ordered + timedelta(days=7)
    body = {"smsRecipients": [{"to": person}], "sendAt": when.isoformat()}
    key = f"weekly-{person}"
    async with parts_of(stack, clock=clock) as parts:
        first = await send(parts, body, key=key)
        for hours in (48, 96, 7 * 24, 7 * 24 + 23):
            clock.moment = ordered + timedelta(hours=hours)
            again = await send(parts, body, key=key)
            assert (again.send_id, again.replayed) == (first.send_id, True)
        for late in (send(parts, body), send(parts, body, key=f"other-{person}")):
            with pytest.raises(InvalidRequest) as refused:
                await late
            assert list(refused.value.errors) == ["sendAt"]
        with pytest.raises(InvalidRequest):
            await parts.sending.preview.preview_of(
                send_request(parts, {"from": SENDER, "message": "Hello", **body})
            )
        clock.moment = ordered
        await parts.sending.api.cancel(str(first.items[0].message_id))
    assert await platform.accepted(person) == []


@pytest.mark.parametrize(
    ("members", "member"),
    [
        ({"sendAt": "2020-01-01T00:00:00Z"}, "sendAt"),
        ({"sendAt": "2099-01-01T00:00:00Z"}, "sendAt"),
        ({"sendAt": "2026-12-01T10:00:00"}, "sendAt"),
        ({"sendAt": "2027-03-14T02:30:00", "timeZone": "America/New_York"}, "sendAt"),
        ({"sendAt": 12}, "sendAt"),
        ({"timeZone": "Mars/Olympus"}, "timeZone"),
        ({"timeToLiveInSeconds": 0}, "timeToLiveInSeconds"),
        ({"timeToLiveInSeconds": "60"}, "timeToLiveInSeconds"),
    ],
)
async def test_times_that_make_no_sense_are_refused(
    services: Services, members: dict[str, Any], member: str
) -> None:
    """Past, beyond a year, without a zone, inside a gap of daylight saving: 400 with the member."""
    with pytest.raises(InvalidRequest) as refused:
        await send(services, {"smsRecipients": [{"to": "+14255550123"}], **members})
    assert list(refused.value.errors) == [member]
