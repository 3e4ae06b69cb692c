"""Events that could not be understood: listed, shown, handed to their handler again, dropped."""

from __future__ import annotations

import azure.functions as func

from functions.http import json_answer, own_face, page_answer
from shared.errors import NotFound
from shared.messages.reading import read_limit
from shared.quarantine import read_cursor
from shared.services import services

blueprint = func.Blueprint()
_RETRY = "retry"


@blueprint.route(route="quarantine", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def list_quarantine(req: func.HttpRequest) -> func.HttpResponse:
    """What could not be understood, and why."""

    async def answer() -> func.HttpResponse:
        page = await services().quarantine.page(
            after=read_cursor(req.params.get("after")),
            limit=read_limit(req.params.get("maxpagesize")),
        )
        return page_answer(req, page.value, page.after)

    return await own_face(answer)


@blueprint.route(
    route="quarantine/{handler}/{name}", methods=["GET"], auth_level=func.AuthLevel.FUNCTION
)
async def get_quarantined(req: func.HttpRequest) -> func.HttpResponse:
    """One event, whole."""

    async def answer() -> func.HttpResponse:
        params = req.route_params
        return json_answer(await services().quarantine.event(params["handler"], params["name"]))

    return await own_face(answer)


# A route template cannot be trusted to take a literal colon, so the operation is a parameter.
@blueprint.route(
    route="quarantine/{handler}/{action}", methods=["POST"], auth_level=func.AuthLevel.FUNCTION
)
async def retry_quarantined(req: func.HttpRequest) -> func.HttpResponse:
    """`POST /quarantine/{handler}/{name}:retry`: hand it to its handler again."""

    async def answer() -> func.HttpResponse:
        name, _, operation = req.route_params["action"].partition(":")
        if operation != _RETRY:
            raise NotFound("There is no such operation.")
        return json_answer(await services().quarantine.retry(req.route_params["handler"], name))

    return await own_face(answer)


@blueprint.route(
    route="quarantine/{handler}/{name}", methods=["DELETE"], auth_level=func.AuthLevel.FUNCTION
)
async def drop_quarantined(req: func.HttpRequest) -> func.HttpResponse:
    """Give an event up."""

    async def answer() -> func.HttpResponse:
        params = req.route_params
        return json_answer(await services().quarantine.drop(params["handler"], params["name"]))

    return await own_face(answer)
