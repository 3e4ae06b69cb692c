"""The calls that docs/interface.md lists, and the function that each reaches on the host.

    python -m tests.docs.calls

prints them as a table.
"""

from __future__ import annotations

import functools
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from local.host import Keys
from local.host.bindings import read_functions
from local.host.config import HostConfig
from local.host.http import HttpFront
from local.host.runtime import LoadedFunction
from tests.docs import documents
from tests.infra.indexing import index

_SAMPLES = {
    "ours": "+18005550100",
    "theirs": "+14255550123",
    "recipient": "%2B14255550123",
    "messageId": "01M81WKDE185XHP35WN7HBYY94.b9b00152ce",
    "file": "app.js",
}
_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Call:
    """One row of the document's first table."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def sample(self) -> str:
        """The path as a caller sends it."""
        return _PARAMETER.sub(lambda found: _SAMPLES.get(found[1], "sample-1"), self.path)


def documented() -> list[Call]:
    """Every documented call."""
    table = documents.section(documents.named("interface"), "The HTTP interface")
    rows = documents.rows(table.partition("\n## ")[0])
    return [Call(*row[0].strip("`").split(" ")) for row in rows]


@functools.cache
def loaded() -> tuple[LoadedFunction, ...]:
    """The app's functions as Microsoft's runtime indexes them."""
    return tuple(LoadedFunction(name, tuple(found), "") for name, found in index().items())


@functools.cache
def front() -> HttpFront:
    """The host's HTTP side with the app's routes."""

    def start(function: object, text: str) -> None:
        raise AssertionError(function, text)

    config = HostConfig.read(Path(documents.ROOT) / "host.json")
    functions = read_functions(list(loaded()), {})
    return HttpFront(functions, prefix=config.route_prefix, keys=Keys(), start=start)


if __name__ == "__main__":
    for call in documented():
        name = front().served_by(call.method, call.sample)
        sys.stdout.write(f"{call!s:50} {name or '-'}\n")
