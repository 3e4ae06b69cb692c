"""What the tests of the simulated platform share: a clock that is told the time, and both ends."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
from aiohttp import web

from local.platform.acs import Acs
from local.platform.behaviour import Behaviour
from local.platform.carriers import Carriers, Outgoing
from local.platform.eventgrid import Reply
from local.platform.handsets import Account
from local.platform.payloads import Received, Reported
from local.platform.senders import parse_senders
from local.platform.server import PlatformServer
from local.platform.signature import content_hash, sign
from local.platform.simulator import Options, Simulator, Wiring

KEY = b"0123456789abcdef0123456789abcdef"
KEY_TEXT = base64.b64encode(KEY).decode()
TOPIC_KEY = "topic-key"
TOLL_FREE, TEN_DLC, SHORT_CODE = "+18005550100", "+14255550199", "54321"
RELAYED_SHORT_CODE, MOBILE, ALPHANUMERIC = "67890", "+33655500100", "CONTOSO"
PERSON, OTHER = "+14255550123", "+14255550124"
SENDERS_TEXT = json.dumps(
    [
        {"sender": TOLL_FREE, "brand": "Contoso"},
        {"sender": TEN_DLC, "brand": "Contoso"},
        {"sender": SHORT_CODE, "brand": "Contoso", "helpText": "Call +1 800 555 0199."},
        {"sender": RELAYED_SHORT_CODE, "stopAnsweredBy": "parley"},
        {"sender": MOBILE},
        {"sender": ALPHANUMERIC},
    ]
)
SENDERS = parse_senders(SENDERS_TEXT)


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment


class HandTimeline:
    """Runs what is due when its clock is moved, in the order of time."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self._waiting: list[tuple[datetime, int, Callable[[], None]]] = []
        self._count = 0

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self._count += 1
        due = self._clock.moment + timedelta(seconds=seconds)
        self._waiting.append((due, self._count, action))

    def clear(self) -> None:
        self._waiting.clear()

    def advance(self, seconds: float) -> None:
        end = self._clock.moment + timedelta(seconds=seconds)
        while self._waiting and min(self._waiting)[0] <= end:
            due, _, action = entry = min(self._waiting)
            self._waiting.remove(entry)
            self._clock.moment = max(due, self._clock.moment)
            action()
        self._clock.moment = end


class CountedIds:
    """UUIDs that count up from one."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self) -> str:
        self._count += 1
        return str(UUID(int=self._count))


class Country:
    """Carriers, handsets and ACS with a clock moved by hand; events are kept in `facts`."""

    def __init__(self, **settings: Any) -> None:
        self.clock, ids = HandClock(), CountedIds()
        self.timeline = HandTimeline(self.clock)
        self.behaviour = Behaviour({"deliverySeconds": 1, **settings})
        self.facts: list[Received | Reported] = []
        self.changes: list[Outgoing] = []
        self.account = Account(lambda _text, _number: None)
        self.carriers = Carriers(
            senders=SENDERS,
            account=self.account,
            behaviour=self.behaviour,
            emit=self.facts.append,
            changed=self.changes.append,
            timeline=self.timeline,
            now=self.clock,
            new_id=ids,
        )
        self.acs = Acs(
            senders=SENDERS,
            carriers=self.carriers,
            behaviour=self.behaviour,
            now=self.clock,
            new_id=ids,
        )

    def send(self, to: str = PERSON, sender: str = TOLL_FREE, **members: Any) -> dict[str, Any]:
        """One recipient's item of a send that must be accepted as a whole."""
        answer = self.acs.send(send_body(to, sender=sender, **members))
        assert answer.status == 202, answer.body
        item: dict[str, Any] = answer.body["value"][0]
        return item

    def texts(self, number: str = PERSON, origin: str = "acs") -> list[str]:
        """What the handset received from that origin."""
        return [
            text.text
            for text in self.account.of(number)
            if text.direction == "received" and text.origin == origin
        ]

    def reports(self) -> list[Reported]:
        return [fact for fact in self.facts if isinstance(fact, Reported)]


def send_body(
    *to: str, sender: str = TOLL_FREE, message: str = "Hello", report: bool = True, **item: Any
) -> bytes:
    """The body of `POST /sms`; further members go into every recipient."""
    return json.dumps(
        {
            "from": sender,
            "smsRecipients": [{"to": number, **item} for number in to],
            "message": message,
            "smsSendOptions": {"enableDeliveryReport": report, "tag": "order-17"},
        }
    ).encode()


