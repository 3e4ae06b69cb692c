"""Whom an erasure is about, and where they stand: in addresses, and in what people write freely.

Lists, events and error texts write a number in many ways. So whatever may be a number of this
person in a text is taken for one: a line too many is erased rather than one too few.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.rules.persons import person

# Digits with what is written between them.
_RUN: Final = re.compile(r"\+?\(?[0-9](?:[ \u00a0./()\-]{0,3}[0-9]){6,60}")
_NO_DIGIT: Final = re.compile(r"[^0-9]")
# Fewer digits than these, without a country code, may be anybody's.
_FEWEST_AT_THE_END: Final = 8
_MOST_DIGITS: Final = 15
_ERASED: Final = "…"


@dataclass(frozen=True, slots=True)
class Whom:
    """A person, and up to when what is kept of them is erased.

    Attributes:
        address: the number by which they asked for it, E.164.
        up_to: what was accepted, said or reported later stays.
    """

    address: str
    up_to: datetime

    @property
    def person(self) -> str:
        """Their key, however the number is written."""
        return person(self.address)

    def has(self, address: str) -> bool:
        """Whether an address is theirs."""
        return person(address) == self.person

    def is_written(self, text: str) -> bool:
        """Whether one field is a number of theirs, with or without its country code."""
        digits = _digits(text)
        if self.has(f"+{digits}") or self.has(f"+{digits.removeprefix('00')}"):
            return True
        national = digits.lstrip("0")
        theirs = {self.address[1:], self.person[1:]}
        return len(national) >= _FEWEST_AT_THE_END and any(
            own.endswith(national) and len(own) - len(national) <= _LONGEST_CODE for own in theirs
        )

    def is_in(self, text: str) -> bool:
        """Whether a number of theirs stands somewhere in a text."""
        return any(self._is_in_run(found[0]) for found in _RUN.finditer(_plain(text)))

    def without(self, text: str) -> str:
        """A text with an ellipsis in place of their numbers; as it is where there is none."""
        if not self.is_in(text):
            return text
        return _RUN.sub(lambda f: _ERASED if self._is_in_run(f[0]) else f[0], _plain(text))

    def _is_in_run(self, run: str) -> bool:
        if self.is_written(run):
            return True
        # Numbers side by side look like one that is longer than any.
        digits = _digits(run)
        return len(digits) > _MOST_DIGITS and (
            self.address[1:] in digits or self.person[1:] in digits
        )


# Digits of a country code, and of what some plans write between it and the number.
_LONGEST_CODE: Final = 4


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _digits(text: str) -> str:
    return _NO_DIGIT.sub("", _plain(text))
