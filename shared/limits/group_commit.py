"""One at a time where one row decides, and those who wait meanwhile go together.

Every reservation in a partition changes the same row there. Within one process such changes would
only get into each other's way; so each partition has one commit at a time, and what arrives while
it is under way goes into the next. Between processes ETags decide, and the one that loses tries
again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from shared.azure.storage import Changed, StorageDown

_TRIES: Final = 25
_DOUBTFUL_TRIES: Final = 3
_J = TypeVar("_J")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[_J, _R]):
    job: _J
    done: asyncio.Future[_R]


class GroupCommit(Generic[_J, _R]):
    """Commits jobs, by partition.

    Args:
        commit: does the jobs of a partition together; their results in the same order. It is told
            whether an earlier attempt at the same jobs may have gone through. It raises `Changed`
            where somebody else was first.
        most: jobs that are done together.
        pause: before a further attempt, which it is told the number of.
    """

    def __init__(
        self,
        commit: Callable[[str, Sequence[_J], bool], Awaitable[Sequence[_R]]],
        *,
        most: int,
        pause: Callable[[int], Awaitable[None]],
    ) -> None:
        self._commit = commit
        self._most = most
        self._pause = pause
        self._waiting: dict[str, deque[_Waiting[_J, _R]]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}

    async def run(self, partition: str, job: _J) -> _R:
        """The result of the job.

        Raises:
            StorageDown: nothing is certain. Repeating is safe.
        """
        loop = asyncio.get_running_loop()
        waiting: _Waiting[_J, _R] = _Waiting(job, loop.create_future())
        self._waiting.setdefault(partition, deque()).append(waiting)
        if partition not in self._workers:
            self._workers[partition] = loop.create_task(self._work(partition))
        return await waiting.done

    async def _work(self, partition: str) -> None:
        waiting = self._waiting[partition]
        try:
            while waiting:
                batch = [waiting.popleft() for _ in range(min(self._most, len(waiting)))]
                await self._settle(partition, batch)
        finally:
            # Between the last look and here nothing is awaited: nobody is left behind.
            del self._waiting[partition], self._workers[partition]

    async def _settle(self, partition: str, batch: Sequence[_Waiting[_J, _R]]) -> None:
        try:
            results = await self._certain(partition, [item.job for item in batch])
        except Exception as error:  # noqa: BLE001  # whatever it is, those who wait are told
            for item in batch:
                if not item.done.done():
                    item.done.set_exception(error)
        else:
            for item, result in zip(batch, results, strict=True):
                if not item.done.done():
                    item.done.set_result(result)

    async def _certain(self, partition: str, jobs: Sequence[_J]) -> Sequence[_R]:
        doubts = 0
        for attempt in range(_TRIES):
            if attempt:
                await self._pause(attempt)
            try:
                return await self._commit(partition, jobs, attempt > 0)
            except Changed:
                continue
            except StorageDown:
                doubts += 1
                if doubts == _DOUBTFUL_TRIES:
                    raise
        raise StorageDown("A limit could not be counted: too many count at once.")
