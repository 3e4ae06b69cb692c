"""One stack and one zygote for all crash tests, and a line of figures for each variant."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from local.ports import Ports
from local.stack import StackOptions
from tests.crash.counts import Tally
from tests.crash.rig import Lab, StorageAndPlatform, laboratory

_TALLY = pytest.StashKey[Tally]()


@pytest.fixture(scope="session")
def crash_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("crash")


@pytest.fixture(scope="session")
def storage_and_platform(crash_folder: Path) -> Iterator[StorageAndPlatform]:
    options = StackOptions(ports=Ports.any_free(), logs=crash_folder)
    with StorageAndPlatform(options) as stack:
        yield stack


@pytest.fixture(scope="session")
async def lab(storage_and_platform: StorageAndPlatform, crash_folder: Path) -> AsyncIterator[Lab]:
    async with laboratory(storage_and_platform, crash_folder) as lab:
        yield lab


@pytest.fixture(scope="session")
def tally(request: pytest.FixtureRequest) -> Tally:
    return request.config.stash.setdefault(_TALLY, Tally())


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    tally = config.stash.get(_TALLY, None)
    if tally is not None:
        terminalreporter.section("crashes")
        for line in tally.lines():
            terminalreporter.write_line(line)
