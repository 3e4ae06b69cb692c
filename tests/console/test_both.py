"""The local page with the console beside the handsets: the main job, as one first plays it."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from local.stack import Stack
from tests.console.desk import Desk
from tests.support.client import TOLL_FREE, Platform


@pytest.mark.slow
@pytest.mark.parametrize("width", [1440, 360])
async def test_the_main_job_on_one_page(
    chromium: Browser, stack: Stack, platform: Platform, person: str, width: int
) -> None:
    """A text from the console reaches the handset, its STOP the console, which says why."""
    await platform.control("PUT", f"/handsets/{person.replace('+', '%2B')}")
    async with Desk.opened(chromium, stack, width=width) as desk:
        page = desk.page
        await page.goto(stack.both)
        console = page.frame_locator("#console")
        handsets = page.frame_locator("#handsets")
        assert stack.function_key not in page.url
        await expect(console.get_by_role("heading", name="Overview")).to_be_visible()

        await console.get_by_role("button", name="Menu").click()
        await console.get_by_role("link", name="Conversations").click()
        await console.get_by_role("button", name="New").click()
        await console.get_by_label("From", exact=True).select_option(TOLL_FREE)
        await console.get_by_label("To", exact=True).fill(person)
        await console.get_by_role("button", name="Open", exact=True).click()
        await console.get_by_label("Text", exact=True).fill("Contoso: ready? STOP to end.")
        await console.get_by_role("button", name="Send").click()
        await expect(console.locator(".bubble.outbound")).to_contain_text("Delivered")

        phone = handsets.locator(f"section.phone:has-text('{person[-4:]}')").last
        await expect(phone.get_by_text("Contoso: ready?")).to_be_visible()
        await phone.get_by_role("button", name="STOP").click()
        await expect(console.locator(".thread-head")).to_contain_text("Opted out")
        await console.get_by_label("Text", exact=True).fill("Contoso: sure?")
        await console.get_by_role("button", name="Send").click()
        await expect(console.locator(".composer .trouble")).to_contain_text("has opted out")
        await console.locator(".composer .trouble").get_by_role("link").click()
        await expect(console.locator(".verdict")).to_contain_text("by keyword (keyword/STOP)")
        await expect(console.get_by_role("table", name="History")).to_contain_text("keyword/STOP")
        assert not await desk.scrolls_sideways()
        assert desk.faults == []
