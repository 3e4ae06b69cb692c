"""Opt-outs: `POST /sms/optouts:add|remove|check` as ACS has them, and one person's account."""

from __future__ import annotations

from typing import Any

import azure.functions as func

from functions.http import acs_face, json_answer, own_face
from shared.addresses import BadAddress, recipient
from shared.errors import InvalidRequest, NotFound
from shared.optouts import BY_OPERATOR, Operation, OptOutItem
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
        address = _recipient(req.route_params["recipient"])
        return json_answer(await services().optouts.account(address))

    return await own_face(answer)


# As above: number and operation are one parameter.
@blueprint.route(route="optouts/{action}", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
async def change_by_operator(req: func.HttpRequest) -> func.HttpResponse:
    """`:add` and `:remove`: an operator's change, with the reason for it."""

    async def answer() -> func.HttpResponse:
        written, _, operation = req.route_params["action"].rpartition(":")
        if not written or operation not in BY_OPERATOR:
            raise NotFound("There is no such operation.")
        found = await services().optouts.by_operator(
            _recipient(written), BY_OPERATOR[operation], req.get_body()
        )
        return json_answer(found)

    return await own_face(answer)


def _recipient(text: str) -> str:
    try:
        return recipient(text)
    except BadAddress as error:
        raise InvalidRequest.of("recipient", str(error)) from None


def _item(item: OptOutItem) -> dict[str, Any]:
    shown: dict[str, Any] = {"to": item.to, "httpStatusCode": item.status}
    if item.is_opted_out is not None:
        shown["isOptedOut"] = item.is_opted_out
    if item.error is not None:
        shown["errorMessage"] = item.error
    return shown
