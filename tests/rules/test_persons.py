"""Persons: one key for one telephone, whichever of its numbers somebody wrote."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.addresses import recipient
from shared.rules.persons import SPELLINGS, person

NATIONAL = st.text("0123456789", min_size=7, max_size=14)
NUMBERS = st.builds(
    "{}{}".format, st.sampled_from([*{row.country for row in SPELLINGS}, "+1", "+49"]), NATIONAL
)
# Ten digits of Argentina, with the place where its area code ends.
ARGENTINE = st.one_of(
    st.from_regex(r"\A11[2-8][0-9]{7}\Z").map(lambda number: (number, 2)),
    st.from_regex(r"\A[23][0-9]{2}[2-8][0-9]{6}\Z").map(lambda number: (number, 3)),
    st.from_regex(r"\A[23][0-9]{3}[2-8][0-9]{5}\Z").map(lambda number: (number, 4)),
)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("+541123456789", "+541123456789"),
        ("+5491123456789", "+541123456789"),
        ("+54111523456789", "+541123456789"),
        ("+540111523456789", "+541123456789"),
        ("+549111523456789", "+541123456789"),
        ("+54351152345678", "+543512345678"),
        ("+54296415412345", "+542964412345"),
        ("+5215512345678", "+525512345678"),
        ("+525512345678", "+525512345678"),
        ("+520445512345678", "+525512345678"),
        ("+551181234567", "+5511981234567"),
        ("+5511981234567", "+5511981234567"),
        ("+551131234567", "+551131234567"),
    ],
)
def test_one_telephone_is_one_key(written: str, key: str) -> None:
    """Argentina's 9 and 15, Mexico's 1 and Brazil's ninth digit make no other person."""
    assert person(written) == key


def test_the_three_ways_to_write_an_argentine_mobile_are_one_person() -> None:
    """With 9, without, and with 15 as people write it at home: one person."""
    written = ["+541123456789", "+5491123456789", "+54 11 15 2345-6789"]
    assert {person(recipient(number)) for number in written} == {"+541123456789"}


@given(ARGENTINE)
def test_every_spelling_of_an_argentine_number_is_one_person(number: tuple[str, int]) -> None:
    """The law, whatever the length of the area code."""
    digits, area = number
    with_15 = f"{digits[:area]}15{digits[area:]}"
    spellings = {f"+54{digits}", f"+549{digits}", f"+54{with_15}", f"+540{with_15}"}
    assert {person(spelling) for spelling in spellings} == {f"+54{digits}"}


@given(st.from_regex(r"\A[1-9][1-9][6-9][0-9]{7}\Z"))
def test_every_brazilian_mobile_has_a_ninth_digit(number: str) -> None:
    """The law: a mobile number with eight digits and with nine are one person."""
    assert person(f"+55{number}") == person(f"+55{number[:2]}9{number[2:]}")


@given(NUMBERS)
def test_a_persons_key_is_its_own_person(address: str) -> None:
    """Idempotent: a key that is stored can be asked for again."""
    assert person(person(address)) == person(address)


@given(st.from_regex(r"\A\+(?!5[245])[1-9][0-9]{6,14}\Z"))
def test_numbers_of_other_countries_are_their_own_persons(address: str) -> None:
    """Nobody is joined with anybody where a plan gives one number to one line."""
    assert person(address) == address


@pytest.mark.parametrize("address", ["54911", "12345", "CONTOSO", "5491123", "A 1", "+5411", "+55"])
def test_short_codes_and_names_are_unchanged(address: str) -> None:
    """What is not a telephone's number is only itself."""
    assert person(address) == address


@pytest.mark.parametrize(
    "kind", [phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE]
)
def test_every_countrys_example_keeps_its_number_but_for_argentinas_nine(kind: int) -> None:
    """The library's own examples are in the form of today; only Argentina's mobiles have two."""
    for region in sorted(phonenumbers.SUPPORTED_REGIONS - {"AR"}):
        number = phonenumbers.example_number_for_type(region, kind)
        if number is not None:
            written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            assert person(written) == written
