"""Analytics: what was counted, as JSON or CSV; the timer that counts; a span counted again."""

from __future__ import annotations

import azure.functions as func

from functions.http import json_answer, own_face
from shared.analytics.api import empty_row, read_query, read_rebuild
from shared.analytics.spreadsheet import as_csv
from shared.base.clock import iso
from shared.base.json_body import parse_json
from shared.services import services

blueprint = func.Blueprint()


# Minutes are folded 90 seconds after their end.
@blueprint.timer_trigger(arg_name="timer", schedule="35 * * * * *")
async def fold_rollups(timer: func.TimerRequest) -> None:  # noqa: ARG001  # the host binds by name
    """Once a minute: count, move the ledger's witness on, write what was left to be written."""
    await services().upkeep.every_minute()


@blueprint.route(route="analytics", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def get_analytics(req: func.HttpRequest) -> func.HttpResponse:
    """What was sent in a span of time, and what became of it."""

    async def answer() -> func.HttpResponse:
        parley = services()
        query = read_query(req.params, parley.parts.clock())
        found = await parley.analytics.api.answer(query)
        if not query.as_csv:
            return json_answer(found)
        return func.HttpResponse(
            as_csv(found["value"], like=empty_row(query)),
            headers={
                "Content-Disposition": 'attachment; filename="analytics.csv"',
                "X-Content-Type-Options": "nosniff",
            },
            mimetype="text/csv",
            charset="utf-8",
        )

    return await own_face(req, answer)


@blueprint.route(route="analytics:rebuild", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
async def rebuild_analytics(req: func.HttpRequest) -> func.HttpResponse:
    """The timer folds the facts of a span again."""

    async def answer() -> func.HttpResponse:
        parley = services()
        start, end = read_rebuild(parse_json(req.get_body()), parley.parts.clock())
        await parley.analytics.timer.request_recount(start, end)
        return json_answer({"startTime": iso(start), "endTime": iso(end)}, status=202)

    return await own_face(req, answer)
