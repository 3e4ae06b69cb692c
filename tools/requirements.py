"""Pins what is installed: every version, and by its hash every file that may be it.

    python -m tools.requirements             keeps what is pinned where requirements.in admits it
    python -m tools.requirements --upgrade   takes the newest versions instead
    python -m tools.requirements --file      names the file for the Python that runs this

`requirements.txt` is what Azure installs. It is made for the one Python that the app runs on there
and cannot be installed on another: an app that was built on another starts nowhere, so the build
has to fail. `requirements-older.txt` is for desks with 3.11 or 3.12. Both need uv, in the version
of `.github/uv.txt`.

A version has to be a week old: most that were published by a thief are found and withdrawn sooner.
Nothing is built here, so that no library's code runs.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).parent.parent
# `runtime.version` in infra/app.bicep.
RUNTIME: Final = "3.13"
OLDEST: Final = "3.11"
SHIPPED: Final = "requirements.txt"
OLDER: Final = "requirements-older.txt"
_AGE: Final = "7 days"
# What Azure builds and runs on. A version without a file for it is not taken.
_PLATFORM: Final = "x86_64-manylinux_2_28"
_SOURCE: Final = "requirements.in"

# No registry takes a version with a plus, so there can be none; an installer names what it misses.
GUARD: Final = f"azure-functions==0+parley.is.built.for.python.{RUNTIME}"
_HEADS: Final[Mapping[str, str]] = {
    SHIPPED: f"""\
# Made from {_SOURCE} by `python -m tools.requirements`. Azure installs this, on Python
# {RUNTIME} alone: any other is asked for the first entry, which is nowhere; its name says why.
{GUARD} ; python_version != "{RUNTIME}" \\
    --hash=sha256:{"0" * 64}
""",
    OLDER: f"""\
# Made from {_SOURCE} by `python -m tools.requirements`, for desks with a Python older than
# {RUNTIME}, for which {SHIPPED} is made. It is never shipped.
""",
}


def file_for(python: str) -> str:
    """The file that is installed on a Python, such as 3.12."""
    return SHIPPED if python == RUNTIME else OLDER


def command(python: str, target: Path, *, upgrade: bool) -> list[str]:
    """What has uv write one file's pins."""
    return [
        "uv",
        "pip",
        "compile",
        *("--quiet", "--no-header", "--no-annotate", "--generate-hashes"),
        *("--python-version", python, "--python-platform", _PLATFORM, "--no-python-downloads"),
        *("--only-binary", ":all:", "--exclude-newer", _AGE),
        *(("--upgrade",) if upgrade else ()),
        *("--output-file", str(target)),
        _SOURCE,
    ]


def pin(root: Path = ROOT, *, upgrade: bool = False) -> None:
    """Write both files anew.

    Raises:
        subprocess.CalledProcessError: uv found no versions that go together; it has said why.
    """
    with TemporaryDirectory() as folder:
        for name, python in ((SHIPPED, RUNTIME), (OLDER, OLDEST)):
            target, made = root / name, Path(folder, name)
            # uv keeps to what stands in the file that it is to write.
            if target.exists():
                shutil.copyfile(target, made)
            subprocess.run(  # noqa: S603  # our own arguments
                command(python, made, upgrade=upgrade),
                cwd=root,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            target.write_text(_HEADS[name] + made.read_text(encoding="utf-8"), encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """The command; 0 if both files were written."""
    parser = argparse.ArgumentParser(prog="python -m tools.requirements", description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    parser.add_argument("--file", action="store_true", help="name the file for this Python")
    options = parser.parse_args(arguments)
    if options.file:
        print(file_for(f"{sys.version_info.major}.{sys.version_info.minor}"))
        return 0
    if shutil.which("uv") is None:
        print(
            "requirements: uv is not there; install the version of .github/uv.txt", file=sys.stderr
        )
        return 1
    try:
        pin(upgrade=options.upgrade)
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
