"""Waiting for what happens in another process and announces itself to nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

_T = TypeVar("_T")
_PAUSE_SECONDS = 0.03
# Far beyond what anything here takes: it turns a hang into a failure with a reason, no more.
_PATIENCE_SECONDS = 60


class NeverHappened(AssertionError):
    """What was waited for did not come."""


async def eventually(
    look: Callable[[], Awaitable[_T | None]], what: str, *, seconds: float = _PATIENCE_SECONDS
) -> _T:
    """What `look` finds, as soon as that is true.

    Raises:
        NeverHappened: it never was; the message holds what was seen last.
    """
    seen = None
    try:
        async with asyncio.timeout(seconds):
            while not (seen := await look()):  # noqa: ASYNC110  # nobody there to set an event
                await asyncio.sleep(_PAUSE_SECONDS)
    except TimeoutError as error:
        raise NeverHappened(f"{what}; seen last: {seen!r}") from error
    return seen
