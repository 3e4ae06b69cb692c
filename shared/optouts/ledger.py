"""The ledger as the rest of Parley sees it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.azure.tables import Entity, Tables
from shared.base.clock import Clock, from_iso
from shared.base.tasks import few_at_once
from shared.optouts import rows
from shared.optouts.changes import Change, Direction, Made, sender_scope
from shared.optouts.replica import Replica
from shared.optouts.rows import Said
from shared.optouts.table import Table
from shared.optouts.writer import Writer


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


@dataclass(frozen=True, slots=True)
class Account:
    """What the ledger says of one address.

    Attributes:
        decisions: what decides each scope now, in the order of scopes.
        history: log rows, newest first: its latest 50 changes and whatever decides.
    """

    decisions: list[Decision]
    history: list[dict[str, Any]]


class Ledger:
    """One ledger per deployment.

    Args:
        entropy: random bytes, for the salts of evidence.
    """

    def __init__(self, tables: Tables, clock: Clock, entropy: Callable[[int], bytes]) -> None:
        self._table = Table(tables)
        self._replica = Replica(tables)
        self._writer = Writer(tables, clock, entropy)

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
        entity = await self._table.get(rows.state_key(address))
        standing = rows.read_state(entity).standings.get(sender_scope(sender))
        return (
            standing is not None
            and standing.direction is Direction.OUT
            and from_iso(standing.at) < moment
        )

    async def entry(self, sequence: int) -> dict[str, Any] | None:
        """One log row's members, or None."""
        row = await self._table.get(rows.log_key(sequence))
        return _members(row) if row is not None else None

    async def account(self, address: str) -> Account:
        """What decides each scope of an address now, and its latest changes.

        One operation, and one for each entry shown.
        """
        entity = await self._table.get(rows.state_key(address))
        state = rows.read_state(entity)
        standings = sorted(state.standings.items())
        sequences = {s.sequence for _, s in standings} | {s.sequence for s in state.history}

        async def one(sequence: int) -> tuple[int, dict[str, Any]]:
            return sequence, await self.entry(sequence) or {}

        entries = dict(await few_at_once(one, sorted(sequences, reverse=True)))
        return Account(
            [Decision(scope, s.direction, entries[s.sequence]) for scope, s in standings],
            list(entries.values()),
        )

    async def said(self, address: str, sender: str) -> list[Said]:
        """The latest changes of an address that are about a sender; one operation.

        An address whose state was written by an earlier version has those alone that decide, and
        each costs an operation more.
        """
        entity = await self._table.get(rows.state_key(address))
        state, scope = rows.read_state(entity), sender_scope(sender)
        if entity is None or state.history:
            return [said for said in state.history if said.scope == scope]
        entry = (
            await self.entry(state.standings[scope].sequence) if scope in state.standings else None
        )
        return [rows.said_in(entry)] if entry is not None else []

    async def log(self, after: int) -> AsyncGenerator[dict[str, Any], None]:
        """The log's rows past a sequence, in its order, with the message that caused each."""
        async for row in self._table.between(rows.log_key(after), rows.LOG_END):
            # Rows of earlier versions do not name their cause.
            yield {**_members(row), "messageId": row.get("messageId", "")}

    async def evidence(self, change_id: str) -> dict[str, Any] | None:
        """The words and the cause of a change, or None if it was never made or was erased."""
        row = await self._table.get(rows.source_key(change_id))
        if row is None or "evidence" not in row:
            return None
        found: dict[str, Any] = json.loads(row["evidence"].decode("utf-8", "surrogatepass"))
        return found


def _members(row: Entity) -> dict[str, Any]:
    return {name: row[name] for name in (*rows.LEAF_MEMBERS, "leafHash")}
