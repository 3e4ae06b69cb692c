"""Addresses of people and of senders: one spelling for each, whoever wrote it.

An opt-out that is filed under another spelling than a send asks for protects nobody. So every
address passes one of two doors: `recipient` for what a caller wants to text (strict, the caller is
told what is wrong), `normal` for what the platform reports (tolerant, an event is never lost
because a number looks odd). Both read what was written by `shared.rules.written_numbers`, and end
in the same canonical form.
"""

from __future__ import annotations

import re
from typing import Final

from shared.rules.number_plans import NumberRead, read_number
from shared.rules.written_numbers import BadAddress, folded, plus_and_digits

__all__ = [
    "BadAddress",
    "from_query",
    "is_address",
    "is_number",
    "masked",
    "normal",
    "read_recipient",
    "recipient",
]

_SEPARATORS: Final = dict.fromkeys(map(ord, " -().[]/"))
_LONG_NUMBER: Final = re.compile(r"\+?([0-9]{7,15})")
_SHORT_NUMBER: Final = re.compile(r"\+?([0-9]{1,6})")
# The documented alphabet of alphanumeric sender IDs, old and new (docs/platform.md 1.3).
_ALPHANUMERIC: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}")

# Whatever has fewer digits is a short code or an alphanumeric sender, never a person's number.
_FEWEST_DIGITS_OF_A_PERSON: Final = 7
_SHOWN_IN_FRONT: Final = 4
_SHOWN_AT_THE_END: Final = 2
_LEAST_HIDDEN: Final = 5


def recipient(text: str) -> str:
    """The E.164 form of a recipient as the caller wrote it.

    Raises:
        BadAddress: as `read_recipient`.
    """
    return read_recipient(text).address


def read_recipient(text: str) -> NumberRead:
    """A recipient as the caller wrote it: in E.164, and whether the numbering data knows its range.

    Spaces, dashes, dots, slashes and brackets between the digits are accepted, digits of any script
    and width, marks that nobody sees, and a spreadsheet's apostrophe before the plus.

    Raises:
        BadAddress: no leading +, letters, an extension, two numbers, a digit too many, a short
            code, a premium-rate number, or a number that cannot exist.
    """
    return read_number(plus_and_digits(text))


def normal(text: object) -> str:
    """The one key of an address as the platform writes it in events (docs/platform.md 2.2).

    Numbers of 7 to 15 digits get a +, whether they had one or not; shorter ones are short codes and
    stay bare; alphanumeric senders stay as they are. Whether a number can exist is not asked.

    Raises:
        BadAddress: it is no text, or none of these.
    """
    if not isinstance(text, str):
        raise BadAddress("An address must be a text.")
    written = folded(text)
    digits = written.translate(_SEPARATORS)
    if long := _LONG_NUMBER.fullmatch(digits):
        return _as_a_caller_s(written) or f"+{long[1]}"
    if short := _SHORT_NUMBER.fullmatch(digits):
        return short[1]
    if _ALPHANUMERIC.fullmatch(written):
        return written
    raise BadAddress("An address must be a number, a short code or an alphanumeric sender.")


def from_query(text: str) -> str:
    """An address as a query parameter means it: a `+` that was not written as `%2B` is a space."""
    written = text.lstrip(" ")
    return f"+{written}" if written != text and written[:1].isdigit() else text


def _as_a_caller_s(written: str) -> str | None:
    """What `recipient` makes of a number with a plus and a bracket in it, such as +44 (0)20."""
    if "(" not in written or not written.lstrip("( ").startswith("+"):
        return None
    try:
        return recipient(written)
    except BadAddress:
        return None


def is_number(address: str) -> bool:
    """Whether an address is a telephone's number, and no short code, name or anything else."""
    return address.startswith("+") and _LONG_NUMBER.fullmatch(address) is not None


def is_address(address: str) -> bool:
    """Whether it is a number, a short code or a name, as `normal` writes them."""
    try:
        return normal(address) == address
    except BadAddress:
        return False


def masked(address: str) -> str:
    """The address for a log: `+1425*****23`. Never shows more than six digits of a longer number.

    Short codes and alphanumeric senders come back as they are: they are ours, not a person's.
    """
    places = [place for place, character in enumerate(address) if character.isdigit()]
    if len(places) < _FEWEST_DIGITS_OF_A_PERSON:
        return address
    shown = min(_SHOWN_IN_FRONT, len(places) - _LEAST_HIDDEN - _SHOWN_AT_THE_END)
    hidden = set(places[shown:-_SHOWN_AT_THE_END])
    return "".join("*" if place in hidden else c for place, c in enumerate(address))
