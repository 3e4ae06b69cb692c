"""The handsets page with its application that sends through Parley, and a page of two frames.

The handsets page never learns Parley's function key: the platform process forwards what is sent.
The page of two frames shows Parley's console beside the handsets; a key in its address goes to the
console and nowhere else.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from local.platform.simulator import Simulator

_FILES: Final = Path(__file__).parent / "page"
_SEND_TIMEOUT: Final = 60.0
_POLICY: Final = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"  # noqa: E501
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def page_routes(platform: Simulator) -> list[Route]:
    """The two pages, their files, and the forwarded send."""

    async def forward(request: Request) -> Response:
        return await _forward(platform, await request.body())

    async def both(_: Request) -> Response:
        return _both(platform.wiring.parley_url)

    return [
        Route("/", _file("index.html", "text/html")),
        Route("/style.css", _file("style.css", "text/css")),
        Route("/page.js", _file("page.js", "text/javascript")),
        Route("/both", both),
        Route("/both.css", _file("both.css", "text/css")),
        Route("/both.js", _file("both.js", "text/javascript")),
        Route("/simulator/application/messages", forward, methods=["POST"]),
    ]


def _file(name: str, media_type: str) -> Any:
    async def serve(_: Request) -> Response:
        return FileResponse(_FILES / name, media_type=media_type, headers=_HEADERS)

    return serve


def _both(parley: str) -> Response:
    text = (_FILES / "both.html").read_text(encoding="utf-8")
    policy = f"{_POLICY}; frame-src 'self' {parley}"
    return HTMLResponse(
        text.replace("{console}", escape(f"{parley}/console")),
        headers={**_HEADERS, "Content-Security-Policy": policy},
    )


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
