"""`python -m tools.pictures`, which is `make pictures`: the README's pictures of the console.

A stack of its own gets the made-up month; once its analytics have taken all of it in, a Chromium
photographs the console. What is in them is therefore what `make run SEED=1` shows, always at the
same hour of the company's week: the browser is in a place where it is that hour now. If a tile or a
day of the overview is empty, or this machine lacks letters that are shown, no picture is replaced.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.data.tables import TableClient
from playwright.sync_api import Browser, Error, Page, sync_playwright

from local.child import ChildFailed
from local.demo import Caller
from local.node import InstallFailed
from local.ports import Ports
from local.seed.command import seed_once
from local.seed.month import DAYS, REMINDERS
from local.stack import ROOT, Stack, StackOptions
from shared.analytics import late
from shared.analytics.count_rows import MINUTES, TABLE
from shared.analytics.state import STATE_PARTITION, STATE_ROW
from shared.azure.packing import unpack
from shared.azure.storage import StorageDown
from shared.base.clock import from_iso
from tools import browser

PICTURES: Final = ROOT / "docs" / "pictures"
_SEED: Final = 1
_PATIENCE_SECONDS: Final = 3600.0
_LOOK_SECONDS: Final = 5.0
# What is asked of the interface has been answered and drawn by then.
_STILL_MILLISECONDS: Final = 2500
_MONTH: Final = "30 days"
_OVERVIEW: Final = "/overview"
# When the story ends, by its own clock: on a working day, a Wednesday, at an hour which is that of
# the browser where the company is at home. Zones go from 12 hours west to 14 hours east.
_STORY_WEEKDAY: Final = 2
_STORY_HOUR: Final = 23
_LOCAL_HOUR: Final = 17
_MOST_EAST: Final = 14
_MARKS: Final = "PartitionKey ge @first and PartitionKey lt @last and RowKey ge @low"
# Tiles without a figure, a comparison or a line, and days without a text. No opt-outs are a figure.
EMPTY: Final = """(days) => {
  const figure = (text) => /[1-9]/.test(text ?? "") || /[0-9].*%/.test(text ?? "");
  const tiles = [...document.querySelectorAll(".tile")].filter((tile) =>
    !figure(tile.querySelector(".value")?.textContent)
    || !tile.querySelector(".against .num") || !tile.querySelector(".spark path"));
  const rows = [...(document.querySelector(".chart tbody")?.rows ?? [])];
  const bare = rows.filter((row) => !figure(row.cells[1].textContent)).map((row) => row.cells[0]);
  const names = [...tiles.map((tile) => tile.querySelector("h2") ?? tile), ...bare];
  return [...(rows.length === days ? [] : [`${rows.length} days`]),
    ...names.map((name) => name.textContent || "a tile")];
}"""
# Characters of the page that are drawn as one that is none.
LETTERS: Final = r"""() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 40, height: 40 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.font = `24px ${getComputedStyle(document.body).fontFamily}`;
  const drawn = (letter) => {
    context.clearRect(0, 0, 40, 40);
    context.fillText(letter, 4, 30);
    return canvas.toDataURL();
  };
  const none = drawn("\uffff");
  const shown = [...new Set(document.body.innerText)].filter((one) => /\S/.test(one));
  return shown.filter((one) => drawn(one) === none);
}"""
_DRAWN: Final = """(days) => document.querySelectorAll(".tile .value").length === 6
  && document.querySelector(".chart tbody")?.rows.length === days"""
# C, Yes and STOP are no words of one's own.
_A_WORD: Final = 6


@dataclass(frozen=True, slots=True)
class Picture:
    """A view, and how it is looked at.

    Attributes:
        name: of the file.
        route: of the view.
        width: of the window.
        height: of the window.
        scheme: light or dark.
        language: of the browser.
        zone: the browser's.
        press: a button to press first.
    """

    name: str
    route: str
    width: int
    height: int
    scheme: str = "light"
    language: str = "en-US"
    zone: str = "UTC"
    press: str | None = None


class NotReady(Exception):
    """The month did not show up in the analytics, or not all of it."""


def main() -> int:
    """Make the pictures anew; 1 and the reason if that fails."""
    try:
        with tempfile.TemporaryDirectory(prefix="parley-pictures-") as folder:
            home = Path(folder)
            options = StackOptions(
                ports=Ports.wished(os.environ, {}), data=home / "data", logs=home / "logs"
            )
            with Stack(options) as stack:
                now = datetime.now(UTC)
                print("Writing a made-up month ...", flush=True)
                seed_once(stack, home / "data", _SEED, now, later=later_at(now))
                parley = Caller(stack.endpoint, {"x-functions-key": stack.function_key})
                _until_counted(stack.storage, now)
                _photograph(stack, _views(parley, zone_at(now)), home)
    except (ChildFailed, InstallFailed, StorageDown, NotReady, AzureError, Error, OSError) as error:
        print(f"No pictures: {error}", file=sys.stderr)
        return 1
    return 0


def _views(parley: Caller, zone: str) -> list[Picture]:
    talk = _a_talk(parley)
    views = [
        Picture("overview", _OVERVIEW, 1280, 800, press=_MONTH),
        Picture("overview-dark", _OVERVIEW, 1280, 800, scheme="dark", press=_MONTH),
        Picture("conversation", f"/conversations/{talk}", 1280, 800),
        Picture("conversation-phone-ko", f"/conversations/{talk}", 390, 800, "dark", "ko-KR"),
    ]
    return [replace(view, zone=zone) for view in views]


def later_at(now: datetime) -> timedelta:
    """How much later than by its own clock the story happens, to end now."""
    now = now.astimezone(UTC)
    days = (now.weekday() - _STORY_WEEKDAY) % 7
    return timedelta(days=days, hours=now.hour - _STORY_HOUR)


def zone_at(now: datetime) -> str:
    """The zone in which it is late in the afternoon."""
    east = _LOCAL_HOUR - now.astimezone(UTC).hour
    # The names count towards the west.
    return f"Etc/GMT{-(east if east <= _MOST_EAST else east - 24):+d}"


def _a_talk(parley: Caller) -> str:
    """The conversation of late in which the person says most in words of their own."""
    found = parley.get(f"/conversations?ours={quote(REMINDERS)}&maxpagesize=100")["value"]
    if not found:
        raise NotReady(f"Nobody talks to {REMINDERS}.")
    talks = [str(talk["conversationId"]) for talk in found]
    return max(talks, key=lambda talk: _own_words(parley, talk))


def _own_words(parley: Caller, talk: str) -> int:
    latest = parley.get(f"/conversations/{talk}?order=desc&maxpagesize=6")["value"]
    said = [item for item in latest if item.get("direction") == "inbound"]
    if len(said) > len(latest) / 2 or any(item["type"] != "message" for item in latest):
        return 0
    # What every machine has the letters for.
    return sum(len(item["message"]) > _A_WORD and item["message"].isascii() for item in said)


def _until_counted(storage: str, until: datetime) -> None:
    print("Waiting for the analytics; some minutes ...", flush=True)
    with TableClient.from_connection_string(storage, TABLE) as table:
        _wait(lambda: counted(table, until))


def counted(table: TableClient, until: datetime) -> bool:
    """Whether the analytics have taken in all that there was at a moment.

    So it is when that moment's minute is folded, no span is left that was to be folded again, and
    no mark waits: what a span is found to have changed elsewhere is marked in turn.

    Args:
        table: of the counts.
        until: the moment.
    """
    try:
        state = table.get_entity(STATE_PARTITION, STATE_ROW)
    except ResourceNotFoundError:
        return False
    if state["claimedUntil"] or unpack(state["again"]) or from_iso(state["foldedUpTo"]) < until:
        return False
    marks = table.query_entities(
        _MARKS,
        parameters={
            "first": late.PREFIX,
            "last": f"{late.PREFIX}~",
            "low": MINUTES.row(from_iso(state["marksUpTo"])) + "~~",
        },
    )
    return next(iter(marks), None) is None


def _wait(seen: Callable[[], Any]) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not seen():
        if time.monotonic() > end:
            raise NotReady("The analytics have not taken the month in.")
        time.sleep(_LOOK_SECONDS)


def _photograph(stack: Stack, pictures: list[Picture], folder: Path) -> None:
    """Take all of them, and only then put them in place."""
    chromium = browser.find()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium.path,
            args=list(browser.ARGUMENTS),
            env={**os.environ, **chromium.environ},
        )
        for picture in pictures:
            page = _opened(started, picture)
            key = quote(stack.function_key, safe="")
            page.goto(f"{stack.endpoint}/console#key={key}&to={picture.route}")
            if picture.press is not None:
                page.get_by_role("button", name=picture.press).click()
            if picture.route == _OVERVIEW:
                _see_that_it_is_full(page)
            page.wait_for_timeout(_STILL_MILLISECONDS)
            if missing := page.evaluate(LETTERS):
                raise NotReady(
                    f"This machine has no letters for {''.join(missing)}: install a font that has"
                    " them, such as Noto Sans CJK."
                )
            page.screenshot(path=folder / f"{picture.name}.png")
            page.context.close()
        started.close()
    PICTURES.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        file = PICTURES / f"{picture.name}.png"
        shutil.copy(folder / file.name, file)
        print(f"  {file.relative_to(ROOT)}: {file.stat().st_size // 1000} kB", flush=True)


def _see_that_it_is_full(page: Page) -> None:
    """See that every tile of the overview says something, and every day of its month."""
    page.wait_for_function(_DRAWN, arg=DAYS)
    if empty := page.evaluate(EMPTY, DAYS):
        raise NotReady(f"The overview shows nothing for: {', '.join(empty)}.")


def _opened(started: Browser, picture: Picture) -> Page:
    scheme: Any = picture.scheme
    context = started.new_context(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme=scheme,
        locale=picture.language,
        timezone_id=picture.zone,
        reduced_motion="reduce",
    )
    return context.new_page()


if __name__ == "__main__":
    sys.exit(main())
