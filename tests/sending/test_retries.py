"""Texts that failed for a passing reason: sent again in time, once for each reason, and no more."""

from __future__ import annotations

import asyncio
import itertools
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.platform.recipients import MAGIC_PREFIX
from local.stack import Stack
from shared.azure.event_grid import SMS_DELIVERY_REPORT_RECEIVED, Envelope, PlatformReport
from shared.base import ids, ulid
from shared.base.clock import from_iso, iso
from shared.base.errors import NotCancelable, NotFound
from shared.campaigns.campaign import Campaign, Phase
from shared.rules.delivery_codes import CODES, code_in
from shared.sending.retries import SPREAD, pause_before, retry_id, wants_retry
from shared.services import Services
from tests.campaigns.support import ordered
from tests.support.client import (
    SHORT_CODE,
    TEN_DLC,
    TOLL_FREE,
    UNHURRIED,
    Parley,
    Platform,
    with_ids,
)
from tests.support.due import run_due
from tests.support.parts import parts_of, send_request
from tests.support.polling import eventually
from tests.support.transports import AskedOfStorage, Inner

REPORT = "Parley.SMSDeliveryReportReceived"
RETRYABLE = (4006, 4008, 4020, 5001)
AN_HOUR = 3600


class Clock:
    """A clock that is moved on by hand; it starts at the real time, by which ACS checks."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.moment

    def later(self, **span: float) -> None:
        self.moment += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def parts(stack: Stack, clock: Clock) -> AsyncIterator[Services]:
    """Retries after ten, twenty and thirty seconds of the clock."""
    async with parts_of(stack, clock=clock, PARLEY_RETRY_AFTER_SECONDS="10,20,30") as made:
        yield made


async def sent(parts: Services, person: str, **members: Any) -> str:
    """The message id of a text that lives for an hour, unless it is said otherwise."""
    body = {
        "from": TOLL_FREE,
        "smsRecipients": [{"to": person}],
        "message": "Hello",
        "smsSendOptions": {"enableDeliveryReport": True, "tag": "visit-17"},
        "timeToLiveInSeconds": AN_HOUR,
        **members,
    }
    wishes = {name: value for name, value in body.items() if value is not None}
    answer = await parts.sending.api.send(send_request(parts, with_ids(wishes)))
    return str(answer.items[0].message_id)


def failed(
    parts: Services, message_id: str, person: str, code: int = 4006, sender: str = TOLL_FREE
) -> Envelope:
    """The report that a text has failed."""
    details = f"ErrorCode: {code}. ErrorMessage: No."
    return reported(parts, message_id, person, "Failed", details, sender=sender)


def reported(
    parts: Services,
    message_id: str,
    person: str,
    status: str,
    details: str,
    *,
    sender: str = TOLL_FREE,
) -> Envelope:
    data = {
        "messageId": f"Outgoing_{uuid.uuid4()}",
        "from": sender,
        "to": person,
        "deliveryStatus": status,
        "deliveryStatusDetails": details,
        "deliveryAttempts": [],
        "receivedTimestamp": iso(parts.parts.clock()),
        "tag": ids.platform_tag(message_id[: ids.ULID_LENGTH], "visit-17"),
    }
    return Envelope(str(uuid.uuid4()), SMS_DELIVERY_REPORT_RECEIVED, parts.parts.clock(), data)


async def shown(parts: Services, message_id: str) -> dict[str, Any]:
    return await parts.messages.get_message(message_id)


async def run(parts: Services, message_id: str) -> datetime | None:
    """Do the work of the queue's message of a retry."""
    return await run_due(parts, message_id[: ids.ULID_LENGTH])


async def retried(parts: Services, message_id: str, person: str, code: int = 4006) -> str:
    """The retry that the failure of a text leads to; there must be one."""
    await parts.receiving.delivery_reports.record_report(failed(parts, message_id, person, code))
    found = (await shown(parts, message_id))["retriedBy"]
    assert isinstance(found, str)
    return found


# Rules ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["Failed", "Delivered"])
@pytest.mark.parametrize("number", CODES)
def test_which_codes_call_for_a_retry(number: int, status: str) -> None:
    """A failure with one of four codes; never one after which the text may have arrived."""
    details = f"ErrorCode: {number}."
    report = PlatformReport(
        platform_id="1",
        ours=TOLL_FREE,
        theirs="+14255550123",
        status=status,
        details=details,
        attempts=[],
        received=datetime(2026, 11, 22, tzinfo=UTC),
        received_text="",
        tag="",
    )
    expected = status == "Failed" and number in RETRYABLE
    assert wants_retry(report, code_in(details)) is expected


