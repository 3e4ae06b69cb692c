"""What the console's tests need: a Chromium, and the packages that `tools/console` pins.

`python -m tools.browser --install` puts axe, and uPlot as its authors published it, into
`.local/console`; and where the machine has no Chromium of its own, one from npm into
`.local/chromium`, which needs neither root nor a download from elsewhere. The variable `CHROMIUM`
names another one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from local import node
from local.node import InstallFailed, Node

PACKAGES: Final = node.ROOT / ".local" / "console"
HOME: Final = node.ROOT / ".local" / "chromium"
AXE: Final = PACKAGES / "node_modules" / "axe-core" / "axe.min.js"
UPLOT: Final = PACKAGES / "node_modules" / "uplot"
_MANIFESTS: Final = Path(__file__).parent
_AXE_INSIDE: Final = AXE.relative_to(PACKAGES)
_PACKED: Final = Path("node_modules", "@sparticuz", "chromium", "bin")
_UNPACKED: Final = Path("unpacked")
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_EXPAND: Final = (
    "const {createReadStream, createWriteStream} = require('fs');"
    "require('stream/promises').pipeline(createReadStream(process.argv[1]),"
    "require('zlib').createBrotliDecompress(), createWriteStream(process.argv[2]))"
)
# The letters that it brings, beside those of the machine, which may have none.
_LETTERS: Final = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">fonts</dir>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <cachedir prefix="relative">cache</cachedir>
</fontconfig>
"""
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


@dataclass(frozen=True, slots=True)
class Chromium:
    """A Chromium to start.

    Attributes:
        path: the program.
        environ: what it needs in its environment, beside everything else.
    """

    path: str
    environ: Mapping[str, str] = field(default_factory=dict)


def find(environ: Mapping[str, str] = os.environ, home: Path = HOME) -> Chromium:
    """The Chromium to use: the one that is named, the machine's own, the installed one.

    Raises:
        InstallFailed: there is none.
    """
    own = _own(environ)
    if own is not None:
        return own
    installed = home / _UNPACKED
    if not (installed / "chromium").is_file():
        raise InstallFailed("There is no Chromium; run `make setup`.")
    # It brings the libraries and the letters that a bare machine lacks.
    libraries = [str(installed / "lib"), environ.get("LD_LIBRARY_PATH", "")]
    return Chromium(
        str(installed / "chromium"),
        {
            "LD_LIBRARY_PATH": os.pathsep.join(part for part in libraries if part),
            "FONTCONFIG_FILE": str(installed / "fonts.conf"),
        },
    )


def _own(environ: Mapping[str, str]) -> Chromium | None:
    if chosen := environ.get("CHROMIUM"):
        return Chromium(chosen)
    path = environ.get("PATH", "")
    return next(
        (Chromium(found) for name in _NAMES if (found := shutil.which(name, path=path))), None
    )


def install_packages() -> None:
    """Install axe and uPlot unless they are there.

    Raises:
        InstallFailed: with the reason; what was there before is left as it was.
    """
    node.install(_MANIFESTS / "console", PACKAGES, entry=_AXE_INSIDE)


def install_chromium(environ: Mapping[str, str] = os.environ, home: Path = HOME) -> None:
    """Install a Chromium where there is no other.

    Raises:
        InstallFailed: with the reason; what was there before is left as it was.
    """
    if _own(environ) is None:
        entry = _PACKED / "chromium.br"
        node.install(_MANIFESTS / "chromium", home, entry=entry, finish=_unpack)


def _unpack(node_js: Node, directory: Path) -> None:
    target = directory / _UNPACKED
    for name in ("chromium", "al2023.tar", "swiftshader.tar", "fonts.tar"):
        target.mkdir(exist_ok=True)
        command = [*node_js.node, "-e", _EXPAND, str(directory / _PACKED / f"{name}.br")]
        node.run([*command, str(target / name)], directory, f"{name} cannot be unpacked")
        if name.endswith(".tar"):
            place = target / "fonts" if name == "fonts.tar" else target
            with tarfile.open(target / name) as archive:
                archive.extractall(place, filter="data")
            (target / name).unlink()
    (target / "fonts.conf").write_text(_LETTERS, encoding="utf-8")
    (target / "chromium").chmod(0o755)
    shutil.rmtree(directory / _PACKED)


def main(arguments: list[str]) -> int:
    """Install; 1 and the reason if that fails."""
    parser = argparse.ArgumentParser(prog="python -m tools.browser", description=__doc__)
    parser.add_argument("--install", action="store_true", required=True, help="install if absent")
    parser.parse_args(arguments)
    try:
        install_packages()
        install_chromium()
    except (InstallFailed, OSError, tarfile.TarError) as error:
        print(f"The console's tests cannot run: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
