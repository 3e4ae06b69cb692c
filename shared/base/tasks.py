"""Several things at once, with nothing left running."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, TypeVar

AT_ONCE: Final = 8


async def every(*awaitables: Any) -> list[Any]:
    """Wait for all of them, then raise the first error, if any: nothing is left running."""
    tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    await asyncio.gather(*tasks, return_exceptions=True)
    # Asked of each, because a result can be an error that was not raised.
    return [task.result() for task in tasks]


_A = TypeVar("_A")
_B = TypeVar("_B")


async def few_at_once(
    work: Callable[[_A], Awaitable[_B]], things: Iterable[_A], at_once: int = AT_ONCE
) -> list[_B]:
    """The work's results for all things, in their order; as `every`, but only a few run at once.

    Args:
        work: what is to be done with each.
        things: they are all begun, also after one has failed.
        at_once: how many are under way at any time.
    """
    room = asyncio.Semaphore(at_once)

    async def one(thing: _A) -> _B:
        async with room:
            return await work(thing)

    return await every(*map(one, things))


async def settled(*awaitables: Any) -> list[Any]:
    """What each of them returned or raised, once all have: none is left running."""
    return await asyncio.gather(*awaitables, return_exceptions=True)


async def both(
    first: Awaitable[_A], second: Awaitable[_B]
) -> tuple[_A | BaseException, _B | BaseException]:
    """Both results, or what they raised: neither is left running when the other fails."""
    return await asyncio.gather(first, second, return_exceptions=True)
