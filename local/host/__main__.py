"""`python -m local.host`: serve a function app on a port of this machine.

Prints one line of JSON when it is ready, `{"port": 7071, "functions": ["send"]}`; logs to stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

import uvicorn

from local.host.asgi import asgi_app
from local.host.config import read_settings
from local.host.errors import HostError
from local.host.host import FunctionsHost
from local.host.http import Keys
from local.host.logs import log_as_the_worker
from local.host.queues import DEFAULT_LEASE

_GRACE_SECONDS: Final = 5
# What Kestrel, the real host's server, keeps idle connections open for.
_KEEP_ALIVE_SECONDS: Final = 130


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, ready_line: str) -> None:
        super().__init__(config)
        self._ready_line = ready_line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._ready_line, flush=True)


def _arguments(arguments: list[str]) -> argparse.Namespace:
    # `@file` keeps the keys out of the list of processes.
    parser = argparse.ArgumentParser(
        prog="python -m local.host", description=__doc__, fromfile_prefix_chars="@"
    )
    parser.add_argument("--app", type=Path, required=True, help="folder with function_app.py")
    parser.add_argument("--port", type=int, default=7071, help="0 takes a free one")
    parser.add_argument("--settings", type=Path, help="a local.settings.json")
    parser.add_argument("--master-key", help="opens everything; random and unknown if left out")
    parser.add_argument("--function-key", help="opens FUNCTION routes; as above")
    parser.add_argument("--eventgrid-key", help="opens the Event Grid webhook; as above")
    parser.add_argument(
        "--queue-lease-seconds",
        type=float,
        default=DEFAULT_LEASE.total_seconds(),
        help="how long a message stays hidden if this process dies while working on it",
    )
    parser.add_argument(
        "--wire",
        type=Path,
        help="a file that gets every log record which Azure's worker would send to its host",
    )
    return parser.parse_args(arguments)


def _load(options: argparse.Namespace) -> FunctionsHost:
    if options.settings is not None:
        os.environ.update(read_settings(options.settings))
    given = {
        "master": options.master_key,
        "function": options.function_key,
        "eventgrid": options.eventgrid_key,
    }
    return FunctionsHost.load(
        options.app,
        settings=os.environ,
        keys=Keys(**{name: key for name, key in given.items() if key}),
        lease=timedelta(seconds=options.queue_lease_seconds),
    )


async def _serve(host: FunctionsHost, listener: socket.socket) -> None:
    ready = {"port": listener.getsockname()[1], "functions": list(host.functions)}
    config = uvicorn.Config(
        asgi_app(host.answer, max_body=host.max_body),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = _Server(config, json.dumps(ready))
    stop = _stopper(server)
    # uvicorn raises the signal once more when it has ended; by then this handler does nothing new,
    # and the process ends with 0.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    await host.start()
    try:
        await server.serve(sockets=[listener])
    finally:
        await host.stop(timedelta(seconds=_GRACE_SECONDS))


def _stopper(server: uvicorn.Server) -> signal._HANDLER:
    def stop(_number: int, _frame: object) -> None:
        server.should_exit = True

    return stop


def _bind(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


def _run(host: FunctionsHost, listener: socket.socket) -> None:
    try:
        from uvloop import new_event_loop  # noqa: PLC0415  # not there on Windows
    except ImportError:
        asyncio.run(_serve(host, listener))
        return
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve(host, listener))


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; 1 if the app is refused or the port is taken."""
    options = _arguments(arguments)
    wire = options.wire.open("a", encoding="utf-8") if options.wire is not None else None
    log_as_the_worker(sys.stderr, wire)
    try:
        host = _load(options)
        with _bind(options.port) as listener:
            _run(host, listener)
    except HostError as error:
        print(f"{error.trace}{error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Port {options.port} cannot be served: {error.strerror}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
