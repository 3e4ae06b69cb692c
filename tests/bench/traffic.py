"""The requests that are measured, and the client that sends them.

Everything is made before the clock starts: bodies, ids, signatures. No two requests are alike, so
that nothing is a repeat and no cache is warmer than in life.
"""

from __future__ import annotations

import http.client
import itertools
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

from shared.azure import signatures
from shared.base import ids
from shared.base.clock import http_date, iso

SENDER: Final = "+12065550100"
TAG: Final = "order-17"
SMS: Final = "/sms?api-version=2021-03-07"
CHECK: Final = "/sms/optouts:check?api-version=2021-03-07"
_SECONDS: Final = 60
# 555-0100 to 555-0199 belong to fiction, in every area code.
_AREAS: Final = (205, 206, 212, 213, 214, 303, 304, 305, 312, 313, 314, 402, 404, 405, 410, 412)
_NUMBERS: Final = 100
_SOURCE: Final = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/parley-local"
    "/providers/Microsoft.Communication/CommunicationServices/parley-local"
)


class Failed(Exception):
    """A request was not answered as it must be; a figure of it would be worth nothing."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready for the wire, and the status that it is answered with."""

    target: str
    body: bytes
    expected: int
    headers: Mapping[str, str] = field(default_factory=dict)


class Client:
    """Sends requests to one server, one after the other, on one connection."""

    def __init__(self, endpoint: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=_SECONDS)

    def call(self, request: Request) -> bytes:
        """The answer's body.

        Raises:
            Failed: the status is another than expected.
        """
        headers = {"Content-Type": "application/json", **request.headers}
        self._connection.request("POST", request.target, request.body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != request.expected:
            raise Failed(f"POST {request.target} was answered {answer.status}: {content[:300]!r}")
        return content

    def close(self) -> None:
        """Give the connection up."""
        self._connection.close()


@dataclass(frozen=True, slots=True)
class Sent:
    """One text as it was sent, as far as its report needs it."""

    message_id: str
    to: str


class Traffic:
    """Makes requests.

    Args:
        key: the access key that sends are signed with.
        eventgrid_key: opens the host's webhook.
        now: the time of everything, once.
    """

    def __init__(self, *, key: bytes, eventgrid_key: str, now: datetime) -> None:
        self._key = key
        self._webhook = f"/runtime/webhooks/eventgrid?code={quote(eventgrid_key, safe='')}"
        self._now = now
        self._people = _people()
        self._numbers = itertools.count(1)

    def send(self, recipients: int, *, host: str, target: str = SMS) -> Request:
        """A signed send, as Microsoft's client library makes it, with reports asked for."""
        number = next(self._numbers)
        body = {
            "from": SENDER,
            "smsRecipients": [
                {
                    "to": person,
                    "repeatabilityRequestId": str(uuid.uuid4()),
                    "repeatabilityFirstSent": http_date(self._now),
                }
                for person in itertools.islice(self._people, recipients)
            ],
            "message": f"Your order {number} is ready. Pick it up today until 18:00. Thank you!",
            "smsSendOptions": {"enableDeliveryReport": True, "tag": TAG},
        }
        return self._signed(target, host, body, 202)

    def check(self, recipients: int, *, host: str) -> Request:
        """A signed look at who has opted out."""
        people = itertools.islice(self._people, recipients)
        body = {"from": SENDER, "recipients": [{"to": person} for person in people]}
        return self._signed(CHECK, host, body, 200)

    def report(self, sent: Sent, *, function: str = "delivery_report") -> Request:
        """The event that says that a text was delivered."""
        platform_id = f"Outgoing_{self._now:%Y%m%d%H%M%S}{uuid.uuid4()}"
        received = iso(self._now)
        data = {
            "messageId": platform_id,
            "from": SENDER.removeprefix("+"),
            "to": sent.to,
            "deliveryStatus": "Delivered",
            "deliveryStatusDetails": "ErrorCode: 2000. ErrorMessage: No error.",
            "deliveryAttempts": [
                {"timestamp": received, "segmentsSucceeded": 1, "segmentsFailed": 0}
            ],
            "receivedTimestamp": received,
            "Tag": ids.platform_tag(sent.message_id[: ids.ULID_LENGTH], TAG),
        }
        return self._event(function, "SMSDeliveryReportReceived", platform_id, data)

    def inbound(self, *, function: str = "inbound") -> Request:
        """The event that says that somebody has answered, without a keyword."""
        platform_id = f"Incoming_{self._now:%Y%m%d%H%M%S}{uuid.uuid4()}"
        data = {
            "messageId": platform_id,
            "from": next(self._people).removeprefix("+"),
            "to": SENDER.removeprefix("+"),
            "message": f"Thanks, I will fetch number {next(self._numbers)} at five.",
            "receivedTimestamp": iso(self._now),
            "segmentCount": 1,
        }
        return self._event(function, "SMSReceived", platform_id, data)

    def plain(self, target: str, body: Any, expected: int) -> Request:
        """A request without a signature."""
        return Request(target, json.dumps(body).encode(), expected)

    def _signed(self, target: str, host: str, body: Any, expected: int) -> Request:
        content = json.dumps(body).encode()
        headers = signatures.signed_headers(
            self._key, method="POST", target=target, host=host, body=content, now=self._now
        )
        return Request(target, content, expected, headers)

    def _event(self, function: str, kind: str, platform_id: str, data: Any) -> Request:
        event = {
            "id": platform_id,
            "topic": _SOURCE,
            "subject": f"/phonenumber/{SENDER.removeprefix('+')}",
            "data": data,
            "eventType": f"Microsoft.Communication.{kind}",
            "dataVersion": "1.0",
            "metadataVersion": "1",
            "eventTime": iso(self._now),
        }
        return Request(
            f"{self._webhook}&functionName={function}",
            json.dumps([event]).encode(),
            202,
            {"aeg-event-type": "Notification"},
        )


def sent_in(answer: bytes) -> list[Sent]:
    """The texts that a send's answer names.

    Raises:
        Failed: one of them was not sent.
    """
    items = json.loads(answer)["value"]
    if refused := [item for item in items if not item["successful"]]:
        raise Failed(f"A text was not sent: {refused[0]['errorMessage']}")
    return [Sent(item["messageId"], item["to"]) for item in items]


def _people() -> Iterator[str]:
    for area, number in itertools.cycle(itertools.product(_AREAS, range(_NUMBERS))):
        yield f"+1{area}55501{number:02}"
