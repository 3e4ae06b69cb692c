"""The handsets page, and the application on it that sends through Parley.

The page never learns Parley's function key: the platform process forwards what is sent.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from local.platform.simulator import Simulator

_FILES: Final = Path(__file__).parent / "page"
_SEND_TIMEOUT: Final = 60.0
_POLICY: Final = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"  # noqa: E501
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def page_routes(platform: Simulator) -> list[Route]:
    """The page, its two files, and the forwarded send."""

    async def forward(request: Request) -> Response:
        return await _forward(platform, await request.body())

    return [
        Route("/", _file("index.html", "text/html")),
        Route("/style.css", _file("style.css", "text/css")),
        Route("/page.js", _file("page.js", "text/javascript")),
        Route("/simulator/application/messages", forward, methods=["POST"]),
    ]


def _file(name: str, media_type: str) -> Any:
    async def serve(_: Request) -> Response:
        return FileResponse(_FILES / name, media_type=media_type, headers=_HEADERS)

    return serve


async def _forward(platform: Simulator, body: bytes) -> Response:
    """Parley's answer as `{"status", "body"}`; the page shows refusals as they are."""
    wiring = platform.wiring
    if not wiring.parley_url:
        return _answer(503, "Parley's address is not known to the simulated platform yet.")
    try:
        reply = await platform.caller(
            "POST",
            f"{wiring.parley_url}/messages",
            headers={
                "Content-Type": "application/json",
                "x-functions-key": wiring.parley_function_key,
            },
            body=body,
            seconds=_SEND_TIMEOUT,
        )
    except TimeoutError:
        return _answer(504, "Parley did not answer in time.")
    except ConnectionError:
        return _answer(502, "Parley cannot be reached.")
    try:
        return _answer(reply.status, json.loads(reply.body))
    except ValueError:
        return _answer(reply.status, reply.body.decode("utf-8", "replace"))


def _answer(status: int, body: Any) -> Response:
    return JSONResponse({"status": status, "body": body})