@given(st.binary(min_size=10, max_size=10), st.integers(1, 86_400))
def test_a_pause_is_the_same_for_one_id_and_at_most_a_fifth_longer(
    entropy: bytes, seconds: int
) -> None:
    """A repeat finds the same moment; nobody waits less than planned."""
    send_id = ulid.new(datetime(2026, 11, 22, tzinfo=UTC), entropy)
    planned = timedelta(seconds=seconds)
    found = pause_before(send_id, planned)
    assert found == pause_before(send_id, planned)
    assert planned <= found <= planned * (1 + SPREAD)


# On the running stack ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("digits", "code", "sender"), [("0011", 4006, TOLL_FREE), ("0012", 4008, TEN_DLC)]
)
async def test_a_text_that_fails_is_sent_again_and_arrives(
    parley: Parley,
    platform: Platform,
    stack: Stack,
    clock: Clock,
    *,
    digits: str,
    code: int,
    sender: str,
) -> None:
    """The report says by what it is retried; the retry is a text of its own with its own report."""
    person, text = MAGIC_PREFIX + digits, f"Hello {uuid.uuid4()}"
    (item,) = await parley.send(person, sender=sender, message=text, timeToLiveInSeconds=AN_HOUR)
    first = str(item["messageId"])
    report = await platform.relayed_event(REPORT, messageId=first)
    second = report["data"]["retriedBy"]
    assert (report["data"]["code"], report["data"]["retryOf"]) == (code, None)
    message = await parley.message(first)
    assert message["state"] == str(CODES[code].state)
    assert (message["retryOf"], message["retriedBy"]) == (None, second)

    retry = await parley.message(second)
    assert (retry["state"], retry["retryOf"], retry["retriedBy"]) == ("scheduled", first, None)
    assert retry["expiresAt"] == message["expiresAt"]
    wait = from_iso(retry["sendAt"]) - from_iso(message["createdAt"])
    assert timedelta(minutes=5) <= wait <= timedelta(minutes=6, seconds=30)

    clock.moment = from_iso(retry["sendAt"])
    async with parts_of(stack, clock=clock) as parts:
        for _ in range(2):
            assert await run(parts, second) is None
    await parley.message_in_state(second, "delivered")
    assert [t for t in await platform.texts(person) if t == text] == [text]
    told = await platform.relayed_event(REPORT, messageId=second)
    assert (told["data"]["retryOf"], told["data"]["retriedBy"]) == (first, None)
    assert len([m for m in await platform.accepted(person) if m["text"] == text]) == 2


@pytest.mark.usefixtures("a_slow_carrier")
async def test_the_queue_does_it_at_its_moment(
    stack: Stack, parley: Parley, platform: Platform, person: str
) -> None:
    """Without anybody's help the host sends the text again, paced, once."""
    async with parts_of(stack, PARLEY_RETRY_AFTER_SECONDS="1") as parts:
        first = await sent(parts, person, **{"from": UNHURRIED})
        event = failed(parts, first, person, sender=UNHURRIED)
        for _ in range(2):
            await parts.receiving.delivery_reports.record_report(event)
        second = (await shown(parts, first))["retriedBy"]
    await parley.message_in_state(second, "sent")
    assert len(await platform.accepted(person)) == 2


# What ends it -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("live", "code", "operations"), [(AN_HOUR, 4006, 4), (None, 4006, 2), (AN_HOUR, 4005, 2)]
)
@pytest.mark.usefixtures("a_slow_carrier")
async def test_what_a_report_of_a_failure_costs(
    stack: Stack, person: str, live: int | None, code: int, operations: int
) -> None:
    """Two storage operations where nothing is sent again; two more to write the retry down."""
    async with parts_of(stack) as parts:
        message_id = await sent(parts, person, timeToLiveInSeconds=live)
    networks: list[AskedOfStorage] = []

    def counted(network: Inner) -> Inner:
        networks.append(AskedOfStorage(network, urlsplit(stack.platform).netloc))
        return networks[0]

    async with parts_of(stack, way=counted) as parts:
        await parts.receiving.delivery_reports.record_report(
            failed(parts, message_id, person, code)
        )
    assert len(networks[0].asked) == operations, networks[0].asked


@pytest.mark.usefixtures("a_slow_carrier")
async def test_three_times_at_most(
    parts: Services, clock: Clock, platform: Platform, person: str
) -> None:
    """Each failure leads to the next retry, and the fourth to none."""
    chain = [await sent(parts, person)]
    for seconds in (12, 24, 36):
        chain.append(await retried(parts, chain[-1], person))
        clock.later(seconds=seconds)
        assert await run(parts, chain[-1]) is None
    await parts.receiving.delivery_reports.record_report(failed(parts, chain[-1], person))
    assert (await shown(parts, chain[-1]))["retriedBy"] is None
    assert len(set(chain)) == len(await platform.accepted(person)) == 4
    for before, after in itertools.pairwise(chain):
        assert (await shown(parts, after))["retryOf"] == before


