"""The oldest rows of a partition whose keys run from the newest to the oldest.

Table Storage reads in one direction only, and cannot say how many rows there are. So windows are
tried, each reaching from the oldest end to some moment, until one is found that holds enough rows
and not too many: from everything, by leaps towards the old end while there are too many, then by
halves and by going on where the last page ended. The number of queries grows with the logarithm of
the number of rows, and has a limit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from shared.azure.tables import Entity

# Rows that a window may hold, at least; four pages of the usual size.
FULL: Final = 250
# What the service gives at once.
MOST_ROWS: Final = 1000
MOST_QUERIES: Final = 16
# A cursor says where the next page begins: a week from there often is a good window.
_WEEK: Final = 7 * 86_400 * 10**6
# Places are microseconds counted backwards, 18 digits of them; nothing is older than 1970.
_DIGITS: Final = 18
_END: Final = 10**_DIGITS - 1
_ALL: Final = "0" * _DIGITS
_MOST_GROWTH: Final = 1000

# Keys here are those of messages within their conversation.
Window = Callable[[str, int], Awaitable[list[Entity]]]


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of the best window.

    Attributes:
        rows: as stored, newest first.
        end: the key from which on they are complete; None: they are all there are.
    """

    rows: list[Entity]
    end: str | None


class Oldest:
    """Finds at least `need` of the oldest rows, where there are so many.

    Args:
        window: the newest rows behind a key, at most so many of them; one query.
        need: rows wanted.
    """

    def __init__(self, window: Window, need: int) -> None:
        self._window = window
        self._need = need
        self._most = min(MOST_ROWS, max(FULL, 2 * need))
        # The newest rows of a window that had too many.
        self._page: list[Entity] = []
        # A window that begins at this key has too few, or is empty.
        self._few = _END
        self._leap = 0
        self._grown = False

    async def find(self, high: str) -> Found:
        """The rows before the key `high`, as far back as needed."""
        start = self._few = _place_of(high)
        best, low = Found([], high), _key(0 if start == _END else max(0, start - _WEEK))
        for _ in range(MOST_QUERIES):
            rows = await self._window(low, self._most)
            goes_on = bool(self._page) and low == self._page[-1]["RowKey"]
            if len(rows) == self._most:
                self._page = rows
                low = self._halfway() if goes_on else self._older()
            elif goes_on:
                # With these the page is complete.
                return Found(self._page + rows, self._page[0]["RowKey"])
            elif len(rows) >= self._need or low == _ALL:
                return Found(rows, low if low != _ALL else None)
            else:
                best, self._few = Found(rows, low), _place_of(low)
                low = self._page[-1]["RowKey"] if self._page else self._newer(start, len(rows))
        return best

    def _newer(self, start: int, count: int) -> str:
        """Reach as far as the rows seen so far promise enough; then as far as there are any."""
        if self._grown:
            return _ALL
        self._grown = True
        growth = min(_MOST_GROWTH, max(2, 2 * self._need // max(1, count)))
        return _key(max(0, start - (start - self._few) * growth))

    def _older(self) -> str:
        """Leap towards the old end, each time twice as far."""
        newest, last = (_place_of(self._page[end]["RowKey"]) for end in (0, -1))
        self._leap = max(2 * self._leap, 2 * (last - newest), 1)
        return _key(last + self._leap) if last + self._leap < self._few else self._halfway()

    def _halfway(self) -> str:
        return _key((_place_of(self._page[-1]["RowKey"]) + self._few) // 2)


def _place_of(key: str) -> int:
    digits = key[:_DIGITS]
    return int(digits) if digits.isdigit() and len(digits) == _DIGITS else _END


def _key(place: int) -> str:
    return f"{place:0{_DIGITS}d}"
