"""Delivery reports: Event Grid's `Microsoft.Communication.SMSDeliveryReportReceived`.

Also `GET /deliveryReports/{messageId}`, as ACS has it.
"""

from __future__ import annotations

import azure.functions as func

from functions.events import envelope
from functions.http import acs_face, json_answer
from shared.services import services

blueprint = func.Blueprint()


@blueprint.event_grid_trigger(arg_name="event")
async def delivery_report(event: str) -> None:
    """Take one report in."""
    await services().receiving.delivery_reports.record_report(envelope(event))


@blueprint.route(
    route="deliveryReports/{messageId}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS
)
async def get_delivery_report(req: func.HttpRequest) -> func.HttpResponse:
    """The report of one message. Parley itself checks the signature."""

    async def answer() -> func.HttpResponse:
        return json_answer(
            await services().messages.get_delivery_report(req.route_params["messageId"])
        )

    return await acs_face(req, answer)
