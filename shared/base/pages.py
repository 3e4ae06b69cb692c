"""Pages of a list: how many entries a caller may ask for, and what one page is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from shared.base.errors import InvalidRequest

DEFAULT_PAGE: Final = 50
LARGEST_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list.

    Attributes:
        value: its items.
        after: where the next page begins; None on the last.
    """

    value: list[dict[str, Any]]
    after: str | None


def read_limit(text: str | None) -> int:
    """The page size that a query parameter names.

    Raises:
        InvalidRequest: if it is no whole number from 1 to 500.
    """
    if text is None:
        return DEFAULT_PAGE
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= LARGEST_PAGE:
        raise InvalidRequest.of("maxpagesize", f"This is a whole number from 1 to {LARGEST_PAGE}.")
    return int(text)
