"""The clock's work, and the app's health."""

from __future__ import annotations

import azure.functions as func

from functions.http import json_answer, own_face
from shared.health import HEALTHY
from shared.services import services

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="0 5 0 * * *")
async def upkeep_daily(timer: func.TimerRequest) -> None:  # noqa: ARG001  # the host binds by name
    """Every day at 00:05 UTC."""
    await services().upkeep.daily()


@blueprint.route(route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def health(req: func.HttpRequest) -> func.HttpResponse:
    """Whether each dependency answers; 503 if one does not."""

    async def answer() -> func.HttpResponse:
        report = await services().health.report()
        return json_answer(report, status=200 if report["status"] == HEALTHY else 503)

    return await own_face(req, answer)
