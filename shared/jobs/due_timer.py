"""The minute's timer of the table `due`: it queues what is due within two minutes.

It queues first and marks afterwards: a run that is cut off in between queues something twice, which
every kind of work bears. What was never queued comes first, minute by minute, so that a crowd holds
up nothing but itself; what is queued again follows, once the whole table has been read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from shared.base import log
from shared.base.clock import Clock
from shared.base.tasks import few_at_once
from shared.jobs.dispatch import Dispatch
from shared.jobs.due import (
    HORIZON,
    Due,
    Turn,
    first_messages,
    had_its_turn,
    queued_again,
    turn_of,
)
from shared.jobs.due_table import DueTable, Heartbeat


class DueTimer:
    """Queues what is due.

    Args:
        table: the rows.
        dispatch: the queue.
    """

    def __init__(self, table: DueTable, dispatch: Dispatch, clock: Clock) -> None:
        self._table = table
        self._dispatch = dispatch
        self._clock = clock

    async def run(self) -> None:
        """Queue what is due within two minutes, and again what has not been done.

        Raises:
            StorageDown: the next run does what this one has not.
        """
        now = self._clock()
        minute, first, count = "", list[Due](), 0
        again: list[Due] = []
        async for due in self._table.due_by(now + HORIZON):
            turn = turn_of(due, now)
            if turn is Turn.REST:
                continue
            if turn is Turn.AGAIN:
                again.append(due)
                continue
            if due.place.partition("-")[0] != minute:
                count += await self._queue_first(first, now)
                minute, first = due.place.partition("-")[0], []
            first.append(due)
        count += await self._queue_first(first, now)
        repeated = await self._queue_again(again, now)
        beat = Heartbeat(now, count, repeated, len(again) - repeated)
        if beat.first or beat.again or beat.behind:
            log.event("due.queued", first=beat.first, again=beat.again, behind=beat.behind)
        await self._table.beat(beat)

    async def _queue_first(self, dues: Sequence[Due], now: datetime) -> int:
        """Queue works of one minute, by partitions."""

        async def partition(together: Sequence[Due]) -> None:
            for message in first_messages(together, now):
                await self._table.announce(message)
                await self._table.mark(message)

        by_place = [list(group) for _, group in groupby(dues, key=lambda due: due.place)]
        await few_at_once(partition, by_place)
        return len(dues)

    async def _queue_again(self, dues: Sequence[Due], now: datetime) -> int:
        """Queue works that are still there, unless the queue has not come to them; how many."""
        if not dues:
            return 0
        head = await self._dispatch.first_visible()
        repeated = [queued_again(due, now) for due in dues if had_its_turn(due, head)]

        async def one(due: Due) -> None:
            await self._table.announce([due])
            await self._table.mark([due])

        await few_at_once(one, repeated)
        for due in repeated:
            log.trouble("due.queued_again", kind=due.kind, work=due.work_id, times=due.queued)
        return len(repeated)
