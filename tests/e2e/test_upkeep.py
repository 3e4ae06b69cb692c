"""The clock's work, as the host does it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from azure.data.tables.aio import TableServiceClient

from local.stack import Stack
from shared.azure.versions import CURRENT, MEMBER
from shared.base.clock import iso
from shared.sending.idempotency import TABLE
from tests.support.client import Parley
from tests.support.polling import eventually


async def test_the_daily_work_makes_tables_and_drops_keys_that_are_over(
    stack: Stack, parley: Parley
) -> None:
    """This month's messages and the next one's have tables; a key that is over is gone, one that
    is not stays."""
    now = datetime.now(UTC)
    following = now.replace(day=1) + timedelta(days=32)
    async with TableServiceClient.from_connection_string(stack.storage) as tables:
        keys = tables.get_table_client(TABLE)
        for name, until in (("over", now - timedelta(days=1)), ("known", now + timedelta(days=1))):
            await keys.upsert_entity(
                {
                    "PartitionKey": "upkeep",
                    "RowKey": name,
                    MEMBER: CURRENT,
                    "digest": "",
                    "standsFor": "",
                    "at": iso(now),
                    "until": iso(until),
                }
            )
        done = await parley.call(
            "POST",
            "/admin/functions/upkeep_daily",
            b"{}",
            {"x-functions-key": stack.keys.host_master, "Content-Type": "application/json"},
        )
        assert done.status == 202

        async def all_done() -> bool:
            names = {table.name async for table in tables.list_tables()}
            made = {f"messages{now:%Y%m}", f"messages{following:%Y%m}"}
            left = {row["RowKey"] async for row in keys.query_entities("PartitionKey eq 'upkeep'")}
            return made <= names and left == {"known"}

        # The host answers at once and works afterwards.
        await eventually(all_done, "the tables are made and the key is dropped")
