"""`python -m tests.crash.fork_server`: loads the app once and forks a process for every run.

It has imported everything and started nothing (no loop, no thread, no connection), so that a fork
of it is what a fresh functions host is after its start, for a fraction of the time. Orders come as
lines of JSON; how each process fared is answered the same way:

    {"run": 1, "trace": "1.trace", "order": {...}}      {"run": 1, "ended": -9}
    {"resume": 1}                                        {"run": 1, "paused": true}
"""

from __future__ import annotations

import gc
import json
import os
import platform
import select
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, Final, NoReturn

# Imported so that no run pays for them.
import azure.core.messaging
import azure.data.tables.aio
import azure.eventgrid.aio
import azure.storage.blob.aio
import azure.storage.queue.aio  # noqa: F401

from local.host import FunctionsHost, Keys
from local.host.logs import log_as_the_worker
from shared.rules.addresses import recipient
from tests.crash.process import FUNCTION_KEY, run

ROOT: Final = Path(__file__).parents[2]
_COMMANDS: Final = 0


class ForkServer:
    """Forks, and waits for what it has forked."""

    def __init__(self, host: FunctionsHost) -> None:
        self._host = host
        self._runs: dict[int, int] = {}
        # A signal wakes the loop by way of this pipe.
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)

    def serve(self) -> None:
        """Take orders until there are no more."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write)
        rest = b""
        while True:
            ready, _, _ = select.select([_COMMANDS, self._wake_read], [], [])
            if self._wake_read in ready:
                os.read(self._wake_read, 512)
                self._reap()
            if _COMMANDS in ready:
                arrived = os.read(_COMMANDS, 1 << 16)
                if not arrived:
                    break
                *lines, rest = (rest + arrived).split(b"\n")
                for line in lines:
                    self._obey(json.loads(line))
        for pid in self._runs:
            os.kill(pid, signal.SIGKILL)

    def _obey(self, command: dict[str, Any]) -> None:
        if "resume" in command:
            pid = next(pid for pid, run in self._runs.items() if run == command["resume"])
            os.kill(pid, signal.SIGCONT)
            return
        pid = os.fork()
        if pid == 0:
            self._become(command)
        self._runs[pid] = command["run"]

    def _become(self, command: dict[str, Any]) -> NoReturn:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in (_COMMANDS, self._wake_read, self._wake_write):
            os.close(descriptor)
        status = 1
        try:
            run(self._host, command["order"], Path(command["trace"]))
            status = 0
        except BaseException:  # noqa: BLE001  # the fork must not return into the server's loop
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _reap(self) -> None:
        while self._runs:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            if pid == 0:
                return
            if os.WIFSTOPPED(status):
                say({"run": self._runs[pid], "paused": True})
            else:
                say({"run": self._runs.pop(pid), "ended": os.waitstatus_to_exitcode(status)})


def say(answer: dict[str, Any]) -> None:
    """Tell the other side."""
    os.write(1, json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Load, say so, serve."""
    log_as_the_worker(sys.stderr)
    host = FunctionsHost.load(ROOT, settings=os.environ, keys=Keys(function=FUNCTION_KEY))
    # Both are remembered: the tables of numbers, and the machine's name for the user agent.
    recipient("+14255550123")
    platform.platform()
    if threading.active_count() > 1:
        raise RuntimeError("a process with threads cannot be forked")
    gc.freeze()
    say({"ready": True})
    ForkServer(host).serve()


if __name__ == "__main__":
    main()
