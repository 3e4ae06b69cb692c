"""What ACS refuses for whom Parley is, and what it refuses for what is asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import HttpRequest

from local.stack import Stack
from shared.azure.acs import DENIAL_HOLDS, AcsClient, AcsRecipient
from shared.base.clock import utc_now
from shared.base.errors import AnswerMissing, PlatformDenied, PlatformRefused
from shared.services import Services
from tests.support.client import LONG_CODE, TOLL_FREE, Parley, Platform, send_body, with_ids
from tests.support.parts import parts_of, send_request
from tests.support.people import People
from tests.support.polling import eventually
from tests.support.transports import Inner, Wrapper

denials = pytest.mark.parametrize("status", [401, 403, 404])


class Clock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        # ACS and storage check signatures against the real time, so it stays close to it.
        self.moment = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.moment


class Counted(Wrapper):
    """Counts the requests that ask ACS to send."""

    def __init__(self, inner: Inner) -> None:
        super().__init__(inner)
        self.sends = 0

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        self.sends += urlsplit(request.url).path == "/sms"
        return await super().send(request, **named)


@asynccontextmanager
async def counted_parts(
    stack: Stack, clock: Callable[[], datetime] = utc_now
) -> AsyncIterator[tuple[Services, Counted]]:
    """Parts of their own, which remember denials of their own."""
    made: list[Counted] = []

    def way(inner: Inner) -> Inner:
        made.append(Counted(inner))
        return made[0]

    async with parts_of(stack, clock=clock, way=way) as parts:
        yield parts, made[0]


# For whom Parley is -----------------------------------------------------------------------------


@denials
async def test_a_single_denial_is_passed_over(
    status: int, stack: Stack, platform: Platform, person: str
) -> None:
    """ACS is asked once more, and the caller learns nothing of the first answer."""
    await platform.order_fault("send", "unauthorized", number=person, status=status)
    async with counted_parts(stack) as (parts, counted):
        answer = await parts.sending.api.send(send_request(parts, send_body(person)))
    assert [item.status for item in answer.items] == [202]
    assert counted.sends == 2
    assert len(await platform.accepted(person)) == 1


@denials
async def test_a_denial_that_lasts_is_believed_for_ten_seconds(
    status: int, stack: Stack, platform: Platform, people: People
) -> None:
    """Two denials are 503; what comes next from that sender is not asked of ACS, then it is."""
    first, second, other = people.many(3)
    clock = Clock()
    await platform.order_fault("send", "unauthorized", number=first, times=2, status=status)
    async with counted_parts(stack, clock) as (parts, counted):
        with pytest.raises(PlatformDenied) as caught:
            await parts.sending.api.send(send_request(parts, send_body(first)))
        assert (caught.value.status, caught.value.retry_after) == (503, 30)
        assert caught.value.retryable
        assert caught.value.platform_status == status
        assert counted.sends == 2

        clock.moment += DENIAL_HOLDS - timedelta(seconds=1)
        with pytest.raises(PlatformDenied):
            await parts.sending.api.send(send_request(parts, send_body(second)))
        assert counted.sends == 2
        # A sender that the resource does not own is denied as well; it stops no other.
        await parts.sending.api.send(send_request(parts, send_body(other, sender=LONG_CODE)))
        assert counted.sends == 3

        clock.moment += timedelta(seconds=1)
        await parts.sending.api.send(send_request(parts, send_body(second)))
        assert counted.sends == 4
    assert [len(await platform.accepted(person)) for person in (first, second, other)] == [0, 1, 1]


async def test_a_denial_on_both_faces_and_its_repeat(
    parley: Parley, platform: Platform, person: str
) -> None:
    """503 with Retry-After in either shape, never 502; a repeat of the request texts once."""
    body = with_ids(send_body(person, sender=LONG_CODE))
    await platform.order_fault("send", "unauthorized", number=person, times=2)
    reply = await parley.signed("POST", "/sms", body)
    assert (reply.status, reply.headers["Retry-After"]) == (503, "30")
    assert reply.json["error"]["code"] == "PlatformDenied"
    own = await parley.own("POST", "/messages", body)
    assert (own.status, own.headers["Retry-After"]) == (503, "30")
    assert (own.json["code"], own.json["retryable"]) == ("PlatformDenied", True)
    assert "401" in own.json["detail"]

    async def repeat() -> list[dict[str, Any]] | None:
        again = await parley.signed("POST", "/sms", body)
        assert again.status in {202, 503}
        return again.items if again.status == 202 else None

    (item,) = await eventually(repeat, "the denial is over")
    assert item["successful"]
    assert len(await platform.accepted(person)) == 1


async def test_a_wrong_key_leaves_no_doubt(stack: Stack, platform: Platform, person: str) -> None:
    """A text that ACS denied us was not sent, and its message says so."""
    body = with_ids(send_body(person))
    wrong = "d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3I="
    async with parts_of(stack, PARLEY_ACS_ACCESS_KEY=wrong) as parts:
        with pytest.raises(PlatformDenied):
            await parts.sending.api.send(send_request(parts, body))
    async with parts_of(stack) as parts:
        answer = await parts.sending.api.send(send_request(parts, body))
        message = await parts.messages.get_message(str(answer.items[0].message_id))
    assert "attemptUnanswered" not in [entry["event"] for entry in message["history"]]
    assert len(await platform.accepted(person)) == 1


# For what is asked ------------------------------------------------------------------------------


async def test_a_400_of_the_whole_request_is_a_400(
    parley: Parley, platform: Platform, person: str
) -> None:
    """ACS's reasons reach the caller in the shape of each face, and nobody repeats the request."""
    await platform.order_fault("send", "badRequest", number=person)
    reply = await parley.signed("POST", "/sms", send_body(person))
    assert reply.status == 400
    assert reply.headers["Content-Type"].startswith("application/problem+json")
    assert "Retry-After" not in reply.headers
    assert reply.json["errors"] == {"SmsRecipients": ["Invalid recipient phone number format."]}
    await platform.order_fault("send", "badRequest", number=person)
    own = await parley.own("POST", "/messages", send_body(person))
    assert own.status == 400
    assert (own.json["code"], own.json["retryable"]) == ("PlatformRefused", False)
    assert "400: SmsRecipients: Invalid recipient phone number format." in own.json["detail"]
    assert await platform.accepted(person) == []


