"""The one running stack that the tests share: Parley, Azurite and the simulated platform."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import hypothesis
import pytest

from local.azurite import Azurite
from local.ports import Ports
from local.stack import DEFAULT_SENDERS, Stack, StackOptions
from tests.support.client import UNHURRIED, Parley, Platform
from tests.support.people import People
from tests.support.storage import StorageView, view_of

pytest_plugins = ["tests.support.kinds"]
# A test that fails because a machine was busy teaches nobody anything: no time limits here, either.
hypothesis.settings.register_profile(
    "parley", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("parley")
DELIVERY_SECONDS = 0.05
SENDERS = (
    *DEFAULT_SENDERS,
    {"sender": UNHURRIED, "program": "reminders", "ratePerMinute": 60_000},
)
# Event Grid's first pause of ten seconds becomes 20 ms.
RETRY_SCALE = 0.002


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Started once; everything in memory, on free ports."""
    logs = tmp_path_factory.mktemp("logs")
    options = StackOptions(
        ports=Ports.any_free(),
        logs=logs,
        wire=logs / "wire.jsonl",
        senders=SENDERS,
        delivery_seconds=DELIVERY_SECONDS,
        retry_scale=RETRY_SCALE,
    )
    with Stack(options) as running:
        yield running


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """Storage without a stack, for those who bring their own parts; each clears what is theirs."""
    running = Azurite(log=tmp_path_factory.mktemp("azurite") / "azurite.log")
    yield running
    running.stop()


@pytest.fixture(scope="session")
async def web() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(scope="session")
def parley(stack: Stack, web: aiohttp.ClientSession) -> Parley:
    return Parley(stack, web)


@pytest.fixture(scope="session")
def any_platform(stack: Stack, web: aiohttp.ClientSession) -> Platform:
    return Platform(stack, web)


@pytest.fixture
async def platform(any_platform: Platform) -> AsyncIterator[Platform]:
    """The simulated platform; orders of faults that a test leaves behind are cancelled."""
    yield any_platform
    await any_platform.control("DELETE", "/faults")


@pytest.fixture
async def a_slow_carrier(platform: Platform, person: str) -> None:
    """Texts to `person` are accepted and do not arrive."""
    await platform.slow(person)


@pytest.fixture(scope="session")
def people() -> People:
    return People()


@pytest.fixture
def person(people: People) -> str:
    """A number that nobody else uses."""
    return people.one()


@pytest.fixture(scope="session")
async def storage(stack: Stack) -> AsyncIterator[StorageView]:
    async with view_of(stack.storage) as view:
        yield view
