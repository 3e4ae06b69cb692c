"""Time and identity as the platform's parts receive them, so that a test can replay both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

Now = Callable[[], datetime]
NewId = Callable[[], str]


class Timeline(Protocol):
    """Whatever can run an action later."""

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run the action once, `seconds` from now, never before this call has returned."""

    def clear(self) -> None:
        """Forget every action that has not run yet."""


class LoopTimeline:
    """The timeline of the running event loop."""

    def __init__(self) -> None:
        self._handles: set[asyncio.TimerHandle] = set()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run the action once, `seconds` from now."""

        def run() -> None:
            self._handles.discard(handle)
            action()

        handle = asyncio.get_running_loop().call_later(max(0.0, seconds), run)
        self._handles.add(handle)

    def clear(self) -> None:
        """Cancel what has not run yet."""
        for handle in self._handles:
            handle.cancel()
        self._handles.clear()


def utc_now() -> datetime:
    """The machine's clock, in UTC."""
    return datetime.now(UTC)


def stamp(moment: datetime, digits: int = 7) -> str:
    """The moment as ACS writes it: ISO 8601, `Z`, 0 to 7 fractional digits."""
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    # .NET counts in ticks of 100 ns; Python's clock ends at microseconds.
    fraction = f"{moment.microsecond:06d}0"[:digits]
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"
