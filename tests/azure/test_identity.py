"""The managed identity: one question for all who need a token, and an end to every question."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import pytest
from aiohttp import web
from azure.core.credentials import AccessTokenInfo
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.core.rest import HttpRequest

from shared import settings
from shared.azure.acs import AcsClient, AcsRecipient
from shared.azure.clients import managed_identity
from shared.azure.identity import Identity
from shared.base.clock import utc_now
from shared.base.errors import AnswerMissing, NoToken, PlatformDenied
from tests.support.loops import SkippingLoop
from tests.support.settings import minimal
from tests.support.tls import TlsEnd
from tests.support.transports import Inner

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SCOPE = "https://communication.azure.com//.default"
MANY = 100
A_YEAR = timedelta(days=365)


@dataclass
class Endpoint:
    """What gives out tokens, numbered as they are asked for; each credential asks it anew.

    Attributes:
        seconds: until it answers.
        life: of a token, from `NOW`.
        broken: whether it answers with an error.
        questions: how often it was asked.
    """

    seconds: float = 0.05
    life: timedelta = A_YEAR
    broken: bool = False
    questions: int = 0

    async def get_token_info(self, *_scopes: str, **_named: Any) -> AccessTokenInfo:
        self.questions += 1
        number, broken = self.questions, self.broken
        await asyncio.sleep(self.seconds)
        if broken:
            raise ClientAuthenticationError(message="a secret of the endpoint's")
        return AccessTokenInfo(f"token {number}", int((NOW + self.life).timestamp()))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        return None


def identity_of(endpoint: Endpoint) -> Identity:
    return Identity(lambda: endpoint, clock=lambda: NOW)


def run_skipping(work: Any) -> Any:
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(work)


async def asked_by_many(identity: Identity) -> list[Any]:
    asked = (identity.get_token_info(SCOPE) for _ in range(MANY))
    return await asyncio.gather(*asked, return_exceptions=True)


def test_many_who_need_a_token_ask_once() -> None:
    """Whoever comes while one asks gets that answer; each scope is a question of its own."""
    endpoint = Endpoint()
    tokens = run_skipping(asked_by_many(identity_of(endpoint)))
    assert {token.token for token in tokens} == {"token 1"}
    assert endpoint.questions == 1


def test_many_fail_together() -> None:
    """Those who waited do not ask one after the other what has just failed; a second later the
    question is asked again. Nothing of the endpoint's own sentence is told."""
    endpoint = Endpoint(broken=True)
    identity = identity_of(endpoint)

    async def one_after_the_other() -> list[Any]:
        found = await asked_by_many(identity)
        found += await asked_by_many(identity)
        assert endpoint.questions == 1
        endpoint.broken = False
        await asyncio.sleep(1.1)
        assert (await identity.get_token(SCOPE)).token == "token 2"
        return found

    for error in run_skipping(one_after_the_other()):
        assert isinstance(error, ClientAuthenticationError)
        assert "secret" not in str(error)


def test_no_question_lasts_for_ever() -> None:
    """An endpoint that does not answer is given up after ten seconds; a token that is still good
    is shown meanwhile."""
    endpoint = Endpoint(seconds=300)
    identity = identity_of(endpoint)

    async def patience() -> float:
        begun = asyncio.get_running_loop().time()
        with pytest.raises(ClientAuthenticationError):
            await identity.get_token_info(SCOPE)
        return asyncio.get_running_loop().time() - begun

    assert run_skipping(patience()) == pytest.approx(10, abs=0.5)

    for life, good in ((timedelta(hours=1), True), (timedelta(seconds=30), False)):
        flaky = Endpoint(life=life)
        remembered = identity_of(flaky)

        async def hangs_the_second_time(
            flaky: Endpoint = flaky, remembered: Identity = remembered
        ) -> Any:
            await remembered.get_token_info(SCOPE)
            flaky.seconds = 300
            return (await asyncio.gather(remembered.get_token(SCOPE), return_exceptions=True))[0]

        found = run_skipping(hangs_the_second_time())
        assert isinstance(found, ClientAuthenticationError) is not good


def test_whoever_gives_up_takes_nothing_away() -> None:
    """The question goes on for the others."""
    endpoint = Endpoint(seconds=5)
    identity = identity_of(endpoint)

    async def two() -> str:
        impatient = asyncio.ensure_future(identity.get_token_info(SCOPE))
        patient = asyncio.ensure_future(identity.get_token_info(SCOPE))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(impatient, 1)
        return (await patient).token

    assert run_skipping(two()) == "token 1"
    assert endpoint.questions == 1


