"""A minute-by-minute world without waiting: storage in memory, a clock, processes that are killed.

The room's own code runs in it; only storage is imitated, as far as the room uses it.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from shared.azure.storage import Changed, StorageDown
from shared.azure.tables import ANY, Entity
from shared.jobs import Jobs, wire
from shared.jobs.due import Due, Standing, names_here
from shared.jobs.due_worker import Met, PutOff

START = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
# The host's: after it a dead process's message comes again.
LEASE = timedelta(minutes=10)


class Killed(BaseException):
    """The process died here."""


class KeptEntity(dict[str, Any]):
    """A row as the client library hands it out."""

    metadata: dict[str, str]


@dataclass
class Calls:
    """Every call of storage: at which it is killed, and whether it answers."""

    left: int | None = None
    down: bool = False
    count: int = 0

    def __call__(self) -> None:
        self.count += 1
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed
        if self.down:
            raise StorageDown("Storage is down.")


class MemoryTables:
    """The tables, as far as the room uses them."""

    def __init__(self, calls: Calls) -> None:
        self.rows: dict[tuple[str, str], tuple[Entity, int]] = {}
        self._calls = calls
        self._versions = itertools.count(1)

    async def put(self, _table: str, entity: Entity) -> None:
        self._calls()
        self._write(entity)

    async def merge(self, _table: str, entity: Entity, *, etag: str) -> str:
        self._calls()
        self._check(entity, etag)
        return self._write({**self.rows[_key(entity)][0], **entity})

    async def remove(self, _table: str, partition: str, row: str, *, etag: str) -> None:
        self._calls()
        assert etag == ANY
        self.rows.pop((partition, row), None)

    async def commit(self, _table: str, operations: Any, *, must_exist: bool = False) -> None:
        self._calls()
        assert must_exist
        for _, entity, *options in operations:
            self._check(entity, options[0]["etag"] if options else ANY)
        for operation, entity, *_ in operations:
            if operation == "delete":
                self.rows.pop(_key(entity), None)
            else:
                self._write({**self.rows[_key(entity)][0], **entity})

    async def get(self, _table: str, partition: str, row: str, **_: Any) -> Entity | None:
        self._calls()
        found = self.rows.get((partition, row))
        return None if found is None else found[0]

    async def query(self, _table: str, _condition: str, **named: Any) -> AsyncIterator[Entity]:
        self._calls()
        for key, (entity, version) in sorted(self.rows.items()):
            if key[0] < named["end"]:
                row = KeptEntity(entity)
                row.metadata = {"etag": str(version)}
                yield row

    def _check(self, entity: Entity, etag: str) -> None:
        found = self.rows.get(_key(entity))
        if found is None or etag not in {ANY, str(found[1])}:
            raise Changed

    def _write(self, entity: Entity) -> str:
        version = next(self._versions)
        self.rows[_key(entity)] = (dict(entity), version)
        return str(version)


def _key(entity: Entity) -> tuple[str, str]:
    return entity["PartitionKey"], entity["RowKey"]


@dataclass
class Message:
    text: str
    visible: datetime
    inserted: datetime
    attempts: int = 0


class MemoryQueues:
    """The queue, in the order in which its messages become visible."""

    def __init__(self, calls: Calls, clock: Callable[[], datetime]) -> None:
        self.messages: list[Message] = []
        self.longest = 0
        self._calls = calls
        self._clock = clock

    async def enqueue(self, _queue: str, text: str, *, delay_seconds: int = 0) -> None:
        self._calls()
        self.longest = max(self.longest, delay_seconds)
        now = self._clock()
        self.messages.append(Message(text, now + timedelta(seconds=delay_seconds), now))

    async def first(self, _queue: str) -> tuple[str, datetime | None] | None:
        self._calls()
        seen = self.visible()
        return (seen[0].text, seen[0].inserted) if seen else None

    def visible(self) -> list[Message]:
        now = self._clock()
        return sorted((m for m in self.messages if m.visible <= now), key=lambda m: m.visible)


@dataclass
class Work:
    """A work's own row.

    Attributes:
        named: the moment by which its due row was placed.
        done: when it was done.
        given_up: when it was given up.
        attempted: until when an attempt at it may be at work.
    """

    named: datetime
    done: list[datetime] = field(default_factory=list)
    given_up: list[datetime] = field(default_factory=list)
    attempted: datetime | None = None


class MemoryJob:
    """Does works whose rows are kept in memory.

    Attributes:
        works: by id.
        kills: ids of works that kill their process.
        later: what puts a work off, by id: asked each time; None lets it be done.
        begun: how often a work was begun, by id.
    """

    def __init__(self, calls: Calls, clock: Callable[[], datetime]) -> None:
        self.works: dict[str, Work] = {}
        self.kills: set[str] = set()
        self.later: dict[str, Callable[[Due], PutOff | None]] = {}
        self.begun: dict[str, int] = {}
        self._calls = calls
        self._clock = clock

    async def meet(self, work_id: str) -> Met[str] | None:
        self._calls()
        work = self.works.get(work_id)
        if work is None:
            return None
        lives = work.attempted is not None and self._clock() < work.attempted and not work.done
        return Met(Standing(work.named, lives), work_id)

    async def run(self, found: str, due: Due) -> PutOff | None:
        work = self.works[found]
        if work.done:
            return None
        if found in self.later and (later := self.later[found](due)) is not None:
            return later
        self._calls()
        self.begun[found] = self.begun.get(found, 0) + 1
        work.attempted = self._clock() + timedelta(seconds=30)
        if found in self.kills:
            raise Killed
        self._calls()
        work.done.append(self._clock())
        return None

    async def name(self, due: Due, later: Due) -> None:
        self._calls()
        work = self.works[due.work_id]
        if not names_here(due, work.named):
            raise Changed
        work.named = later.moment

    async def give_up(self, found: str, due: Due) -> None:
        self._calls()
        assert due.last
        self.works[found].given_up.append(self._clock())


class World:
    """One deployment: its storage goes on when its processes die."""

    def __init__(self) -> None:
        self.now = START
        self.calls = Calls()
        self.tables = MemoryTables(self.calls)
        self.queues = MemoryQueues(self.calls, self.clock)
        self.job = MemoryJob(self.calls, self.clock)
        self.jobs: Jobs = wire(self.tables, self.queues, self.clock)  # type: ignore[arg-type]
        self.jobs.worker.register("work", self.job)
        self.stopped = False

    def clock(self) -> datetime:
        return self.now

    async def order(self, work_id: str, moment: datetime, *, dies_at: int | None = None) -> bool:
        """Write a work down; whether its process lived to answer."""

        async def write() -> None:
            self.calls()
            self.job.works.setdefault(work_id, Work(moment))

        due = Due("work", work_id, moment)
        return await self.process(lambda: self.jobs.due.begin(due, write), dies_at=dies_at)

    async def process(
        self, run: Callable[[], Awaitable[Any]], *, dies_at: int | None = None
    ) -> bool:
        """Run something; whether it came to its end."""
        if dies_at is not None:
            self.calls.left = dies_at
        try:
            await run()
        except Killed:
            return False
        finally:
            self.calls.left = None
        return True

    async def until(self, end: datetime, *, dies: Callable[[], int | None] = lambda: None) -> None:
        """Let the time pass: the queue is worked off each second, the timer runs each minute."""
        while self.now < end:
            self.now = min(self._next(), end)
            if self.now.second == 5:
                with suppress(StorageDown):
                    await self.process(self.jobs.timer.run, dies_at=dies())
            if not self.stopped:
                await self.work_off(dies)

    def _next(self) -> datetime:
        """The next second in which something happens."""
        timer = self.now.replace(second=5)
        moments = [timer if timer > self.now else timer + MINUTE]
        if not self.stopped:
            moments += [max(m.visible, self.now + SECOND) for m in self.queues.messages]
        return min(moments)

    async def work_off(self, dies: Callable[[], int | None] = lambda: None) -> None:
        """Have what is visible done; a dead process's message comes again after its lease."""
        for message in self.queues.visible():
            message.attempts += 1
            run = partial(self.jobs.dispatch.run_work, message.text, message.attempts)
            if await self.process(run, dies_at=dies()):
                self.queues.messages.remove(message)
            else:
                message.visible = self.now + LEASE

    def due_rows(self) -> list[str]:
        return [row for place, row in self.tables.rows if place[0].isdigit()]
