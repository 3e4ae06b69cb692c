"""Parley and the simulated platform as a test talks to them: plain HTTP, answers unshaped."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
from yarl import URL

from local.stack import Stack
from shared.azure.signatures import signed_headers
from shared.base import ids
from shared.base.clock import from_http_date, http_date
from shared.rules.conversation_ids import ConversationIds
from tests.support.polling import eventually

API_VERSION = "2021-03-07"
A_DAY = 86_400.0
TOLL_FREE, SHORT_CODE, TEN_DLC = "+18005550100", "24680", "+12065550100"
LONG_CODE, ALPHANUMERIC = "+447400123456", "CONTOSO"
# Whoever waits for a text to leave uses it: a hundred texts of another test's hold up nobody.
UNHURRIED = "+18335550100"


@dataclass(frozen=True)
class Reply:
    """An answer as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def items(self) -> list[dict[str, Any]]:
        """The items of a list answer."""
        value: list[dict[str, Any]] = self.json["value"]
        return value


def encoded(body: Any) -> bytes:
    """Bytes as they are; anything else as JSON."""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def send_body(
    *to: str,
    sender: str = TOLL_FREE,
    message: Any = "Hello",
    report: bool = True,
    tag: str | None = None,
    **members: Any,
) -> dict[str, Any]:
    """A send as both faces take it."""
    options: dict[str, Any] = {"enableDeliveryReport": report}
    if tag is not None:
        options["tag"] = tag
    return {
        "from": sender,
        "smsRecipients": [{"to": number} for number in to],
        "message": message,
        "smsSendOptions": options,
        **members,
    }


def with_ids(body: Mapping[str, Any], now: datetime | None = None) -> dict[str, Any]:
    """The send with fresh repeatability ids, as every library of ACS's adds them."""
    first_sent = http_date(now or datetime.now(UTC))
    return {
        **body,
        "smsRecipients": [
            {
                "repeatabilityRequestId": str(uuid.uuid4()),
                "repeatabilityFirstSent": first_sent,
                **recipient,
            }
            for recipient in body["smsRecipients"]
        ],
    }


def message_ids(id_key: bytes, body: Mapping[str, Any]) -> dict[str, str]:
    """The message id that each recipient of a send with ids must get, whatever becomes of it."""
    recipients = body["smsRecipients"]
    first_sent = min(from_http_date(r["repeatabilityFirstSent"]) for r in recipients)
    pairs = [(r["repeatabilityRequestId"], r["to"]) for r in recipients]
    send_id = ids.derived_send_id(first_sent, body["from"], pairs)
    return {r["to"]: ids.message_id(id_key, send_id, r["to"]) for r in recipients}


class Parley:
    """A running Parley, both faces."""

    def __init__(self, stack: Stack, session: aiohttp.ClientSession) -> None:
        self.endpoint = stack.endpoint
        self.access_keys = stack.access_keys
        self.host = urlsplit(stack.endpoint).netloc
        self.function_key = stack.function_key
        self._eventgrid_key = stack.keys.host_eventgrid
        self._conversations = ConversationIds(base64.b64decode(stack.keys.id_key))
        self._session = session

    async def call(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request, exactly as given."""
        url = URL(self.endpoint + target, encoded=True)
        async with self._session.request(
            method, url, data=body or None, headers=dict(headers or {}), allow_redirects=False
        ) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    def signed_headers(
        self,
        method: str,
        target: str,
        body: bytes,
        *,
        key: str | None = None,
        host: str | None = None,
        now: datetime | None = None,
    ) -> dict[str, str]:
        """The headers of a signed request."""
        return signed_headers(
            base64.b64decode(key or self.access_keys[0]),
            method=method,
            target=target,
            host=host or self.host,
            body=body,
            now=now or datetime.now(UTC),
        )

    async def signed(
        self, method: str, path: str, body: Any = b"", *, query: str = f"api-version={API_VERSION}"
    ) -> Reply:
        """One request of the ACS face."""
        target, content = f"{path}?{query}", encoded(body)
        headers = self.signed_headers(method, target, content)
        return await self.call(
            method, target, content, {**headers, "Content-Type": "application/json"}
        )

    async def own(self, method: str, target: str, body: Any = b"", **headers: str) -> Reply:
        """One request of Parley's own face."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.call(
            method,
            target,
            encoded(body),
            {"x-functions-key": self.function_key, "Content-Type": "application/json", **named},
        )

    async def send(self, *to: str, **members: Any) -> list[dict[str, Any]]:
        """The items of a send that must be accepted as a whole."""
        reply = await self.own("POST", "/messages", send_body(*to, **members))
        assert reply.status == 202, reply.body
        return reply.items

    async def message(self, message_id: str) -> dict[str, Any]:
        """One message, which must be there."""
        reply = await self.own("GET", f"/messages/{message_id}")
        assert reply.status == 200, reply.body
        found: dict[str, Any] = reply.json
        return found

    async def message_in_state(self, message_id: str, *states: str) -> dict[str, Any]:
        """The message, once it is in one of the states."""

        async def look() -> dict[str, Any] | None:
            message = await self.message(message_id)
            return message if message["state"] in states else None

        return await eventually(look, f"{message_id} becomes {' or '.join(states)}")

    async def optouts(self, recipient: str) -> list[dict[str, Any]]:
        """What the ledger says of a person."""
        reply = await self.own("GET", f"/optouts?recipient={quote(recipient)}")
        assert reply.status == 200, reply.body
        return reply.items

    async def conversation(self, ours: str, theirs: str) -> list[dict[str, Any]]:
        """Everything that two have said to each other, if it fits into one page."""
        reply = await self.own("GET", f"/conversations/{self.conversation_id(ours, theirs)}")
        if reply.status == 404:
            return []
        assert reply.status == 200, reply.body
        return [item for item in reply.items if item["type"] == "message"]

    def conversation_id(self, ours: str, theirs: str) -> str:
        """The id of what a sender and a person say to each other."""
        return str(self._conversations.of(ours, theirs))

    async def deliver(self, function: str, body: Any) -> int:
        """Hand a delivery of Event Grid's to the webhook; the status of its answer."""
        target = f"/runtime/webhooks/eventgrid?functionName={function}&code={self._eventgrid_key}"
        headers = {"aeg-event-type": "Notification", "Content-Type": "application/json"}
        return (await self.call("POST", target, encoded(body), headers)).status


