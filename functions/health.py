"""The app's health."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import azure.functions as func

from functions.http import json_answer, own_face
from shared.health import HEALTHY
from shared.services import services

blueprint = func.Blueprint()


@blueprint.route(route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def health(req: func.HttpRequest) -> func.HttpResponse:
    """Whether all is well, in one word; 503 if it is not. The answer is up to ten seconds old."""

    async def answer() -> func.HttpResponse:
        report = await services().health.report()
        return json_answer({"status": report["status"]}, status=_status_of(report))

    return await own_face(req, answer)


@blueprint.route(route="health/details", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def health_details(req: func.HttpRequest) -> func.HttpResponse:
    """Whether each dependency answers, and which versions run; 503 if one does not."""

    async def answer() -> func.HttpResponse:
        report = await services().health.report()
        return json_answer(report, status=_status_of(report))

    return await own_face(req, answer)


def _status_of(report: Mapping[str, Any]) -> int:
    return 200 if report["status"] == HEALTHY else 503
