"""Addresses of people and of senders: one spelling for each, whoever wrote it.

An opt-out that is filed under another spelling than a send asks for protects nobody. So every
address passes one of two doors: `recipient` for what a caller wants to text (strict, the caller is
told what is wrong), `normal` for what the platform reports (tolerant, an event is never lost
because a number looks odd). Both end in the same canonical form.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Final

# ACS's own words for a refused recipient (docs/platform.md 1.4); applications may match on them.
_REFUSAL: Final = "Invalid To phone number format."
_NO_NUMBER: Final = (
    "Write the number in E.164 form: +, country code, number, digits only, such as +14255550123."
)
_NO_PLUS: Final = (
    "The number must start with + and its country code, such as +14255550123; without them it"
    " cannot be told which country it belongs to."
)
_SHORT: Final = "A short code can send texts but cannot be texted from another sender."
_LETTERS: Final = "Letters and extensions cannot be texted; write the digits alone."
_IMPOSSIBLE: Final = "No telephone number of this form exists."
_PREMIUM: Final = "This is a premium-rate number; Parley does not send to those."

_LONGEST_INPUT: Final = 64
# What people and address books put between digits; white space other than spaces is left out on
# purpose: a line feed inside a number means that two values have run together.
_PUNCTUATION: Final = r" \u00a0\u2007\u202f\-\u2010-\u2015\u2212().\[\]/"
_WRITTEN_NUMBER: Final = re.compile(rf"\+(?:[{_PUNCTUATION}]*[0-9])+[{_PUNCTUATION}]*")
_WRITTEN_SHORT_CODE: Final = re.compile(r"\+?[0-9]{5,6}")
_LETTER: Final = re.compile(r"[^\W\d_]|[#;,*]")

_SEPARATORS: Final = dict.fromkeys(map(ord, " \u00a0-()."))
_LONG_NUMBER: Final = re.compile(r"\+?([0-9]{7,15})")
_SHORT_NUMBER: Final = re.compile(r"\+?([0-9]{1,6})")
# The documented alphabet of alphanumeric sender IDs, old and new (docs/platform.md 1.3).
_ALPHANUMERIC: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}")

# Whatever has fewer digits is a short code or an alphanumeric sender, never a person's number.
_FEWEST_DIGITS_OF_A_PERSON: Final = 7
_SHOWN_IN_FRONT: Final = 4
_SHOWN_AT_THE_END: Final = 2
_LEAST_HIDDEN: Final = 5


class BadAddress(ValueError):
    """A text that is no usable address.

    `str(error)` is a sentence for whoever wrote the address. It never repeats the address. From
    `recipient` it starts with ACS's own "Invalid To phone number format.".
    """


def recipient(text: str) -> str:
    """The E.164 form of a recipient as the caller wrote it.

    Spaces, dashes, dots, slashes and brackets between the digits are accepted. Landlines pass: ACS
    cannot tell them apart in the United States and charges for them (docs/platform.md 5.2).

    Raises:
        BadAddress: no leading +, letters, an extension, control characters, a short code, a
            premium-rate number, or a number that cannot exist.
    """
    written = text.strip(" ")
    if len(written) > _LONGEST_INPUT or not _WRITTEN_NUMBER.fullmatch(written):
        raise BadAddress(f"{_REFUSAL} {_why_unreadable(written)}")
    return _reader()(written)


def _why_unreadable(written: str) -> str:
    if _WRITTEN_SHORT_CODE.fullmatch(written):
        return _SHORT
    if written and written[0].isdigit():
        return _NO_PLUS
    if _LETTER.search(written):
        return _LETTERS
    return _NO_NUMBER


@cache
def _reader() -> Callable[[str], str]:
    # Imported here: it costs every cold start 36 ms, and only the paths that send need it.
    import phonenumbers  # noqa: PLC0415
    from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType  # noqa: PLC0415

    # A number that is not valid has type UNKNOWN, so the type alone decides and validity need not
    # be computed a second time.
    refused = {
        PhoneNumberType.UNKNOWN: _IMPOSSIBLE,
        PhoneNumberType.PREMIUM_RATE: _PREMIUM,
    }

    def read(written: str) -> str:
        if _WRITTEN_SHORT_CODE.fullmatch(written):
            raise BadAddress(f"{_REFUSAL} {_SHORT}")
        try:
            number = phonenumbers.parse(written, None)
        except NumberParseException:
            raise BadAddress(f"{_REFUSAL} {_IMPOSSIBLE}") from None
        if reason := refused.get(phonenumbers.number_type(number)):
            raise BadAddress(f"{_REFUSAL} {reason}")
        return phonenumbers.format_number(number, PhoneNumberFormat.E164)

    return read


def normal(text: object) -> str:
    """The one key of an address as the platform writes it in events (docs/platform.md 2.2).

    Numbers of 7 to 15 digits get a +, whether they had one or not; shorter ones are short codes and
    stay bare; alphanumeric senders stay as they are. Whether a number can exist is not asked.

    Raises:
        BadAddress: it is no text, or none of these.
    """
    if not isinstance(text, str):
        raise BadAddress("An address must be a text.")
    written = text.strip()
    digits = written.translate(_SEPARATORS)
    if long := _LONG_NUMBER.fullmatch(digits):
        return f"+{long[1]}"
    if short := _SHORT_NUMBER.fullmatch(digits):
        return short[1]
    if _ALPHANUMERIC.fullmatch(written):
        return written
    raise BadAddress("An address must be a number, a short code or an alphanumeric sender.")


def from_query(text: str) -> str:
    """An address as a query parameter means it: a `+` that was not written as `%2B` is a space."""
    written = text.lstrip(" ")
    return f"+{written}" if written != text and written[:1].isdigit() else text


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
