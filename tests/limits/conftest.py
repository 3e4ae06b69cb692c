"""The storage without a stack: sweeping looks at a whole table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from azure.core.pipeline.transport import AioHttpTransport

from local.azurite import Azurite
from tests.limits.bench import Bench, Transport


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
