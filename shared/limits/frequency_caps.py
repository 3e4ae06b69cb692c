"""At most one text a person in so many hours, for campaigns that ask for it.

A row of table `caps` says which send texted a person last, however the number was written. A chunk
that comes again finds its own send there and is let through, so that the limit is exact and a
repeat changes nothing. Partition and row are named by a keyed hash: neither holds a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from azure.core import MatchConditions

from shared.azure.storage import Changed
from shared.azure.table_keys import key_part
from shared.azure.tables import Entity, TableOperation, Tables, etag_of
from shared.base.clock import Clock, from_iso, iso
from shared.base.digests import keyed_digest
from shared.rules.persons import person

TABLE: Final = "caps"
_TRIES: Final = 5
_TRANSACTION: Final = 100


class FrequencyCaps:
    """Says whether somebody may be texted again.

    Args:
        id_key: from which the hashes are derived.
    """

    def __init__(self, tables: Tables, clock: Clock, id_key: bytes) -> None:
        self._id_key = id_key
        self._tables = tables
        self._clock = clock

    async def admit(self, program: str, address: str, send_id: str, hours: int) -> bool:
        """Whether this send may text somebody; it is then the one that did.

        Args:
            program: within which the limit holds.
            address: E.164.
            send_id: derived, so that a repeat has the same.
            hours: how long ago the last text must be.
        """
        now, whom = self._clock(), self._hash_of(address)
        row: Entity = {
            # Two digits, so that one program is not one partition.
            "PartitionKey": f"{key_part(program)}~{whom[:2]}",
            "RowKey": whom,
            "sendId": send_id,
            "at": iso(now),
        }

        async def step() -> bool:
            if await self._tables.insert(TABLE, row) is not None:
                return True
            known = await self._tables.get(TABLE, row["PartitionKey"], whom)
            if known is None:
                raise Changed
            if known["sendId"] == send_id:
                return True
            if now - from_iso(known["at"]) < timedelta(hours=hours):
                return False
            await self._tables.merge(TABLE, row, etag=etag_of(known))
            return True

        try:
            return await self._tables.change(step, tries=_TRIES)
        except Changed:
            # Somebody else has just texted them.
            return False

    async def forget(self, now: datetime, most: int) -> int:
        """Delete the rows of those whom no order can ask about any more; how many went.

        Args:
            now: the time.
            most: rows that are looked at.
        """
        old = self._tables.query(
            TABLE,
            "at lt @before",
            select=["PartitionKey", "RowKey"],
            before=iso(now - timedelta(hours=MOST_HOURS)),
        )
        count = seen = 0
        rows: list[Entity] = []
        async for row in old:
            if rows and (
                len(rows) == _TRANSACTION or row["PartitionKey"] != rows[0]["PartitionKey"]
            ):
                count += await self._delete(rows)
                rows = []
            if seen == most:
                break
            seen += 1
            rows.append(row)
        return count + (await self._delete(rows) if rows else 0)

    def _hash_of(self, address: str) -> str:
        return keyed_digest(self._id_key, "cap", person(address)).hex()[:32]

    async def _delete(self, rows: Sequence[Entity]) -> int:
        operations: list[TableOperation] = [
            (
                "delete",
                row,
                {"etag": etag_of(row), "match_condition": MatchConditions.IfNotModified},
            )
            for row in rows
        ]
        try:
            await self._tables.commit(TABLE, operations)
        except Changed:
            # One of them has been texted meanwhile; the others can wait for the next time.
            return 0
        return len(rows)


# So that it can be forgotten after that time when somebody was texted.
MOST_HOURS: Final = 24 * 366
