"""An Azurite of its own: sweeping looks at a whole table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from azure.core.pipeline.transport import AioHttpTransport

from local.azurite import Azurite
from tests.limits.bench import Bench, Transport


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    running = Azurite(log=tmp_path_factory.mktemp("guards") / "azurite.log")
    yield running
    running.stop()


@pytest.fixture(scope="session")
async def network() -> AsyncIterator[Transport]:
    async with AioHttpTransport() as transport:
        yield transport


@pytest.fixture
def bench(azurite: Azurite, network: Transport) -> Callable[..., Bench]:
    """Makes a bench with these limits."""

    def make(**limits: str) -> Bench:
        return Bench(azurite.connection_string, network, **limits)

    return make
