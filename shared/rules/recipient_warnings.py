"""Warnings about those who are to be texted, counted over a send or a list.

As those about a text, each stops nothing and has a stable code. They are about numbers, and so they
have a count in place of a position.
"""

from __future__ import annotations

from typing import Any, Final

from shared.rules.number_plans import data_version

RANGE_UNKNOWN: Final = "numberRangeUnknown"


class RecipientWarnings:
    """Counts what is questionable about recipients; its size does not depend on their number."""

    def __init__(self) -> None:
        self._unknown = 0

    def add(self, *, range_known: bool) -> None:
        """One recipient who would be texted."""
        self._unknown += not range_known

    def shown(self) -> list[dict[str, Any]]:
        """As the interface shows them: `code`, `message`, `position` (null) and `count`."""
        found = []
        if self._unknown:
            found.append(
                _warning(
                    RANGE_UNKNOWN,
                    f"The numbering data of version {data_version()} does not know the range of"
                    f" {_numbers(self._unknown)}. It may be newer than the data, or in nobody's"
                    " use: the text is sent, and ACS may refuse it.",
                    self._unknown,
                )
            )
        return found


def _numbers(count: int) -> str:
    return "one number" if count == 1 else f"{count} numbers"


def _warning(code: str, message: str, count: int) -> dict[str, Any]:
    return {"code": code, "message": message, "position": None, "count": count}
