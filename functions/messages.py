"""Reading messages, one or a span of them, previews, and taking one back."""

from __future__ import annotations

import azure.functions as func

from functions.http import json_answer, own_face, page_answer
from functions.send import read
from shared.base.pages import read_limit
from shared.messages.api import PAGES, read_span
from shared.messages.waiting import PAGES as WAITING_PAGES
from shared.messages.waiting import check_state
from shared.services import services

blueprint = func.Blueprint()


@blueprint.route(route="messages", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def list_messages(req: func.HttpRequest) -> func.HttpResponse:
    """Messages of a span of time, oldest first; or what is scheduled, soonest first."""

    async def answer() -> func.HttpResponse:
        parley = services()
        start, end = req.params.get("startTime"), req.params.get("endTime")
        if (state := req.params.get("state")) is not None:
            check_state(state, start, end)
            return await _list_waiting(req)
        span = read_span(start, end, parley.parts.clock())
        page = await parley.messages.list_messages(
            span,
            after=PAGES.after(req.params.get("after")),
            limit=read_limit(req.params.get("maxpagesize")),
        )
        return page_answer(req, page.value, page.after)

    return await own_face(req, answer)


async def _list_waiting(req: func.HttpRequest) -> func.HttpResponse:
    """What is scheduled; with `count=true`, how much of it there is."""
    waiting = services().waiting
    page = await waiting.list_waiting(
        after=WAITING_PAGES.after(req.params.get("after")),
        limit=read_limit(req.params.get("maxpagesize")),
    )
    counted = req.params.get("count") == "true"
    about = {"counts": await waiting.count_waiting()} if counted else None
    return page_answer(req, page.value, page.after, about)


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
