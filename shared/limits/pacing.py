"""A sender's place in time: what need not go this second is given the next free moment.

Virtual scheduling (the generic cell rate algorithm): one row a sender holds the moment from which
on it is free. Whoever wants to send moves that moment on by what the send takes, under the row's
ETag, and sends at the moment that was free before. Many processes share a sender so without a
bucket, without polling, and without a 429. A text that cannot wait is not held up; what it takes is
deducted from what follows.

When the platform says that we are too fast (429, codes 4008 and 4020), the sender slows down by
half and recovers over ten minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.azure.storage import Changed
from shared.azure.table_keys import key_part
from shared.azure.tables import Entity, Tables, etag_of
from shared.base import log
from shared.base.clock import Clock, from_iso, iso
from shared.base.errors import Unavailable
from shared.rules.senders import Sender

TABLE: Final = "pacing"
# A sender's rate is a limit on the platform's clock, which is not ours.
HEADROOM: Final = 0.985
RECOVERY: Final = timedelta(minutes=10)
SLOWEST: Final = 0.1
_SLOWER: Final = 0.5
_TRIES: Final = 30
_LONGEST_PAUSE: Final = 0.5
_FLUSH_SECONDS: Final = 1.0
_WORTH_WRITING: Final = timedelta(seconds=1)
_SAME_HASTE: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Pace:
    """Where a sender stands.

    Attributes:
        free_at: from when on it is free.
        factor: of its rate, as it was when it last slowed down; 1 is full speed.
        slowed_at: when that was.
    """

    free_at: datetime
    factor: float = 1.0
    slowed_at: datetime | None = None

    @property
    def recovered_at(self) -> datetime | None:
        """From when on it is at full speed again; None if it never slowed down."""
        return self.slowed_at + RECOVERY if self.slowed_at is not None else None

    def speed(self, now: datetime) -> float:
        """The share of its rate that a sender may use at `now`."""
        if self.slowed_at is None:
            return 1.0
        recovered = (now - self.slowed_at) / RECOVERY
        return min(1.0, self.factor + (1 - self.factor) * max(0.0, recovered))


_Change = Callable[[Pace, datetime], tuple[Pace, datetime]]


class Pacing:
    """Reserves time for senders.

    Args:
        senders: their rates.
    """

    def __init__(self, tables: Tables, clock: Clock, senders: Mapping[str, Sender]) -> None:
        self._tables = tables
        self._clock = clock
        self._senders = senders
        self._turns: dict[str, asyncio.Lock] = {}
        self._known: dict[str, tuple[Pace, str | None]] = {}
        self._owed: dict[str, int] = {}
        self._flush: asyncio.Task[None] | None = None

    async def reserve(
        self, sender: str, units: int, *, not_before: datetime | None = None
    ) -> datetime:
        """The moment at which `units` segments may leave; nobody else gets the time they take.

        Raises:
            StorageDown, PaceUnavailable: nothing is reserved for certain; a second try may waste
                a little of the sender's time, and texts nobody.
        """

        def next_free(pace: Pace, now: datetime) -> tuple[Pace, datetime]:
            start = max(pace.free_at, now, not_before or now)
            took = self._time(sender, units + owed, pace, now)
            return replace(pace, free_at=start + took), start

        owed = self._owed.pop(sender, 0)
        try:
            return await self._change(sender, next_free)
        except Unavailable:
            self._owed[sender] = self._owed.get(sender, 0) + owed
            raise

    def deduct(self, sender: str, units: int) -> None:
        """Count what left without waiting.

        Written off the caller's path once a second of the sender's time is owed, or with what is
        next reserved here: less disturbs nobody, and is not worth an operation.
        """
        self._owed[sender] = self._owed.get(sender, 0) + units
        if self.duration(sender, self._owed[sender]) < _WORTH_WRITING:
            return
        if self._flush is None or self._flush.done():
            self._flush = asyncio.get_running_loop().create_task(self._pay())

    async def slow(self, sender: str, pause_seconds: int = 0) -> None:
        """The platform found the sender too fast: half its speed, after a pause.

        What comes within ten seconds of that is of the same haste, and slows it down no further.
        """

        def slower(pace: Pace, now: datetime) -> tuple[Pace, datetime]:
            if pace.slowed_at is not None and now - pace.slowed_at < _SAME_HASTE:
                free_at = max(pace.free_at, now + timedelta(seconds=pause_seconds))
                return replace(pace, free_at=free_at), free_at
            factor = max(SLOWEST, pace.speed(now) * _SLOWER)
            free_at = max(pace.free_at, now + timedelta(seconds=pause_seconds))
            return Pace(free_at, factor, now), free_at

        await self._change(sender, slower)
        log.trouble("pacing.slowed", sender=sender)

    async def pace(self, sender: str) -> Pace:
        """Where the sender stands now."""
        row = await self._tables.get(TABLE, TABLE, key_part(sender))
        return _read(row) if row is not None else Pace(self._clock())

    async def paces(self) -> dict[str, Pace]:
        """Where every sender stands now; one query."""
        rows = self._tables.query(TABLE, "PartitionKey eq @partition", partition=TABLE)
        known = {row["RowKey"]: _read(row) async for row in rows}
        idle = Pace(self._clock())
        return {sender: known.get(key_part(sender), idle) for sender in self._senders}

    def duration(self, sender: str, units: int) -> timedelta:
        """How long `units` segments take at full speed."""
        return self._time(sender, units, Pace(self._clock()), self._clock())

    def _time(self, sender: str, units: int, pace: Pace, now: datetime) -> timedelta:
        rate = self._senders[sender].rate_per_minute * HEADROOM * pace.speed(now)
        return timedelta(minutes=units / rate)

    async def _pay(self) -> None:
        await asyncio.sleep(_FLUSH_SECONDS)
        for sender in list(self._owed):
            try:
                await self.reserve(sender, 0)
            except Exception:  # noqa: BLE001  # nobody waits for this: what is not told here is lost
                log.trouble("pacing.not_deducted", sender=sender)

    async def _change(self, sender: str, change: _Change) -> datetime:
        async def step() -> datetime:
            known = self._known.pop(sender, None) or await self._read_row(sender)
            pace, etag = known
            changed, moment = change(pace, self._clock())
            fresh = await self._write(sender, changed, etag)
            self._known[sender] = (changed, fresh)
            return moment

        # One at a time in this process; other processes are met at the ETag.
        async with self._turns.setdefault(sender, asyncio.Lock()):
            try:
                return await self._tables.change(step, tries=_TRIES)
            except Changed:
                raise PaceUnavailable(
                    "The sender's pace is being changed by too many at once."
                ) from None

    async def _read_row(self, sender: str) -> tuple[Pace, str | None]:
        row = await self._tables.get(TABLE, TABLE, key_part(sender))
        if row is None:
            return Pace(self._clock()), None
        return _read(row), etag_of(row)

    async def _write(self, sender: str, pace: Pace, etag: str | None) -> str:
        row = _row(sender, pace)
        if etag is not None:
            return await self._tables.merge(TABLE, row, etag=etag)
        made = await self._tables.insert(TABLE, row)
        if made is None:
            raise Changed
        return made


class PaceUnavailable(Unavailable):
    """No moment could be reserved."""

    code = "PaceUnavailable"


def _row(sender: str, pace: Pace) -> Entity:
    return {
        "PartitionKey": TABLE,
        "RowKey": key_part(sender),
        "freeAt": iso(pace.free_at),
        "factor": pace.factor,
        "slowedAt": iso(pace.slowed_at) if pace.slowed_at else "",
    }


def _read(row: Entity) -> Pace:
    return Pace(
        from_iso(row["freeAt"]),
        row["factor"],
        from_iso(row["slowedAt"]) if row["slowedAt"] else None,
    )
