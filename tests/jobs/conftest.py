"""The room on Azurite: its table and its queue, empty, and a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueClient

from local.azurite import Azurite
from shared.azure.queues import Queues
from shared.azure.storage import StorageAccount
from shared.azure.tables import Tables
from shared.jobs import Jobs, wire
from shared.jobs.dispatch import QUEUE
from shared.jobs.due_table import TABLE
from shared.settings import load
from tests.support.settings import minimal


class HandClock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass(frozen=True, slots=True)
class Room:
    """The room, and what it has left in storage."""

    jobs: Jobs
    tables: Tables
    clock: HandClock
    queue: QueueClient

    async def messages(self) -> int:
        """How many messages there are, hidden ones among them."""
        found = await self.queue.get_queue_properties()
        return int(found.approximate_message_count or 0)

    async def rows(self) -> list[dict[str, Any]]:
        found = self.tables.query(TABLE, "PartitionKey lt @end", end=":")
        return [row async for row in found]


@pytest.fixture
async def room(azurite: Azurite) -> AsyncIterator[Room]:
    clock = HandClock()
    async with (
        AioHttpTransport() as transport,
        QueueClient.from_connection_string(azurite.connection_string, QUEUE) as queue,
        TableServiceClient.from_connection_string(azurite.connection_string) as service,
    ):
        account = StorageAccount(load(minimal(azurite.connection_string)), transport=transport)
        tables = Tables(account)
        await service.create_table_if_not_exists(TABLE)
        await queue.create_queue()
        try:
            yield Room(wire(tables, Queues(account), clock), tables, clock, queue)
        finally:
            await service.delete_table(TABLE)
            await queue.delete_queue()
