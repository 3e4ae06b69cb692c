"""Persons: one key for the one telephone that several numbers reach.

Three numbering plans give a mobile telephone more than one valid number, and networks write now
one, now the other. A STOP that is filed under one of them must close all of them, so whatever
compares people (the ledger, duplicates, limits, conversations) goes by the person. A text still
goes to the number as it was written: only the network knows which of them it can reach.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class SpellingRow:
    """Numbers of one plan that reach the telephone of another of its numbers.

    Attributes:
        country: the country code, with its plus.
        other: the national numbers concerned; the whole number must fit.
        same: the national number that stands for them, as a template of `other`'s groups.
        source: who says so.
    """

    country: str
    other: re.Pattern[str]
    same: str
    source: str


_AR_SOURCE: Final = (
    "Argentina's plan: area code and number have ten digits together; a 9 in front, or a 15 behind"
    " the area code, says mobile (libphonenumber's FAQ; its national prefix for parsing)"
)

SPELLINGS: Final = (
    SpellingRow("+54", re.compile(r"0(\d{10,13})"), r"\1", _AR_SOURCE),
    SpellingRow("+54", re.compile(r"9(0?\d{10}|0?\d{12})"), r"\1", _AR_SOURCE),
    # Area codes have two digits (Buenos Aires), three or four; only one of these can fit a number.
    SpellingRow(
        "+54", re.compile(r"(11)15(\d{8})|([23]\d\d)15(\d{7})|([23]\d{3})15(\d{6})"),
        r"\1\2\3\4\5\6", _AR_SOURCE,
    ),
    SpellingRow(
        "+52", re.compile(r"(?:1|01|04[45])([2-9]\d{9})"), r"\1",
        "Mexico's plan of August 2019: ten digits; 1 (from abroad), 044 and 045 said mobile before",
    ),
    SpellingRow(
        "+55", re.compile(r"([1-9][1-9])([6-9]\d{7})"), r"\g<1>9\2",
        "Anatel, resolution 553/2010: a ninth digit in front of every mobile number, until 2016;"
        " what began with 2 to 5 is a landline and kept eight",
    ),
)  # fmt: skip

_COUNTRY_CODE: Final = slice(0, 3)


def person(address: str) -> str:
    """The key of whoever an address reaches: one, however the telephone's number was written.

    A pure function of the address, and its own fixed point. Short codes and alphanumeric senders
    come back as they are, and so does every number that has one form only. The key looks like a
    number, but is one to compare with, not to text.

    Args:
        address: as `shared.rules.addresses` writes it.
    """
    country = address[_COUNTRY_CODE]
    for row in SPELLINGS:
        if row.country == country and (match := row.other.fullmatch(address[3:])):
            return person(country + match.expand(row.same))
    return address
