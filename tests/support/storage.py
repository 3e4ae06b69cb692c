"""A look into the stack's storage account, past Parley."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient

Row = dict[str, Any]


class StorageView:
    """What stands in tables and containers."""

    def __init__(self, tables: TableServiceClient, blobs: BlobServiceClient) -> None:
        self._tables = tables
        self._quarantine = blobs.get_container_client("quarantine")

    async def rows(self, table: str, condition: str, **values: Any) -> list[Row]:
        """Rows that fulfil an OData condition."""
        client = self._tables.get_table_client(table)
        return [dict(row) async for row in client.query_entities(condition, parameters=values)]

    async def records(self, condition: str, **values: Any) -> list[Row]:
        """Rows of this month's messages."""
        return await self.rows(f"messages{datetime.now(UTC):%Y%m}", condition, **values)

    async def quarantined_names(self, handler: str) -> set[str]:
        """The names of what a handler has put into quarantine so far."""
        return {name async for name in self._quarantine.list_blob_names(name_starts_with=handler)}

    async def quarantined(self, name: str) -> Row:
        """One quarantined event with its reason."""
        blob = await self._quarantine.download_blob(name)
        kept: Row = json.loads(await blob.readall())
        return kept


@asynccontextmanager
async def view_of(connection_string: str) -> AsyncIterator[StorageView]:
    """A view for as long as the block runs."""
    async with (
        TableServiceClient.from_connection_string(connection_string) as tables,
        BlobServiceClient.from_connection_string(connection_string) as blobs,
    ):
        yield StorageView(tables, blobs)
