"""Which ports the local stack listens on.

Each server has the default that its users know; a taken one moves to the next free one. All of
them are on 127.0.0.1. Between the choice of a port and the moment at which its server listens there
are seconds, in which another stack must not choose it: a stack holds the UDP port of the same
number, which nobody else has a use for, from before it looks until it has ended.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Final, Self

LOOPBACK: Final = "127.0.0.1"
_HIGHEST: Final = 65535
# Above what services are known by, below what systems give to outgoing connections: such a port
# stays free while its server is started again.
_QUIET: Final = range(12_000, 32_000)
_TRIES: Final = 200
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


class ReservedPorts:
    """A free port for each wish, no two alike, which no other stack takes while this is open.

    A context manager.

    Args:
        wishes: a taken port moves on.

    Attributes:
        ports: those that are reserved.

    Raises:
        OSError: no port is free from a wish upwards.
    """

    def __init__(self, wishes: Ports) -> None:
        self._held = ExitStack()
        with self._held:
            found = {item.name: self._reserve(getattr(wishes, item.name)) for item in fields(Ports)}
            self.ports = Ports(**found)
            self._held = self._held.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()

    def _reserve(self, wish: int) -> int:
        for port in _candidates(wish):
            hold = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                hold.bind((LOOPBACK, port))
                _see_that_it_is_free(port)
            except OSError:
                hold.close()
                continue
            self._held.enter_context(hold)
            return port
        raise OSError(f"No port is free from {wish} upwards.")


def _candidates(wish: int) -> Iterator[int]:
    if wish:
        yield from range(wish, _HIGHEST + 1)
    else:
        for _ in range(_TRIES):
            yield secrets.choice(_QUIET)


def _see_that_it_is_free(port: int) -> None:
    with socket.socket() as probe:
        # As the servers themselves do: a port that only waits for old connections is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, port))
