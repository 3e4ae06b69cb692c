"""The ASGI application and the server that runs it on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncIterator
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from local.platform.control import control_routes
from local.platform.faults import CLOSE_EXTENSION
from local.platform.guard import LoopbackOnly
from local.platform.page import page_routes
from local.platform.routes import public_routes
from local.platform.simulator import Simulator

HOST: Final = "127.0.0.1"
_GRACE_SECONDS: Final = 2
# Idle connections outlive every client's own idea of idle, so that none is closed while in use.
_KEEP_ALIVE_SECONDS: Final = 130


class ClosableProtocol(HttpToolsProtocol):
    """Lets the application break the connection, which ASGI has no message for."""

    def on_message_begin(self) -> None:
        """Put the means into the request's scope."""
        super().on_message_begin()
        # ASGI types an extension as a mapping; this one never leaves the process.
        self.scope["extensions"] = {CLOSE_EXTENSION: {"abort": self.transport.abort}}


class PlatformServer(uvicorn.Server):
    """A server that says its port once it listens, and lets go of waiting callers when it stops."""

    def __init__(self, platform: Simulator, port: int) -> None:
        self._platform = platform
        self.listening = asyncio.Event()
        self._socket = _listen(port)
        config = uvicorn.Config(
            build_app(platform),
            http=ClosableProtocol,
            ws="none",
            access_log=False,
            log_level="warning",
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        super().__init__(config)

    @property
    def port(self) -> int:
        """The port in use, chosen by the system where 0 was asked for."""
        return int(self._socket.getsockname()[1])

    async def serve_platform(self) -> None:
        """Serve until told to stop."""
        await self.serve(sockets=[self._socket])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Print `{"port": N}` when the first request would be answered."""
        await super().startup(sockets)
        self.listening.set()
        sys.stdout.write(json.dumps({"port": self.port}) + "\n")
        sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End streams and hanging requests before connections are waited for."""
        self._platform.hang_up()
        await super().shutdown(sockets)


def _listen(port: int) -> socket.socket:
    # asyncio sets TCP_NODELAY only on sockets that name their protocol, which create_server's do
    # not; without it every answer waits 40 ms for the caller's delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    return listener


def build_app(platform: Simulator) -> Starlette:
    """All routes; the platform lives as long as the application does."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        platform.start()
        try:
            yield
        finally:
            await platform.stop()

    return Starlette(
        routes=[*public_routes(platform), *page_routes(platform), *control_routes(platform)],
        middleware=[Middleware(LoopbackOnly)],
        lifespan=lifespan,
    )
