"""The console as a person works with it: a window, and what it complained of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, Self
from urllib.parse import quote

from playwright.async_api import Browser, ConsoleMessage, Page

from local.stack import Stack

# What a browser writes for an answer of 4xx or 5xx, and where a server is not to be reached.
_ANSWERS = ("Failed to load resource",)
Scheme = Literal["light", "dark"]


class Desk:
    """A window with the console.

    Attributes:
        page: what Playwright works on.
        faults: errors of scripts and of the content security policy.
    """

    def __init__(self, page: Page, stack: Stack) -> None:
        self.page = page
        self.faults: list[str] = []
        self._stack = stack
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._heed)

    def _heed(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(_ANSWERS):
            self.faults.append(message.text)

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        browser: Browser,
        stack: Stack,
        *,
        width: int = 1440,
        height: int = 900,
        scheme: Scheme = "light",
        language: str = "en-US",
    ) -> AsyncIterator[Self]:
        """A fresh window, closed at the end."""
        context = await browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            locale=language,
            reduced_motion="reduce",
        )
        try:
            yield cls(await context.new_page(), stack)
        finally:
            await context.close()

    async def go(self, *parts: str, key: str | None = None) -> None:
        """Open a view as whoever has the key in the address; without parts, the first one."""
        route = "/" + "/".join(quote(part, safe="") for part in parts)
        held = quote(self._stack.function_key if key is None else key, safe="")
        await self.page.goto(f"{self._stack.endpoint}/console#key={held}&to={route}")

    async def go_without_key(self, *parts: str) -> None:
        """Open a view as somebody who has to be asked."""
        await self.page.goto(f"{self._stack.endpoint}/console#/{'/'.join(parts)}")

    async def scrolls_sideways(self) -> bool:
        """Whether something is wider than the window, or is cut by the card that it stands in."""
        wide: Any = await self.page.evaluate(
            "[document.documentElement, ...document.querySelectorAll('.card, .pane, dialog')]"
            ".some(box => box.scrollWidth > box.clientWidth)"
        )
        return bool(wide)
