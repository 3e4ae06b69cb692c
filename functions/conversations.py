"""Conversations: which have something new, reading one, and noting that it has been read."""

from __future__ import annotations

import azure.functions as func

from functions.http import json_answer, own_face, page_answer
from shared.base.pages import read_limit
from shared.conversations import listing
from shared.conversations.api import PAGES, read_id, read_include, read_order
from shared.services import services

blueprint = func.Blueprint()


@blueprint.route(route="conversations", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def list_conversations(req: func.HttpRequest) -> func.HttpResponse:
    """Conversations, those with something new first; or those with one person."""

    async def answer() -> func.HttpResponse:
        parley = services()
        theirs = listing.read_person(req.params.get("theirs"))
        wanted = listing.Wanted(
            sender=listing.read_sender(req.params.get("ours"), parley.parts.settings.senders),
            unread=listing.read_choice("unread", req.params.get("unread")),
            unanswered=listing.read_choice("unanswered", req.params.get("unanswered")),
        )
        after = listing.PAGES.after(req.params.get("after"))
        limit = read_limit(req.params.get("maxpagesize"))
        conversations = parley.conversations.listing
        if theirs is not None:
            page = await conversations.list_with(theirs, wanted)
        else:
            page = await conversations.list_conversations(wanted, after=after, limit=limit)
        return page_answer(req, page.value, page.after)

    return await own_face(req, answer)


@blueprint.route(
    route="conversations/{conversationId}", methods=["GET"], auth_level=func.AuthLevel.FUNCTION
)
async def get_conversation(req: func.HttpRequest) -> func.HttpResponse:
    """What a sender and a person have said to each other."""

    async def answer() -> func.HttpResponse:
        found = await services().conversations.api.read_conversation(
            read_id(req.route_params["conversationId"]),
            after=PAGES.after(req.params.get("after")),
            limit=read_limit(req.params.get("maxpagesize")),
            newest_first=read_order(req.params.get("order")),
            hidden=read_include(req.params.get("include")),
        )
        between = {
            "conversationId": found.conversation_id,
            "ours": found.ours,
            "theirs": found.theirs,
        }
        return page_answer(req, found.page.value, found.page.after, between)

    return await own_face(req, answer)


@blueprint.route(
    route="conversations/{conversationId}:markRead",
    methods=["POST"],
    auth_level=func.AuthLevel.FUNCTION,
)
async def mark_read(req: func.HttpRequest) -> func.HttpResponse:
    """Note that it has been read."""

    async def answer() -> func.HttpResponse:
        marked = await services().conversations.api.mark_read(
            read_id(req.route_params["conversationId"]), req.get_body()
        )
        return json_answer(marked)

    return await own_face(req, answer)
