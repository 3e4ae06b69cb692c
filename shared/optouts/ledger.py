"""The ledger as the rest of Parley sees it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.azure.blobs import Blobs
from shared.azure.tables import Tables
from shared.base.clock import Clock, from_iso
from shared.base.randomness import Randomness
from shared.base.tasks import few_at_once
from shared.optouts import rows
from shared.optouts.changes import ERASED_MARGIN, Change, Direction, Made, sender_scope
from shared.optouts.halt import Halts
from shared.optouts.replica import Replica
from shared.optouts.standing import PersonState, Said, read_state
from shared.optouts.table import Table
from shared.optouts.witness import WitnessBlob
from shared.optouts.writer import Writer
from shared.rules.persons import person


@dataclass(frozen=True, slots=True)
class Decision:
    """What decides one scope of a person, with the log row that says why.

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
    """What the ledger says of one person, however the number is written.

    Attributes:
        decisions: what decides each scope now, in the order of scopes.
        history: log rows, newest first: its latest 50 changes and whatever decides.
    """

    decisions: list[Decision]
    history: list[dict[str, Any]]


class Ledger:
    """One ledger per deployment.

    Args:
        blobs: of the record's account; for what a process knows and the table has lost.
        host_blobs: of the host's account, where the witness is.
        randomness: for the salts of hashes.

    Attributes:
        halts: what stops all sending, and lets it go on.
    """

    def __init__(
        self,
        tables: Tables,
        blobs: Blobs,
        host_blobs: Blobs,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._table = Table(tables)
        witness = WitnessBlob(host_blobs)
        self.halts = Halts(self._table, blobs, witness, clock, randomness)
        self._replica = Replica(self._table, self.halts, witness)
        self._writer = Writer(tables, clock, randomness)

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

    def erased_up_to(self, address: str) -> datetime | None:
        """Up to when all that was accepted for a person is erased; None where nothing is.

        Exact as of the last `news`.
        """
        ordered = self._replica.erased_at(address)
        return None if ordered is None else ordered + ERASED_MARGIN

    async def change(self, changes: Sequence[Change]) -> list[Made]:
        """Make changes, each once however often it is asked for.

        Raises:
            LedgerUnavailable: it is not certain that they were made; repeating is safe.
        """
        return await self._writer.make(changes)

    async def closed_before(self, address: str, sender: str, moment: datetime) -> bool:
        """Whether the change that closes `address` for `sender` now was in the log at `moment`."""
        standing = (await self._state(address)).scopes.get(sender_scope(sender))
        return (
            standing is not None
            and standing.direction is Direction.OUT
            and from_iso(standing.recorded) < moment
        )

    async def entry(self, sequence: int) -> dict[str, Any] | None:
        """One log row as the interface shows it, or None."""
        row = await self._table.get(rows.log_key(sequence))
        return _shown(row) if row is not None else None

    async def change_at(self, sequence: int) -> Change | None:
        """The change at a place in the log, without its cause and words; None if there is none."""
        row = await self._table.get(rows.log_key(sequence))
        if row is None:
            return None
        rows.check_version(row)
        return rows.change_in(row)

    async def account(self, address: str) -> Account:
        """What decides each scope of a person now, and the latest changes.

        One operation, and one for each entry shown.
        """
        state = await self._state(address)
        scopes = sorted(state.scopes.items())
        sequences = {s.sequence for _, s in scopes} | {s.sequence for s in state.history}

        async def one(sequence: int) -> tuple[int, dict[str, Any]]:
            return sequence, await self.entry(sequence) or {}

        entries = dict(await few_at_once(one, sorted(sequences, reverse=True)))
        return Account(
            [Decision(scope, s.direction, entries[s.sequence]) for scope, s in scopes],
            list(entries.values()),
        )

    async def said(self, address: str, sender: str) -> list[Said]:
        """The latest changes of a person that are about a sender; one operation."""
        scope = sender_scope(sender)
        return [said for said in (await self._state(address)).history if said.scope == scope]

    async def log(self, after: int) -> AsyncGenerator[dict[str, Any], None]:
        """The log's rows past a sequence, in its order, with the message that caused each."""
        async for row in self._table.between(rows.log_key(after), rows.MARKS):
            yield {**_shown(row), "messageId": row["messageId"]}

    async def evidence(self, change_id: str) -> dict[str, Any] | None:
        """The words and the cause of a change, or None if it was never made or was erased."""
        row = await self._table.get(rows.source_key(change_id))
        if row is None or "evidence" not in row:
            return None
        found: dict[str, Any] = json.loads(row["evidence"].decode("utf-8", "surrogatepass"))
        return found

    async def _state(self, address: str) -> PersonState:
        return read_state(await self._table.get(rows.state_key(person(address))))


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    rows.check_version(row)
    return {
        "sequence": row["sequence"],
        "time": row["recorded"],
        "saidAt": row["said"],
        "address": row["address"],
        "sender": row["sender"],
        "scope": sender_scope(row["sender"]),
        "program": row["program"],
        "categories": row["categories"],
        "direction": row["direction"],
        "channel": row["channel"],
        "rule": row["rule"],
        "effect": row["effect"],
        "addressHash": row["addressHash"],
        "evidenceHash": row["evidenceHash"],
        "leafHash": row["leaf"],
        "chain": row["chain"],
    }
