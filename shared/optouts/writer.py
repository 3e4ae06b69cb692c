"""Making changes: one transaction over head, log, state and cause, repeated until it is certain.

The order of reads is the proof: the head first, then what the change depends on, then a transaction
that only holds if the head is still the one that was read. A doubtful answer (time-out, 5xx, 412)
is settled by the `src:` rows, read after a fresh head: a late commit of our own either shows there
or moves the head away from under the next try.

A change that says what holds anyway gets no row, so that a nightly repetition of all opt-outs costs
no check anything. Whether it was this very change that made it so, its `src:` row says.

A halt (`shared.optouts.halt`) stops no writer: a STOP is written whatever else is wrong.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from azure.core import MatchConditions
from azure.data.tables import UpdateMode

from shared.azure import telemetry
from shared.azure.storage import Changed, StorageDown
from shared.azure.tables import Entity, Tables, etag_of
from shared.base.clock import Clock, iso
from shared.base.errors import LedgerUnavailable
from shared.base.randomness import Randomness, drawn_uuid
from shared.base.tasks import every
from shared.optouts import rows
from shared.optouts.changes import Change, Effect, Made
from shared.optouts.rows import LogHead, Salts
from shared.optouts.standing import read_state, state_row
from shared.optouts.table import Table

# A transaction holds 100 entities: the head, and three for each change.
BATCH: Final = 33
_TRIES: Final = 10
_IF_SAME: Final = {"match_condition": MatchConditions.IfNotModified}


@dataclass(frozen=True, slots=True)
class _WaitingChange:
    change: Change
    made: asyncio.Future[Made]


class Writer:
    """Makes changes; those that arrive while a commit is under way are committed together.

    Args:
        clock: for a change's time.
        randomness: for salts, and for the id of a ledger that begins.
    """

    def __init__(self, tables: Tables, clock: Clock, randomness: Randomness) -> None:
        self._table = Table(tables)
        self._clock = clock
        self._randomness = randomness
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
            await self._work_on(
                [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            )

    async def _work_on(self, batch: Sequence[_WaitingChange]) -> None:
        try:
            made = await self._commit({item.change.change_id: item.change for item in batch})
        except Exception as error:  # noqa: BLE001  # whatever it is, those who wait are told
            if len(batch) > 1 and isinstance(error, ValueError):
                # One of them cannot be written; its neighbours are somebody's STOP.
                for item in batch:
                    await self._work_on([item])
                return
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
                plan = await self._plan(head, changes, made)
                if plan.writes:
                    await self._table.commit(plan.operations())
            except (Changed, StorageDown):
                doubt = True
            else:
                self._count(changes, plan.made)
                return made | plan.made
        raise LedgerUnavailable("The opt-out ledger could not be written; nothing is certain yet.")

    async def _plan(
        self, head: LogHead, changes: dict[str, Change], made: dict[str, Made]
    ) -> _ChangePlan:
        """What has to be written for all that was not made before; adds to `made` what was."""
        people = await self._people(changes.values())
        looked_for: set[str] = set()
        while True:
            plan = _ChangePlan(head, people, iso(self._clock()), self._randomness)
            for key, change in changes.items():
                if key not in made:
                    plan.add_change(change)
            same = [k for k, m in plan.made.items() if m.effect is Effect.UNCHANGED]
            if not (unsure := [key for key in same if key not in looked_for]):
                return plan
            # Perhaps it holds because of this very change, whose maker has not lived to tell of it.
            looked_for.update(unsure)
            made |= await self._made_before(unsure)

    def _count(self, changes: Mapping[str, Change], made: Mapping[str, Made]) -> None:
        now = self._clock()
        for key, result in made.items():
            change = changes[key]
            if result.effect is Effect.UNCHANGED:
                continue
            kind = {
                "direction": str(change.direction),
                "channel": str(change.channel),
                "effect": str(result.effect),
            }
            telemetry.OPT_OUTS.add(1, kind)
            lag = max(0.0, (now - change.said_at).total_seconds())
            telemetry.LEDGER_LAG.record(lag, {"channel": str(change.channel)})

    async def _head(self) -> LogHead:
        entity = await self._table.get(rows.HEAD)
        return rows.read_head(entity, etag_of(entity) if entity is not None else None)

    async def _made_before(self, changes: Iterable[str]) -> dict[str, Made]:
        ids = list(changes)
        found = await every(*(self._table.get(rows.source_key(change_id)) for change_id in ids))
        return {
            change_id: rows.read_source(entity)
            for change_id, entity in zip(ids, found, strict=True)
            if entity is not None
        }

    async def _people(self, changes: Iterable[Change]) -> dict[str, Entity | None]:
        people = list(dict.fromkeys(change.person for change in changes))
        found = await every(*(self._table.get(rows.state_key(person)) for person in people))
        return dict(zip(people, found, strict=True))


class _ChangePlan:
    """The transaction that makes some changes, built one by one.

    Args:
        head: as it was read.
        people: the state rows of everybody concerned, read after the head.
        time: now, ISO.
        randomness: for salts.
    """

    def __init__(
        self,
        head: LogHead,
        people: Mapping[str, Entity | None],
        time: str,
        randomness: Randomness,
    ) -> None:
        self._head = head
        self._states = {person: read_state(row) for person, row in people.items()}
        self._time = time
        self._randomness = randomness
        self._inserts: list[Entity] = []
        self.made: dict[str, Made] = {}

    def add_change(self, change: Change) -> None:
        """Put one change behind those added before."""
        state = self._states[change.person]
        effect = state.effect_of(change)
        if effect is Effect.UNCHANGED:
            standing = state.say_again(change)
            self.made[change.change_id] = Made(
                standing.sequence, effect, fresh=True, recorded=standing.recorded
            )
            return
        sequence = self._head.sequence + 1
        salts = Salts.drawn(self._randomness(2 * rows.SALT_BYTES))
        log = rows.log_row(
            change,
            sequence=sequence,
            recorded=self._time,
            effect=effect,
            salts=salts,
            before=self._head.chain,
        )
        state.add(change, sequence=sequence, recorded=self._time, effect=effect)
        self._head = replace(self._head, sequence=sequence, chain=bytes.fromhex(log["chain"]))
        source = rows.source_row(change, sequence=sequence, effect=effect, salts=salts)
        self._inserts += [log, source]
        self.made[change.change_id] = Made(sequence, effect, fresh=True, recorded=self._time)

    @property
    def writes(self) -> bool:
        """Whether anything has to be written."""
        return any(state.touched for state in self._states.values())

    def operations(self) -> list[tuple[Any, ...]]:
        """The transaction, guarded by the head's ETag."""
        head = self._head
        if head.etag is None:
            begun = replace(head, ledger_id=drawn_uuid(self._randomness))
            guard: tuple[Any, ...] = ("create", rows.head_row(begun))
        else:
            same = {"mode": UpdateMode.REPLACE, "etag": head.etag} | _IF_SAME
            guard = ("update", rows.head_row(head), same)
        return [
            guard,
            *(("create", row) for row in self._inserts),
            *(
                ("upsert", state_row(person, state), {"mode": UpdateMode.REPLACE})
                for person, state in self._states.items()
                if state.touched
            ),
        ]