@pytest.mark.usefixtures("a_slow_carrier")
@pytest.mark.parametrize(
    ("code", "live"),
    [
        (4006, None),
        (4006, 60),
        *((code, AN_HOUR) for code in CODES if code not in RETRYABLE and code != 2000),
    ],
)
async def test_what_is_not_sent_again(
    stack: Stack, clock: Clock, person: str, code: int, live: int | None
) -> None:
    """Without a time to live, with too little of it left, or with any other code."""
    async with parts_of(stack, clock=clock) as parts:
        message_id = await sent(parts, person, timeToLiveInSeconds=live)
        await parts.receiving.delivery_reports.record_report(
            failed(parts, message_id, person, code)
        )
        message = await shown(parts, message_id)
        assert (message["code"], message["retriedBy"]) == (code, None)
        with pytest.raises(NotFound):
            await shown(
                parts,
                ids.message_id(parts.parts.settings.id_key, retry_id(message_id), person),
            )


@pytest.mark.usefixtures("a_slow_carrier")
async def test_retries_can_be_switched_off(stack: Stack, clock: Clock, person: str) -> None:
    """A setting of 0 means never."""
    async with parts_of(stack, clock=clock, PARLEY_RETRY_AFTER_SECONDS="0") as parts:
        message_id = await sent(parts, person)
        await parts.receiving.delivery_reports.record_report(failed(parts, message_id, person))
        assert (await shown(parts, message_id))["retriedBy"] is None


@pytest.mark.usefixtures("a_slow_carrier")
async def test_whoever_says_stop_before_it_is_not_texted(
    parts: Services, clock: Clock, platform: Platform, person: str
) -> None:
    """The ledger is asked when the retry leaves; the application hears that it was blocked."""
    first = await sent(parts, person)
    second = await retried(parts, first, person)
    await platform.speak(person, "STOP")
    await platform.relayed_event("Parley.OptOutChanged", recipient=person)
    clock.later(seconds=12)
    await run(parts, second)
    assert (await shown(parts, second))["state"] == "blocked"
    assert len(await platform.accepted(person)) == 1
    told = await platform.relayed_event(REPORT, messageId=second)
    assert (told["data"]["state"], told["data"]["retryOf"]) == ("blocked", first)


@pytest.mark.usefixtures("a_slow_carrier")
async def test_past_its_time_to_live_it_expires(
    parts: Services, clock: Clock, platform: Platform, person: str
) -> None:
    """A retry that could not leave in time does not leave at all."""
    first = await sent(parts, person, timeToLiveInSeconds=60)
    second = await retried(parts, first, person)
    clock.later(seconds=61)
    await run(parts, second)
    assert (await shown(parts, second))["state"] == "expired"
    assert len(await platform.accepted(person)) == 1


@pytest.mark.usefixtures("a_slow_carrier")
@pytest.mark.parametrize("by", ["its own id", "the first text's"])
async def test_it_can_be_canceled(
    parts: Services,
    clock: Clock,
    parley: Parley,
    platform: Platform,
    person: str,
    *,
    by: str,
) -> None:
    """While it waits, by either id; twice is once; then nothing leaves any more."""
    first = await sent(parts, person)
    with pytest.raises(NotCancelable):
        await parts.sending.api.cancel(first)
    second = await retried(parts, first, person)
    for _ in range(2):
        reply = await parley.own("DELETE", f"/messages/{second if by == 'its own id' else first}")
        assert reply.status == 200
    clock.later(seconds=12)
    await run(parts, second)
    assert (await shown(parts, second))["state"] == "canceled"
    assert len(await platform.accepted(person)) == 1


@pytest.mark.usefixtures("a_slow_carrier")
async def test_what_was_sent_again_cannot_be_canceled(
    parts: Services, clock: Clock, person: str
) -> None:
    """Once the retry has left, neither id stops anything."""
    first = await sent(parts, person)
    second = await retried(parts, first, person)
    clock.later(seconds=12)
    await run(parts, second)
    for message_id in (first, second):
        with pytest.raises(NotCancelable):
            await parts.sending.api.cancel(message_id)


@pytest.mark.usefixtures("a_slow_carrier")
async def test_a_first_text_that_arrives_after_all(
    parts: Services, clock: Clock, platform: Platform, person: str
) -> None:
    """A late report of success cancels the retry."""
    first = await sent(parts, person)
    second = await retried(parts, first, person)
    await parts.receiving.delivery_reports.record_report(
        reported(parts, first, person, "Delivered", "2000")
    )
    clock.later(seconds=12)
    await run(parts, second)
    assert (await shown(parts, second))["state"] == "canceled"
    assert len(await platform.accepted(person)) == 1


