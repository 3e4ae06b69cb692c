"""What an operator decides in the console: campaigns, events that nobody understood."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from playwright.async_api import Page, expect

from shared.clock import iso
from tests.console.desk import Desk
from tests.support.client import SHORT_CODE, Parley


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
    desk: Desk, page: Page, parley: Parley, person: str
) -> None:
    """What no handler understood is shown as it came, tried again with its reason, or dropped."""
    event = {
        "id": f"odd-{person[1:]}",
        "topic": "t",
        "subject": "s",
        "eventType": "Microsoft.Communication.SMSReceived",
        "eventTime": iso(datetime.now(UTC)),
        "data": {"message": "<b>nobody</b>", "to": person},
        "dataVersion": "1.0",
        "metadataVersion": "1",
    }
    assert await parley.deliver("inbound", [event]) in {200, 202}
    found = (await parley.own("GET", "/quarantine?maxpagesize=500")).items
    item = next(item for item in found if item["id"] == event["id"])
    await desk.go("quarantine")
    row = page.locator("tr", has_text=item["reason"]).first
    await expect(row).to_be_visible()
    await row.get_by_role("button", name="Look").click()
    await expect(page.get_by_role("dialog").locator("pre")).to_contain_text("<b>nobody</b>")
    await page.keyboard.press("Escape")
    await row.get_by_role("button", name="Try again").click()
    await expect(page.locator(".toast")).to_be_visible()
    before = len((await parley.own("GET", "/quarantine?maxpagesize=500")).items)
    await row.get_by_role("button", name="Drop").click()
    await page.get_by_role("dialog").get_by_role("button", name="Drop").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    after = len((await parley.own("GET", "/quarantine?maxpagesize=500")).items)
    assert after == before - 1
