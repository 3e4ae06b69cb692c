"""A Chromium for the console's tests: the machine's own, else one from npm.

The variable `CHROMIUM` names one; without it the PATH is searched.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import Final

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# No sandbox, since a container's root has none; nothing that would call home.
ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


class NoBrowser(Exception):
    """There is no Chromium; the message says what to do."""


def find(environ: Mapping[str, str] = os.environ) -> str:
    """The path of a Chromium.

    Raises:
        NoBrowser: there is none.
    """
    if chosen := environ.get("CHROMIUM"):
        return chosen
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    raise NoBrowser("There is no Chromium on the PATH.")
