"""What the console is for: write, be answered, be told to stop, and see why."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from tests.console.desk import Desk
from tests.support.client import TOLL_FREE, Parley, Platform


async def test_write_be_answered_be_stopped(
    desk: Desk, page: Page, parley: Parley, platform: Platform, person: str
) -> None:
    """A text leaves the console, its answer arrives by itself; after STOP the next is refused."""
    await desk.go("conversations", TOLL_FREE, person)
    await page.get_by_label("Text", exact=True).fill("Contoso: shall we say ten? STOP to end.")
    await expect(page.locator("#reply-cost")).to_contain_text("1 segment")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".bubble.outbound .words")).to_have_text(
        "Contoso: shall we say ten? STOP to end."
    )
    await platform.text_with(person, "shall we say ten")

    await platform.speak(person, "<b>ten</b> it is")
    await expect(page.locator(".bubble.inbound .words")).to_have_text("<b>ten</b> it is")

    await platform.speak(person, "STOP")
    await expect(page.locator(".thread-head")).to_contain_text("Opted out")
    await page.get_by_label("Text", exact=True).fill("Contoso: are you sure?")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".composer .trouble")).to_contain_text("has opted out")
    await expect(page.get_by_label("Text", exact=True)).to_have_value("Contoso: are you sure?")
    assert len(await platform.accepted(person)) == 1
    assert [e["isOptedOut"] for e in await parley.optouts(person)] == [True]


@pytest.mark.slow
async def test_the_key_is_asked_for_and_kept_in_the_tab(
    desk: Desk, page: Page, parley: Parley
) -> None:
    """A wrong key is refused with a sentence; the right one opens and outlives a reload."""
    await desk.go_without_key("live")
    await page.get_by_label("Function key").fill("wrong")
    await page.get_by_role("button", name="Open").click()
    await expect(page.get_by_role("alert")).to_have_text("This key does not open Parley.")
    await page.get_by_label("Function key").fill(parley.function_key)
    await page.get_by_role("button", name="Open").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.reload()
    await expect(page.get_by_role("heading", name="Live feed")).to_be_visible()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert parley.function_key not in page.url
    assert await page.evaluate("Object.values(localStorage).join()") == ""


@pytest.mark.slow
async def test_a_key_in_the_address_leaves_it(desk: Desk, page: Page, parley: Parley) -> None:
    """A link with a key works once: the address holds the view alone."""
    await desk.go("live")
    await expect(page).to_have_url(re.compile(r"/console#/live$"))
    await expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.slow
async def test_the_feed_is_alive(
    desk: Desk, page: Page, parley: Parley, platform: Platform, person: str
) -> None:
    """What comes and goes appears without reloading, and states are brought up to date."""
    await desk.go("live")
    await expect(page.locator("table, .empty")).to_be_visible()
    await parley.send(person, message="Contoso: ready.", tag="=cmd()")
    row = page.locator("tr", has_text="Contoso: ready.").first
    await expect(row).to_contain_text("Delivered")
    await platform.speak(person, "I come at ten")
    await expect(page.locator("tr", has_text="I come at ten")).to_contain_text("Received")
