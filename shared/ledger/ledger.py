"""The ledger as the rest of Parley sees it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.clock import Clock, from_iso
from shared.ledger import rows
from shared.ledger.changes import Change, Direction, Made, sender_scope
from shared.ledger.replica import Replica
from shared.ledger.writer import Writer
from shared.storage import Entity, Storage, every


@dataclass(frozen=True, slots=True)
class Decision:
    """What decides one scope of an address, with the log row that says why.

    Attributes:
        scope: e.g. `sender:+18005550100`.
        direction: out or in.
        row: the log row's members.
    """

    scope: str
    direction: Direction
    row: dict[str, Any]


class Ledger:
    """One ledger per deployment.

    Args:
        storage: where it is.
        clock: for the time of changes.
        entropy: random bytes, for the salts of evidence.
    """

    def __init__(self, storage: Storage, clock: Clock, entropy: Callable[[int], bytes]) -> None:
        self._storage = storage
        self._replica = Replica(storage)
        self._writer = Writer(storage, clock, entropy)

    async def news(self) -> None:
        """Take in every change committed before this call; one storage operation.

        Raises:
            LedgerUnavailable: nobody may be texted then.
        """
        await self._replica.news()

    def closed_by(self, address: str, sender: str) -> int | None:
        """The sequence of the change that closes `address` for `sender`; None if it is open.

        Exact as of the last `news`.
        """
        return self._replica.closed_by(address, sender)

    async def change(self, changes: Sequence[Change]) -> list[Made]:
        """Make changes, each once however often it is asked for.

        Raises:
            LedgerUnavailable: it is not certain that they were made; repeating is safe.
        """
        return await self._writer.make(changes)

    async def closed_before(self, address: str, sender: str, moment: datetime) -> bool:
        """Whether the change that closes `address` for `sender` now was in the log at `moment`."""
        entity = await self._storage.get(rows.TABLE, rows.PARTITION, rows.state_key(address))
        standing = rows.read_standings(entity).get(sender_scope(sender))
        return (
            standing is not None
            and standing.direction is Direction.OUT
            and from_iso(standing.at) < moment
        )

    async def entry(self, sequence: int) -> dict[str, Any] | None:
        """One log row's members, or None."""
        row = await self._storage.get(rows.TABLE, rows.PARTITION, rows.log_key(sequence))
        return _members(row) if row is not None else None

    async def standing(self, address: str) -> list[Decision]:
        """What decides each scope of an address now, in the order of scopes."""
        entity = await self._storage.get(rows.TABLE, rows.PARTITION, rows.state_key(address))
        standings = sorted(rows.read_standings(entity).items())
        entries = await every(*(self.entry(s.sequence) for _, s in standings))
        return [
            Decision(scope, standing.direction, row or {})
            for (scope, standing), row in zip(standings, entries, strict=True)
        ]

    async def evidence(self, change_id: str) -> dict[str, Any] | None:
        """The words and the cause of a change, or None if it was never made or was erased."""
        row = await self._storage.get(rows.TABLE, rows.PARTITION, rows.source_key(change_id))
        if row is None or "evidence" not in row:
            return None
        found: dict[str, Any] = json.loads(row["evidence"].decode("utf-8", "surrogatepass"))
        return found


def _members(row: Entity) -> dict[str, Any]:
    return {name: row[name] for name in (*rows.LEAF_MEMBERS, "leafHash")}
