"""Each part of Parley's work alone, on the same host, so that its CPU can be told from the rest.

`nothing` is what the host and the runtime cost; `storage`, `platform` and `topic` do through
Parley's own modules exactly what a request of that kind asks of storage, of ACS and of the topic.
What a request costs beyond these is the rules: signature, reading, numbers, segments, ids, answer.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

import azure.functions as func

from shared.azure.acs import AcsRecipient
from shared.azure.event_grid import PlatformReport, Received
from shared.base import ids
from shared.base.clock import http_date, utc_now
from shared.base.randomness import SYSTEM
from shared.base.tasks import every
from shared.conversations import Entry, Kind
from shared.messages.events import sms_received
from shared.messages.facts import Intent, Outcome
from shared.rules import segments
from shared.rules.message_states import State
from shared.sending.entries import SendEntries
from shared.sending.request_body import read_send
from shared.services import services
from shared.settings import settings_of_this_app

app = func.FunctionApp()
_OURS: Final = "+12065550100"
_THEIRS: Final = "+12065550101"
_TEXT: Final = "Your order 17 is ready. Pick it up today until 18:00. Thank you!"
# Made by the stage: what is put there leads to nothing.
_QUEUE: Final = "bench"


@app.route(route="nothing", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def nothing(req: func.HttpRequest) -> func.HttpResponse:
    """Take a body and give an answer of the size that a send to so many gives."""
    answer = _answer(int(req.params.get("recipients", "0")))
    return func.HttpResponse(answer, status_code=202, mimetype="application/json")


@app.event_grid_trigger(arg_name="event")
async def nothing_event(event: func.EventGridEvent) -> None:
    """Take an event."""


@app.route(route="storage/{kind}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def storage(req: func.HttpRequest) -> func.HttpResponse:
    """Ask of storage what a request of this kind asks."""
    await _STORAGE[req.route_params["kind"]](req.get_json())
    return func.HttpResponse(status_code=202)


@app.route(route="platform", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def platform(req: func.HttpRequest) -> func.HttpResponse:
    """Ask of ACS what a send asks."""
    now = utc_now()
    intent = _intent(req.get_json()["recipients"], now)
    await services().parts.acs.send(
        sender=_OURS,
        message=_TEXT,
        recipients=[
            AcsRecipient(address, ids.repeatability_id(None, intent.send_id, address), now)
            for address in intent.request.addresses()
        ],
        tag=ids.platform_tag(intent.send_id, intent.request.tag),
        report_timeout_seconds=None,
        timeout_seconds=30,
    )
    return func.HttpResponse(status_code=202)


@app.route(route="topic", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def topic(req: func.HttpRequest) -> func.HttpResponse:
    """Tell the topic what a report or a person's text has told."""
    received = _received()
    message_id = ids.inbound_id(received.platform_id, received.received)
    await services().receiving.inbound._topic.publish([sms_received(message_id, received, None)])
    return func.HttpResponse(status_code=202)


async def _send(order: dict[str, Any]) -> None:
    parley, now = services(), utc_now()
    intent = _intent(order["recipients"], now)
    await every(
        parley.parts.ledger.news(),
        parley.parts.record.begin(intent),
        SendEntries(parley.parts, parley.conversations).begin(intent),
    )
    outcomes = [
        Outcome(address, State.SENT, 202, platform_id=f"Outgoing_20261122130107{uuid4()}")
        for address in intent.request.addresses()
    ]
    concluding: list[Awaitable[Any]] = [parley.parts.record.conclude(intent.send_id, outcomes, now)]
    if len(outcomes) > 1:
        text = json.dumps({"sendId": intent.send_id})
        concluding.append(parley.parts.queues.enqueue(_QUEUE, text))
    await every(*concluding)


async def _report(order: dict[str, Any]) -> None:
    now, message_id = utc_now(), order["messageId"]
    report = PlatformReport(
        platform_id=f"Outgoing_20261122130107{uuid4()}",
        ours=_OURS,
        theirs=_THEIRS,
        status="Delivered",
        details="ErrorCode: 2000. ErrorMessage: No error.",
        attempts=[{"timestamp": now.isoformat(), "segmentsSucceeded": 1, "segmentsFailed": 0}],
        received=now,
        received_text=now.isoformat(),
        tag="",
    )
    record = services().receiving.delivery_reports._record
    await every(record.intent(message_id[: ids.ULID_LENGTH]), record.report(message_id, report))


async def _inbound(_order: dict[str, Any]) -> None:
    taker, received = services().receiving.inbound, _received()
    message_id = ids.inbound_id(received.platform_id, received.received)
    await taker._replies.answered_by(received)
    entry = Entry(
        message_id=message_id,
        ours=_OURS,
        theirs=_THEIRS,
        kind=Kind.RECEIVED,
        text=received.text,
        at=received.received,
        segments=1,
        arrived=utc_now(),
    )
    await every(taker._record.inbound(message_id, received), taker._conversations.insert(entry))


_STORAGE: Final[dict[str, Callable[[dict[str, Any]], Awaitable[None]]]] = {
    "send": _send,
    "report": _report,
    "inbound": _inbound,
}


@functools.cache
def _template(recipients: int) -> Intent:
    body = {
        "from": _OURS,
        "smsRecipients": [
            {
                "to": f"+12065550{100 + number}",
                "repeatabilityRequestId": str(uuid4()),
                "repeatabilityFirstSent": http_date(utc_now()),
            }
            for number in range(recipients)
        ],
        "message": _TEXT,
        "smsSendOptions": {"enableDeliveryReport": True, "tag": "order-17"},
    }
    now = utc_now()
    request = read_send(
        json.dumps(body).encode(),
        senders=settings_of_this_app().senders,
        now=now,
        knows_report_timeout=False,
        id_key=settings_of_this_app().id_key,
    )
    measure = segments.measure(_TEXT)
    return Intent(
        send_id=ids.drawn_send_id(now, SYSTEM),
        request=request,
        segments=measure.segments,
        encoding=str(measure.encoding),
        keyed=False,
        created_at=now,
        first_attempt_at=now,
        attempt_at=now,
        doubt_since=now,
        attempt=uuid4().hex[:16],
    )


def _intent(recipients: int, now: datetime) -> Intent:
    return replace(
        _template(recipients),
        send_id=ids.drawn_send_id(now, SYSTEM),
        created_at=now,
        first_attempt_at=now,
        attempt_at=now,
        doubt_since=now,
    )


def _received() -> Received:
    return Received(
        platform_id=f"Incoming_20261122130107{uuid4()}",
        theirs=_THEIRS,
        ours=_OURS,
        text="Thanks, I will fetch number 17 at five.",
        received=utc_now(),
        segments=1,
    )


@functools.cache
def _answer(recipients: int) -> str:
    item = {
        "to": _THEIRS,
        "messageId": "01JD8Z0W0Q4T9V6X2Y3N5M7K8P.0123456789",
        "httpStatusCode": 202,
        "repeatabilityResult": "accepted",
        "successful": True,
        "errorMessage": None,
    }
    return json.dumps({"value": [item] * recipients}, separators=(",", ":"))
