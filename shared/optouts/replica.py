"""The ledger in this process's memory: exact at the moment of each check, for one operation.

A check asks storage only for the log rows past the last one seen here. Requests that wait at the
same moment share one query, but never one that was sent before they asked: it might have missed
what was said in between.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Final

from shared.azure.storage import StorageDown
from shared.azure.tables import Entity, Tables
from shared.base.errors import LedgerUnavailable
from shared.optouts import rows
from shared.optouts.changes import Direction, Effect, sender_scope
from shared.optouts.table import Table

_MEMBERS: Final = ["RowKey", "sequence", "address", "scope", "direction", "effect"]
_BEGINNING: Final = "hea"


class _Known:
    """The log as far as it has been read, folded into who is closed."""

    def __init__(self) -> None:
        self.position = 0
        self.closed: dict[int, int] = {}

    def apply(self, row: Entity) -> None:
        """Take in the next change."""
        self.position = row["sequence"]
        if row["effect"] != Effect.APPLIED:
            return
        mark = _mark(row["address"], row["scope"])
        if row["direction"] == Direction.OUT:
            self.closed[mark] = self.position
        else:
            self.closed.pop(mark, None)


class Replica:
    """Who is closed for whom, as far as the log has been read."""

    def __init__(self, tables: Tables) -> None:
        self._table = Table(tables)
        self._known = _Known()
        self._loaded = False
        self._news = _NextRun(self._read_news)

    @property
    def position(self) -> int:
        """The sequence of the last change seen."""
        return self._known.position

    async def news(self) -> None:
        """Take in every change that was committed before this call.

        Raises:
            LedgerUnavailable: if the log cannot be read or has a gap. Nobody may be texted then.
        """
        try:
            await self._news()
        except StorageDown as error:
            raise LedgerUnavailable("The opt-out ledger could not be read.") from error

    def closed_by(self, address: str, sender: str) -> int | None:
        """The sequence of the change that closes `address` for `sender`, or None if it is open."""
        return self._known.closed.get(_mark(address, sender_scope(sender)))

    async def _read_news(self) -> None:
        if self._loaded and await self._read(self._known, rows.log_key(self._known.position)):
            return
        # The first time, or after a gap: from the beginning, head included. Aside, because
        # requests whose own news were good still decide by what is known here.
        self._loaded, fresh = False, _Known()
        if not await self._read(fresh, _BEGINNING):
            raise LedgerUnavailable("The opt-out ledger's log has a gap; nothing is sent.")
        self._loaded, self._known = True, fresh

    async def _read(self, known: _Known, low: str) -> bool:
        """Apply the rows past `low`; False if they are not contiguous with what is known."""
        # Read from the beginning, the log is as long as its head says at least; a log without a
        # head is none.
        promised = None if low == _BEGINNING else known.position
        async for row in self._table.between(low, rows.LOG_END, select=_MEMBERS):
            if row["RowKey"] == rows.HEAD:
                promised = row["sequence"]
            elif promised is None or row["sequence"] != known.position + 1:
                return False
            else:
                known.apply(row)
        return known.position >= (promised or 0)


def _mark(address: str, scope: str) -> int:
    # 64 bits instead of two strings. A collision (one in 10^13 at a million opt-outs) would block
    # one person too many, never text one.
    return int.from_bytes(hashlib.blake2b(f"{address}|{scope}".encode(), digest_size=8).digest())


class _NextRun:
    """Runs an action for callers; each gets a run that began after the call, shared if possible."""

    def __init__(self, action: Callable[[], Awaitable[None]]) -> None:
        self._action = action
        self._running: asyncio.Future[None] | None = None
        self._next: asyncio.Future[None] | None = None

    async def __call__(self) -> None:
        if self._next is None:
            self._next = asyncio.ensure_future(self._run_after(self._running))
        # A caller that gives up does not take the run away from the others.
        await asyncio.shield(self._next)

    async def _run_after(self, previous: asyncio.Future[None] | None) -> None:
        if previous is not None:
            await asyncio.wait([previous])
        self._running, self._next = self._next, None
        await self._action()
