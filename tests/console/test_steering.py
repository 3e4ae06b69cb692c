"""What an operator decides in the console: campaigns, events that nobody understood."""

from __future__ import annotations

import base64
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Page, expect

from local.stack import Stack
from shared.azure.event_grid import Envelope
from shared.base.clock import iso
from shared.receiving.quarantine import place_of
from tests.console.desk import Desk
from tests.support.client import SHORT_CODE, Parley
from tests.support.parts import parts_of

pytestmark = pytest.mark.slow


async def test_a_campaign_is_held_up_and_ended(
    desk: Desk, page: Page, parley: Parley, person: str
) -> None:
    """Pause, go on, cancel: each shows at once, and what cannot be taken back is asked twice."""
    name = f"steered-{person[1:]}"
    order = {
        "campaignId": name,
        "from": SHORT_CODE,
        "message": "Contoso: hello. Reply STOP to end.",
        "recipients": [{"to": person}],
        "startAt": iso(datetime.now(UTC) + timedelta(hours=1)),
    }
    assert (await parley.own("POST", "/campaigns", order)).status == 202
    await desk.go("campaigns")
    await page.get_by_role("link", name=name).click()
    state = page.locator(".card .badge").first
    await expect(state).to_have_text("Scheduled")
    await page.get_by_role("button", name="Pause").click()
    await expect(state).to_have_text("Paused")
    await page.get_by_role("button", name="Go on").click()
    await expect(state).to_have_text("Scheduled")
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").last.click()
    await expect(state).to_have_text("Canceled")
    assert (await parley.own("GET", f"/campaigns/{name}")).json["state"] == "canceled"


async def test_an_event_is_looked_at_and_dropped(
    desk: Desk, page: Page, stack: Stack, parley: Parley
) -> None:
    """What no handler understood is shown as it came, tried again with its reason, or dropped."""
    item = await _kept_first(stack, parley)
    await desk.go("quarantine")
    row = page.locator("tr", has_text=item["reason"])
    await expect(row).to_be_visible()
    await row.get_by_role("button", name="Look").click()
    await expect(page.get_by_role("dialog").locator("pre")).to_contain_text("<b>nobody</b>")
    await page.keyboard.press("Escape")
    await row.get_by_role("button", name="Try again").click()
    await expect(page.locator(".toast")).to_be_visible()
    await row.get_by_role("button", name="Drop").click()
    await page.get_by_role("dialog").get_by_role("button", name="Drop").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    gone = await parley.own("GET", f"/quarantine/{item['handler']}/{item['name']}")
    assert gone.status == 404


async def _kept_first(stack: Stack, parley: Parley) -> dict[str, Any]:
    """An event that is listed before all others, of which a shared stack may have thousands."""
    listed = (await parley.own("GET", "/quarantine?maxpagesize=1")).items
    first = f"{listed[0]['handler']}/{listed[0]['name']}" if listed else "~"
    handler = "delivery_report"
    odd = (
        Envelope(f"odd-{number}", "Contoso.Odd", None, {"message": "<b>nobody</b>"})
        for number in itertools.count()
    )
    id_key = base64.b64decode(stack.keys.id_key)
    envelope = next(one for one in odd if place_of(handler, one, id_key) < first)
    async with parts_of(stack) as parts:
        await parts.receiving.delivery_reports._quarantine.keep(
            handler, envelope, f"nobody knows {envelope.id}"
        )
    return (await parley.own("GET", "/quarantine?maxpagesize=1")).items[0]
