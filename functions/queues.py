"""The queues: `record`, left for after an answer; `dispatch`, left for its moment; its timer."""

from __future__ import annotations

from functools import partial

import azure.functions as func

from shared.jobs.poison import Taken
from shared.services import services

blueprint = func.Blueprint()


@blueprint.queue_trigger(arg_name="message", queue_name="record", connection="PARLEY_STORAGE")
async def record(message: func.QueueMessage) -> None:
    """Do the work of one message."""
    parley = services()
    await parley.poison.guard(taken("record", message), parley.sending.follow_up.run_queued)


@blueprint.queue_trigger(arg_name="message", queue_name="dispatch", connection="PARLEY_STORAGE")
async def dispatch(message: func.QueueMessage) -> None:
    """Do the work of one message, or hand it on if its time has not come."""
    parley = services()
    found = taken("dispatch", message)
    run_work = partial(parley.parts.dispatch.run_work, attempts=found.attempts)
    await parley.poison.guard(found, run_work)


@blueprint.timer_trigger(arg_name="timer", schedule="5 * * * * *")
async def due_timer(timer: func.TimerRequest) -> None:  # noqa: ARG001  # the host binds by name
    """Once a minute: what is due soon goes to `dispatch`."""
    await services().parts.jobs.timer.run()


def taken(queue: str, message: func.QueueMessage) -> Taken:
    """A message of a queue."""
    return Taken(
        queue=queue,
        text=message.get_body().decode("utf-8"),
        attempts=message.dequeue_count or 1,
        inserted=message.insertion_time,
    )
