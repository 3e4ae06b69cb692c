"""Making changes: one transaction over head, log, state and cause, repeated until it is certain.

The order of reads is the proof: `head` first, then what the change depends on, then a transaction
that only holds if `head` is still the one that was read. A doubtful answer (time-out, 5xx, 412) is
settled by the `src:` rows, read after a fresh `head`: a late commit of our own either shows there
or moves the head away from under the next try.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from azure.core import MatchConditions
from azure.data.tables import UpdateMode

from shared.azure import telemetry
from shared.azure.storage import Changed, StorageDown
from shared.azure.tables import Entity, Tables, etag_of
from shared.base.clock import Clock, iso
from shared.base.errors import LedgerUnavailable
from shared.base.tasks import every
from shared.optouts import rows
from shared.optouts.changes import Change, Direction, Effect, Made
from shared.optouts.rows import AddressState, LogHead, ScopeState
from shared.optouts.table import Table

# A transaction holds 100 entities: the head, and three for each change.
BATCH: Final = 33
_TRIES: Final = 10
_SALT_BYTES: Final = 16
_IF_SAME: Final = {"match_condition": MatchConditions.IfNotModified}


@dataclass(frozen=True, slots=True)
class _WaitingChange:
    change: Change
    made: asyncio.Future[Made]


class Writer:
    """Makes changes; those that arrive while a commit is under way are committed together.

    Args:
        clock: for a change's time.
        entropy: random bytes, for salts.
    """

    def __init__(self, tables: Tables, clock: Clock, entropy: Callable[[int], bytes]) -> None:
        self._table = Table(tables)
        self._clock = clock
        self._entropy = entropy
        self._waiting: deque[_WaitingChange] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def make(self, changes: Sequence[Change]) -> list[Made]:
        """Make the changes; those made before are found, not made again.

        Raises:
            LedgerUnavailable: if storage did not let it be made certain. Repeating is safe.
        """
        loop = asyncio.get_running_loop()
        waiting = [_WaitingChange(change, loop.create_future()) for change in changes]
        self._waiting.extend(waiting)
        if self._worker is None or self._worker.done():
            self._worker = loop.create_task(self._work())
        return await every(*(item.made for item in waiting))

    async def _work(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            try:
                made = await self._commit({item.change.change_id: item.change for item in batch})
            except Exception as error:  # noqa: BLE001  # whatever it is, those who wait are told
                for item in batch:
                    if not item.made.done():
                        item.made.set_exception(error)
            else:
                for item in batch:
                    if not item.made.done():
                        item.made.set_result(made[item.change.change_id])

    async def _commit(self, changes: dict[str, Change]) -> dict[str, Made]:
        made: dict[str, Made] = {}
        doubt = False
        for attempt in range(_TRIES):
            if attempt:
                await self._table.pause(attempt)
            try:
                head = await self._head()
                if doubt:
                    made |= await self._made_before(changes)
                left = [change for key, change in changes.items() if key not in made]
                if not left:
                    return made
                plan = _ChangePlan(
                    head, await self._states(left), iso(self._clock()), self._entropy
                )
                fresh = {change.change_id: plan.add_change(change) for change in left}
                await self._table.commit(plan.operations())
            except (Changed, StorageDown):
                doubt = True
            else:
                self._count(left, fresh)
                return made | fresh
        raise LedgerUnavailable("The opt-out ledger could not be written; nothing is certain yet.")

    def _count(self, changes: Sequence[Change], made: dict[str, Made]) -> None:
        now = self._clock()
        for change in changes:
            kind = {
                "direction": str(change.direction),
                "channel": str(change.channel),
                "effect": str(made[change.change_id].effect),
            }
            telemetry.OPT_OUTS.add(1, kind)
            lag = max(0.0, (now - change.said_at).total_seconds())
            telemetry.LEDGER_LAG.record(lag, {"channel": str(change.channel)})

    async def _head(self) -> LogHead:
        entity = await self._table.get(rows.HEAD)
        return rows.read_head(entity, etag_of(entity) if entity is not None else None)

    async def _made_before(self, changes: dict[str, Change]) -> dict[str, Made]:
        found = await every(*(self._table.get(rows.source_key(change_id)) for change_id in changes))
        return {
            change_id: rows.read_source(entity)
            for change_id, entity in zip(changes, found, strict=True)
            if entity is not None
        }

    async def _states(self, changes: Sequence[Change]) -> dict[str, AddressState]:
        addresses = list(dict.fromkeys(change.address for change in changes))
        found = await every(*(self._table.get(rows.state_key(address)) for address in addresses))
        return {
            address: rows.read_state(entity)
            for address, entity in zip(addresses, found, strict=True)
        }


class _ChangePlan:
    """The transaction that makes some changes, built one by one."""

    def __init__(
        self,
        head: LogHead,
        states: dict[str, AddressState],
        time: str,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._etag = head.etag
        self._frontier = head.frontier
        self._states = states
        self._time = time
        self._entropy = entropy
        self._inserts: list[Entity] = []

    def add_change(self, change: Change) -> Made:
        """Put one change behind those added before."""
        sequence = self._frontier.size + 1
        state = self._states[change.address]
        standings = state.standings
        effect = Effect.APPLIED
        if _decided_later(standings.get(change.scope), change):
            effect = Effect.SUPERSEDED
        else:
            standings[change.scope] = ScopeState(
                change.direction, iso(change.said_at), sequence, self._time
            )
        state.history.append(rows.said(change, sequence=sequence, effect=effect))
        salt = self._entropy(_SALT_BYTES)
        log = rows.log_row(change, sequence=sequence, time=self._time, effect=effect, salt=salt)
        self._frontier = self._frontier.append(bytes.fromhex(log["leafHash"]))
        source = rows.source_row(change, sequence=sequence, effect=effect, salt=salt)
        self._inserts += [log, source]
        return Made(sequence, effect, fresh=True)

    def operations(self) -> list[tuple[Any, ...]]:
        """The transaction, guarded by the head's ETag."""
        head = rows.head_row(self._frontier)
        guard: tuple[Any, ...] = ("create", head)
        if self._etag is not None:
            guard = ("update", head, {"mode": UpdateMode.REPLACE, "etag": self._etag} | _IF_SAME)
        return [
            guard,
            *(("create", row) for row in self._inserts),
            *(
                ("upsert", rows.state_row(address, state), {"mode": UpdateMode.REPLACE})
                for address, state in self._states.items()
            ),
        ]


def _decided_later(standing: ScopeState | None, change: Change) -> bool:
    # Time of speech decides; at equal times the opt-out wins.
    if standing is None:
        return False
    theirs = (standing.said_at, standing.direction is Direction.OUT)
    return (iso(change.said_at), change.direction is Direction.OUT) < theirs
