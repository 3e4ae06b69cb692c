"""A storage account without the ledger's table: a restore that failed, or another account."""

from __future__ import annotations

import pytest
from azure.core.exceptions import ResourceNotFoundError

from local.azurite import Azurite
from local.stack import Stack
from shared.base.errors import LedgerMissing
from shared.optouts.rows import HEAD
from tests.optouts.bench import Bench
from tests.support.client import Platform, send_body
from tests.support.parts import parts_of, send_request


async def test_nobody_is_texted_and_health_says_why(
    stack: Stack, azurite: Azurite, bench: Bench, platform: Platform, person: str
) -> None:
    """Sends are refused before the platform is asked, and `tables` is unhealthy by a code that
    names the ledger; neither makes the table, and with it everything works again."""
    await bench.storage.drop_table("optouts")
    async with parts_of(
        stack,
        PARLEY_STORAGE=azurite.connection_string,
        PARLEY_HOST_STORAGE=azurite.connection_string,
    ) as parts:
        for _ in range(2):
            with pytest.raises(LedgerMissing) as refused:
                await parts.sending.api.send(send_request(parts, send_body(person)))
            assert (refused.value.status, refused.value.retryable) == (503, True)
        assert await platform.accepted(person) == []
        report = await parts.health.report()
        assert report["status"] == "Unhealthy"
        assert report["checks"]["tables"] == {"status": "Unhealthy", "error": "LedgerMissing"}
        with pytest.raises(ResourceNotFoundError):
            await bench.storage.table("optouts").get_entity("ledger", HEAD)
        await bench.storage.make_table("optouts")
        await parts.sending.api.send(send_request(parts, send_body(person)))
        assert len(await platform.accepted(person)) == 1
