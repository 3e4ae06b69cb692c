"""What strangers type: shown letter for letter, never markup, in any length."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Page, expect

from local.stack import Stack
from shared.conversations import Entry, Kind
from tests.console.desk import Desk
from tests.support.client import TOLL_FREE, Parley, Platform
from tests.support.parts import parts_of

pytestmark = pytest.mark.slow

ODD = (
    "<img src=x onerror=\"document.title='taken'\">",
    "</script><script>document.title='taken'</script>",
    '=HYPERLINK("http://x.example","click")',
    "{{constructor.constructor('alert(1)')()}} ${1+1} %s",
    "\u202egnp.exe\u202c \u200b\u200d\ufeff \U0001f469\u200d\U0001f467 e\u0301 \u0e01\u0e33",
    "a" * 300,
    "한국어 文字 ⅷ ﷽ \U0001f1f0\U0001f1f7",
    "javascript:document.title='taken'//\n\nline\ttab",
)


async def test_is_shown_as_it_is(
    desk: Desk, parley: Parley, platform: Platform, person: str
) -> None:
    """In the conversation, in the feed and in a message's details, text is text."""
    page = desk.page
    for words in ODD:
        await platform.speak(person, words)
    odd_tag = ODD[0] + ODD[2]
    await parley.send(person, message="Contoso: yes", tag=odd_tag)
    await desk.go("conversations", TOLL_FREE, person)
    bubbles = page.locator(".bubble.inbound .words")
    await expect(bubbles).to_have_count(len(ODD))
    assert set(await bubbles.all_text_contents()) == set(ODD)
    assert await bubbles.locator("*").count() == 0
    await page.get_by_role("link", name="Live feed").click()
    talk = parley.conversation_id(TOLL_FREE, person)
    rows = page.locator("tr", has=page.locator(f"a[href*='{talk}']"))
    await expect(rows).to_have_count(len(ODD) + 1)
    assert set(await rows.locator(".clamp").all_text_contents()) == {*ODD, "Contoso: yes"}
    await rows.filter(has_text="Contoso: yes").get_by_role("button").click()
    details = page.get_by_role("dialog")
    await expect(details).to_contain_text("Handed to ACS")
    assert odd_tag in await details.locator("dd").all_text_contents()
    assert await page.title() == "Live feed · Parley"
    assert not await desk.scrolls_sideways()


@pytest.fixture
async def long_talk(stack: Stack, person: str) -> list[str]:
    """A conversation of 5,000 texts; their words, oldest first."""
    first = datetime.now(UTC) - timedelta(days=40)
    entries = [
        Entry(
            ours=TOLL_FREE,
            theirs=person,
            at=first + timedelta(minutes=10 * number),
            message_id=f"01M81WKFTM31A6ZQY6MBJ{number:05d}.in",
            kind=Kind.RECEIVED,
            text=f"text {number}",
            segments=1,
        )
        for number in range(5000)
    ]
    async with parts_of(stack) as parts:
        await parts.conversations.entries.write_all(entries)
    return [str(entry.text) for entry in entries]


async def test_a_long_conversation(
    desk: Desk, page: Page, person: str, long_talk: list[str]
) -> None:
    """Five thousand texts: the newest are there at once, the older ones as one scrolls up."""
    await desk.go("conversations", TOLL_FREE, person)
    await expect(page.locator(".bubble .words").last).to_have_text(long_talk[-1])
    shown = await page.locator(".bubble").count()
    assert shown < 500
    scroller = page.locator(".messages")
    await scroller.evaluate("box => box.scrollTop = 0")
    await expect(page.locator(".bubble").nth(shown)).to_be_attached()
    at_first: Any = await page.locator(".bubble .words").all_text_contents()
    assert at_first == long_talk[-len(at_first) :]
    while await page.get_by_role("button", name="Show older texts").is_visible():
        before = await page.locator(".bubble").count()
        await scroller.evaluate("box => box.scrollTop = 0")
        await page.wait_for_function(
            "before => document.querySelectorAll('.bubble').length > before"
            " || document.querySelector('.more button').hidden",
            arg=before,
        )
    assert await page.locator(".bubble .words").all_text_contents() == long_talk
