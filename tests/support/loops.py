"""An event loop for what only passes time."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop that does not wait: its clock moves on to the next timer at once."""

    def __init__(self) -> None:
        self._skipped = 0.0
        super().__init__(_Impatient(self))

    def time(self) -> float:
        return super().time() + self._skipped

    def skip(self, seconds: float) -> None:
        self._skipped += seconds


class _Impatient(selectors.SelectSelector):
    def __init__(self, loop: SkippingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout > 0:
            self._loop.skip(timeout)
        return super().select(0)
