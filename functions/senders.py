"""The configured senders, and how busy each is."""

from __future__ import annotations

import azure.functions as func

from functions.http import own_face, page_answer
from shared.services import services

blueprint = func.Blueprint()


@blueprint.route(route="senders", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def list_senders(req: func.HttpRequest) -> func.HttpResponse:
    """Every configured sender with its pace, in the order of the setting."""

    async def answer() -> func.HttpResponse:
        return page_answer(req, await services().limits.sender_status.list_senders(), None)

    return await own_face(req, answer)
