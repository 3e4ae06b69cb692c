"""The clock's work."""

from __future__ import annotations

import azure.functions as func

from shared.services import services

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="0 5 0 * * *")
async def upkeep_daily(timer: func.TimerRequest) -> None:  # noqa: ARG001  # the host binds by name
    """Every day at 00:05 UTC."""
    await services().upkeep.daily()
