"""An Azurite of its own for the ledger's tests, because an account holds one ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from azure.core.pipeline.transport import AioHttpTransport, AsyncHttpTransport

from local.azurite import Azurite
from tests.optouts.bench import Bench


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    running = Azurite(log=tmp_path_factory.mktemp("ledger") / "azurite.log")
    yield running
    running.stop()


@pytest.fixture(scope="session")
async def network() -> AsyncIterator[AsyncHttpTransport]:  # type: ignore[type-arg]
    async with AioHttpTransport() as transport:
        yield transport


@pytest.fixture(scope="session")
async def account(azurite: Azurite, network: AsyncHttpTransport) -> Bench:  # type: ignore[type-arg]
    return Bench(azurite.connection_string, network)


@pytest.fixture
async def bench(account: Bench) -> Bench:
    """The account without a ledger."""
    await account.clear()
    return account
