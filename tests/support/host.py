"""The app once more, in a functions host of its own beside the shared stack's."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp

from local.child import Child
from local.stack import Stack
from tests.support.client import Parley

ROOT = Path(__file__).parents[2]
# What it must not take away from the shared host.
_OTHERS_WORK = (
    "record",
    "dispatch",
    "record_poison",
    "dispatch_poison",
    "fold_rollups",
    "due_timer",
)


class SecondHost:
    """With the stack's settings but for some, without queues and timers, with a wire."""

    def __init__(self, stack: Stack, folder: Path, settings: dict[str, str]) -> None:
        self.log, self.wire = folder / "host.log", folder / "wire.jsonl"
        self._stack = stack
        self._port = 0
        arguments = folder / "arguments"
        options = {
            "app": ROOT,
            "port": 0,
            "function-key": stack.function_key,
            "eventgrid-key": stack.keys.host_eventgrid,
            "wire": self.wire,
        }
        arguments.write_text("\n".join(f"--{name}={value}" for name, value in options.items()))
        others_work = {f"AzureWebJobs.{name}.Disabled": "true" for name in _OTHERS_WORK}
        self.child = Child(
            "A second functions host",
            [sys.executable, "-m", "local.host", f"@{arguments}"],
            log=self.log,
            ready=self._is_ready,
            environ={**stack.settings, **others_work, **settings},
            directory=ROOT,
        )
        self.child.wait_until_ready(60)

    def _is_ready(self, line: str) -> bool:
        self._port = json.loads(line)["port"]
        return True

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Parley]:
        """Talks to this host, for however long an answer takes."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
            client = Parley(self._stack, session)
            client.endpoint = f"http://127.0.0.1:{self._port}"
            client.host = f"127.0.0.1:{self._port}"
            yield client

    @property
    def everything(self) -> str:
        """What it has logged, and what the worker would have sent."""
        return self.log.read_text(encoding="utf-8") + self.wire.read_text(encoding="utf-8")


@contextlib.contextmanager
def second_host(stack: Stack, folder: Path, **settings: str) -> Iterator[SecondHost]:
    """Runs until the block ends."""
    running = SecondHost(stack, folder, settings)
    try:
        yield running
    finally:
        running.child.stop()
