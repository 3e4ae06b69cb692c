"""Reading messages, one or a span of them, previews, and taking one back."""

from __future__ import annotations

import azure.functions as func

from functions.http import json_answer, own_face, page_answer
from functions.send import read
from shared.base.pages import read_limit
from shared.messages.api import PAGES, read_span
from shared.services import services

blueprint = func.Blueprint()


@blueprint.route(route="messages", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def list_messages(req: func.HttpRequest) -> func.HttpResponse:
    """Messages of a span of time, oldest first."""

    async def answer() -> func.HttpResponse:
        parley = services()
        span = read_span(
            req.params.get("startTime"), req.params.get("endTime"), parley.parts.clock()
        )
        page = await parley.messages.list_messages(
            span,
            after=PAGES.after(req.params.get("after")),
            limit=read_limit(req.params.get("maxpagesize")),
        )
        return page_answer(req, page.value, page.after)

    return await own_face(req, answer)


@blueprint.route(route="messages/{messageId}", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def get_message(req: func.HttpRequest) -> func.HttpResponse:
    """One message: its state, history, segments, and why it was blocked."""

    async def answer() -> func.HttpResponse:
        return json_answer(await services().messages.get_message(req.route_params["messageId"]))

    return await own_face(req, answer)


@blueprint.route(
    route="messages/{messageId}", methods=["DELETE"], auth_level=func.AuthLevel.FUNCTION
)
async def cancel_message(req: func.HttpRequest) -> func.HttpResponse:
    """Take one message out of a send that still waits."""

    async def answer() -> func.HttpResponse:
        parley, message_id = services(), req.route_params["messageId"]
        await parley.sending.api.cancel(message_id)
        return json_answer(await parley.messages.get_message(message_id))

    return await own_face(req, answer)


@blueprint.route(route="messages:preview", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
async def preview_message(req: func.HttpRequest) -> func.HttpResponse:
    """What a send would come to. Sends nothing."""

    async def answer() -> func.HttpResponse:
        return json_answer(await services().sending.preview.preview_of(read(req)))

    return await own_face(req, answer)
