"""Puts the host on a socket: the thinnest ASGI application that can carry its requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from local.host.http import HttpAnswer, HttpCall

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_BODYLESS: Final = frozenset({204, 304})


class _Gone(Exception):
    pass


def asgi_app(
    answer: Callable[[HttpCall], Awaitable[HttpAnswer]], *, max_body: int
) -> Callable[[_Scope, _Receive, _Send], Awaitable[None]]:
    """An ASGI application that answers with `answer`; it keeps bodies up to `max_body` bytes."""

    async def app(scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            # A web socket is asked for; the protocol wants a refusal, which becomes a 403.
            await send({"type": "websocket.close"})
            return
        headers = _headers(scope["headers"])
        try:
            body = await _body(receive, max_body)
        except _Gone:
            return
        call = HttpCall(
            scope["method"],
            scope["raw_path"].decode("latin-1"),
            scope["query_string"].decode("latin-1"),
            headers,
            body or b"",
            scope["scheme"],
            oversized=body is None,
        )
        await _send(send, await answer(call))

    return app


def _headers(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


async def _body(receive: _Receive, limit: int) -> bytes | None:
    """The body, or None if it is too long; read to its end, so that the answer is heard."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        else:
            chunks.clear()
        if not message.get("more_body"):
            break
    if size > limit:
        return None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _send(send: _Send, answer: HttpAnswer) -> None:
    headers = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in answer.headers]
    if answer.status not in _BODYLESS:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
