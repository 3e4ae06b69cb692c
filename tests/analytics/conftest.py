"""The storage without a stack for the rollups' tests: they tell the time themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from azure.core.pipeline.transport import AioHttpTransport, AsyncHttpTransport

from local.azurite import Azurite
from tests.analytics.world import Account


@pytest.fixture(scope="session")
async def network() -> AsyncIterator[AsyncHttpTransport]:  # type: ignore[type-arg]
    async with AioHttpTransport() as transport:
        yield transport


@pytest.fixture(scope="session")
def one_account(azurite: Azurite, network: AsyncHttpTransport) -> Account:  # type: ignore[type-arg]
    return Account(azurite.connection_string, network)


@pytest.fixture
async def account(one_account: Account) -> Account:
    """The account without facts and counts."""
    await one_account.clear()
    return one_account
