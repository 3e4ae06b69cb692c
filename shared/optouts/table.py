"""The ledger's table: it is there, or nothing is known.

Everywhere else a table that is not there is an empty one, and is made when first written to. Here
that would read as "nobody has opted out", for a restore that failed, a name that changed, or an
account that is another one. The deployment makes this table; its absence is an error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from shared.azure.storage import Changed, TableMissing
from shared.azure.tables import Entity, TableOperation, Tables
from shared.base.errors import LedgerMissing
from shared.optouts import rows


class Table:
    """Reads and writes the ledger's rows.

    Every method raises `LedgerMissing` where the table is not there, and else what `Tables` does.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def get(self, key: str) -> Entity | None:
        """One row, or None."""
        try:
            return await self._tables.get(rows.TABLE, rows.PARTITION, key, must_exist=True)
        except TableMissing as error:
            raise LedgerMissing from error

    async def between(
        self, low: str, high: str, *, select: list[str] | None = None
    ) -> AsyncIterator[Entity]:
        """The rows between two keys, both exclusive, in order."""
        found = self._tables.query(
            rows.TABLE,
            "PartitionKey eq @partition and RowKey gt @low and RowKey lt @high",
            must_exist=True,
            select=select,
            partition=rows.PARTITION,
            low=low,
            high=high,
        )
        try:
            async for row in found:
                yield row
        except TableMissing as error:
            raise LedgerMissing from error

    async def insert(self, row: Entity) -> bool:
        """Add a row; False if one of its key is there, which stays as it is."""
        try:
            await self.commit([("create", row)])
        except Changed:
            return False
        return True

    async def commit(self, operations: Sequence[TableOperation]) -> None:
        """An entity-group transaction, as `Tables.commit`."""
        try:
            await self._tables.commit(rows.TABLE, operations, must_exist=True)
        except TableMissing as error:
            raise LedgerMissing from error

    async def pause(self, attempt: int) -> None:
        """As `Tables.pause`."""
        await self._tables.pause(attempt)