@dataclass
class ScriptedCaller:
    """Stands in for the network: answers from a list, then 200; remembers what was asked."""

    replies: deque[Reply | Exception] = field(default_factory=deque)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        seconds: float,  # noqa: ARG002  # the interface asks for it
    ) -> Reply:
        if headers.get("aeg-event-type") == "SubscriptionValidation":
            code = json.loads(body)[0]["data"]["validationCode"]
            return Reply(200, {}, json.dumps({"validationResponse": code}).encode())
        self.asked.append((method, url, dict(headers), body))
        reply = self.replies.popleft() if self.replies else Reply(200, {}, b"")
        if isinstance(reply, Exception):
            raise reply
        return reply


@dataclass
class Delivered:
    """One Event Grid request as a webhook saw it."""

    function: str
    headers: Mapping[str, str]
    body: Any


class FunctionsHost:
    """The webhook side: takes the handshake, then events, and answers as scripted (else 202)."""

    def __init__(self) -> None:
        self.delivered: asyncio.Queue[Delivered] = asyncio.Queue()
        self.statuses: deque[int] = deque()
        self.url = ""

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/runtime/webhooks/eventgrid", self._take)
        app.router.add_post("/messages", self._messages)
        app.router.add_route("OPTIONS", "/hook", self._allow)
        app.router.add_post("/hook", self._take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return runner

    async def next(self) -> Delivered:
        return await self.delivered.get()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.json()
        if request.headers.get("aeg-event-type") == "SubscriptionValidation":
            return web.json_response({"validationResponse": body[0]["data"]["validationCode"]})
        status = self.statuses.popleft() if self.statuses else 202
        function = request.query.get("functionName", "")
        self.delivered.put_nowait(Delivered(function, dict(request.headers), body))
        return web.Response(status=status)

    async def _allow(self, request: web.Request) -> web.Response:
        origin = request.headers["WebHook-Request-Origin"]
        return web.Response(headers={"WebHook-Allowed-Origin": origin})

    async def _messages(self, request: web.Request) -> web.Response:
        key = request.headers.get("x-functions-key")
        if key != "function-key":
            return web.json_response({"title": "Unauthorized"}, status=401)
        return web.json_response({"value": [], "echo": await request.json()}, status=202)


class Client:
    """Talks HTTP to a running platform."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the control interface that must succeed."""
        async with self.session.request(method, f"{self.url}/simulator{path}", json=body) as got:
            text = await got.text()
            assert got.status < 300, text
            return json.loads(text) if text else None

    async def signed(self, method: str, target: str, body: bytes = b"") -> tuple[int, Any]:
        """One signed call of the ACS interface: status and JSON."""
        date = format_datetime(datetime.now(UTC), usegmt=True)
        host, digest = urlsplit(self.url).netloc, content_hash(body)
        signature = sign(KEY, method=method, target=target, date=date, host=host, digest=digest)
        headers = {
            "x-ms-date": date,
            "x-ms-content-sha256": digest,
            "Authorization": "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256"
            f"&Signature={signature}",
        }
        async with self.session.request(
            method, self.url + target, data=body, headers=headers
        ) as got:
            return got.status, await got.json()

    async def send(self, *to: str, **members: Any) -> tuple[int, Any]:
        return await self.signed("POST", "/sms?api-version=2021-03-07", send_body(*to, **members))


@asynccontextmanager
async def running(options: Options) -> AsyncIterator[Client]:
    """A platform that serves on loopback for as long as the block runs."""
    ids = CountedIds()
    server = PlatformServer(Simulator(options, now=lambda: datetime.now(UTC), new_id=ids), 0)
    task = asyncio.create_task(server.serve_platform())
    try:
        await server.listening.wait()
        async with aiohttp.ClientSession() as session:
            yield Client(f"http://127.0.0.1:{server.port}", session)
    finally:
        server.should_exit = True
        await task


def options_for(host: FunctionsHost | None = None, **changes: Any) -> Options:
    """Options of a quick platform."""
    url = host.url if host else ""
    wiring = Wiring(
        functions_url=url,
        eventgrid_key="system-key",
        parley_url=url,
        parley_function_key="function-key",
    )
    members: dict[str, Any] = {
        "senders": SENDERS,
        "acs_key": KEY,
        "topic_key": TOPIC_KEY,
        "wiring": wiring,
        "behaviour": {"deliverySeconds": 0, "retryScale": 0.0},
    }
    return Options(**{**members, **changes})
