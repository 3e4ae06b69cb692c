"""Sends to many whose entries are yet to be written: a row that stands for all of them.

A hundred entries cost too much on the way to ACS. So the row that begins the attempt has one other
beside it: in the sender's first partition, `~pending~{sendId}`, with `ours`, `at` (when the attempt
began), `tag`, and in `persons` for each recipient the 16 digits of the pair and the 10 of the
message id, as 13 bytes. What a person answers is looked for there, too. The `record` queue then has
the entries written in a transaction for each partition, the last of which takes the row away under
its ETag, so that a reader finds one or the other. What nobody has finished within ten minutes the
minute's timer does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from azure.core import MatchConditions

from shared.azure.storage import Changed
from shared.azure.tables import Entity, Tables, etag_of
from shared.base import ids
from shared.base.clock import from_iso, iso
from shared.conversations.entries import TABLE, Entry
from shared.conversations.store import MOST_IN_A_TRANSACTION, Conversations
from shared.rules.conversation_ids import PAIR_BYTES, partition_of

_PENDING: Final = "~pending~"
_OF_A_SENDER: Final = "PartitionKey eq @partition and RowKey gt @low and RowKey lt @high"
_IN_A_SPAN: Final = f"{_OF_A_SENDER} and ours eq @ours and at ge @since and at lt @before"
_OLD: Final = f"{_OF_A_SENDER} and at lt @before"
_ENTRY_BYTES: Final = 13
_IF_SAME: Final = MatchConditions.IfNotModified


@dataclass(frozen=True, slots=True)
class PendingText:
    """A text of a send whose entries are yet to be written.

    Attributes:
        message_id: its id.
        tag: the application's.
        at: when its attempt began.
    """

    message_id: str
    tag: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class PendingSend:
    """A send whose entries are yet to be written.

    Attributes:
        send_id: its id.
        ours: the sender.
        addresses: of its recipients.
        tag: the application's.
        at: when its attempt began.
    """

    send_id: str
    ours: str
    addresses: Sequence[str]
    tag: str | None
    at: datetime


class PendingSends:
    """The rows that stand for sends to many.

    Args:
        tables: where they are.
        conversations: the entries that they stand for.
        id_key: from which message ids are derived.
    """

    def __init__(self, tables: Tables, conversations: Conversations, id_key: bytes) -> None:
        self._id_key = id_key
        self._tables = tables
        self._conversations = conversations
        self._ids = conversations.ids

    async def insert(self, pending: PendingSend) -> str | None:
        """Write the row of a send; its ETag. None if it is there. One operation."""
        ours, send_id = pending.ours, pending.send_id
        row = {
            **self._keys(ours, send_id),
            "ours": ours,
            "at": iso(pending.at),
            "tag": pending.tag or "",
            # On the way to ACS: nothing is made here that the row does not hold.
            "persons": b"".join(
                self._ids.pair_bytes(ours, address)
                + ids.message_digits(self._id_key, send_id, address)
                for address in pending.addresses
            ),
        }
        return await self._tables.insert(TABLE, row)

    async def remove(self, ours: str, send_id: str, etag: str) -> None:
        """Take a row away that nothing is to follow.

        Raises:
            Changed: somebody else changed it since.
        """
        keys = self._keys(ours, send_id)
        await self._tables.remove(TABLE, keys["PartitionKey"], keys["RowKey"], etag=etag)

    async def texts_to(
        self, ours: str, theirs: str, *, since: datetime, before: datetime
    ) -> list[PendingText]:
        """What the sender sent the person in a span of time, the newest first; one query."""
        pair = self._ids.pair_bytes(ours, theirs)
        rows = self._tables.query(
            TABLE, _IN_A_SPAN, ours=ours, since=iso(since), before=iso(before), **self._range(ours)
        )
        found = [
            PendingText(f"{send_id}.{digits}", row["tag"] or None, from_iso(row["at"]))
            async for row in rows
            for send_id, digits in _messages_of(row, pair)
        ]
        return sorted(found, key=lambda text: text.at, reverse=True)

    async def older_than(self, ours: str, moment: datetime) -> list[tuple[str, str]]:
        """Sends of a sender that wait for their entries since before a moment, with ETags."""
        rows = self._tables.query(
            TABLE, _OLD, select=["RowKey"], before=iso(moment), **self._range(ours)
        )
        return [(row["RowKey"].removeprefix(_PENDING), etag_of(row)) async for row in rows]

    async def finish(
        self, ours: str, send_id: str, entries: Sequence[Entry], etag: str | None
    ) -> None:
        """Write the entries of a send to many and take its row away; at most four transactions.

        Doing it twice is once, also where another does it at the same time.

        Args:
            ours: the sender.
            send_id: the send's.
            entries: all that it comes to.
            etag: of its row, as it was written. None where that is not known: one operation more.
        """
        keys = self._keys(ours, send_id)
        transactions = self._conversations.operations(entries)
        # The row's own partition comes last, alone or with entries if there is room.
        mine = [part for part in transactions if _partition(part) == keys["PartitionKey"]]
        last = mine.pop() if mine and len(mine[-1]) < MOST_IN_A_TRANSACTION else []
        for part in [p for p in transactions if _partition(p) != keys["PartitionKey"]] + mine:
            await self._conversations.commit(part)

        # As it was written it is tried once; what has changed since is read.
        given = [etag] if etag is not None else []

        async def step() -> None:
            known = given.pop() if given else await self._etag(keys)
            taken: list[Any] = []
            if known is not None:
                condition = {"etag": known, "match_condition": _IF_SAME}
                taken = [("delete", keys, condition)]
            if last or taken:
                await self._conversations.commit([*last, *taken])

        try:
            await self._tables.change(step)
        except Changed:
            # Whoever was faster each time has the row to finish.
            if last:
                await self._conversations.commit(last)

    async def _etag(self, keys: Entity) -> str | None:
        row = await self._tables.get(TABLE, keys["PartitionKey"], keys["RowKey"])
        return etag_of(row) if row is not None else None

    def _keys(self, ours: str, send_id: str) -> Entity:
        return {"PartitionKey": self._partition(ours), "RowKey": _PENDING + send_id}

    def _range(self, ours: str) -> dict[str, Any]:
        partition = self._partition(ours)
        return {"partition": partition, "low": _PENDING, "high": _PENDING + "~"}

    def _partition(self, ours: str) -> str:
        return partition_of(self._ids.sender(ours), 0)


def _messages_of(row: Entity, pair: bytes) -> Iterator[tuple[str, str]]:
    persons, send_id = row["persons"], row["RowKey"].removeprefix(_PENDING)
    for start in range(0, len(persons), _ENTRY_BYTES):
        if persons[start : start + PAIR_BYTES] == pair:
            digits = persons[start + PAIR_BYTES : start + _ENTRY_BYTES].hex()
            yield send_id[: ids.ULID_LENGTH], digits


def _partition(operations: Sequence[Any]) -> str:
    return str(operations[0][1]["PartitionKey"])
