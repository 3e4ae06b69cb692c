"""A storage account with at most one ledger in it, and the rules that every ledger must fulfil.

The rules are checked from the rows alone and by means of their own: the fold, the chain and the
evidence are computed here by brute force.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.core.exceptions import ResourceExistsError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.storage.blob.aio import BlobServiceClient

from shared import settings
from shared.azure.blobs import Blobs
from shared.azure.storage import StorageAccount
from shared.azure.tables import Tables
from shared.base.clock import Clock, iso, utc_now
from shared.base.randomness import SYSTEM
from shared.optouts import Change, Channel, Direction, Ledger
from shared.optouts.rows import LEAF_MEMBERS
from shared.optouts.standing import read_state
from shared.optouts.witness import BLOB, CONTAINER
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
    program: str = "reminders",
    channel: Channel = Channel.KEYWORD,
    words: str | None = None,
) -> Change:
    """A change that was said so many minutes after one o'clock."""
    return Change(
        change_id=change_id,
        address=address,
        sender=sender,
        program=program,
        direction=direction,
        channel=channel,
        rule="keyword/STOP",
        said_at=EARLY + timedelta(minutes=minute),
        cause={"messageId": change_id},
        words=words,
    )


class Bench:
    """The account, and ledgers over it, each with its own way to it."""

    def __init__(self, connection_string: str, network: AsyncHttpTransport[Any, Any]) -> None:
        self._settings = settings.load(minimal(connection_string))
        self.connection = connection_string
        self.network = network
        account = StorageAccount(self._settings, transport=network)
        self.storage, self.blobs = Tables(account), Blobs(account)

    async def make_container(self, name: str) -> None:
        """A container, as Bicep makes it."""
        client = BlobServiceClient.from_connection_string(self.connection, transport=self.network)
        with suppress(ResourceExistsError):
            await client.create_container(name)

    async def clear(self) -> None:
        """A ledger that is yet to begin, as a deployment has it: no row, no witness."""
        await self.storage.drop_table("optouts")
        await self.storage.make_table("optouts")
        await self.blobs.delete(CONTAINER, BLOB)
        async for kept in self.blobs.list("ledger"):
            await self.blobs.delete("ledger", kept.name)

    def ledger(
        self, transport: AsyncHttpTransport[Any, Any] | None = None, clock: Clock = utc_now
    ) -> Ledger:
        """A ledger as another process has it."""
        account = StorageAccount(self._settings, transport=transport or self.network)
        blobs = Blobs(account)
        return Ledger(Tables(account), blobs, blobs, clock, SYSTEM)

    async def rows(self) -> dict[str, list[Row]]:
        """All rows by the prefix of their keys, in key order; those behind the log by their own."""
        found: dict[str, list[Row]] = {"head": [], "halt": [], "log": [], "num": [], "src": []}
        query = self.storage.query("optouts", "PartitionKey eq @of", of="ledger")
        async for row in query:
            kind, _, rest = row["RowKey"].partition(":")
            found[rest[1:] if rest.startswith("~") else kind].append(row)
        return found

    async def copy(self) -> list[Row]:
        """The whole table, as a backup has it."""
        return [row for rows in (await self.rows()).values() for row in rows]

    async def put_back(self, copy: Sequence[Row]) -> None:
        """Set the table back to a copy of it."""
        table = self.storage.table("optouts")
        for row in await self.copy():
            await table.delete_entity("ledger", row["RowKey"])
        for row in copy:
            await self.storage.insert("optouts", row)


def chain_of(log: Sequence[Row]) -> list[str]:
    """The chain at each row: SHA-256 over the one before it and the row's leaf."""
    chain, found = bytes(32), []
    for row in log:
        chain = hashlib.sha256(chain + leaf(row)).digest()
        found.append(chain.hex())
    return found


def leaf(row: Row) -> bytes:
    """A log row's leaf: SHA-256 over 0x00 and its members as canonical JSON."""
    members = {name: row[name] for name in LEAF_MEMBERS}
    text = json.dumps(members, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(b"\x00" + text.encode()).digest()


def latest_words(changes: Sequence[Change]) -> dict[tuple[str, str], Change]:
    """What holds for each person and sender: the latest word, at equal times the opt-out."""
    found: dict[tuple[str, str], Change] = {}
    for one in sorted(changes, key=lambda one: (one.said_at, one.direction is Direction.OUT)):
        found[one.person, one.sender] = one
    return found


def check_log(log: Sequence[Row], head: Row | None, sources: Sequence[Row]) -> None:
    """The log has no gap and one chain, which ends at the head; each row has its cause."""
    assert [row["sequence"] for row in log] == list(range(1, len(log) + 1))
    assert [row["RowKey"] for row in log] == [f"log:{n:016d}" for n in range(1, len(log) + 1)]
    assert [row["leaf"] for row in log] == [leaf(row).hex() for row in log]
    assert [row["chain"] for row in log] == chain_of(log)
    if head is not None:
        assert (head["sequence"], head["chain"]) == (len(log), log[-1]["chain"])
        assert (head["layout"], len(head["ledgerId"])) == (2, 36)
    assert {row["changeId"] for row in log} == {row["changeId"] for row in sources}
    for source in sources:
        row = log[source["sequence"] - 1]
        assert (row["changeId"], row["effect"]) == (source["changeId"], source["effect"])
        assert sha256(source["evidenceSalt"], source["evidence"]) == row["evidenceHash"]
        whom = f"{row['address']}|{row['person']}".encode()
        assert sha256(source["addressSalt"], whom) == row["addressHash"]
        assert len(source["addressSalt"]) == len(source["evidenceSalt"]) == SALT_LENGTH
        assert source["addressSalt"] != source["evidenceSalt"]


async def check_rules(bench: Bench, changes: Sequence[Change]) -> None:
    """The ledger holds these changes, none twice, and all its rows agree with each other.

    A change without a row says what holds because of another one.
    """
    rows = await bench.rows()
    log, by_id = rows["log"], {one.change_id: one for one in changes}
    check_log(log, rows["head"][0] if log else None, rows["src"])
    applied: dict[tuple[str, str], Row] = {}
    for row in log:
        made = by_id.pop(row["changeId"])
        assert (row["person"], row["address"]) == (made.person, made.address)
        assert (row["direction"], row["said"]) == (made.direction, iso(made.said_at))
        if row["effect"] == "applied":
            before = applied.get((row["person"], row["sender"]))
            assert before is None or before["direction"] != row["direction"]
            applied[row["person"], row["sender"]] = row
    logged = {(row["person"], row["sender"], row["direction"]) for row in log}
    assert {(one.person, one.sender, str(one.direction)) for one in by_id.values()} <= logged

    words = latest_words(changes)
    standing = {
        (row["person"], scope.removeprefix("sender:")): state
        for row in rows["num"]
        for scope, state in read_state(row).scopes.items()
    }
    assert standing.keys() == words.keys()
    fresh = bench.ledger()
    await fresh.news()
    for key, state in standing.items():
        last, decides = words[key], applied[key]
        assert (state.direction, state.said_at) == (last.direction, iso(last.said_at))
        assert (state.sequence, state.direction) == (decides["sequence"], decides["direction"])
        closed = state.sequence if last.direction is Direction.OUT else None
        assert fresh.closed_by(last.address, last.sender) == closed


def sha256(salt: bytes, data: bytes) -> str:
    """A salted hash, as rows have it."""
    return hashlib.sha256(salt + data).hexdigest()
