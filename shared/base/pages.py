"""Pages of a list: what one page is, how many entries it may have, and where the next begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from shared.base.errors import InvalidRequest

DEFAULT_PAGE: Final = 50
LARGEST_PAGE: Final = 500
_MOST_DIGITS: Final = 9
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list.

    Attributes:
        value: its items.
        after: where the next page begins; None on the last.
    """

    value: list[dict[str, Any]]
    after: str | None


@dataclass(frozen=True, slots=True)
class PageKeys(Generic[_T]):
    """How the pages of one list follow each other.

    Attributes:
        first: what the first page begins after.
        parse: what the key in a `nextLink` stands for; None if it is none of ours.
    """

    first: _T
    parse: Callable[[str], _T | None]

    def after(self, text: str | None) -> _T:
        """What a page begins after, by its query parameter `after`.

        Raises:
            InvalidRequest: if it is none of ours.
        """
        if text is None:
            return self.first
        found = self.parse(text)
        if found is None:
            raise InvalidRequest.of("after", "This is the key that a nextLink holds, unchanged.")
        return found


def read_limit(text: str | None) -> int:
    """The page size that a query parameter names.

    Raises:
        InvalidRequest: if it is no whole number from 1 to 500.
    """
    if text is None:
        return DEFAULT_PAGE
    digits = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    if not digits or not 1 <= int(text) <= LARGEST_PAGE:
        raise InvalidRequest.of("maxpagesize", f"This is a whole number from 1 to {LARGEST_PAGE}.")
    return int(text)
