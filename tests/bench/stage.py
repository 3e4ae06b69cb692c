"""Where measurements happen: storage, the platform, and functions hosts as separate processes.

The platform delivers nothing by itself: texts stay on their way for a day, so that no report
reaches a host while something else is measured.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from azure.storage.queue import QueueClient

from local.child import Child
from local.ports import LOOPBACK, Ports
from local.stack import ROOT, Stack, StackOptions, write_secret
from tests.bench.cpu import cpu_seconds
from tests.bench.traffic import Client, Traffic

APPS: Final = Path(__file__).parent / "apps"
# The queue's work is switched off in the host that is measured, and done by one of its own.
WITHOUT_RECORD: Final = {"AzureWebJobs.record.Disabled": "true"}
# Nor does a timer's work get mixed with a request's.
_WITHOUT_TIMERS: Final = {
    f"AzureWebJobs.{timer}.Disabled": "true"
    for timer in ("fold_rollups", "upkeep_daily", "due_timer")
}
RECORD: Final = "record"
# Where the parts app puts messages that lead to nothing.
_BENCH_QUEUE: Final = "bench"
_DELIVERY_SECONDS: Final = 86_400.0
_READY_SECONDS: Final = 60.0
_GLANCE_SECONDS: Final = 0.05


class Host:
    """One functions host."""

    def __init__(self, child: Child, port: int) -> None:
        self._child = child
        self.endpoint = f"http://{LOOPBACK}:{port}"
        self.address = f"{LOOPBACK}:{port}"
        self.client = Client(self.endpoint)

    @property
    def cpu(self) -> float:
        """CPU seconds that the process has used."""
        return cpu_seconds(self._child.pid)

    def pause(self) -> None:
        """Let the process do nothing at all."""
        os.kill(self._child.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self._child.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it."""
        self.client.close()
        # A paused process would not hear that it shall end.
        if self._child.running:
            self.resume()
        self._child.stop()


class Stage:
    """Storage and platform; a context manager that stops whatever was started on it.

    Args:
        logs: the folder of the log files.
        options: of the stack; else as said above.
    """

    def __init__(self, logs: Path, options: StackOptions | None = None) -> None:
        self._logs = logs
        self._open = ExitStack()
        # Its own host is the naked one: the platform wants somebody to shake hands with.
        self._stack = Stack(
            options
            or StackOptions(
                app=APPS / "naked",
                ports=Ports.any_free(),
                logs=logs,
                delivery_seconds=_DELIVERY_SECONDS,
            )
        )
        self._eventgrid_key = secrets.token_urlsafe()

    def __enter__(self) -> Self:
        self._run = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="parley-")))
        self._open.enter_context(self._stack)
        with QueueClient.from_connection_string(self.storage, _BENCH_QUEUE) as queue:
            queue.create_queue()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def storage(self) -> str:
        """Connection string of the emulator."""
        return self._stack.storage

    @property
    def stack(self) -> Stack:
        """Storage and platform."""
        return self._stack

    def traffic(self) -> Traffic:
        """Requests that this stage's hosts accept."""
        return Traffic(
            key=base64.b64decode(self._stack.access_keys[0]),
            eventgrid_key=self._eventgrid_key,
            now=datetime.now(UTC),
        )

    def host(self, name: str, app: Path, settings: Mapping[str, str] | None = None) -> Host:
        """Start a functions host with an app.

        Raises:
            ChildFailed: it does not start.
        """
        arguments = self._run / f"{name}.arguments"
        write_secret(arguments, f"--app={app}\n--port=0\n--eventgrid-key={self._eventgrid_key}\n")
        ports: list[int] = []
        child = Child(
            f"The host {name}",
            [sys.executable, "-m", "local.host", f"@{arguments}"],
            log=self._logs / f"{name}.log",
            ready=lambda line: _noted(line, ports),
            environ={
                **os.environ,
                **self._stack.settings,
                **_WITHOUT_TIMERS,
                **(settings or {}),
            },
            directory=ROOT,
        )
        child.wait_until_ready(_READY_SECONDS)
        host = Host(child, ports[0])
        self._open.callback(host.stop)
        return host

    @contextmanager
    def record_queue(self) -> Iterator[QueueClient]:
        """The queue that leads to what follows a send."""
        with QueueClient.from_connection_string(self.storage, RECORD) as queue:
            yield queue


def waiting(queue: QueueClient) -> int:
    """How many messages the queue holds, those at work included."""
    return int(queue.get_queue_properties().approximate_message_count or 0)


def drained(queue: QueueClient) -> None:
    """Wait until the queue is empty. Whoever works on it does so in another process."""
    while waiting(queue):
        time.sleep(_GLANCE_SECONDS)


def _noted(line: str, ports: list[int]) -> bool:
    try:
        said = json.loads(line)
    except ValueError:
        return False
    if isinstance(said, dict) and "functions" in said:
        ports.append(int(said["port"]))
    return bool(ports)