@pytest.mark.usefixtures("a_slow_carrier")
@pytest.mark.parametrize("details", ["2000", "ErrorCode: 4004."])
async def test_what_is_settled_is_left_alone(parts: Services, person: str, details: str) -> None:
    """A passing failure that is reported after success, or after a lasting one, changes nothing."""
    first = await sent(parts, person)
    status = "Delivered" if details == "2000" else "Failed"
    await parts.receiving.delivery_reports.record_report(
        reported(parts, first, person, status, details)
    )
    await parts.receiving.delivery_reports.record_report(failed(parts, first, person))
    assert (await shown(parts, first))["retriedBy"] is None


@pytest.mark.usefixtures("a_slow_carrier")
async def test_two_reports_at_once_are_one_retry(
    parts: Services, clock: Clock, platform: Platform, person: str
) -> None:
    """Whatever fails how often: one text makes one retry."""
    first = await sent(parts, person)
    events = [failed(parts, first, person, code) for code in RETRYABLE]
    await asyncio.gather(
        *(parts.receiving.delivery_reports.record_report(event) for event in events)
    )
    await parts.receiving.delivery_reports.record_report(events[0])
    second = (await shown(parts, first))["retriedBy"]
    clock.later(seconds=12)
    await asyncio.gather(*(run(parts, second) for _ in range(2)), return_exceptions=True)
    assert len(await platform.accepted(person)) == 2
    told = await platform.relayed(REPORT, messageId=first)
    assert {event["data"]["retriedBy"] for event in told} == {second}


@pytest.mark.usefixtures("a_slow_carrier")
async def test_marketing_waits_for_the_morning(stack: Stack, clock: Clock, person: str) -> None:
    """A retry keeps quiet hours; where they outlast its time to live there is none."""
    awake = {"default": {"from": "00:00", "to": "24:00"}}
    async with parts_of(stack, clock=clock, PARLEY_QUIET_HOURS=json.dumps(awake)) as parts:
        messages = [
            await sent(parts, person, category="marketing", timeToLiveInSeconds=live)
            for live in (AN_HOUR, 3 * 86_400)
        ]
        assert [(await shown(parts, message))["state"] for message in messages] == ["sent"] * 2
    hour = (clock.moment + timedelta(hours=3)).hour
    # The person's zone is not known for certain: every one that it may be in is asleep.
    asleep = {"default": {"from": f"{hour:02}:00", "to": f"{hour:02}:30"}}
    async with parts_of(stack, clock=clock, PARLEY_QUIET_HOURS=json.dumps(asleep)) as parts:
        for message in messages:
            await parts.receiving.delivery_reports.record_report(failed(parts, message, person))
        short, long = [(await shown(parts, message))["retriedBy"] for message in messages]
        assert short is None
        retry = await shown(parts, long)
        assert from_iso(retry["sendAt"]) > clock.moment + timedelta(minutes=30)


async def test_its_campaign_holds_it_up_and_ends_it(
    stack: Stack, parley: Parley, platform: Platform, clock: Clock
) -> None:
    """A retry of a paused campaign waits, that of a canceled one never leaves; counts follow it."""
    campaign_id = f"retry-{uuid.uuid4()}"
    person = f"{MAGIC_PREFIX}4006"
    body = {
        "campaignId": campaign_id,
        "from": SHORT_CODE,
        "message": f"Hello {campaign_id}",
        "recipients": [{"to": person}],
        "timeToLiveInSeconds": AN_HOUR,
    }
    await ordered(parley, body)

    async def counted() -> bool:
        reply = await parley.own("GET", f"/campaigns/{campaign_id}")
        return bool(reply.json["counts"] == {"scheduled": 1})

    await eventually(counted, "the person's retry is counted as waiting")
    texts = [m for m in await platform.accepted(person) if m["text"] == body["message"]]
    async with parts_of(stack, clock=clock) as parts:
        first = ids.message_id(
            parts.parts.settings.id_key, texts[0]["tag"][: ids.ULID_LENGTH], person
        )
        second = (await shown(parts, first))["retriedBy"]
        clock.moment = from_iso((await shown(parts, second))["sendAt"])
        store = parts.campaigns.store

        def in_phase(phase: Phase) -> Any:
            def change(known: Campaign) -> Campaign:
                return replace(known, phase=phase)

            return change

        await store.change(campaign_id, in_phase(Phase.PAUSED))
        assert (await run(parts, second) or clock.moment) > clock.moment
        assert (await shown(parts, second))["state"] == "scheduled"
        await store.change(campaign_id, in_phase(Phase.DONE))
        reply = await parley.own("POST", f"/campaigns/{campaign_id}:cancel")
        assert (reply.status, reply.json["state"]) == (200, "canceled")
        assert await run(parts, second) is None
        assert (await shown(parts, second))["state"] == "canceled"
    texts = [m for m in await platform.accepted(person) if m["text"] == body["message"]]
    assert len(texts) == 1
