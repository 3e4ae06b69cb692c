"""Tells the page what happens, as it happens (server-sent events)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final

# A page that does not read for so long has gone; it fetches everything anew when it reconnects.
_MAX_BEHIND: Final = 10_000
_HEARTBEAT_SECONDS: Final = 15.0


class Hub:
    """Every open page, each with the news it has not read yet."""

    def __init__(self) -> None:
        self._pages: set[asyncio.Queue[bytes | None]] = set()
        self._closed = False

    def publish(self, kind: str, data: Any) -> None:
        """Tell every page; costs nothing while none is open."""
        if not self._pages:
            return
        frame = f"event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
        for page in list(self._pages):
            if page.qsize() > _MAX_BEHIND:
                self._pages.discard(page)
                page.put_nowait(None)
            else:
                page.put_nowait(frame)

    async def stream(self) -> AsyncIterator[bytes]:
        """The frames for one page, until it leaves or the platform stops."""
        page: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._pages.add(page)
        try:
            yield b"retry: 1000\nevent: hello\ndata: {}\n\n"
            while not self._closed:
                try:
                    frame = await asyncio.wait_for(page.get(), _HEARTBEAT_SECONDS)
                except TimeoutError:
                    frame = b": still here\n\n"
                if frame is None:
                    return
                yield frame
        finally:
            self._pages.discard(page)

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        for page in self._pages:
            page.put_nowait(None)