class Platform:
    """The control interface of the simulated platform."""

    def __init__(self, stack: Stack, session: aiohttp.ClientSession) -> None:
        self.url = stack.platform
        self._session = session
        self._topic: list[dict[str, Any]] = []

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        """One call that must succeed."""
        url = URL(f"{self.url}/simulator{path}", encoded=True)
        async with self._session.request(method, url, json=body) as answer:
            text = await answer.text()
            assert answer.status < 300, text
            return json.loads(text) if text else None

    async def texts(self, number: str, origin: str = "acs") -> list[str]:
        """What a handset received from that origin, oldest first."""
        handset = await self.control("GET", f"/handsets/{quote(number)}")
        return [
            text["text"]
            for text in handset["texts"]
            if text["direction"] == "received" and text["origin"] == origin
        ]

    async def text_with(self, number: str, part: str, origin: str = "acs") -> str:
        """The first text on a handset that holds `part`, once it is there."""

        async def look() -> str | None:
            return next((t for t in await self.texts(number, origin) if part in t), None)

        found = await eventually(look, f"{number} gets a text with {part!r}")
        return str(found)

    async def speak(self, number: str, text: str, to: str = TOLL_FREE) -> str:
        """Have a person text one of our senders; the platform's message id."""
        spoken = await self.control(
            "POST", f"/handsets/{quote(number)}/messages", {"to": to, "message": text}
        )
        return str(spoken["messageId"])

    async def order_fault(
        self, on: str, behaviour: str, *, number: str, times: int = 1, **members: Any
    ) -> None:
        """The next calls about a person fail so; nobody else's do."""
        order = {"on": on, "behaviour": behaviour, "number": number, "times": times, **members}
        await self.control("POST", "/faults", order)

    async def calls(self, number: str, operation: str = "send") -> int:
        """How often an operation of ACS was called about a person."""
        counts = await self.control("GET", f"/calls?number={quote(number)}")
        return int(counts.get(operation, 0))

    async def slow(self, *numbers: str, seconds: float | None = A_DAY) -> None:
        """Texts to these people are accepted and do not arrive; None ends that."""
        for number in numbers:
            path = f"/handsets/{quote(number)}"
            await self.control("PATCH", path, {"deliverySeconds": seconds})

    async def accepted(self, number: str) -> list[dict[str, Any]]:
        """Every text to a number that ACS has accepted, delivered or not."""
        account = await self.control("GET", "/account")
        return [message for message in account["messages"] if message["to"] == number]

    async def relayed(self, kind: str, **data: Any) -> list[dict[str, Any]]:
        """Outgoing events of a type whose data has these members."""
        # Each event is fetched once; a session's tests make thousands.
        fresh = await self.control("GET", f"/topic?after={len(self._topic)}")
        known = len(self._topic)
        self._topic += [e["event"] for e in fresh["value"] if e["sequence"] > known]
        return [
            event
            for event in self._topic
            if event["type"] == kind and data.items() <= event["data"].items()
        ]

    async def relayed_event(self, kind: str, **data: Any) -> dict[str, Any]:
        """The first such event, once it is there."""

        async def look() -> Sequence[dict[str, Any]]:
            return await self.relayed(kind, **data)

        return (await eventually(look, f"{kind} with {data}"))[0]


async def all_pages(parley: Parley, target: str, size: int) -> list[list[dict[str, Any]]]:
    """Every page of a list, by its nextLinks."""
    mark = "&" if "?" in target else "?"
    link: str | None = f"{target}{mark}maxpagesize={size}"
    pages: list[list[dict[str, Any]]] = []
    while link is not None:
        reply = await parley.own("GET", link)
        assert reply.status == 200, reply.body
        pages.append(reply.items)
        following = reply.json.get("nextLink")
        assert following is None or following.startswith(parley.endpoint)
        link = following and following.removeprefix(parley.endpoint)
    return pages
