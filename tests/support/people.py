"""Phone numbers that no other test uses, so that all tests can share one stack."""

from __future__ import annotations

import itertools

_FIRST = 1000


class People:
    """Hands out numbers of people, each once."""

    def __init__(self) -> None:
        self._numbers = itertools.count(_FIRST)

    def one(self) -> str:
        """A number that can be texted."""
        return f"+1425555{next(self._numbers):04d}"

    def many(self, count: int) -> list[str]:
        """So many of them."""
        return [self.one() for _ in range(count)]
