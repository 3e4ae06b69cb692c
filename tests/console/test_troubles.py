"""What goes wrong while the page is open: nothing that is shown or typed is lost."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from playwright.async_api import Page, Route, expect

from local.stack import Stack
from tests.console.desk import Desk
from tests.support.client import TOLL_FREE, Parley, Platform

pytestmark = pytest.mark.slow


async def test_a_key_loses_its_right(
    desk: Desk, page: Page, parley: Parley, platform: Platform, person: str
) -> None:
    """A key that is refused is asked for again; what was typed is still there and can be sent."""
    await desk.go("conversations", TOLL_FREE, person)
    box = page.get_by_label("Text", exact=True)
    await box.fill("Contoso: half a sentence")
    refused = {"on": True}

    async def refuse(route: Route) -> None:
        # As the functions host does once a key has been renewed.
        if refused["on"]:
            await route.fulfill(status=401)
        else:
            await route.continue_()

    await page.route(re.compile(r"/(conversations|optouts|messages)"), refuse)
    await expect(page.get_by_role("dialog")).to_contain_text("The key was refused")
    await expect(page.locator(".bubble, .log .none")).to_have_count(1)
    refused["on"] = False
    await page.get_by_label("Function key").fill(parley.function_key)
    await page.get_by_role("button", name="Open", exact=True).click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(box).to_have_value("Contoso: half a sentence")
    await page.get_by_role("button", name="Send").click()
    await platform.text_with(person, "half a sentence")


async def test_the_interface_goes_and_comes(
    desk: Desk, stack: Stack, parley: Parley, platform: Platform, person: str
) -> None:
    """While it is down the page keeps what it shows and says so; a send waits and is made once."""
    page = desk.page
    await parley.send(person, message="Contoso: before")
    await desk.go("conversations", TOLL_FREE, person)
    await expect(page.locator(".bubble .words")).to_have_text("Contoso: before")
    await asyncio.to_thread(stack.stop_host)
    try:
        await expect(page.locator(".banner")).to_contain_text("Parley does not answer.")
        await expect(page.locator(".bubble .words")).to_have_text("Contoso: before")
        await page.get_by_label("Text", exact=True).fill("Contoso: meanwhile")
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator(".composer .trouble")).to_contain_text("no answer yet")
    finally:
        await asyncio.to_thread(stack.start_host)
    # As when a laptop wakes; the page would have tried by itself a little later.
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(page.locator(".bubble .words")).to_have_text(
        ["Contoso: before", "Contoso: meanwhile"]
    )
    await expect(page.locator(".banner")).to_be_hidden()
    await expect(page.get_by_label("Text", exact=True)).to_have_value("")
    assert len(await platform.accepted(person)) == 2


async def test_a_lost_answer_is_asked_for_again(
    desk: Desk, page: Page, platform: Platform, person: str
) -> None:
    """A send whose answer was lost is repeated under its key, also after a reload: one text."""
    await desk.go("conversations", TOLL_FREE, person)
    lost = {"on": True}

    async def lose(route: Route) -> None:
        if lost["on"]:
            await route.fetch()
            await route.abort()
        else:
            await route.continue_()

    await page.route(re.compile(r"/messages$"), lose)
    await page.get_by_label("Text", exact=True).fill("Contoso: only once")
    await page.get_by_role("button", name="Send").click()
    await platform.text_with(person, "only once")
    await expect(page.locator(".composer .trouble")).to_contain_text("no answer yet")
    lost["on"] = False
    await page.reload()
    await expect(page.get_by_label("Text", exact=True)).to_have_value("")
    await expect(page.locator(".bubble .words")).to_have_text("Contoso: only once")
    assert len(await platform.accepted(person)) == 1


async def test_a_route_that_is_not_there(desk: Desk, page: Page) -> None:
    """What an older Parley does not have is said, and the rest of the page works."""

    async def absent(route: Route) -> None:
        await route.fulfill(status=404)

    await page.route(re.compile(r"/senders$"), absent)
    await desk.go("senders")
    await expect(page.get_by_text("Not available", exact=True)).to_be_visible()
    await page.get_by_role("link", name="Live feed").click()
    await expect(page.locator("table, .empty")).to_be_visible()


async def test_a_change_whose_answer_is_lost_is_made_once(
    desk: Desk, page: Page, parley: Parley, person: str
) -> None:
    """An opt-out by hand is repeated under its id until an answer comes; it stands there once."""
    await desk.go("ledger", person)
    ids: list[str] = []

    async def lose_the_first(route: Route) -> None:
        ids.append(json.loads(route.request.post_data or "{}")["changeId"])
        if len(ids) == 1:
            await route.fetch()
            await route.abort()
        else:
            await route.continue_()

    await page.route(re.compile(r"/optouts:add$"), lose_the_first)
    await page.get_by_role("button", name="Opt out").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Reason").fill("Asked by telephone.")
    await dialog.get_by_role("button", name="Opt out").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert len(ids) == 2
    assert len(set(ids)) == 1
    (decision,) = await parley.optouts(person)
    assert decision["isOptedOut"]


async def test_a_send_in_doubt_is_repeated_and_its_key_told(
    desk: Desk, page: Page, platform: Platform, person: str
) -> None:
    """An answer of 5xx leaves a send in doubt: it goes on under its key, and whoever stops it is
    told that key."""
    await desk.go("conversations", TOLL_FREE, person)
    keys: list[str] = []

    async def fail(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        await route.fulfill(status=500, json={"code": "InternalError", "detail": "A mistake."})

    await page.route(re.compile(r"/messages$"), fail)
    await page.get_by_label("Text", exact=True).fill("Contoso: in doubt")
    await page.get_by_role("button", name="Send").click()
    trouble = page.locator(".composer .trouble")
    await expect(trouble).to_contain_text("no answer yet")
    async with page.expect_response(re.compile(r"/messages$")):
        await page.get_by_role("button", name="Try now").click()
    await page.get_by_role("button", name="Stop trying").click()
    await expect(trouble).to_contain_text(keys[0])
    assert len(keys) >= 2
    assert len(set(keys)) == 1
    assert await platform.accepted(person) == []
