"""Conversations: which have something new, reading one, and noting that it has been read."""

from __future__ import annotations

import azure.functions as func

from functions.http import json_answer, own_face, page_answer
from shared.base.errors import InvalidRequest
from shared.base.pages import read_limit
from shared.conversations import listing
from shared.conversations.api import PAGES, read_order
from shared.rules.addresses import BadAddress, normal
from shared.services import services

blueprint = func.Blueprint()


@blueprint.route(route="conversations", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def list_conversations(req: func.HttpRequest) -> func.HttpResponse:
    """Conversations, those with something new first."""

    async def answer() -> func.HttpResponse:
        parley = services()
        page = await parley.conversations.listing.list_conversations(
            sender=listing.read_sender(req.params.get("from"), parley.parts.settings.senders),
            unread=listing.read_unread(req.params.get("unread")),
            after=listing.PAGES.after(req.params.get("after")),
            limit=read_limit(req.params.get("maxpagesize")),
        )
        return page_answer(req, page.value, page.after)

    return await own_face(req, answer)


@blueprint.route(
    route="conversations/{ours}/{theirs}", methods=["GET"], auth_level=func.AuthLevel.FUNCTION
)
async def get_conversation(req: func.HttpRequest) -> func.HttpResponse:
    """What a sender and a person have said to each other."""

    async def answer() -> func.HttpResponse:
        page = await services().conversations.api.read_conversation(
            _address("ours", req.route_params["ours"]),
            _address("theirs", req.route_params["theirs"]),
            after=PAGES.after(req.params.get("after")),
            limit=read_limit(req.params.get("maxpagesize")),
            newest_first=read_order(req.params.get("order")),
        )
        return page_answer(req, page.value, page.after)

    return await own_face(req, answer)


@blueprint.route(
    route="conversations/{ours}/{theirs}:markRead",
    methods=["POST"],
    auth_level=func.AuthLevel.FUNCTION,
)
async def mark_read(req: func.HttpRequest) -> func.HttpResponse:
    """Note that it has been read."""

    async def answer() -> func.HttpResponse:
        marked = await services().conversations.api.mark_read(
            _address("ours", req.route_params["ours"]),
            _address("theirs", req.route_params["theirs"]),
            req.get_body(),
        )
        return json_answer(marked)

    return await own_face(req, answer)


def _address(name: str, text: str) -> str:
    try:
        return normal(text)
    except BadAddress as error:
        raise InvalidRequest.of(name, str(error)) from None
