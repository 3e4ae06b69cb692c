"""Which numbers exist: by the numbering data of libphonenumber, and by what is known beyond it.

The data is always behind: regulators open ranges every month. So a number is refused only where it
is impossible (no such country, a wrong length, a form that its plan rules out) or known to be
harmful. Where only its range is unknown, it may be texted, and whoever asks is warned.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

from shared.rules.persons import person
from shared.rules.written_numbers import REFUSAL, BadAddress

_IMPOSSIBLE: Final = "No telephone number of this form exists"
_NO_COUNTRY: Final = f"{_IMPOSSIBLE}: no country has this code."
_TOO_SHORT: Final = f"{_IMPOSSIBLE}: a mobile number of its country has more digits."
_TOO_LONG: Final = f"{_IMPOSSIBLE}: a mobile number of its country has fewer digits."
_PLAN: Final = f"{_IMPOSSIBLE}: its country's plan has no such number."
_PREFIX: Final = (
    "There is a digit too many behind the country code, or a prefix that is dialled inside the"
    " country only; leave it out."
)
_PREMIUM: Final = "This is a premium-rate number; Parley does not send to those."
_OLD: Final = "{0} changed its numbers in {1}, and this one has the form of before: {2}."

# North America: neither area code nor exchange is N11, and no area code in use begins with 37 or
# 96 or has 9 in the middle (NANPA, planning letters); 555 is no place.
_NORTH_AMERICAN: Final = re.compile(
    r"\+1(?!37|96|555|900)[2-9](?!11)[0-8][0-9][2-9](?!11)[0-9]{2}[0-9]{4}"
)


class NumberRead(NamedTuple):
    """A number that may be texted.

    Attributes:
        address: E.164.
        range_known: whether the numbering data has its range; if not, it may be newer than the
            data, or belong to nobody.
    """

    address: str
    range_known: bool


@dataclass(frozen=True, slots=True)
class OldForm:
    """How numbers of a country looked before its plan changed.

    Attributes:
        form: the whole number must fit, and be invalid today.
        country: its name.
        year: when the change was over.
        instead: what to write now.
    """

    form: re.Pattern[str]
    country: str
    year: int
    instead: str


OLD_FORMS: Final = (
    OldForm(
        re.compile(r"\+521[0-9]{10}"), "Mexico", 2019, "leave out the 1 behind the country code"
    ),
    OldForm(
        re.compile(r"\+225[0-9]{8}"), "Ivory Coast", 2021,
        "01 (Moov), 05 (MTN) or 07 (Orange) stands before a mobile number's eight digits now",
    ),
    OldForm(
        re.compile(r"\+229[0-9]{8}"), "Benin", 2024, "write 01 before the eight digits"
    ),
    OldForm(
        re.compile(r"\+55[1-9][1-9][6-9][0-9]{7}"), "Brazil", 2016,
        "write 9 before a mobile number's eight digits, behind the area code",
    ),
    OldForm(
        re.compile(r"\+841[2689][0-9]{8}"), "Vietnam", 2018,
        "mobile numbers have nine digits behind the country code now, and none begins with 1",
    ),
    OldForm(
        re.compile(r"\+237[0-9]{8}"), "Cameroon", 2014,
        "write 6 before a mobile number's eight digits",
    ),
    OldForm(
        re.compile(r"\+230[0-9]{7}"), "Mauritius", 2013,
        "write 5 before a mobile number's seven digits",
    ),
    OldForm(
        re.compile(r"\+56[5-9][0-9]{7}"), "Chile", 2013,
        "write 9 before a mobile number's eight digits",
    ),
    OldForm(
        re.compile(r"\+593[89][0-9]{7}"), "Ecuador", 2012,
        "write 9 before a mobile number's eight digits",
    ),
)  # fmt: skip


def read_number(digits: str) -> NumberRead:
    """What a number written as `+` and digits is, in E.164.

    A zero that is dialled inside a country only is left out, and Argentina's 15 is understood.
    Landlines pass: ACS cannot tell them apart in the United States (docs/platform.md 5.2).

    Raises:
        BadAddress: it cannot exist, is of an old form, or is a premium-rate number.
    """
    phonenumbers, kinds = _library()
    try:
        number = phonenumbers.parse(digits, None)
    except phonenumbers.NumberParseException as error:
        known = {error.INVALID_COUNTRY_CODE: _NO_COUNTRY, error.TOO_LONG: _TOO_LONG}
        raise BadAddress(f"{REFUSAL} {known.get(error.error_type, _TOO_SHORT)}") from None
    if number.italian_leading_zero:
        address = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    else:
        # The same, and faster: lists have millions of them.
        address = f"+{number.country_code}{number.national_number}"
    if address != digits and not _drops_a_trunk_zero(digits, address, number.country_code):
        raise BadAddress(f"{REFUSAL} {_PREFIX}")
    # A number that is not valid has type UNKNOWN, so the type alone decides.
    kind = phonenumbers.number_type(number)
    if kind == kinds.PREMIUM_RATE:
        raise BadAddress(f"{REFUSAL} {_PREMIUM}")
    if kind != kinds.UNKNOWN:
        return NumberRead(address, range_known=True)
    if reason := _why_impossible(address, number):
        raise BadAddress(f"{REFUSAL} {reason}")
    return NumberRead(address, range_known=False)


def data_version() -> str:
    """The version of the numbering data."""
    return str(_library()[0].__version__)


@cache
def _library() -> tuple[Any, Any]:
    # Imported here: it costs every cold start 36 ms, and only the paths that send need it.
    import phonenumbers  # noqa: PLC0415

    return phonenumbers, phonenumbers.PhoneNumberType


def _why_impossible(address: str, number: Any) -> str | None:
    """Why a number that the data does not know cannot exist; None if it may be newer."""
    phonenumbers, kinds = _library()
    for old in OLD_FORMS:
        if old.form.fullmatch(address):
            return _OLD.format(old.country, old.year, old.instead)
    results = phonenumbers.ValidationResult
    possible = phonenumbers.is_possible_number_for_type_with_reason(number, kinds.MOBILE)
    if possible != results.IS_POSSIBLE:
        lengths = {results.TOO_LONG: _TOO_LONG, results.INVALID_LENGTH: _PLAN}
        return lengths.get(possible, _TOO_SHORT)
    if address.startswith("+1"):
        return None if _NORTH_AMERICAN.fullmatch(address) else _PLAN
    region = phonenumbers.region_code_for_country_code(number.country_code)
    example = phonenumbers.example_number_for_type(region, kinds.MOBILE)
    # Only where mobile numbers begin with zero may one that is not known yet.
    zero_is_right = example is not None and example.italian_leading_zero
    return _PLAN if number.italian_leading_zero and not zero_is_right else None


def _drops_a_trunk_zero(digits: str, address: str, country_code: int) -> bool:
    """Whether what the library leaves out is no digit of the number: a 0, or Argentina's 15."""
    if person(digits) == person(address):
        return True
    phonenumbers, _ = _library()
    region = phonenumbers.region_code_for_country_code(country_code)
    trunk: str = phonenumbers.ndd_prefix_for_region(region, strip_non_digits=True) or ""
    code = f"+{country_code}"
    return trunk.startswith("0") and digits == code + trunk + address.removeprefix(code)
