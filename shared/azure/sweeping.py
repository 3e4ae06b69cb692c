"""Deleting what is over: many rows of a table, in few operations, safe to cut off and to repeat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from azure.core import MatchConditions

from shared.azure.storage import Changed
from shared.azure.tables import Entity, Tables, etag_of

# What the service deletes at once, of one partition.
_MOST_ROWS: Final = 100


async def sweep(tables: Tables, table: str, condition: str, **values: Any) -> int:
    """Delete the rows for which a condition holds; how many went.

    A row that somebody changed after it was read stays for the next time, and its neighbours of the
    same transaction with it.

    Args:
        tables: of the account.
        table: its name.
        condition: OData with `@name` parameters.
        values: the parameters.
    """
    swept = 0
    batch: list[Entity] = []
    async for row in tables.query(table, condition, select=["PartitionKey", "RowKey"], **values):
        if batch and (len(batch) == _MOST_ROWS or batch[0]["PartitionKey"] != row["PartitionKey"]):
            swept += await _delete(tables, table, batch)
            batch = []
        batch.append(row)
    return swept + (await _delete(tables, table, batch) if batch else 0)


async def _delete(tables: Tables, table: str, rows: Sequence[Entity]) -> int:
    try:
        await tables.commit(
            table,
            [
                (
                    "delete",
                    row,
                    {"etag": etag_of(row), "match_condition": MatchConditions.IfNotModified},
                )
                for row in rows
            ],
        )
    except Changed:
        return 0
    return len(rows)
