"""Counts storage operations where they cannot hide: on the wire, between the host and the emulator.

One HTTP request is one operation, retries, probes and the making of tables included.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from azure.core.utils import parse_connection_string

from local.ports import LOOPBACK

_SERVICES: Final = ("blob", "queue", "table")
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "MERGE", "PATCH")
_SECONDS: Final = 60
# Each connection has its own framing.
_HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass(frozen=True, slots=True)
class Operation:
    """One request to storage; the path is without account and query."""

    service: str
    method: str
    path: str

    @property
    def is_of_the_queue_listener(self) -> bool:
        """Whether the host made it to get its triggers, not the function."""
        return self.service == "queue" and self.method != "POST"


class Tally:
    """What has been asked of storage since the last look."""

    def __init__(self) -> None:
        self._seen: list[Operation] = []
        self._lock = threading.Lock()

    def add(self, operation: Operation) -> None:
        """Note one."""
        with self._lock:
            self._seen.append(operation)

    def taken(self) -> list[Operation]:
        """All of them, in order; the tally is empty then."""
        with self._lock:
            seen, self._seen = self._seen, []
        return seen

    def asked_by_functions(self) -> list[Operation]:
        """Those that a function's work cost, in order; the host's polling is dropped."""
        return [operation for operation in self.taken() if not operation.is_of_the_queue_listener]


@contextmanager
def counted(connection_string: str, tally: Tally) -> Iterator[str]:
    """A connection string for the same storage that leads past `tally`."""
    parts = dict(parse_connection_string(connection_string, case_sensitive_keys=True))
    with ExitStack() as open_servers:
        for service in _SERVICES:
            name = f"{service.capitalize()}Endpoint"
            upstream = urlsplit(parts[name])
            server = _Server(service, upstream.netloc, tally)
            open_servers.callback(server.end)
            parts[name] = f"http://{LOOPBACK}:{server.server_port}{upstream.path}"
        yield ";".join(f"{name}={value}" for name, value in parts.items())


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, service: str, upstream: str, tally: Tally) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.service = service
        self.upstream = upstream
        self.tally = tally
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self._upstream = http.client.HTTPConnection(self.server.upstream, timeout=_SECONDS)

    def finish(self) -> None:
        self._upstream.close()
        super().finish()

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""

    def forward(self) -> None:
        """Note the request and pass it on, byte for byte as it was signed."""
        path = "/".join(self.path.partition("?")[0].split("/")[2:])
        self.server.tally.add(Operation(self.server.service, self.command, path))
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name: value for name, value in self.headers.items() if _is_end_to_end(name)}
        self._upstream.request(self.command, self.path, body, headers)
        answer = self._upstream.getresponse()
        content = answer.read()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if _is_end_to_end(name):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


for _method in _METHODS:
    setattr(_Handler, f"do_{_method}", _Handler.forward)


def _is_end_to_end(name: str) -> bool:
    return name.lower() not in _HOP_BY_HOP
