"""The console's charts: uPlot, shipped as its authors published it.

`python -m tools.uplot --write` copies the pinned version into the console's files; a test sees that
what is there is that version, byte for byte.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Final

from local import node
from tools import browser

STATIC: Final = node.ROOT / "functions" / "console" / "static"
# Where each file comes from, by the name that it is served under.
FILES: Final = MappingProxyType(
    {
        "uplot.js": Path("dist", "uPlot.iife.min.js"),
        "uplot.css": Path("dist", "uPlot.min.css"),
        "uplot-license.txt": Path("LICENSE"),
    }
)


def published(name: str) -> bytes:
    """A file as it was published.

    Raises:
        InstallFailed: npm cannot install it.
    """
    browser.install_packages()
    return (browser.UPLOT / FILES[name]).read_bytes()


def main(arguments: list[str]) -> int:
    """Write the files."""
    parser = argparse.ArgumentParser(prog="python -m tools.uplot", description=__doc__)
    parser.add_argument("--write", action="store_true", required=True, help="copy the files")
    parser.parse_args(arguments)
    for name in FILES:
        (STATIC / name).write_bytes(published(name))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