class NobodyThere(Inner):
    """A network on which no request gets an answer, and what it was told about time-outs."""

    def __init__(self) -> None:
        self.options: list[dict[str, Any]] = []

    async def send(self, request: HttpRequest, **options: Any) -> Any:
        self.options.append(options)
        raise ServiceRequestError(request.method)

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        raise AssertionError("the transport is everybody's")

    async def __aexit__(self, *_error: object) -> None:
        await self.close()


def test_the_endpoint_of_azures_identity_is_asked_with_time_outs() -> None:
    """Each try has time-outs of seconds; whether a token is new or renewed, no try is one of ten,
    and nobody closes the transport that all clients share."""
    for ask in (Identity.get_token_info, Identity.fresh_token):
        network = NobodyThere()
        identity = managed_identity(settings.load(minimal()), transport=network, clock=utc_now)
        with pytest.raises(ClientAuthenticationError):
            run_skipping(ask(identity, SCOPE))
        assert 1 <= len(network.options) <= 3
        for options in network.options:
            assert options["connection_timeout"] <= 5
            assert options["read_timeout"] <= 10


# At ACS -------------------------------------------------------------------------------------------


class Acs:
    """An ACS that takes some tokens, and answers nobody before so many have asked."""

    def __init__(self) -> None:
        self.good: set[str] = set()
        self.crowd = 0
        self.late: set[str] = set()
        self._asked = 0
        self._enough = asyncio.Event()
        self.may_be_late = asyncio.Event()
        self.status: int | None = None
        self.happens: Callable[[], None] = lambda: None

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        to = body["smsRecipients"][0]["to"]
        good = request.headers["Authorization"].removeprefix("Bearer ") in self.good
        self._asked += 1
        self.happens()
        if self.status is not None:
            return web.json_response({}, status=self.status)
        if self._asked >= self.crowd:
            self._enough.set()
        await self._enough.wait()
        if not good:
            if to in self.late:
                await self.may_be_late.wait()
            return web.json_response({}, status=401)
        item = {"to": to, "messageId": "x", "httpStatusCode": 202, "successful": True}
        return web.json_response({"value": [item]}, status=202)


@pytest.fixture
async def acs() -> AsyncIterator[tuple[Acs, str]]:
    made, app = Acs(), web.Application()
    app.router.add_post("/sms", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield made, f"http://{host}:{port}"
    await runner.cleanup()


def client_of(endpoint: Endpoint, transport: Inner) -> AcsClient:
    return AcsClient(
        "https://contoso.communication.azure.com",
        Identity(lambda: endpoint, clock=utc_now),
        api_version="2021-03-07",
        transport=transport,
        clock=utc_now,
    )


async def sent_by(client: AcsClient, number: str) -> Any:
    return await client.send(
        sender="+18005550100",
        message="Hello",
        recipients=[AcsRecipient(number, "an id", utc_now())],
        tag="",
        report_timeout_seconds=None,
        timeout_seconds=30,
    )


async def test_without_a_token_nothing_was_sent(acs: tuple[Acs, str]) -> None:
    """ACS was not asked, which leaves no doubt; unless an earlier try of the same call has shown
    a token, which then could not be renewed."""
    platform, url = acs
    async with TlsEnd(url) as transport:
        with pytest.raises(NoToken) as caught:
            await sent_by(client_of(Endpoint(broken=True), transport), "+14255550123")
        assert isinstance(caught.value, PlatformDenied)
        assert "secret" not in str(caught.value)
        assert transport.came == []

        # Expired when it comes, so that each try needs another one.
        endpoint = Endpoint(life=timedelta(days=-365))
        platform.status = 503

        def breaks() -> None:
            endpoint.broken = True

        platform.happens = breaks
        with pytest.raises(AnswerMissing):
            await sent_by(client_of(endpoint, transport), "+14255550123")
        assert len(transport.came) == 1


async def test_many_who_are_refused_renew_the_token_once(acs: tuple[Acs, str]) -> None:
    """All of a crowd are refused with the old token: one renews it, all are accepted with the new
    one, and so is who comes when a late refusal of the old one is still on its way."""
    platform, url = acs
    endpoint = Endpoint()
    platform.good, platform.crowd = {"token 2"}, 30
    numbers = [f"+1425555{n:04}" for n in range(platform.crowd)]
    platform.late = {numbers[0]}
    async with TlsEnd(url) as transport:
        client = client_of(endpoint, transport)

        async def send(number: str) -> Any:
            return await sent_by(client, number)

        late, *others = [asyncio.ensure_future(send(number)) for number in numbers]
        answers = await asyncio.gather(*others)
        platform.may_be_late.set()
        answers += [await late, await send(numbers[1])]
    assert all(item.successful for answer in answers for item in answer.values())
    assert endpoint.questions == 2
