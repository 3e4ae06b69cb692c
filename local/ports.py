"""Which ports the local stack listens on.

Each server has the default that its users know; a taken one moves to the next free one. All of
them are on 127.0.0.1.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_HIGHEST: Final = 65535
_ENVIRONMENT: Final = "LOCAL_PORT_"


@dataclass(frozen=True, slots=True)
class Ports:
    """One port for each server; 0 takes any free one.

    Attributes:
        functions: the functions host, as Core Tools has it.
        platform: the simulated platform and its handsets.
        blob: Azurite's blobs, and its queues and tables beside it.
    """

    functions: int = 7071
    platform: int = 8080
    blob: int = 10000
    queue: int = 10001
    table: int = 10002

    @classmethod
    def any_free(cls) -> Ports:
        """For tests: nothing is wished for, so that stacks can run side by side."""
        return cls(**{item.name: 0 for item in fields(cls)})

    @classmethod
    def wished(cls, environ: Mapping[str, str], options: Mapping[str, int | None]) -> Ports:
        """The wishes of the options, else of `LOCAL_PORT_FUNCTIONS` and so on, else the defaults.

        Raises:
            ValueError: a variable holds no port.
        """
        wishes: dict[str, int] = {}
        for item in fields(cls):
            variable = f"{_ENVIRONMENT}{item.name.upper()}"
            option = options.get(item.name)
            if option is not None:
                wishes[item.name] = option
            elif text := environ.get(variable, ""):
                if not text.isdecimal() or int(text) > _HIGHEST:
                    raise ValueError(f"{variable} must be a port from 0 to {_HIGHEST}")
                wishes[item.name] = int(text)
        return cls(**wishes)

    def settled(self) -> Ports:
        """The same wishes with a free port each, no two alike.

        Raises:
            OSError: no port is free from a wish upwards.
        """
        found: dict[str, int] = {}
        for item in fields(self):
            found[item.name] = free_port(getattr(self, item.name), without=set(found.values()))
        return Ports(**found)


def free_port(wish: int, *, without: set[int] | None = None) -> int:
    """The first port from `wish` upwards that nobody listens on; any free one for 0.

    Raises:
        OSError: there is none.
    """
    for port in range(wish, _HIGHEST + 1) if wish else [0] * 100:
        if port in (without or ()):
            continue
        with socket.socket() as probe:
            # As the servers themselves do: a port that only waits for old connections is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            found = int(probe.getsockname()[1])
            if found not in (without or ()):
                return found
    raise OSError(f"No port is free from {wish} upwards.")
