"""The clock's work, as the host does it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from azure.data.tables.aio import TableServiceClient

from local.stack import Stack
from shared.sending.idempotency import table_of
from tests.support.client import Parley
from tests.support.polling import eventually


async def test_the_daily_work_makes_tables_and_drops_forgotten_keys(
    stack: Stack, parley: Parley
) -> None:
    """Tomorrow's keys and this month's messages have tables; keys of last week are gone."""
    now = datetime.now(UTC)
    forgotten = table_of(now - timedelta(days=7))
    async with TableServiceClient.from_connection_string(stack.storage) as tables:
        await tables.create_table_if_not_exists(forgotten)
        done = await parley.call(
            "POST",
            "/admin/functions/upkeep_daily",
            b"{}",
            {"x-functions-key": stack.keys.host_master, "Content-Type": "application/json"},
        )
        assert done.status == 202

        async def all_done() -> bool:
            names = {table.name async for table in tables.list_tables()}
            made = {table_of(now), table_of(now + timedelta(days=1)), f"messages{now:%Y%m}"}
            return made <= names and forgotten not in names

        # The host answers at once and works afterwards.
        await eventually(all_done, "the tables are made and dropped")
