"""One stack and one fork server for all crash tests, and a line of figures for each variant."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from local.ports import Ports
from local.stack import StackOptions
from tests.crash.counts import Counts
from tests.crash.rig import Rig, StorageAndPlatform, rig_on
from tests.crash.scenarios import ID_KEY

_COUNTS = pytest.StashKey[Counts]()


@pytest.fixture(scope="session")
def crash_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("crash")


@pytest.fixture(scope="session")
def storage_and_platform(crash_folder: Path) -> Iterator[StorageAndPlatform]:
    options = StackOptions(
        ports=Ports.any_free(), logs=crash_folder, settings={"PARLEY_ID_KEY": ID_KEY}
    )
    with StorageAndPlatform(options) as stack:
        yield stack


@pytest.fixture(scope="session")
async def rig(storage_and_platform: StorageAndPlatform, crash_folder: Path) -> AsyncIterator[Rig]:
    async with rig_on(storage_and_platform, crash_folder) as rig:
        yield rig


@pytest.fixture(scope="session")
def counts(request: pytest.FixtureRequest) -> Counts:
    return request.config.stash.setdefault(_COUNTS, Counts())


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    counts = config.stash.get(_COUNTS, None)
    if counts is not None:
        terminalreporter.section("crashes")
        for line in counts.lines():
            terminalreporter.write_line(line)
