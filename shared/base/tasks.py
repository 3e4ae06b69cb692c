"""Several things at once, with nothing left running."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar


async def every(*awaitables: Any) -> list[Any]:
    """Wait for all of them, then raise the first error, if any: nothing is left running."""
    results = await asyncio.gather(*awaitables, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


_A = TypeVar("_A")
_B = TypeVar("_B")


async def both(
    first: Awaitable[_A], second: Awaitable[_B]
) -> tuple[_A | BaseException, _B | BaseException]:
    """Both results, or what they raised: neither is left running when the other fails."""
    return await asyncio.gather(first, second, return_exceptions=True)
