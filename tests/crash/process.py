"""What a forked process does: it serves a few invocations as the functions host would, and dies."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from azure.core.pipeline.transport import AioHttpTransport

from local.host import FunctionsHost, InvocationFailed
from shared import services, settings
from shared.base.clock import utc_now
from tests.crash.calls import Plan, WitnessedTransport

FUNCTION_KEY: Final = "the-function-key-of-crash-tests"


class ShiftedClock:
    """The time, plus as many seconds as a step asks for."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> datetime:
        return utc_now() + timedelta(seconds=self.seconds)


def run(host: FunctionsHost, order: Mapping[str, Any], trace: Path) -> None:
    """Serve the steps of an order, one after the other.

    Args:
        host: loaded, not started.
        order: `{"steps": [...], "plan": {...}, "unreachable": [...], "settings": {...}}`.
        trace: the file that calls and answers are written to.
    """
    descriptor = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    asyncio.run(_run(host, order, descriptor))


async def _run(host: FunctionsHost, order: Mapping[str, Any], trace: int) -> None:
    plan = Plan(**order["plan"]) if order.get("plan") else None
    clock = ShiftedClock()
    transport = WitnessedTransport(
        AioHttpTransport(), trace=trace, plan=plan, unreachable=order.get("unreachable", ())
    )
    async with transport:
        chosen = settings.load({**os.environ, **order.get("settings", {})})
        services.provide(services.build(chosen, transport=transport, clock=clock))
        for step in order["steps"]:
            clock.seconds = step["later"]
            transport.write({"answer": await _invoke(host, step)})


async def _invoke(host: FunctionsHost, step: Mapping[str, Any]) -> dict[str, Any]:
    if step["kind"] == "http":
        answer = await host.invoke_http(
            step["method"], step["target"], headers=step["headers"], body=step["body"].encode()
        )
        return {
            "status": answer.status,
            "headers": {name.lower(): value for name, value in answer.headers},
            "body": answer.body.decode(),
        }
    try:
        if step["kind"] == "event":
            await host.invoke_event(step["function"], step["event"])
        elif step["kind"] == "timer":
            await host.invoke_timer(step["function"])
        else:
            await host.invoke_queue(step["function"], step["body"])
    except InvocationFailed:
        return {"ok": False}
    return {"ok": True}
