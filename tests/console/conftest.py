"""A real Chromium, and the console in it as a person has it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from local.stack import Stack
from tests.console.desk import Desk
from tools import browser

# Far beyond what anything takes: it turns a hang into a failure with a reason, no more.
expect.set_options(timeout=60_000)


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser.install_chromium()
        found = browser.find()
        started = await playwright.chromium.launch(
            executable_path=found.path,
            # It does not start under libfaketime, and keeps the machine's own clock.
            env={**os.environ, **found.environ, "LD_PRELOAD": ""},
            args=list(browser.ARGUMENTS),
        )
        yield started
        await started.close()


@pytest.fixture
async def desk(chromium: Browser, stack: Stack) -> AsyncIterator[Desk]:
    """The console in a fresh window of 1,440 px, in English; nothing in it may go wrong unseen."""
    async with Desk.opened(chromium, stack) as opened:
        yield opened
    assert opened.faults == []


@pytest.fixture
def page(desk: Desk) -> Page:
    return desk.page