@asynccontextmanager
async def told(*answers: tuple[int, str]) -> AsyncIterator[AcsClient]:
    """A client of a server that gives these answers, in turn."""
    left = iter(answers)

    async def answer(_request: web.Request) -> web.Response:
        status, text = next(left)
        return web.Response(status=status, text=text, content_type="application/json")

    app = web.Application()
    app.router.add_post("/sms", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        async with AioHttpTransport() as transport:
            yield AcsClient(
                f"http://{host}:{port}",
                b"key",
                api_version="2021-03-07",
                transport=transport,
                clock=utc_now,
            )
    finally:
        await runner.cleanup()


def sent_by(client: AcsClient) -> Awaitable[Any]:
    recipient = AcsRecipient(
        "+14255550123", "5f0d7c1e-0000-4000-8000-000000000001", datetime.now(UTC)
    )
    return client.send(
        sender=TOLL_FREE,
        message="Hello",
        recipients=[recipient],
        tag="",
        report_timeout_seconds=None,
        timeout_seconds=30,
    )


@pytest.mark.parametrize(
    ("status", "body", "errors"),
    [
        (400, {"errors": {"Message": ["Too long."]}, "title": "Bad"}, {"Message": ["Too long."]}),
        (400, {"SmsRecipients": ["Max of 100."]}, {"SmsRecipients": ["Max of 100."]}),
        (422, {"error": {"code": "Invalid", "message": "No JSON."}}, {"": ["Invalid No JSON."]}),
        (413, {"title": "Too large"}, {"": ["Too large"]}),
        (400, ["odd"], {"": ['["odd"]']}),
        (400, None, {"": ["null"]}),
        (409, {"error": {}}, {"": ["no reason was given"]}),
    ],
)
async def test_every_shape_of_a_refusal_is_read(
    status: int, body: Any, errors: dict[str, list[str]]
) -> None:
    """Whatever form an error has, its reason is passed on, and it is the caller's 400."""
    async with told((status, json.dumps(body))) as client:
        with pytest.raises(PlatformRefused) as caught:
            await sent_by(client)
    assert (caught.value.status, caught.value.platform_status) == (400, status)
    assert caught.value.errors == errors


@pytest.mark.parametrize("depth", [500, 30_000])
async def test_an_answer_that_nobody_can_walk(depth: int) -> None:
    """It is no answer where ACS may have sent, and a refusal without a readable reason else."""
    deep = "[" * depth + "]" * depth
    async with told((202, f'{{"value": {deep}}}')) as client:
        with pytest.raises(AnswerMissing):
            await sent_by(client)
    async with told((400, f'{{"errors": {{"Message": {deep}}}}}')) as client:
        with pytest.raises(PlatformRefused) as caught:
            await sent_by(client)
    assert list(caught.value.errors) == [""]


async def test_a_denial_after_a_doubt_is_a_doubt() -> None:
    """Once a try may have sent something, a denial of the next one does not make it certain."""
    async with told((500, ""), (401, "")) as client:
        with pytest.raises(AnswerMissing):
            await sent_by(client)


async def test_a_doubt_after_a_denial_is_a_doubt() -> None:
    """The second try may send; if its answer is lost, nobody says that nothing was sent."""
    async with told((401, ""), (200, "")) as client:
        with pytest.raises(AnswerMissing):
            await sent_by(client)
