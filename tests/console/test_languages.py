"""The console in whatever language a browser says that it has."""

from __future__ import annotations

import os

import pytest
from playwright.async_api import Page, async_playwright, expect

from local.stack import Stack
from tests.console.desk import Desk
from tools import browser


async def test_a_browser_of_a_machine_without_a_language(stack: Stack) -> None:
    """Where LANG is C or POSIX, a browser's tag is no tag of the standard; every view opens."""
    found = browser.find()
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=found.path,
            env={**os.environ, **found.environ, "LANG": "C", "LC_ALL": "C", "LANGUAGE": ""},
            args=list(browser.ARGUMENTS),
        )
        page = await started.new_page()
        desk = Desk(page, stack)
        await desk.go("overview")
        await expect(page.locator(".tile .value")).to_have_count(6)
        await expect(page.locator(".chart canvas")).to_have_count(4)
        await desk.go("conversations")
        await expect(page.locator(".pane.list")).to_be_visible()
        await expect(page.get_by_text("Invalid language tag")).to_have_count(0)
        assert desk.faults == []
        await started.close()


@pytest.mark.parametrize(
    ("tags", "language", "locale"),
    [
        (["en-GB", "ko"], "en", "en-GB"),
        (["ko", "en-GB"], "ko", "ko"),
        (["en-US@posix"], "en", "en-US"),
        (["en_IE.UTF-8"], "en", "en-IE"),
        (["C", "POSIX", "ko_KR@x=y"], "ko", "ko-KR"),
        (["de-DE", "EN-au"], "en", "en-AU"),
        (["kok-IN", "enm"], "en", "en-US"),
        (["en-", "en-US-x", "en-GB"], "en", "en-GB"),
        (["", " ", "-"], "en", "en-US"),
        ([], "en", "en-US"),
    ],
)
async def test_every_tag_leads_to_a_language(
    page: Page, desk: Desk, tags: list[str], language: str, locale: str
) -> None:
    """Tags that are none are mended or passed over; `kok` is not `ko`; the rest is English."""
    await desk.go_without_key()
    found = await page.evaluate(
        "async (tags) => { const i18n = await import(new URL('console/i18n.js', location));"
        " const tongue = i18n.languageOf(tags); return [tongue, i18n.localeOf(tongue, tags)]; }",
        tags,
    )
    assert found == [language, locale]
