"""What kind of test a test is, read off what it asks for; nobody keeps a list.

A test is `servers` if one of its fixtures, or a fixture of those, gives out something that runs in
processes of its own: the stack, an Azurite, a browser. All others together are `make test-fast`.
A test that starts such a process by itself says so with the marker; whoever forgets it is told
when the process starts.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pytest

SERVERS: Final = "servers"
# What a fixture's annotation names if it starts servers; what it wraps starts them as well.
_GIVES_OUT_SERVERS: Final = re.compile(r"\b(Stack|Stage|Azurite|Rig|StorageAndPlatform|Browser)\b")
# Azurite's program, and the modules that are run as the stack or a part of it.
_SERVER: Final = re.compile(r".*azurite\.js|local|local\.host|local\.platform")


def pytest_configure(config: pytest.Config) -> None:
    """Watch for processes that are started by tests that are said to need none."""
    watch = _Watch()
    config.pluginmanager.register(watch)
    sys.addaudithook(watch.heard)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests, and put the files first whose tests take long to begin with.

    A run ends when its last file does. Files that set up a world of their own come first, those
    whose tests need no server last: they are short and fill the gaps.
    """
    weights: dict[str, int] = {}
    for item in items:
        if item.get_closest_marker(SERVERS) is None and _needs_servers(item):
            item.add_marker(SERVERS)
        file = item.nodeid.partition("::")[0]
        weights[file] = max(weights.get(file, 0), _weight(item))
    items.sort(key=lambda item: -weights[item.nodeid.partition("::")[0]])


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """`-n auto`: two workers a core, since who needs servers mostly waits; `-n logical`: one."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return cores if config.getoption("numprocesses") == "logical" else 2 * cores


def _definitions(item: pytest.Item) -> Iterator[pytest.FixtureDef[Any]]:
    info = getattr(item, "_fixtureinfo", None)
    for definitions in () if info is None else info.name2fixturedefs.values():
        yield from definitions


def _needs_servers(item: pytest.Item) -> bool:
    return any(
        _GIVES_OUT_SERVERS.search(str(inspect.signature(found.func).return_annotation))
        for found in _definitions(item)
    )


def _weight(item: pytest.Item) -> int:
    if item.get_closest_marker(SERVERS) is None:
        return 0
    of_its_own = any(
        found.scope == "module" and item.nodeid.startswith(found.baseid)
        for found in _definitions(item)
    )
    return 1 + of_its_own + 2 * (item.get_closest_marker("slow") is not None)


class _Watch:
    """Hears of every process that is started, and knows for which test."""

    def __init__(self) -> None:
        self._item: pytest.Item | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._item = item
        try:
            return (yield)
        finally:
            self._item = None

    def heard(self, event: str, details: Sequence[Any]) -> None:
        if event != "subprocess.Popen" or self._item is None:
            return
        if self._item.get_closest_marker(SERVERS) is not None:
            return
        words = [str(word) for word in details[1]]
        if any(map(_SERVER.fullmatch, words)):
            raise AssertionError(f"{words} needs the marker `{SERVERS}` on {self._item.nodeid}")
