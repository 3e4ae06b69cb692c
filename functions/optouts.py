"""Opt-outs: `POST /sms/optouts:add|remove|check` as ACS has them, and one person's account."""

from __future__ import annotations

from typing import Any

import azure.functions as func

from functions.http import acs_face, json_answer, own_face
from shared.optouts import Direction
from shared.optouts.api import Operation, OptOutItem, read_recipient
from shared.services import services

blueprint = func.Blueprint()


@blueprint.route(route="sms/optouts:add", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def add_optouts(req: func.HttpRequest) -> func.HttpResponse:
    """Opt people out of a sender."""
    return await _answer_as_acs(req, Operation.ADD)


@blueprint.route(route="sms/optouts:remove", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def remove_optouts(req: func.HttpRequest) -> func.HttpResponse:
    """Opt people in again."""
    return await _answer_as_acs(req, Operation.REMOVE)


@blueprint.route(route="sms/optouts:check", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def check_optouts(req: func.HttpRequest) -> func.HttpResponse:
    """Say who is out."""
    return await _answer_as_acs(req, Operation.CHECK)


@blueprint.route(route="optouts", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def get_optouts(req: func.HttpRequest) -> func.HttpResponse:
    """What the ledger says of one person, and why."""

    async def answer() -> func.HttpResponse:
        address = read_recipient(req.params.get("recipient"))
        return json_answer(await services().optouts.get_account(address))

    return await own_face(req, answer)


@blueprint.route(route="optouts:add", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
async def opt_out_by_operator(req: func.HttpRequest) -> func.HttpResponse:
    """An operator opts a person out, with the reason for it."""
    return await _answer_operator(req, Direction.OUT)


@blueprint.route(route="optouts:remove", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
async def opt_in_by_operator(req: func.HttpRequest) -> func.HttpResponse:
    """An operator lets a person in again, with the reason for it."""
    return await _answer_operator(req, Direction.IN)


@blueprint.route(route="optouts:halt", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def get_halt(req: func.HttpRequest) -> func.HttpResponse:
    """Whether all sending is halted because the ledger's table was put back, and why."""

    async def answer() -> func.HttpResponse:
        return json_answer(await services().optouts.get_halt())

    return await own_face(req, answer)


@blueprint.route(route="optouts:lift", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
async def lift_halt(req: func.HttpRequest) -> func.HttpResponse:
    """An operator, having looked, lets sending go on from the table as it is."""

    async def answer() -> func.HttpResponse:
        return json_answer(await services().optouts.lift_halt(req.get_body()))

    return await own_face(req, answer)


async def _answer_as_acs(req: func.HttpRequest, operation: Operation) -> func.HttpResponse:
    async def answer() -> func.HttpResponse:
        items = await services().optouts.change_or_check(operation, req.get_body())
        return json_answer({"value": [_item(item) for item in items]})

    return await acs_face(req, answer)


async def _answer_operator(req: func.HttpRequest, direction: Direction) -> func.HttpResponse:
    async def answer() -> func.HttpResponse:
        return json_answer(await services().optouts.change_by_operator(direction, req.get_body()))

    return await own_face(req, answer)


def _item(item: OptOutItem) -> dict[str, Any]:
    shown: dict[str, Any] = {"to": item.to, "httpStatusCode": item.status}
    if item.is_opted_out is not None:
        shown["isOptedOut"] = item.is_opted_out
    if item.error is not None:
        shown["errorMessage"] = item.error
    return shown
