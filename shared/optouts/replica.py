"""The ledger in this process's memory: exact at the moment of each check, for one operation.

A check asks storage only for the log rows past the last one seen here, and for what lies behind the
log: its head, and the halt. Requests that wait at the same moment share one query, but never one
that was sent before they asked: it might have missed what was said in between.

The chain through the rows says whether the table is still the one that was read before. If not
(`shared.optouts.halt`), nothing is sent by anybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from shared.azure.storage import StorageDown
from shared.base.errors import LedgerUnavailable, LedgerUnreadable
from shared.optouts import rows
from shared.optouts.changes import NOBODY
from shared.optouts.halt import Halts, Marks
from shared.optouts.known import Known, mark_of
from shared.optouts.rows import LogHead
from shared.optouts.table import Table
from shared.optouts.witness import WitnessBlob
from shared.rules.persons import person

# What a load asks for: of changes what decides and would have to be said again, and the marks. A
# check meets few rows, which are cheaper read whole than by a URL with all these names.
_LOADED: Final = [
    *("RowKey", "version", "sequence", "direction", "person", "sender", "said", "effect", "leaf"),
    *("chain", "ledgerId", "lifts", "since", "why", "known", "knownChain", "found", "foundChain"),
]
_GAP: Final = "The opt-out ledger's log has a gap; nothing is sent until its rows are back."


class Replica:
    """Who is closed for whom, as far as the log has been read."""

    def __init__(self, table: Table, halts: Halts, witness: WitnessBlob) -> None:
        self._table = table
        self._halts = halts
        self._witness = witness
        self._known = Known()
        # What is read from the beginning: aside, because requests whose own news were good still
        # decide by what is known. What a failed load has read, the next one goes on from.
        self._loading: Known | None = Known()
        self._news = _NextRun(self._read_news)

    @property
    def position(self) -> int:
        """The sequence of the last change seen."""
        return self._known.position

    async def news(self) -> None:
        """Take in every change that was committed before this call.

        Raises:
            LedgerUnavailable: if the log cannot be read, has a gap, or is halted. Nobody may be
                texted then.
        """
        try:
            await self._news()
        except StorageDown as error:
            raise LedgerUnavailable("The opt-out ledger could not be read.") from error

    def closed_by(self, address: str, sender: str) -> int | None:
        """The sequence of the change that closes `address` for `sender`, or None if it is open."""
        return self._known.closed.get(mark_of(person(address), sender))

    def erased_at(self, address: str) -> datetime | None:
        """When the erasure of a person was last ordered, or None."""
        return self._known.erased.get(mark_of(person(address), NOBODY))

    async def _read_news(self) -> None:
        if self._loading is None:
            await self._read_on(self._known)
        # The first time; or because a halt was lifted, and the table is another one since.
        if self._loading is not None:
            await self._load()

    async def _load(self) -> None:
        witness = await self._witness.read()
        await self._read_on(self._loading or Known())
        if self._loading is None:
            return
        await self._halts.hold_against(witness, self._loading.head)
        self._known, self._loading = self._loading, None

    async def _read_on(self, known: Known) -> None:
        """Take in what is new; after that `known` is all of the log, unless it has to be read anew.

        Raises:
            LedgerHalted: the table is not the one that `known` was read from, or somebody else has
                found that.
            LedgerUnavailable: a row is missing.
        """
        marks = await self._read(known)
        if known.is_at(marks.head):
            known.agree(marks.head)
            if marks.halt is not None:
                raise self._halts.tell(marks.halt)
            return
        if await self._still_holds(known, marks.head):
            raise LedgerUnavailable(_GAP)
        halted = None
        if marks.halt is not None:
            halted = self._halts.tell(marks.halt)
        elif marks.head.lifts <= known.head.lifts:
            halted = await self._halts.stop_all(known.head, marks.head, _why(known.head))
        await self._halts.keep(known)
        if halted is not None:
            raise halted
        # An operator has looked at this table and lifted the halt: it is the ledger now.
        self._loading = Known()
        await self._load()

    async def _read(self, known: Known) -> Marks:
        """Take in the rows that go on from `known`, all of them; what lies behind them."""
        while True:
            before, continues = known.position, True
            head, halt = LogHead(), None
            loads = None if known is self._known else _LOADED
            found = self._table.between(rows.log_key(before), rows.LOG_END, select=loads)
            async for row in found:
                key = row["RowKey"]
                if key == rows.HEAD:
                    head = rows.read_head(row)
                elif key == rows.HALT:
                    halt = rows.read_halt(row)
                elif key.startswith(rows.MARKS):
                    # A newer version may stop somebody by it.
                    raise LedgerUnreadable(key, "unknown", rows.LAYOUT)
                elif continues:
                    continues = known.take_in(row)
            # A head ahead of the last row was written between two pages: its rows are there now.
            if not continues or head.sequence <= known.position or known.position == before:
                return Marks(head, halt)

    async def _still_holds(self, known: Known, head: LogHead) -> bool:
        """Whether the table has the last change that was read, as it was read."""
        if not known.position:
            return known.head.ledger_id in {"", head.ledger_id}
        return known.holds(await self._table.get(rows.log_key(known.position)))


def _why(knew: LogHead) -> str:
    return (
        f"Change {knew.sequence} of the opt-out ledger had been read, and the table does not hold"
        " it: it was put back to an earlier state, or made anew."
    )


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
