"""A send while storage answers badly: no text on a guess, none twice, no fact lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from azure.core.rest import HttpRequest

from local.stack import Stack
from shared.azure.storage import StorageDown
from shared.base.clock import Clock, utc_now
from shared.base.errors import LedgerUnavailable, ParleyError, StillSending
from shared.services import Services
from tests.support.client import TOLL_FREE, Parley, Platform, message_ids, send_body, with_ids
from tests.support.parts import parts_of, send_request
from tests.support.people import People
from tests.support.polling import eventually
from tests.support.transports import Trouble, TroubledTransport, is_query

NONE, UNSENT, LOST = Trouble.NONE, Trouble.UNSENT, Trouble.LOST
ALL_TRIES = 3


def later(clock: Clock = utc_now) -> Clock:
    """A clock on which every attempt of now is dead, and ACS still remembers it."""
    return lambda: clock() + timedelta(seconds=40)


def is_message_insert(request: HttpRequest) -> bool:
    """The intent first, the outcome second."""
    return request.method == "POST" and "/messages20" in request.url


def is_log_query(request: HttpRequest) -> bool:
    return is_query(request) and "/optouts" in request.url


def troubled(stack: Stack, troubles: list[Trouble], concerns: Any = is_message_insert) -> Any:
    return parts_of(stack, way=lambda network: TroubledTransport(network, troubles, concerns))


@pytest.fixture
async def body(parley: Parley, people: People) -> dict[str, Any]:
    """A send with ids, after another one that has made this month's table."""
    await parley.send(people.one())
    return with_ids(send_body(*people.many(2), tag="order-17"))


async def check_it_went_out_once(
    parts: Services, body: dict[str, Any], parley: Parley, platform: Platform
) -> None:
    """Everybody has the text once, all is on record, and a repeat changes nothing."""
    for number, message_id in message_ids(parts.parts.settings.id_key, body).items():
        message = await parley.message_in_state(message_id, "delivered")
        assert [text["text"] for text in await platform.accepted(number)] == ["Hello"]

        async def recorded(message_id: str = message_id) -> bool:
            history = (await parley.message(message_id))["history"]
            return "sent" in [entry["event"] for entry in history]

        await eventually(recorded, f"the outcome of {message_id} is on record")
        (entry,) = await eventually(
            lambda number=number: parley.conversation(TOLL_FREE, number),  # type: ignore[misc]
            "the conversation is written",
        )
        assert entry["messageId"] == message["messageId"]
    again = await parley.signed("POST", "/sms", body)
    assert again.status == 202
    assert again.headers["Idempotency-Replayed"] == "true"
    for recipient in body["smsRecipients"]:
        assert len(await platform.accepted(recipient["to"])) == 1


@pytest.mark.parametrize(
    "troubles",
    [
        [Trouble.TWICE],
        [Trouble.FAILED],
        [NONE, Trouble.TWICE],
        [NONE, Trouble.FAILED],
        [NONE, LOST],
        [NONE, UNSENT],
        [Trouble.TWICE, Trouble.TWICE],
    ],
    ids=lambda troubles: " ".join(trouble.name for trouble in troubles),
)
async def test_troubles_that_a_send_survives(
    troubles: list[Trouble],
    stack: Stack,
    parley: Parley,
    platform: Platform,
    body: dict[str, Any],
) -> None:
    """Doubtful answers to intent or outcome do not reach the caller: the texts are out, once."""
    number = body["smsRecipients"][0]["to"]
    async with troubled(stack, troubles) as parts:
        answer = await parts.sending.api.send(send_request(parts, body))
        assert all(item.successful for item in answer.items)
        assert not answer.replayed
        assert await platform.calls(number) == 1
        await check_it_went_out_once(parts, body, parley, platform)


async def test_an_intent_that_could_not_be_written(
    stack: Stack, parley: Parley, platform: Platform, body: dict[str, Any]
) -> None:
    """Without an intent nothing is sent; the repeat is a first attempt."""
    async with troubled(stack, [UNSENT]) as parts:
        with pytest.raises(StorageDown):
            await parts.sending.api.send(send_request(parts, body))
        for recipient in body["smsRecipients"]:
            assert await platform.accepted(recipient["to"]) == []
        assert (await parley.signed("POST", "/sms", body)).status == 202
        await check_it_went_out_once(parts, body, parley, platform)


async def test_an_intent_whose_answer_was_lost(
    stack: Stack, parley: Parley, platform: Platform, body: dict[str, Any]
) -> None:
    """It looks like an attempt at work: the repeat waits until that is dead, then takes over."""
    async with troubled(stack, [LOST]) as parts:
        with pytest.raises(StorageDown):
            await parts.sending.api.send(send_request(parts, body))
        with pytest.raises(StillSending):
            await parts.sending.api.send(send_request(parts, body))
        async with parts_of(stack, clock=later()) as takes_over:
            await takes_over.sending.api.send(send_request(takes_over, body))
        await check_it_went_out_once(parts, body, parley, platform)


@pytest.mark.parametrize("troubles", [[UNSENT] * ALL_TRIES, [LOST] * ALL_TRIES])
async def test_a_ledger_that_cannot_be_read(
    troubles: list[Trouble],
    stack: Stack,
    parley: Parley,
    platform: Platform,
    body: dict[str, Any],
) -> None:
    """Nothing is sent, no doubt is left, and the repeat need not wait."""
    async with troubled(stack, troubles, is_log_query) as parts:
        with pytest.raises(LedgerUnavailable) as caught:
            await parts.sending.api.send(send_request(parts, body))
        assert_safe_to_repeat(caught.value)
        for number, message_id in message_ids(parts.parts.settings.id_key, body).items():
            assert await platform.accepted(number) == []
            assert (await parley.message(message_id))["state"] == "failed"
        assert (await parley.signed("POST", "/sms", body)).status == 202
        await check_it_went_out_once(parts, body, parley, platform)


def assert_safe_to_repeat(error: ParleyError) -> None:
    assert (error.status, error.retryable) == (503, True)
    assert error.retry_after


async def test_a_topic_that_is_down_for_a_moment(
    parley: Parley, platform: Platform, person: str
) -> None:
    """What the topic does not take from a request goes through the queue and arrives."""
    added = {"from": TOLL_FREE, "recipients": [{"to": person}]}
    await platform.order_fault("topic", "serverError", number=person, times=ALL_TRIES)
    assert (await parley.signed("POST", "/sms/optouts:add", added)).status == 200
    await platform.relayed_event("Parley.OptOutChanged", recipient=person, isOptedOut=True)
    await platform.order_fault("topic", "serverError", number=person, times=ALL_TRIES)
    (item,) = await parley.send(person)
    event = await platform.relayed_event(
        "Parley.SMSDeliveryReportReceived", messageId=item["messageId"]
    )
    assert event["data"]["code"] == 4007
