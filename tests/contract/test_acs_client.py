"""Parley's own client of ACS against the simulated platform's troubles.

Whatever ACS does, each recipient is left in a stated condition: the caller's answer, the message's
state and the platform's own account fit together, and a repeat with the same ids texts nobody a
second time.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

import pytest

from local.stack import Stack
from shared.base.errors import AnswerMissing
from tests.support.client import Parley, Platform, message_ids, send_body, with_ids
from tests.support.parts import parts_of, send_request
from tests.support.people import People

# One call and Parley's own two retries of it.
ALL_TRIES = 3
UNSETTLED = {"uncertain", "sent", "delivered"}


@dataclass(frozen=True)
class Trouble:
    """What ACS does, and what must come of it.

    `states` is what the messages may read then: a report may have come already where the text
    went out.
    """

    behaviour: str
    times: int
    status: int
    code: str
    states: set[str]
    texted: bool
    members: dict[str, Any] = field(default_factory=dict)
    retry_after: str | None = None

    @property
    def name(self) -> str:
        return " ".join([self.behaviour, *map(str, self.members.values())])


NOTHING_SENT = {"failed"}
DOUBT = {"uncertain"}
TROUBLES = [
    Trouble("throttle", 1, 429, "TooManyRequests", NOTHING_SENT, False, {"retryAfter": 7}, "7"),
    Trouble("throttleWithoutRetryAfter", 1, 429, "TooManyRequests", NOTHING_SENT, False, {}, "10"),
    Trouble("serverError", 1, 503, "PlatformUnavailable", DOUBT, False, {"status": 408}, "1"),
    Trouble("serverError", 1, 503, "PlatformUnavailable", DOUBT, False, {"status": 200}, "1"),
    Trouble("serverError", 1, 503, "PlatformUnavailable", DOUBT, False, {"status": 302}, "1"),
    Trouble("serverError", ALL_TRIES, 503, "PlatformUnavailable", DOUBT, False, {}, "1"),
    Trouble("closeConnection", ALL_TRIES, 503, "PlatformUnavailable", DOUBT, False, {}, "1"),
    Trouble("garbage", 1, 503, "PlatformUnavailable", UNSETTLED, True, {}, "1"),
    Trouble("emptyBody", 1, 503, "PlatformUnavailable", UNSETTLED, True, {}, "1"),
    Trouble(
        "acceptThenServerError", ALL_TRIES, 503, "PlatformUnavailable", UNSETTLED, True, {}, "1"
    ),
    Trouble("acceptThenClose", ALL_TRIES, 503, "PlatformUnavailable", UNSETTLED, True, {}, "1"),
]


async def states(parley: Parley, ids: dict[str, str]) -> set[str]:
    return {(await parley.message(message_id))["state"] for message_id in ids.values()}


async def check_a_repeat(
    parley: Parley, platform: Platform, body: dict[str, Any], ids: dict[str, str]
) -> None:
    """The same request again succeeds, and everybody has been texted once."""
    await platform.control("DELETE", "/faults")
    again = await parley.signed("POST", "/sms", body)
    assert again.status == 202, again.body
    assert {item["to"]: item["messageId"] for item in again.items} == ids
    assert all(item["successful"] for item in again.items)
    for number, message_id in ids.items():
        await parley.message_in_state(message_id, "delivered")
        assert len(await platform.accepted(number)) == 1
        assert await platform.texts(number) == ["Hello"]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
async def test_trouble_of_the_whole_call(
    trouble: Trouble, stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """A call that fails as a whole says so, leaves no message unexplained, and can be repeated."""
    body = with_ids(send_body(*people.many(2)))
    ids = message_ids(base64.b64decode(stack.keys.id_key), body)
    await platform.order_fault(
        "send", trouble.behaviour, number=min(ids), times=trouble.times, **trouble.members
    )
    reply = await parley.signed("POST", "/sms", body)
    assert reply.status == trouble.status
    assert reply.json["error"]["code"] == trouble.code
    assert reply.headers.get("Retry-After") == trouble.retry_after
    assert await states(parley, ids) <= trouble.states
    for number in ids:
        assert len(await platform.accepted(number)) == int(trouble.texted)
    await check_a_repeat(parley, platform, body, ids)


@pytest.mark.parametrize("behaviour", ["timeout", "acceptThenTimeout"])
async def test_silence(
    behaviour: str, stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """No answer within the ACS time-out leaves the messages in doubt; a repeat settles it."""
    body = with_ids(send_body(*people.many(2)))
    ids = message_ids(base64.b64decode(stack.keys.id_key), body)
    await platform.order_fault("send", behaviour, number=min(ids))
    async with parts_of(stack, PARLEY_ACS_TIMEOUT_SECONDS="1") as parts:
        with pytest.raises(AnswerMissing):
            await parts.sending.api.send(send_request(parts, body))
    assert await states(parley, ids) <= UNSETTLED
    await check_a_repeat(parley, platform, body, ids)


async def test_a_single_server_error_is_retried_unseen(
    stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """One lost answer costs the caller nothing: Parley's client repeats with the same ids."""
    body = with_ids(send_body(*people.many(2)))
    ids = message_ids(base64.b64decode(stack.keys.id_key), body)
    await platform.order_fault("send", "acceptThenServerError", number=min(ids))
    reply = await parley.signed("POST", "/sms", body)
    assert reply.status == 202
    assert await platform.calls(min(ids)) == 2
    for number, message_id in ids.items():
        await parley.message_in_state(message_id, "delivered")
        assert await platform.texts(number) == ["Hello"]


