"""Keeps web pages of other origins away from an interface that has no keys.

A browser lets any page post to a loopback port. The simulator's own paths therefore answer only
requests whose Host is a loopback name, which defeats DNS rebinding, and whose Origin, if there is
one, is the platform itself.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
# The faces of real services are guarded by their own keys.
_KEYED: Final = ("/sms", "/deliveryReports/", "/api/events")


class LoopbackOnly:
    """ASGI middleware that answers 403 to what did not come from this machine's own pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        if scope["type"] == "http" and not scope["path"].startswith(_KEYED):
            headers = Headers(scope=scope)
            if not _is_local(headers.get("host", ""), headers.get("origin")):
                body = {"error": {"code": "Forbidden", "message": "Only from this machine."}}
                await JSONResponse(body, 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _is_local(host: str, origin: str | None) -> bool:
    if urlsplit(f"//{host}").hostname not in _LOOPBACK:
        return False
    return origin is None or origin == f"http://{host}"
