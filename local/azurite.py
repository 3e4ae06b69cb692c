"""Azurite, Microsoft's storage emulator: its installation, its process, its connection string.

`python -m local.azurite --install` puts the pinned npm package, with exactly the versions of the
lock file beside `local/npm/package.json`, into `.local/azurite`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from local import node
from local.child import Child
from local.node import InstallFailed
from local.ports import LOOPBACK

_MANIFESTS: Final = Path(__file__).parent / "npm"
HOME: Final = node.ROOT / ".local" / "azurite"
_ENTRY: Final = Path("node_modules", "azurite", "dist", "src", "azurite.js")
_READY_SECONDS: Final = 60
# Idle connections outlive every client's own idea of idle, so that none is closed while in use.
_KEEP_ALIVE_SECONDS: Final = 300
_LISTENING: Final = re.compile(r"Azurite (Blob|Queue|Table) service is successfully .*:([0-9]+)$")
# Published by Microsoft for every emulator there is; it protects nothing.
ACCOUNT: Final = "devstoreaccount1"
ACCOUNT_KEY: Final = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


class Azurite:
    """A running Azurite on 127.0.0.1.

    Args:
        log: the file for its output.
        data: the folder that its data is kept in; None keeps it in memory.
        ports: for blobs, queues and tables; 0 takes a free one.
        keeps: see Child.

    Raises:
        InstallFailed: it is not installed.
        ChildFailed: it does not start.
    """

    def __init__(
        self,
        *,
        log: Path,
        data: Path | None = None,
        ports: tuple[int, int, int] = (0, 0, 0),
        keeps: Sequence[int] = (),
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
            "Azurite",
            [*node.find_node().node, str(entry), *options],
            log=log,
            ready=self._listens,
            keeps=keeps,
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
    """Install the pinned Azurite unless it is there.

    Raises:
        InstallFailed: with the reason; what was there before is left as it was.
    """
    node.install(_MANIFESTS, home, entry=_ENTRY)


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
