"""People: having one erased, and the receipt of it. No number stands in a path."""

from __future__ import annotations

import azure.functions as func

from functions.http import json_answer, own_face
from shared.erasure.erasures import read_order
from shared.services import services

blueprint = func.Blueprint()


@blueprint.route(route="people:erase", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
async def erase_person(req: func.HttpRequest) -> func.HttpResponse:
    """Have a person erased; the receipt, which is final some days later."""

    async def answer() -> func.HttpResponse:
        address = read_order(req.get_body())
        return json_answer(await services().erasure.erasures.order(address), status=202)

    return await own_face(req, answer)


@blueprint.route(route="erasures/{erasureId}", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def get_erasure(req: func.HttpRequest) -> func.HttpResponse:
    """The receipt of an erasure, as it is now."""

    async def answer() -> func.HttpResponse:
        erasure_id = req.route_params["erasureId"]
        return json_answer(await services().erasure.erasures.get_receipt(erasure_id))

    return await own_face(req, answer)
