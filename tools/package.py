"""Builds the zip that azd ships, by azd's rules, so that it can be looked at and tested here.

    python -m tools.package        writes dist/parley.zip

What `.funcignore` names stays out; its lines mean what they mean to git. azd leaves out the file
itself, `.azure` and `local.settings.json` as well. The same tree gives the same bytes: the order is
the names', and the times are all one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from pathspec import GitIgnoreSpec

ROOT: Final = Path(__file__).parent.parent
PACKAGE: Final = Path("dist", "parley.zip")
IGNORE_FILE: Final = ".funcignore"
_ALWAYS_OUT: Final = frozenset({IGNORE_FILE, ".azure", "local.settings.json"})
# The earliest time that a zip can hold.
_WHENEVER: Final = (1980, 1, 1, 0, 0, 0)
_READABLE_FILE: Final = 0o100644


class NothingToShip(Exception):
    """The folder is no functions app."""


def files(root: Path) -> list[Path]:
    """The files that are shipped, relative to the root, sorted by name.

    Raises:
        NothingToShip: there is no `.funcignore`, without which tests and local data would go along.
    """
    ignore = root / IGNORE_FILE
    if not ignore.is_file():
        raise NothingToShip(f"{root} has no {IGNORE_FILE}")
    rules = GitIgnoreSpec.from_lines(ignore.read_text(encoding="utf-8-sig").splitlines())
    return sorted(_shipped(root, Path(), rules), key=lambda path: path.as_posix())


def _shipped(root: Path, folder: Path, rules: GitIgnoreSpec) -> Iterator[Path]:
    for entry in (root / folder).iterdir():
        relative = folder / entry.name
        # A slash at the end is how a rule for folders alone recognises one.
        name = relative.as_posix() + ("/" if entry.is_dir() else "")
        if entry.name in _ALWAYS_OUT or rules.match_file(name):
            continue
        if entry.is_dir():
            yield from _shipped(root, relative, rules)
        else:
            yield relative


def build(root: Path = ROOT, target: Path | None = None) -> Path:
    """Write the package and say where it is.

    Args:
        root: the app's folder.
        target: the zip to write; `dist/parley.zip` under the root where it is not given.

    Raises:
        NothingToShip: there is no app in the folder.
    """
    shipped = files(root)
    if Path("function_app.py") not in shipped:
        raise NothingToShip(f"{root} has no function_app.py to ship")
    written = target or root / PACKAGE
    written.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(written, "w", ZIP_DEFLATED) as package:
        for path in shipped:
            entry = ZipInfo(path.as_posix(), _WHENEVER)
            entry.compress_type = ZIP_DEFLATED
            entry.external_attr = _READABLE_FILE << 16
            package.writestr(entry, (root / path).read_bytes())
    return written


def main(arguments: list[str]) -> int:
    """The command; 0 if the package was written."""
    parser = argparse.ArgumentParser(prog="python -m tools.package", description=__doc__)
    parser.add_argument("--output", type=Path, help="the zip to write (dist/parley.zip)")
    options = parser.parse_args(arguments)
    try:
        written = build(target=options.output)
    except NothingToShip as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    print(f"{written}: {len(files(ROOT))} files, {written.stat().st_size / 1024:.0f} KiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
