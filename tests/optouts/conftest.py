"""The storage without a stack for the ledger's tests, because an account holds one ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from azure.core.pipeline.transport import AioHttpTransport, AsyncHttpTransport

from local.azurite import Azurite
from shared.optouts.witness import CONTAINER
from tests.optouts.bench import Bench


@pytest.fixture(scope="session")
async def network() -> AsyncIterator[AsyncHttpTransport]:  # type: ignore[type-arg]
    async with AioHttpTransport() as transport:
        yield transport


@pytest.fixture(scope="session")
async def account(azurite: Azurite, network: AsyncHttpTransport) -> Bench:  # type: ignore[type-arg]
    made = Bench(azurite.connection_string, network)
    for container in (CONTAINER, "ledger"):
        await made.make_container(container)
    return made


@pytest.fixture
async def bench(account: Bench) -> Bench:
    """The account without a ledger."""
    await account.clear()
    return account
