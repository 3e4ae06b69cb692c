"""What a functions host's worker has put on the wire: every record of every logger."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

# A person's number in any form in which a log could hold one; a masked one is none.
_NUMBER = re.compile(r"(?<![0-9.-])(?:\+|%2[Bb])?1425555[0-9]{4}(?![0-9])")
# More connections than a backlog of none ever holds.
_CROWD = 16


def records(wire: Path) -> list[dict[str, Any]]:
    """Each record, in the order in which the worker sent them."""
    return [json.loads(line) for line in wire.read_text(encoding="utf-8").splitlines()]


def numbers_in(text: str) -> set[str]:
    """The numbers of the tests' people that a text holds, written in whatever way."""
    return {f"+{found.group()[-11:]}" for found in _NUMBER.finditer(text)} | {
        f"+{found.group()[-11:]}" for found in _NUMBER.finditer(unquote(text))
    }


@contextmanager
def silent_port() -> Iterator[int]:
    """A port of this machine on which connections are neither taken nor refused."""
    with ExitStack() as open_sockets:
        listener = open_sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(_CROWD):
            client = open_sockets.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port: int = closed.getsockname()[1]
    return port
