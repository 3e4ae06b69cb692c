"""`python -m local.pictures`, which is `make pictures`: the README's pictures of the console.

A stack of its own gets the made-up month; once its analytics have taken all of it in, a Chromium
photographs the console. What is in them is therefore what `make run SEED=1` shows.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from playwright.sync_api import Browser, Error, Page, sync_playwright

from local import browser
from local.child import ChildFailed
from local.demo import Caller
from local.node import InstallFailed
from local.ports import Ports
from local.seed.command import seed_once
from local.seed.story import DAYS, REMINDERS
from local.stack import ROOT, Stack, StackOptions
from shared.clock import iso
from shared.storage import StorageDown

PICTURES: Final = ROOT / "docs" / "pictures"
_SEED: Final = 1
_PATIENCE_SECONDS: Final = 900.0
_LOOK_SECONDS: Final = 5.0
# What is asked of the interface has been answered and drawn by then.
_STILL_MILLISECONDS: Final = 2500
_MONTH: Final = "30 days"
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
        press: a button to press first.
    """

    name: str
    route: str
    width: int
    height: int
    scheme: str = "light"
    language: str = "en-US"
    press: str | None = None


class NotReady(Exception):
    """The month did not show up in the analytics."""


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
                seed_once(stack, home / "data", _SEED, now)
                parley = Caller(stack.endpoint, {"x-functions-key": stack.function_key})
                _until_counted(parley, now)
                _photograph(stack, _views(parley))
    except (ChildFailed, InstallFailed, StorageDown, NotReady, Error, OSError) as error:
        print(f"No pictures: {error}", file=sys.stderr)
        return 1
    return 0


def _views(parley: Caller) -> list[Picture]:
    talk = _a_talk(parley)
    return [
        Picture("overview", "/overview", 1280, 800, press=_MONTH),
        Picture("overview-dark", "/overview", 1280, 800, scheme="dark", press=_MONTH),
        Picture("conversation", f"/conversations/{talk}", 1280, 800),
        Picture("conversation-phone-ko", f"/conversations/{talk}", 390, 800, "dark", "ko-KR"),
    ]


def _a_talk(parley: Caller) -> str:
    """The conversation of late in which the person says most in words of their own."""
    found = parley.get(f"/conversations?from={quote(REMINDERS)}&maxpagesize=100")["value"]
    if not found:
        raise NotReady(f"Nobody talks to {REMINDERS}.")
    routes = [f"{quote(t['ours'], safe='')}/{quote(t['theirs'], safe='')}" for t in found]
    return max(routes, key=lambda route: _own_words(parley, route))


def _own_words(parley: Caller, route: str) -> int:
    latest = parley.get(f"/conversations/{route}?order=desc&maxpagesize=6")["value"]
    said = [item for item in latest if item.get("direction") == "inbound"]
    if len(said) > len(latest) / 2 or any(item["type"] != "message" for item in latest):
        return 0
    # What every machine has the letters for.
    return sum(len(item["message"]) > _A_WORD and item["message"].isascii() for item in said)


def _until_counted(parley: Caller, until: datetime) -> None:
    """Wait until all is folded: answers too, which mark their texts as answered afterwards."""
    print("Waiting for the analytics; some minutes ...", flush=True)
    start = iso(until - timedelta(days=DAYS))

    def counted() -> bool:
        found = parley.get(f"/analytics?interval=total&from={quote(start)}")
        total = found["total"][0]
        return (found["upTo"] or "") > iso(until) and total["replied"] > total["inbound"] / 2

    _wait(counted)


def _wait(seen: Callable[[], Any]) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not seen():
        if time.monotonic() > end:
            raise NotReady("The analytics have not taken the month in.")
        time.sleep(_LOOK_SECONDS)


def _photograph(stack: Stack, pictures: list[Picture]) -> None:
    chromium = browser.find()
    PICTURES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium.path,
            args=list(browser.ARGUMENTS),
            env={**os.environ, **chromium.environ},
        )
        for picture in pictures:
            file = PICTURES / f"{picture.name}.png"
            page = _opened(started, picture)
            key = quote(stack.function_key, safe="")
            page.goto(f"{stack.endpoint}/console#key={key}&to={picture.route}")
            if picture.press is not None:
                page.get_by_role("button", name=picture.press).click()
            page.wait_for_timeout(_STILL_MILLISECONDS)
            page.screenshot(path=file)
            page.context.close()
            print(f"  {file.relative_to(ROOT)}: {file.stat().st_size // 1000} kB", flush=True)
        started.close()


def _opened(started: Browser, picture: Picture) -> Page:
    scheme: Any = picture.scheme
    context = started.new_context(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme=scheme,
        locale=picture.language,
        reduced_motion="reduce",
    )
    return context.new_page()


if __name__ == "__main__":
    sys.exit(main())
