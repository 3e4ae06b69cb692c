"""The same send twice is one send: by the library's ids, and by an Idempotency-Key."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.pipeline.transport import AioHttpTransport

from local.stack import Stack
from shared.azure.storage import StorageAccount
from shared.azure.tables import Tables
from shared.base.clock import utc_now
from shared.messages.record import Record
from shared.rules import segments
from shared.sending.attempts import new_intent
from shared.sending.idempotency import IdempotencyKeys
from shared.services import Services
from tests.support.client import (
    TOLL_FREE,
    Parley,
    Platform,
    Reply,
    encoded,
    message_ids,
    send_body,
    with_ids,
)
from tests.support.parts import parts_of, send_request
from tests.support.people import People

SIDE_BY_SIDE = 5


@pytest.fixture
def key() -> str:
    return str(uuid.uuid4())


@pytest.mark.parametrize("face", ["acs", "own"])
async def test_a_repeat_with_the_librarys_ids_gets_the_stored_answer(
    face: str, parley: Parley, platform: Platform, people: People
) -> None:
    """Repeating the request with its ids texts nobody again and gives the first answer."""
    body = with_ids(send_body(people.one(), "+1425", people.one()))

    async def ask() -> list[dict[str, object]]:
        if face == "acs":
            return (await parley.signed("POST", "/sms", body)).items
        return (await parley.own("POST", "/messages", body)).items

    first = await ask()
    for _ in range(2):
        assert await ask() == first
    texted = str(first[0]["to"])
    assert await platform.calls(texted) == 1
    assert len(await platform.accepted(texted)) == 1


async def test_a_repeat_says_that_it_is_one(parley: Parley, person: str) -> None:
    """A stored answer bears `Idempotency-Replayed: true`; a first one does not."""
    body = with_ids(send_body(person))
    first, second = [await parley.signed("POST", "/sms", body) for _ in range(2)]
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"


async def test_ids_lead_to_the_same_message_on_both_faces(
    stack: Stack, parley: Parley, platform: Platform, person: str
) -> None:
    """The id of a message follows from the ids that the caller brought, wherever it sends them."""
    body = with_ids(send_body(person))
    expected = message_ids(base64.b64decode(stack.keys.id_key), body)[person]
    (acs,) = (await parley.signed("POST", "/sms", body)).items
    (own,) = (await parley.own("POST", "/messages", body)).items
    assert acs["messageId"] == own["messageId"] == expected
    assert len(await platform.accepted(person)) == 1


async def test_the_order_of_recipients_does_not_matter_to_the_send(
    parley: Parley, platform: Platform, people: People
) -> None:
    """Ids and recipients make the send; the same ids in another order are another request."""
    body = with_ids(send_body(*people.many(2)))
    assert (await parley.signed("POST", "/sms", body)).status == 202
    turned = {**body, "smsRecipients": body["smsRecipients"][::-1]}
    assert (await parley.signed("POST", "/sms", turned)).status == 400
    for recipient in body["smsRecipients"]:
        assert len(await platform.accepted(recipient["to"])) == 1


async def test_repeats_side_by_side(parley: Parley, platform: Platform, person: str) -> None:
    """Of equal requests at one time one sends; the others are told its answer, or to wait."""
    body = with_ids(send_body(person))
    replies = await asyncio.gather(
        *(parley.signed("POST", "/sms", body) for _ in range(SIDE_BY_SIDE))
    )
    assert {reply.status for reply in replies} <= {202, 503}
    for reply in replies:
        if reply.status == 503:
            assert reply.json["error"]["code"] == "StillSending"
            assert int(reply.headers["Retry-After"]) >= 1
    answers = [reply.items for reply in replies if reply.status == 202]
    assert answers
    assert all(answer == answers[0] for answer in answers)
    assert len(await platform.accepted(person)) == 1


# Idempotency-Key ----------------------------------------------------------------------------------


async def test_a_key_with_the_same_body_is_replayed(
    parley: Parley, platform: Platform, person: str, key: str
) -> None:
    """Without ids too: same key and body, one text, and the stored answer, marked as such."""
    body = send_body(person)
    first, second, third = [
        await parley.own("POST", "/messages", body, Idempotency_Key=key),
        await parley.own("POST", "/messages", body, Idempotency_Key=key),
        await parley.own("POST", "/messages", body, Idempotency_Key=f'"{key}"'),
    ]
    assert "Idempotency-Replayed" not in first.headers
    for repeat in (second, third):
        assert repeat.headers["Idempotency-Replayed"] == "true"
        assert repeat.json == first.json
    assert len(await platform.accepted(person)) == 1


async def test_a_key_with_another_body_is_refused(
    parley: Parley, platform: Platform, person: str, key: str
) -> None:
    """Same key, other body: 422, and nothing is sent."""
    await parley.own("POST", "/messages", send_body(person), Idempotency_Key=key)
    other = send_body(person, message="Other")
    reply = await parley.own("POST", "/messages", other, Idempotency_Key=key)
    assert (reply.status, reply.json["code"]) == (422, "IdempotencyKeyReused")
    assert len(await platform.accepted(person)) == 1


async def test_a_key_works_on_the_acs_face(
    parley: Parley, platform: Platform, person: str, key: str
) -> None:
    """The header guards a signed request in the same way."""

    async def ask(message: str) -> Reply:
        body, target = encoded(send_body(person, message=message)), "/sms?api-version=2021-03-07"
        headers = {**parley.signed_headers("POST", target, body), "Idempotency-Key": key}
        return await parley.call("POST", target, body, headers)

    first, again, other = [await ask(message) for message in ("Hello", "Hello", "Other")]
    assert first.json == again.json
    assert (other.status, other.json["error"]["code"]) == (422, "IdempotencyKeyReused")
    assert len(await platform.accepted(person)) == 1


async def test_a_key_outweighs_the_ids_that_a_library_draws(
    parley: Parley, platform: Platform, person: str, key: str
) -> None:
    """Microsoft's clients draw new ids for each call: with a key, the call again is no other send;
    the same ids with another text are, and another text is refused."""
    body = send_body(person)
    first, again = [
        await parley.own("POST", "/messages", with_ids(body), Idempotency_Key=key) for _ in range(2)
    ]
    assert (first.status, again.status) == (202, 202)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json == first.json
    other = await parley.own(
        "POST", "/messages", with_ids(send_body(person, message="Other")), Idempotency_Key=key
    )
    assert (other.status, other.json["code"]) == (422, "IdempotencyKeyReused")
    assert len(await platform.accepted(person)) == 1


async def test_a_key_stands_for_one_operation(
    parley: Parley, platform: Platform, person: str, key: str
) -> None:
    """That of a send is refused for a campaign, and the other way round."""
    order = {
        "from": TOLL_FREE,
        "message": "Hello",
        "recipients": [{"to": person}],
        "startAt": (datetime.now(UTC) + timedelta(days=30)).isoformat(),
    }
    assert (
        await parley.own("POST", "/messages", send_body(person), Idempotency_Key=key)
    ).status == 202
    refused = await parley.own("POST", "/campaigns", order, Idempotency_Key=key)
    assert (refused.status, refused.json["code"]) == (422, "IdempotencyKeyReused")
    ordered = await parley.own("POST", "/campaigns", order, Idempotency_Key=f"{key}-order")
    assert ordered.status == 202
    await parley.own("POST", f"/campaigns/{ordered.json['campaignId']}:cancel")
    refused = await parley.own(
        "POST", "/messages", send_body(person), Idempotency_Key=f"{key}-order"
    )
    assert (refused.status, refused.json["code"]) == (422, "IdempotencyKeyReused")
    assert len(await platform.accepted(person)) == 1


async def test_without_a_key_or_ids_two_requests_are_two(
    parley: Parley, platform: Platform, person: str
) -> None:
    """Nothing is guessed from equal bodies: who says the same twice may mean it."""
    for _ in range(2):
        await parley.send(person)
    assert len(await platform.accepted(person)) == 2


async def begin(parts: Services, body: dict[str, Any], key: str | None) -> str:
    """Leave what a process leaves that dies after its intent; the message's id."""
    now = utc_now()
    request = send_request(parts, body)
    async with AioHttpTransport() as transport:
        tables = Tables(StorageAccount(parts.parts.settings, transport=transport))
        (message_id,) = message_ids(parts.parts.settings.id_key, body).values()
        send_id = message_id.partition(".")[0]
        if key is not None:
            keys = IdempotencyKeys(tables, parts.parts.id_key)
            await keys.claim(key, request.digest, send_id, now=now)
        intent = new_intent(
            send_id,
            request,
            segments.measure(request.message),
            keyed=key is not None,
            trace=None,
            now=now,
            nonce="0123456789abcdef",
        )
        assert await Record(tables, parts.parts.settings.message_shards).begin(intent)
    return message_id


@pytest.fixture
async def parts(stack: Stack) -> AsyncIterator[Services]:
    async with parts_of(stack) as wired:
        yield wired


@pytest.mark.parametrize("guard", ["key", "ids"])
async def test_while_the_first_is_at_work(
    guard: str, parts: Services, parley: Parley, platform: Platform, person: str
) -> None:
    """A repeat that meets an attempt at work: 409 by key, 503 by ids, and when to come again."""
    body = with_ids(send_body(person))
    key = str(uuid.uuid4()) if guard == "key" else None
    message_id = await begin(parts, body, key)
    headers = {"Idempotency_Key": key} if key else {}
    reply = await parley.own("POST", "/messages", body, **headers)
    expected = (409, "IdempotencyKeyInUse") if key else (503, "StillSending")
    assert (reply.status, reply.json["code"]) == expected
    assert 1 <= int(reply.headers["Retry-After"]) <= 31
    assert reply.json["retryable"] is True
    assert await platform.accepted(person) == []
    assert (await parley.message(message_id))["state"] == "sending"
