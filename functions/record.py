"""The queues: `record`, left for after an answer; `dispatch`, left for its moment."""

from __future__ import annotations

import azure.functions as func

from shared.services import services

blueprint = func.Blueprint()


@blueprint.queue_trigger(arg_name="message", queue_name="record", connection="PARLEY_STORAGE")
async def record(message: func.QueueMessage) -> None:
    """Do the work of one message."""
    await services().follow_up.take(message.get_body().decode("utf-8"))


@blueprint.queue_trigger(arg_name="message", queue_name="dispatch", connection="PARLEY_STORAGE")
async def dispatch(message: func.QueueMessage) -> None:
    """Do the work of one message, or hand it on if its time has not come."""
    await services().dispatch.take(message.get_body().decode("utf-8"))
