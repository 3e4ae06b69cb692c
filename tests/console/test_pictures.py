"""The pictures of the console: taken when all is counted, refused when something is empty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from azure.data.tables import TableClient
from playwright.async_api import Page, expect

from local.stack import Stack
from shared.analytics import late
from shared.analytics.state import TimerState, state_row
from shared.azure.versions import stamped
from tests.console.desk import Desk
from tools import pictures

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
DONE = TimerState(NOW + timedelta(minutes=1), NOW + timedelta(minutes=1))


@pytest.fixture
def table(stack: Stack) -> Iterator[TableClient]:
    with TableClient.from_connection_string(stack.storage, "picturesTest") as made:
        made.create_table()
        yield made
        made.delete_table()


@pytest.mark.parametrize(
    ("state", "counted"),
    [
        (DONE, True),
        (replace(DONE, folded_up_to=NOW - timedelta(minutes=1)), False),
        (replace(DONE, again=((NOW - timedelta(days=6), NOW),)), False),
        (replace(DONE, claimed_until=NOW), False),
    ],
)
def test_all_is_counted(table: TableClient, state: TimerState, counted: bool) -> None:  # noqa: FBT001
    """Not while the moment is not folded, a span is left, or a run is at work."""
    assert not pictures.counted(table, NOW)
    table.create_entity(stamped(state_row(state)))
    assert pictures.counted(table, NOW) == counted


def test_marks_are_waited_for(table: TableClient) -> None:
    """A mark that no run has heeded yet says that there is more to count; a heeded one does not."""
    table.create_entity(stamped(state_row(DONE)))
    table.create_entity(stamped(late.mark_row(DONE.marks_up_to, NOW - timedelta(days=3))))
    assert pictures.counted(table, NOW)
    table.create_entity(stamped(late.mark_row(DONE.marks_up_to + timedelta(minutes=4), NOW)))
    assert not pictures.counted(table, NOW)


@pytest.mark.parametrize("hours", range(0, 7 * 24, 5))
def test_it_is_always_the_same_hour(hours: int) -> None:
    """The browser is where it is five in the afternoon; the story ends late on a Wednesday."""
    now = NOW + timedelta(hours=hours)
    assert now.astimezone(ZoneInfo(pictures.zone_at(now))).hour == 17
    end = now - pictures.later_at(now)
    assert (end.weekday(), end.hour) == (2, 23)
    assert end.date() <= now.date() + timedelta(days=1)


async def test_letters_that_nobody_can_read_are_no_picture(desk: Desk, page: Page) -> None:
    """A character without a letter on this machine is named, others are not."""
    await desk.go_without_key()
    await page.evaluate("document.body.textContent = 'Read me \\ufffe \\uffff'")
    assert await page.evaluate(pictures.LETTERS) == ["\ufffe", "\uffff"]


async def test_an_empty_overview_is_no_picture(desk: Desk, page: Page) -> None:
    """Tiles and days without anything are named, so that the pictures are refused."""
    await page.clock.set_fixed_time(datetime(2020, 5, 30, 17, 0, tzinfo=UTC))
    await desk.go("overview")
    await page.get_by_role("button", name="30 days").click()
    await expect(page.locator(".chart tbody").first.locator("tr")).to_have_count(30)
    await expect(page.locator(".tile .value")).to_have_count(6)
    empty = await page.evaluate(pictures.EMPTY, 30)
    assert {"Sent today", "Delivery rate", "Opt-out rate", "Received"} <= set(empty)
    assert len(empty) == 36
