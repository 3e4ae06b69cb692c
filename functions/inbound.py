"""People's texts: Event Grid's `Microsoft.Communication.SMSReceived`."""

from __future__ import annotations

import azure.functions as func

from functions.events import envelope
from shared.services import services

blueprint = func.Blueprint()


@blueprint.event_grid_trigger(arg_name="event")
async def inbound(event: str) -> None:
    """Take one text in."""
    await services().receiving.inbound.record_text(envelope(event))
