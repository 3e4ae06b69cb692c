"""Identifiers that sort by time: 48 bits of milliseconds and 80 bits of randomness.

The time inside is what lets a message be found by computation: its table and its partition follow
from its id. Form and alphabet are those of the ULID specification, upper-case only, so that one id
has one spelling.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

RANDOM_BYTES: Final = 10
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}
# 26 characters hold 130 bits; the first one therefore has two bits that are always zero.
_FORM: Final = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_LENGTH: Final = 26
_TIME_LENGTH: Final = 10
_BITS: Final = 5
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def new(now: datetime, randomness: bytes) -> str:
    """The ULID of a moment (cut to the millisecond) and of ten bytes of randomness.

    Raises:
        ValueError: the moment has no time zone or lies before 1970, or the bytes are not ten.
    """
    if now.tzinfo is None:
        raise ValueError("the moment must have a time zone")
    if now < _EPOCH:
        raise ValueError("the moment must not lie before 1970")
    if len(randomness) != RANDOM_BYTES:
        raise ValueError(f"the randomness must be {RANDOM_BYTES} bytes")
    time = (now - _EPOCH) // _MILLISECOND
    return _written(time << (8 * RANDOM_BYTES) | int.from_bytes(randomness))


def _written(value: int) -> str:
    return "".join(
        _ALPHABET[value >> shift & 0x1F] for shift in range(_BITS * (_LENGTH - 1), -1, -_BITS)
    )


def time_of(ulid: str) -> datetime:
    """The moment inside, in UTC, to the millisecond.

    Raises:
        ValueError: it is no ULID, or its time lies after the year 9999.
    """
    if not is_ulid(ulid):
        raise ValueError("not a ULID")
    time = 0
    for character in ulid[:_TIME_LENGTH]:
        time = time << _BITS | _VALUES[character]
    try:
        return _EPOCH + time * _MILLISECOND
    except OverflowError:
        raise ValueError("the time in this ULID lies after the year 9999") from None


def is_ulid(text: str) -> bool:
    """Whether the text is a ULID in its one canonical spelling."""
    return _FORM.fullmatch(text) is not None
