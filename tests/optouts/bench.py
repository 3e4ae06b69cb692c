"""A storage account with at most one ledger in it, and the rules that every ledger must fulfil.

The rules are checked from the rows alone and by means of their own: the fold, the tree and the
evidence are computed here by brute force.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.core.pipeline.transport import AsyncHttpTransport

from shared import settings
from shared.azure.storage import StorageAccount
from shared.azure.tables import Tables
from shared.base.clock import Clock, iso, utc_now
from shared.optouts import Change, Channel, Direction, Ledger
from shared.optouts.rows import LEAF_MEMBERS
from tests.support.settings import minimal

Row = dict[str, Any]
SENDER = "+18005550100"
SALT_LENGTH = 16
EARLY = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)

__all__ = ["EARLY", "SENDER", "Bench", "change", "check_rules"]


def change(
    change_id: str,
    address: str,
    direction: Direction,
    *,
    minute: int = 0,
    sender: str = SENDER,
    words: str | None = None,
) -> Change:
    """A change that was said so many minutes after one o'clock."""
    return Change(
        change_id=change_id,
        address=address,
        sender=sender,
        program="reminders",
        direction=direction,
        channel=Channel.KEYWORD,
        rule="keyword/STOP",
        said_at=EARLY + timedelta(minutes=minute),
        cause={"messageId": change_id},
        words=words,
    )


class Bench:
    """The account, and ledgers over it, each with its own way to it."""

    def __init__(self, connection_string: str, network: AsyncHttpTransport[Any, Any]) -> None:
        self._settings = settings.load(minimal(connection_string))
        self.network = network
        self.storage = Tables(StorageAccount(self._settings, transport=network))

    async def clear(self) -> None:
        """A ledger that is yet to begin, as a deployment has it."""
        await self.storage.drop_table("optouts")
        await self.storage.make_table("optouts")

    def ledger(
        self, transport: AsyncHttpTransport[Any, Any] | None = None, clock: Clock = utc_now
    ) -> Ledger:
        """A ledger as another process has it."""
        tables = Tables(StorageAccount(self._settings, transport=transport or self.network))
        return Ledger(tables, clock, _zeros)

    async def rows(self) -> dict[str, list[Row]]:
        """All rows by the prefix of their keys, in key order."""
        found: dict[str, list[Row]] = {"head": [], "log": [], "num": [], "src": []}
        query = self.storage.query("optouts", "PartitionKey eq @of", of="ledger")
        async for row in query:
            found[row["RowKey"].partition(":")[0]].append(row)
        return found


def _zeros(count: int) -> bytes:
    return bytes(count)


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash as RFC 9162, 2.1.1 defines it, by recursion."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = tree_root(leaves[:split]), tree_root(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def leaf(row: Row) -> bytes:
    """A log row's leaf: SHA-256 over 0x00 and its members as canonical JSON."""
    members = {name: row[name] for name in LEAF_MEMBERS}
    text = json.dumps(members, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(b"\x00" + text.encode()).digest()


def fold(log: Sequence[Row]) -> dict[tuple[str, str], Row]:
    """What decides each address and scope: the latest word, at equal times the opt-out."""
    deciding: dict[tuple[str, str], Row] = {}
    for row in log:
        key = row["address"], row["scope"]
        standing = deciding.get(key)
        rank = row["saidAt"], row["direction"] == "out"
        superseded = standing is not None and rank < (
            standing["saidAt"],
            standing["direction"] == "out",
        )
        assert row["effect"] == ("superseded" if superseded else "applied")
        if not superseded:
            deciding[key] = row
    return deciding


async def check_rules(bench: Bench, changes: Sequence[Change]) -> None:
    """The ledger holds exactly these changes, each once, and all its rows agree with each other."""
    rows = await bench.rows()
    log, by_id = rows["log"], {one.change_id: one for one in changes}
    assert [row["sequence"] for row in log] == list(range(1, len(by_id) + 1))
    assert [row["RowKey"] for row in log] == [f"log:{n:016d}" for n in range(1, len(by_id) + 1)]

    assert {row["changeId"] for row in rows["src"]} == set(by_id)
    for source in rows["src"]:
        entry, made = log[source["sequence"] - 1], by_id[source["changeId"]]
        assert (entry["address"], entry["direction"]) == (made.address, made.direction)
        assert (entry["saidAt"], entry["effect"]) == (iso(made.said_at), source["effect"])
        digest = hashlib.sha256(source["salt"] + source["evidence"]).hexdigest()
        assert entry["evidenceHash"] == digest
        assert len(source["salt"]) == SALT_LENGTH

    assert [row["leafHash"] for row in log] == [leaf(row).hex() for row in log]
    if log:
        (head,) = rows["head"]
        assert head["sequence"] == len(log)
        assert head["root"] == tree_root([leaf(row) for row in log]).hex()

    deciding = fold(log)
    standing = {
        (row["address"], scope): decision
        for row in rows["num"]
        for scope, decision in json.loads(row["scopes"]).items()
    }
    assert {key: d["sequence"] for key, d in standing.items()} == {
        key: row["sequence"] for key, row in deciding.items()
    }
    for key, row in deciding.items():
        assert standing[key]["direction"] == row["direction"]
        assert standing[key]["saidAt"] == row["saidAt"]

    fresh = bench.ledger()
    await fresh.news()
    for (address, _), row in deciding.items():
        closed = row["sequence"] if row["direction"] == "out" else None
        sender = row["sender"]
        assert fresh.closed_by(address, sender) == closed
