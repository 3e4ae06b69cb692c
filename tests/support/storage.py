"""A look into the stack's storage account, past Parley."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

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


async def everything(connection_string: str) -> AsyncIterator[tuple[str, str]]:
    """All that an account holds, packed or not: where it stands, and what stands there."""
    async with TableServiceClient.from_connection_string(connection_string) as tables:
        async for table in tables.list_tables():
            async for row in tables.get_table_client(table.name).list_entities():
                place = f"{table.name}/{row['PartitionKey']}/{row['RowKey']}"
                yield place, " ".join(f"{name}={_readable(row[name])}" for name in row)
    async with QueueServiceClient.from_connection_string(connection_string) as queues:
        async for queue in queues.list_queues():
            for message in await queues.get_queue_client(queue.name).peek_messages(32):
                yield f"{queue.name}/{message.id}", _readable(message.content)
    async with BlobServiceClient.from_connection_string(connection_string) as blobs:
        async for container in blobs.list_containers():
            client = blobs.get_container_client(container.name)
            async for name in client.list_blob_names():
                content = await (await client.download_blob(name)).readall()
                yield f"{container.name}/{name}", content.decode("utf-8", "replace")


def _readable(value: Any) -> str:
    if isinstance(value, bytes):
        data = value
        with suppress(zlib.error):
            data = zlib.decompress(value)
        return data.decode("utf-8", "replace")
    if isinstance(value, str) and '"packed":' in value:
        packed = base64.b64decode(json.loads(value)["packed"])
        return zlib.decompress(packed).decode("utf-8", "surrogatepass")
    return str(value)


@asynccontextmanager
async def view_of(connection_string: str) -> AsyncIterator[StorageView]:
    """A view for as long as the block runs."""
    async with (
        TableServiceClient.from_connection_string(connection_string) as tables,
        BlobServiceClient.from_connection_string(connection_string) as blobs,
    ):
        yield StorageView(tables, blobs)
