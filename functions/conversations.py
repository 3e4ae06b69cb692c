"""Reading a conversation."""

from __future__ import annotations

from typing import Any

import azure.functions as func

from functions.http import own_face, page_answer
from shared.addresses import BadAddress, normal
from shared.clock import iso
from shared.conversations import Entry, read_cursor
from shared.errors import InvalidRequest
from shared.messages.reading import read_limit
from shared.services import services

blueprint = func.Blueprint()


@blueprint.route(
    route="conversations/{ours}/{theirs}", methods=["GET"], auth_level=func.AuthLevel.FUNCTION
)
async def get_conversation(req: func.HttpRequest) -> func.HttpResponse:
    """What a sender and a person have said to each other, oldest first."""

    async def answer() -> func.HttpResponse:
        limit = read_limit(req.params.get("maxpagesize"))
        entries = await services().conversations.read(
            _address(req, "ours"),
            _address(req, "theirs"),
            after=read_cursor(req.params.get("after")),
            limit=limit + 1,
        )
        more = entries[limit - 1].key if len(entries) > limit else None
        return page_answer(req, [_shown(entry) for entry in entries[:limit]], more)

    return await own_face(answer)


def _address(req: func.HttpRequest, name: str) -> str:
    try:
        return normal(req.route_params[name])
    except BadAddress as error:
        raise InvalidRequest.of(name, str(error)) from None


def _shown(entry: Entry) -> dict[str, Any]:
    return {
        "messageId": entry.message_id,
        "direction": "inbound" if entry.inbound else "outbound",
        "from": entry.theirs if entry.inbound else entry.ours,
        "to": entry.ours if entry.inbound else entry.theirs,
        "message": entry.text,
        "at": iso(entry.at),
        "segments": entry.segments,
        "keyword": entry.keyword,
        "tag": entry.tag,
    }