async def test_fewer_items_than_recipients(
    stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """Whom ACS does not mention is in doubt: 202 with our id, never an error that invites more."""
    body = with_ids(send_body(*people.many(3)))
    ids = message_ids(base64.b64decode(stack.keys.id_key), body)
    await platform.order_fault("send", "fewerItems", number=min(ids))
    reply = await parley.signed("POST", "/sms", body)
    assert [item["httpStatusCode"] for item in reply.items] == [202, 202, 202]
    assert {item["to"]: item["messageId"] for item in reply.items} == ids
    forgotten = list(ids.values())[-1]
    history = (await parley.message(forgotten))["history"]
    assert history[1]["event"] == "uncertain"
    await check_a_repeat(parley, platform, body, ids)


async def test_more_items_than_recipients(
    stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """An item for somebody whom nobody asked about changes nothing."""
    body = with_ids(send_body(*people.many(2)))
    ids = message_ids(base64.b64decode(stack.keys.id_key), body)
    await platform.order_fault("send", "moreItems", number=min(ids))
    reply = await parley.signed("POST", "/sms", body)
    assert {item["to"]: item["messageId"] for item in reply.items} == ids
    await check_a_repeat(parley, platform, body, ids)


@pytest.mark.parametrize("status", [400, 429, 503])
async def test_items_that_fail(
    status: int, parley: Parley, platform: Platform, people: People
) -> None:
    """An item that ACS refuses carries ACS's status and words, and reads failed."""
    one, other = people.many(2)
    body = with_ids(send_body(one, other))
    await platform.order_fault("send", "itemErrors", number=one, status=status)
    reply = await parley.signed("POST", "/sms", body)
    assert reply.status == 202
    for item in reply.items:
        assert (item["successful"], item["httpStatusCode"]) == (False, status)
        assert item["errorMessage"]
        message = await parley.message(item["messageId"])
        assert (message["state"], message["errorMessage"]) == ("failed", item["errorMessage"])
        assert await platform.accepted(item["to"]) == []
    again = await parley.signed("POST", "/sms", body)
    assert again.items == reply.items


@pytest.mark.parametrize(
    ("fate", "status"), [("+15005550008", 503), ("+15005550009", 400)], ids=["503", "400"]
)
async def test_one_refused_among_others(
    fate: str, status: int, parley: Parley, platform: Platform, person: str
) -> None:
    """An item that fails stops no other."""
    items = await parley.send(fate, person)
    assert [item["httpStatusCode"] for item in items] == [status, 202]
    await parley.message_in_state(items[1]["messageId"], "delivered")
    assert await platform.texts(person) == ["Hello"]


async def test_what_acs_is_asked(parley: Parley, platform: Platform, person: str) -> None:
    """ACS always reports to Parley, under a tag that leads back to the send."""
    (item,) = await parley.send(person, report=False, tag="order-17")
    (text,) = await platform.accepted(person)
    assert text["enableDeliveryReport"] is True
    assert text["tag"] == f"{item['messageId'].partition('.')[0]}:order-17"


async def test_a_throttled_send_with_a_key_goes_out_later(
    parley: Parley, platform: Platform, person: str
) -> None:
    """429 on Parley's own face is a problem that says it can be retried, and when."""
    await platform.order_fault("send", "throttle", number=person, retryAfter=7)
    body, key = send_body(person), f"throttled-{person}"
    reply = await parley.own("POST", "/messages", body, Idempotency_Key=key)
    assert reply.status == 429
    assert reply.headers["Retry-After"] == "7"
    assert (reply.json["code"], reply.json["retryable"]) == ("TooManyRequests", True)
    again = await parley.own("POST", "/messages", body, Idempotency_Key=key)
    assert again.status == 202
    assert len(await platform.accepted(person)) == 1
