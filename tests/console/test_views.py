"""Every view, narrow and wide, dark and light, in both languages: nothing cut, nobody shut out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from local.stack import Stack
from tests.console.desk import Desk, Scheme
from tests.support.client import SHORT_CODE, TOLL_FREE, Parley, Platform
from tests.support.people import People
from tools import browser

pytestmark = pytest.mark.slow

# What axe calls it when somebody cannot use a page.
_GRAVE = {"serious", "critical"}
LOOKS: list[tuple[int, Scheme, str]] = [
    (1440, "light", "en-US"),
    (1440, "dark", "ko-KR"),
    (360, "light", "ko-KR"),
    (360, "dark", "en-US"),
]


@pytest.fixture(scope="module")
async def somebody(parley: Parley, any_platform: Platform, people: People) -> str:
    """A person with a past: texted, answering, stopped, texted in vain; and one of a campaign."""
    person, other = people.one(), people.one()
    await parley.send(
        person, message="Contoso: your table is ready \u2013 see you \u201csoon\u201d. STOP to end."
    )
    await any_platform.text_with(person, "your table")
    await any_platform.speak(person, "On our way, five minutes! " * 4)
    await any_platform.speak(person, "STOP")
    while not await parley.optouts(person):
        continue
    await parley.send(person, message="Contoso: are you there?")
    body = {
        "campaignId": f"console-{person[1:]}",
        "from": SHORT_CODE,
        "message": "Contoso: {name}, 20% off today. Reply STOP to end.",
        "recipients": [{"to": other, "name": "Ann"}],
    }
    await parley.own("POST", "/campaigns", body)
    await parley.deliver("inbound", [{"id": "odd", "eventType": "Microsoft.Odd", "data": {}}])
    return person


def views(person: str) -> dict[str, tuple[list[str], str]]:
    """The route of each view, and what is there once it has loaded."""
    return {
        "overview": (["overview"], ".uplot canvas"),
        "live": (["live"], "tbody tr"),
        "conversations": (["conversations"], ".conversation, .pane.list .empty"),
        "conversation": (["conversations", TOLL_FREE, person], ".change"),
        "ledger": (["ledger", person], ".verdict + section td"),
        "senders": (["senders"], ".sender"),
        "quarantine": (["quarantine"], "section:nth-of-type(2) :is(.empty, td)"),
        "campaigns": (["campaigns"], "td"),
        "campaign": (["campaigns", f"console-{person[1:]}"], "progress"),
    }


@pytest.mark.timeout(0)  # axe is fetched by npm the first time
@pytest.mark.parametrize("look", LOOKS, ids=lambda look: "-".join(map(str, look)))
async def test_every_view(
    chromium: Browser, stack: Stack, somebody: str, look: tuple[int, Scheme, str]
) -> None:
    """Nothing is wider than the window, and axe finds no fault that shuts people out."""
    browser.install_packages()
    width, scheme, language = look
    async with Desk.opened(chromium, stack, width=width, scheme=scheme, language=language) as desk:
        faults: dict[str, Any] = {}
        for name, (parts, sign) in views(somebody).items():
            await desk.go(*parts)
            await expect(desk.page.locator(sign).first).to_be_attached()
            if found := await grave_faults(desk.page):
                faults[name] = found
            if await desk.scrolls_sideways():
                faults[f"{name}: too wide"] = await desk.page.evaluate("innerWidth")
        assert faults == {}, json.dumps(faults, indent=2)
        assert desk.faults == []


async def grave_faults(page: Page) -> list[dict[str, Any]]:
    """What axe finds serious or critical, with the elements."""
    # By the debugger, past the page's own policy, which lets no foreign script in.
    await page.evaluate(browser.AXE.read_text(encoding="utf-8"))
    found = await page.evaluate("axe.run()")
    assert len(found["passes"]) > 10, "axe has looked at nothing"
    return [
        {"rule": fault["id"], "where": [node["html"][:200] for node in fault["nodes"]][:4]}
        for fault in found["violations"]
        if fault["impact"] in _GRAVE
    ]


async def test_by_keyboard(desk: Desk, page: Page, somebody: str) -> None:
    """The first stop leaps over the navigation; dialogs close by Escape and give the focus back."""
    await desk.go("live")
    await expect(page.locator("tbody tr").first).to_be_visible()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("main")).to_be_focused()
    state = page.locator("tbody tr td:last-child button").first
    await state.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_contain_text("Message id")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(state).to_be_focused()


async def test_a_change_of_mind(desk: Desk, page: Page, person: str, parley: Parley) -> None:
    """An operator opts somebody out and in again with a reason; the ledger says so at once."""
    await desk.go("ledger", person)
    await expect(page.locator(".verdict")).to_contain_text("has never opted out")
    await page.get_by_role("button", name="Opt out").click()
    await page.get_by_label("Sender").select_option(TOLL_FREE)
    await page.get_by_label("Reason").fill("Rang us up: <b>no more</b>")
    await page.get_by_role("dialog").get_by_role("button", name="Opt out").click()
    await expect(page.locator(".verdict")).to_contain_text("has opted out and is not texted")
    await page.get_by_role("button", name="Opt in").click()
    await page.get_by_label("Reason").fill("Rang again")
    await page.get_by_label("The person has agreed").check()
    await page.get_by_role("dialog").get_by_role("button", name="Opt in").click()
    await expect(page.locator(".verdict")).to_contain_text("has opted in again")
    await expect(page.get_by_role("table", name="History").locator("tbody tr")).to_have_count(2)
    assert [entry["isOptedOut"] for entry in await parley.optouts(person)] == [False]


async def test_the_price_of_a_character(desk: Desk, page: Page, person: str) -> None:
    """While one types: segments and cost, and which character makes one segment two."""
    await desk.go("conversations", TOLL_FREE, person)
    box = page.get_by_label("Text", exact=True)
    await box.fill(
        "Contoso: let\u2019s meet at the second desk on the left; ask for Ann. STOP to end."
    )
    await expect(page.locator("#reply-cost")).to_contain_text("2 segments")
    await expect(page.locator("#reply-cost")).to_contain_text("$0.02")
    await expect(page.locator(".costly")).to_contain_text("\u2019 turns 1 segment into 2.")
    await page.get_by_role("button", name="Write it plainly").click()
    await expect(page.locator("#reply-cost")).to_contain_text("1 segment ·")
    await expect(page.locator(".costly")).to_have_count(0)


async def test_first_data_is_light(desk: Desk, page: Page) -> None:
    """From nothing to the first figures: at most 150 kB cross the wire."""
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    await desk.go("overview")
    await expect(page.locator(".uplot canvas").first).to_be_attached()
    await expect(page.locator(".tile .value").first).to_be_visible()
    assert 10_000 < sum(sizes) <= 150_000, sizes


async def test_the_look_is_a_choice(desk: Desk, page: Page) -> None:
    """Palette and language can be chosen, hold for the next time, and leave no key behind."""
    await desk.go("senders")
    await page.get_by_role("button", name="Palette").click()
    await page.get_by_role("button", name="Palette").click()
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    await page.get_by_label("Language").select_option("ko")
    await expect(page.get_by_role("heading", name="발신 번호")).to_be_visible()
    await page.reload()
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    await expect(page.get_by_role("heading", name="발신 번호")).to_be_visible()
