"""Events that could not be understood: listed, shown, handed to their handler again, dropped."""

from __future__ import annotations

import azure.functions as func

from functions.http import json_answer, own_face, page_answer
from shared.base.pages import read_limit
from shared.receiving.quarantine import PAGES
from shared.services import services

blueprint = func.Blueprint()


@blueprint.route(route="quarantine", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def list_quarantine(req: func.HttpRequest) -> func.HttpResponse:
    """What could not be understood, and why."""

    async def answer() -> func.HttpResponse:
        page = await services().receiving.quarantine.list_events(
            after=PAGES.after(req.params.get("after")),
            limit=read_limit(req.params.get("maxpagesize")),
        )
        return page_answer(req, page.value, page.after)

    return await own_face(req, answer)


@blueprint.route(
    route="quarantine/{handler}/{name}", methods=["GET"], auth_level=func.AuthLevel.FUNCTION
)
async def get_quarantined(req: func.HttpRequest) -> func.HttpResponse:
    """One event, whole."""

    async def answer() -> func.HttpResponse:
        params = req.route_params
        return json_answer(
            await services().receiving.quarantine.get_event(params["handler"], params["name"])
        )

    return await own_face(req, answer)


@blueprint.route(
    route="quarantine/{handler}/{name}:retry", methods=["POST"], auth_level=func.AuthLevel.FUNCTION
)
async def retry_quarantined(req: func.HttpRequest) -> func.HttpResponse:
    """Hand it to its handler again."""

    async def answer() -> func.HttpResponse:
        params = req.route_params
        return json_answer(
            await services().receiving.quarantine.retry(params["handler"], params["name"])
        )

    return await own_face(req, answer)


@blueprint.route(
    route="quarantine/{handler}/{name}", methods=["DELETE"], auth_level=func.AuthLevel.FUNCTION
)
async def drop_quarantined(req: func.HttpRequest) -> func.HttpResponse:
    """Give an event up."""

    async def answer() -> func.HttpResponse:
        params = req.route_params
        return json_answer(
            await services().receiving.quarantine.drop(params["handler"], params["name"])
        )

    return await own_face(req, answer)
