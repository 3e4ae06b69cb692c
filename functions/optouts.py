"""Opt-outs: `POST /sms/optouts:add|remove|check` as ACS has them, `GET /optouts/{recipient}`."""

from __future__ import annotations

from typing import Any

import azure.functions as func

from functions.http import acs_face, json_answer, own_face
from shared.addresses import BadAddress, recipient
from shared.errors import InvalidRequest, NotFound
from shared.optouts import Operation, OptOutItem
from shared.services import services

blueprint = func.Blueprint()


# A route template cannot be trusted to take a literal colon, so the operation is a parameter.
@blueprint.route(route="sms/{operation}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def change_optouts(req: func.HttpRequest) -> func.HttpResponse:
    """The ACS face of the ledger."""

    async def answer() -> func.HttpResponse:
        try:
            operation = Operation(req.route_params["operation"].lower())
        except ValueError:
            raise NotFound("There is no such operation.") from None
        items = await services().optouts.answer(operation, req.get_body())
        return json_answer({"value": [_item(item) for item in items]})

    return await acs_face(req, answer)


@blueprint.route(route="optouts/{recipient}", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def get_optouts(req: func.HttpRequest) -> func.HttpResponse:
    """What the ledger says of one person, and why."""

    async def answer() -> func.HttpResponse:
        try:
            address = recipient(req.route_params["recipient"])
        except BadAddress as error:
            raise InvalidRequest.of("recipient", str(error)) from None
        decisions = await services().ledger.standing(address)
        return json_answer(
            {
                "recipient": address,
                "value": [
                    {
                        "scope": decision.scope,
                        "isOptedOut": decision.direction == "out",
                        "entry": decision.row,
                    }
                    for decision in decisions
                ],
            }
        )

    return await own_face(answer)


def _item(item: OptOutItem) -> dict[str, Any]:
    shown: dict[str, Any] = {"to": item.to, "httpStatusCode": item.status}
    if item.is_opted_out is not None:
        shown["isOptedOut"] = item.is_opted_out
    if item.error is not None:
        shown["errorMessage"] = item.error
    return shown
