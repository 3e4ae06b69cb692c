"""What Parley is measured against: functions that forward to the same platform and keep nothing.

Nothing is checked, stored or remembered here: no signature, no opt-out, no report is matched, and a
repeat sends again. `sms` and the two event functions are what one would write first, on Microsoft's
own client libraries; `lean` is the same send with as little as the wire allows.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import os
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import azure.functions as func
from azure.communication.sms.aio import SmsClient
from azure.core.credentials import AzureKeyCredential
from azure.core.messaging import CloudEvent
from azure.eventgrid.aio import EventGridPublisherClient

app = func.FunctionApp()
_TARGET = "/sms?api-version=2021-03-07"


@functools.cache
def _platform() -> SmsClient:
    key = AzureKeyCredential(os.environ["PARLEY_ACS_ACCESS_KEY"])
    return SmsClient(os.environ["PARLEY_ACS_ENDPOINT"], key)


@functools.cache
def _topic() -> EventGridPublisherClient:
    key = AzureKeyCredential(os.environ["PARLEY_TOPIC_KEY"])
    return EventGridPublisherClient(os.environ["PARLEY_TOPIC_ENDPOINT"], key)


@functools.cache
def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession()


@app.route(route="sms", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def sms(req: func.HttpRequest) -> func.HttpResponse:
    """Forward a send with Microsoft's client library."""
    body = req.get_json()
    options = body["smsSendOptions"]
    results = await _platform().send(
        from_=body["from"],
        to=[recipient["to"] for recipient in body["smsRecipients"]],
        message=body["message"],
        enable_delivery_report=options["enableDeliveryReport"],
        tag=options["tag"],
    )
    return _accepted(
        [
            {
                "to": result.to,
                "messageId": result.message_id,
                "httpStatusCode": result.http_status_code,
                "successful": result.successful,
                "errorMessage": result.error_message,
            }
            for result in results
        ]
    )


@app.route(route="lean", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def lean(req: func.HttpRequest) -> func.HttpResponse:
    """Forward a send with nothing but an HTTP client and a signature."""
    asked = req.get_json()
    first_sent = formatdate(usegmt=True)
    body = {
        "from": asked["from"],
        "smsRecipients": [
            {
                "to": recipient["to"],
                "repeatabilityRequestId": str(uuid4()),
                "repeatabilityFirstSent": first_sent,
            }
            for recipient in asked["smsRecipients"]
        ],
        "message": asked["message"],
        "smsSendOptions": asked["smsSendOptions"],
    }
    endpoint = os.environ["PARLEY_ACS_ENDPOINT"]
    content = json.dumps(body).encode()
    headers = _signed(urlsplit(endpoint).netloc, content)
    async with _session().post(endpoint + _TARGET, data=content, headers=headers) as answer:
        return _accepted((await answer.json())["value"])


@app.event_grid_trigger(arg_name="event")
async def delivery_report(event: func.EventGridEvent) -> None:
    """Forward a delivery report to the application's topic."""
    await _forward(event, "Naked.SMSDeliveryReportReceived")


@app.event_grid_trigger(arg_name="event")
async def inbound(event: func.EventGridEvent) -> None:
    """Forward a person's text to the application's topic."""
    await _forward(event, "Naked.SMSReceived")


async def _forward(event: func.EventGridEvent, kind: str) -> None:
    data = event.get_json()
    await _topic().send([CloudEvent(source="naked", type=kind, subject=event.subject, data=data)])


def _accepted(items: list[Any]) -> func.HttpResponse:
    return func.HttpResponse(
        json.dumps({"value": items}), status_code=202, mimetype="application/json"
    )


def _signed(host: str, body: bytes) -> dict[str, str]:
    date, digest = formatdate(usegmt=True), base64.b64encode(hashlib.sha256(body).digest()).decode()
    key = base64.b64decode(os.environ["PARLEY_ACS_ACCESS_KEY"])
    text = f"POST\n{_TARGET}\n{date};{host};{digest}".encode()
    signature = base64.b64encode(hmac.digest(key, text, "sha256")).decode()
    return {
        "Content-Type": "application/json",
        "x-ms-date": date,
        "x-ms-content-sha256": digest,
        "Authorization": "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256"
        f"&Signature={signature}",
    }
