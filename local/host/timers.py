"""Feeds timer triggers: waits for the next due moment and calls, one call at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from local.host.runtime import Datum
from local.host.schedule import Schedule


def timer_value(*, past_due: bool = False) -> Any:
    """The trigger's value as the real host sends it; the schedule's status is not kept here."""
    return Datum(json.dumps({"IsPastDue": past_due, "Schedule": {"AdjustForDST": True}}), "json")


async def follow(
    schedule: Schedule,
    run: Callable[[], Awaitable[object]],
    *,
    run_on_startup: bool,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Call `run` whenever the schedule is due, until cancelled.

    A call that outlasts its interval delays the next one; none run side by side.
    """
    if run_on_startup:
        await run()
    last = now()
    while True:
        due = schedule.next_after(max(last, now()))
        # A sleep may end early by the clock's grain; the same moment must not be due twice.
        while (wait := (due - now()).total_seconds()) > 0:
            await sleep(wait)
        last = due
        await run()
