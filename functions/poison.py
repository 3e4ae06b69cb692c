"""Messages that could not be worked on: listed with their reason, put back, dropped.

Whatever the host has moved to a poison queue joins them.
"""

from __future__ import annotations

import azure.functions as func

from functions.http import json_answer, own_face, page_answer
from functions.queues import taken
from shared.base.pages import read_limit
from shared.jobs.poison import PAGES
from shared.services import services

blueprint = func.Blueprint()


@blueprint.queue_trigger(
    arg_name="message", queue_name="record-poison", connection="PARLEY_STORAGE"
)
async def record_poison(message: func.QueueMessage) -> None:
    """Collect one message of `record`."""
    await services().poison.collect(taken("record", message))


@blueprint.queue_trigger(
    arg_name="message", queue_name="dispatch-poison", connection="PARLEY_STORAGE"
)
async def dispatch_poison(message: func.QueueMessage) -> None:
    """Collect one message of `dispatch`."""
    await services().poison.collect(taken("dispatch", message))


@blueprint.route(route="poison", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def list_poison(req: func.HttpRequest) -> func.HttpResponse:
    """What could not be worked on, and why."""

    async def answer() -> func.HttpResponse:
        limit = read_limit(req.params.get("maxpagesize"))
        items = await services().poison.list_kept(
            after=PAGES.after(req.params.get("after")), limit=limit + 1
        )
        last = items[limit - 1] if len(items) > limit else None
        after = f"{last['queue']}~{last['id']}" if last is not None else None
        return page_answer(req, items[:limit], after)

    return await own_face(req, answer)


@blueprint.route(
    route="poison/{queue}/{id}:retry", methods=["POST"], auth_level=func.AuthLevel.FUNCTION
)
async def put_back(req: func.HttpRequest) -> func.HttpResponse:
    """Have a message worked on again."""

    async def answer() -> func.HttpResponse:
        params = req.route_params
        return json_answer(await services().poison.put_back(params["queue"], params["id"]))

    return await own_face(req, answer)


@blueprint.route(
    route="poison/{queue}/{id}", methods=["DELETE"], auth_level=func.AuthLevel.FUNCTION
)
async def drop_poison(req: func.HttpRequest) -> func.HttpResponse:
    """Give a message up."""

    async def answer() -> func.HttpResponse:
        params = req.route_params
        return json_answer(await services().poison.drop(params["queue"], params["id"]))

    return await own_face(req, answer)
