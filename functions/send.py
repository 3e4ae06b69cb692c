"""Sending: `POST /sms` as ACS has it, `POST /messages` for everyone else."""

from __future__ import annotations

from typing import Any

import azure.functions as func

from functions.http import acs_face, json_answer, own_face, traced
from shared.messages.request import SendRequest
from shared.sending.answers import Answer, Item
from shared.sending.idempotency import read_key
from shared.sending.request_body import read_send
from shared.services import services

blueprint = func.Blueprint()


@blueprint.route(route="sms", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def send_sms(req: func.HttpRequest) -> func.HttpResponse:
    """The ACS face. Parley itself checks the signature."""

    async def answer() -> func.HttpResponse:
        sent = await _send(req)
        return json_answer(
            {"value": [_item(item) for item in sent.items]}, status=202, headers=_headers(sent)
        )

    return await acs_face(req, answer)


@blueprint.route(route="messages", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
async def send_message(req: func.HttpRequest) -> func.HttpResponse:
    """Parley's own face of the same send."""

    async def answer() -> func.HttpResponse:
        sent = await _send(req)
        return json_answer(
            {
                "sendId": sent.send_id,
                "encoding": sent.encoding,
                "segments": sent.segments,
                "value": [_item(item) for item in sent.items],
            },
            status=202,
            headers=_headers(sent),
        )

    return await own_face(req, answer)


async def _send(req: func.HttpRequest) -> Answer:
    with traced(req, "send"):
        key = read_key(req.headers.get("Idempotency-Key"))
        return await services().sending.api.send(read(req), key=key)


def read(req: func.HttpRequest) -> SendRequest:
    """The send request that a body holds."""
    parley = services()
    return read_send(
        req.get_body(),
        senders=parley.parts.settings.senders,
        now=parley.parts.clock(),
        knows_report_timeout=parley.parts.acs.knows_report_timeout,
        id_key=parley.parts.id_key,
    )


def _item(item: Item) -> dict[str, Any]:
    return {
        "to": item.to,
        "messageId": item.message_id,
        "httpStatusCode": item.status,
        "repeatabilityResult": item.repeatability,
        "successful": item.successful,
        "errorMessage": item.error,
    }


def _headers(sent: Answer) -> dict[str, str]:
    return {"Idempotency-Replayed": "true"} if sent.replayed else {}
