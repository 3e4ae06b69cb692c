"""Warnings about those who are to be texted, counted over a send or a list.

As those about a text, each stops nothing and has a stable code. They are about numbers, and so they
have a count in place of a position.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from shared.rules.number_plans import data_version

RANGE_UNKNOWN: Final = "numberRangeUnknown"
OUT_OF_REACH: Final = "outOfReach"
DOUBTFUL_VALUES: Final = "doubtfulValues"


class RecipientWarnings:
    """Counts what is questionable about recipients; its size does not depend on their number."""

    def __init__(self) -> None:
        self._unknown = self._out_of_reach = 0
        self._doubtful: Counter[str] = Counter()

    def add(
        self, *, range_known: bool, doubtful: Sequence[str] = (), out_of_reach: bool = False
    ) -> None:
        """One recipient who would be texted.

        Args:
            range_known: whether the numbering data has their number's range.
            out_of_reach: whether the text cannot arrive from its sender.
            doubtful: the placeholders in whose place they would read NULL or the like.
        """
        self._unknown += not range_known
        self._out_of_reach += out_of_reach
        self._doubtful.update(dict.fromkeys(doubtful, 1))

    def shown(self) -> list[dict[str, Any]]:
        """As the interface shows them: `code`, `message`, `position` (null) and `count`."""
        found = []
        if self._out_of_reach:
            found.append(
                _warning(
                    OUT_OF_REACH,
                    f"{_numbers(self._out_of_reach).capitalize()} cannot be reached by the sender:"
                    " toll-free numbers reach the United States, Canada and Puerto Rico, short"
                    " codes their own country. ACS takes such a text, charges it, and it does not"
                    " arrive.",
                    self._out_of_reach,
                )
            )
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
        for name, count in self._doubtful.items():
            found.append(
                _warning(
                    DOUBTFUL_VALUES,
                    f"{count} of the recipients would read NULL, N/A, a dash or the like in place"
                    f" of {{{name}}}.",
                    count,
                )
            )
        return found


def _numbers(count: int) -> str:
    return "one number" if count == 1 else f"{count} numbers"


def _warning(code: str, message: str, count: int) -> dict[str, Any]:
    return {"code": code, "message": message, "position": None, "count": count}
