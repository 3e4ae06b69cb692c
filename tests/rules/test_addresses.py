"""Addresses: what may be texted, one key for each, and what a log may show."""

import re
import subprocess
import sys

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.addresses import BadAddress, masked, normal, read_recipient, recipient
from shared.rules.number_plans import OLD_FORMS, OldForm

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
ACS_SENTENCE = "Invalid To phone number format."
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


def _example(region: str, kind: int) -> str | None:
    number = phonenumbers.example_number_for_type(region, kind)
    if number is None:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _examples(kind: int) -> list[str]:
    return [example for region in REGIONS if (example := _example(region, kind))]


VALID = _examples(phonenumbers.PhoneNumberType.MOBILE)
PREMIUM = _examples(phonenumbers.PhoneNumberType.PREMIUM_RATE)
valid_numbers = st.sampled_from(VALID)
digits = st.text("0123456789", min_size=7, max_size=15)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("+14255550123", "+14255550123"),
        ("  +14255550123 ", "+14255550123"),
        ("+1 (425) 555-0123", "+14255550123"),
        ("+1.425.555.0123", "+14255550123"),
        ("+1-425-555-0123", "+14255550123"),
        ("+1 425/555 0123", "+14255550123"),
        ("+1 [425] 555 0123", "+14255550123"),
        ("+1\u00a0425\u2011555\u20130123", "+14255550123"),
        ("+44 (0)20 7183 8750", "+442071838750"),
        ("+39 06 1234 5678", "+390612345678"),
        ("+225 07 12 34 56 78", "+2250712345678"),
        ("+18005550100", "+18005550100"),
        ("+49 30 123456", "+4930123456"),
        ("(+1) 425-555-0123", "+14255550123"),
        ("[+44] (0)20 7183 8750", "+442071838750"),
        ("+36 06 20 123 4567", "+36201234567"),
        ("+54 11 15 2345-6789", "+5491123456789"),
        ("+33\u202f6\u202f12\u202f34\u202f56\u202f78", "+33612345678"),
        ("+33.6.12.34.56.00", "+33612345600"),
        ("+1\u00b7425\u00b7555\u00b70123", "+14255550123"),
        ("\uff0b\uff18\uff11 \uff19\uff10 1234 5678", "+819012345678"),
        ("+81\uff0d90\uff0d1234\uff0d5678", "+819012345678"),
        ("+81\u300090\u30001234\u30005678", "+819012345678"),
        ("+\u0661\u0664\u0662\u0665\u0665\u0665\u0665\u0660\u0661\u0662\u0663", "+14255550123"),
        ("\u200e+1 425\u200b5550123\ufe0d", "+14255550123"),
        ("\u202a+14255550123\u202c", "+14255550123"),
        ("\u00a0+14255550123\u00a0\r\n", "+14255550123"),
        ("\t+14255550123", "+14255550123"),
        ("'+14255550123", "+14255550123"),
        ("\u2019+14255550123", "+14255550123"),
        ('="+14255550123"', "+14255550123"),
        ("'+14255550123'", "+14255550123"),
    ],
)
def test_formatting_does_not_matter(written: str, canonical: str) -> None:
    """However a caller writes a number, it has one canonical form. Landlines pass."""
    assert recipient(written) == canonical


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "Write the number in E.164 form"),
        ("   ", "Write the number in E.164 form"),
        ("+", "Write the number in E.164 form"),
        ("+()", "Write the number in E.164 form"),
        ("++14255550123", "Write the number in E.164 form"),
        ("+1\n4255550123", "The character U+000A at position 2"),
        ("+1425555\x000123", "The character U+0000 at position 8"),
        ("\u202a+1425_5550123", "The character '_' (U+005F) at position 6"),
        ("+14255550123\ud800", "The character U+D800 at position 12"),
        ("+1425555012\u00b3", "The character '\u00b3' (U+00B3) at position 11"),
        ("+1425555012\u2462", "The character '\u2462' (U+2462) at position 11"),
        ("+14255550123+14255550124", "two numbers in one field"),
        ("+14255550123, +14255550124", "two numbers in one field"),
        ("+14255550123;14255550124", "two numbers in one field"),
        ("+14255550123 ::: +14255550124", "two numbers in one field"),
        ("+14255550123 / 555-0124", "two numbers in one field"),
        ("+14255550123 or +14255550124", "two numbers in one field"),
        ("+14255550123\n+14255550124", "two numbers in one field"),
        ("+49 170 1234567/8", "two numbers in one field"),
        ("+49 170 1234567 (2)", "two numbers in one field"),
        ("+14255550123 4255550124", "Are there two numbers"),
        ("+1" + " " * 70 + "4255550123", "more than 64 characters"),
        ("+49 170 1234567.0", "decimals"),
        ("+39 312345678.0", "decimals"),
        ("14255550123.0", "decimals"),
        ("+4917012345678.00", "decimals"),
        ("4.479E+11", "scientific notation"),
        ("4,479E+11", "scientific notation"),
        ("#N/A", "spreadsheet's error"),
        ("#REF!", "spreadsheet's error"),
        ("+112345678901", "a digit too many"),
        ("+7 8 916 123 45 67", "a digit too many"),
        ("+5215512345678", "Mexico changed its numbers in 2019"),
        ("+22507123456", "Ivory Coast changed its numbers in 2021"),
        ("+22997123456", "Benin changed its numbers in 2024"),
        ("+551187654321", "Brazil changed its numbers in 2016"),
        ("00447400123456", "write + in place of the 00"),
        ("4255550123", "must start with +"),
        ("14255550123", "must start with +"),
        ("0014255550123", "must start with +"),
        ("12345", "short code"),
        ("123456", "short code"),
        ("+12345", "short code"),
        ("+123456", "short code"),
        ("+1-800-FLOWERS", "Letters and extensions"),
        ("+14255550123 ext. 5", "Letters and extensions"),
        ("+14255550123x5", "Letters and extensions"),
        ("+14255550123;ext=5", "Letters and extensions"),
        ("+14255550123#5", "Letters and extensions"),
        ("+14255550123,,5", "Letters and extensions"),
        ("tel:+14255550123", "Letters and extensions"),
        ("Contoso", "Letters and extensions"),
        ("+1 234", "No telephone number"),
        ("+1425555012", "No telephone number"),
        ("+142555501234", "No telephone number"),
        ("+1425555012345", "No telephone number"),
        ("+15550112233", "No telephone number"),
        ("+14250550123", "No telephone number"),
        ("+12115550123", "No telephone number"),
        ("+12955550123", "No telephone number"),
        ("+861301234567", "has more digits"),
        ("+9991234567", "no country has this code"),
        ("+01234567890", "No telephone number"),
        ("+12345678901234567890", "No telephone number"),
        ("+19005550123", "premium-rate"),
        ("+449098790000", "premium-rate"),
        ("+33899123456", "premium-rate"),
    ],
)
def test_each_refusal_has_its_own_reason(written: str, reason: str) -> None:
    """A refused recipient gets ACS's sentence and after it the reason that applies."""
    with pytest.raises(BadAddress) as refusal:
        recipient(written)
    assert str(refusal.value).startswith(f"{ACS_SENTENCE} ")
    assert reason in str(refusal.value)


def test_a_refusal_does_not_repeat_the_number() -> None:
    """Error texts end in logs; the number that was refused is not in them."""
    with pytest.raises(BadAddress) as refusal:
        recipient("+19005550177")
    assert "555" not in str(refusal.value)


@pytest.mark.parametrize(
    "number",
    ["+16245550123", "+18615550123", "+14575550123", "+16795550123", "+447700900123"],
)
def test_a_range_newer_than_the_data_is_texted(number: str) -> None:
    """The numbering data is always behind: what it does not know, but what may exist, passes."""
    assert read_recipient(number) == (number, False)


def test_known_ranges_are_known() -> None:
    """Nobody is warned of a number in a range that the data has."""
    assert read_recipient("+14255550123") == ("+14255550123", True)


@pytest.mark.parametrize("old", OLD_FORMS, ids=lambda old: str(old.country))
def test_no_old_form_is_valid_today(old: OldForm) -> None:
    """A row about old numbers is only asked about what is invalid: it refuses nobody who exists."""
    library = phonenumbers.PhoneNumberType
    for kind in (library.MOBILE, library.FIXED_LINE):
        assert not any(old.form.fullmatch(number) for number in _examples(kind))


@given(valid_numbers, st.text("0123456789", min_size=1, max_size=2))
def test_digits_that_were_written_stay(number: str, more: str) -> None:
    """A number with digits too many is refused, or texted as it stands: never without some."""
    try:
        address = recipient(number + more)
    except BadAddress:
        return
    assert address == number + more


@pytest.mark.parametrize("number", VALID)
def test_every_country_is_served(number: str) -> None:
    """A mobile number of any country passes and comes back unchanged."""
    assert recipient(number) == number


@pytest.mark.parametrize("number", PREMIUM)
def test_no_country_s_premium_numbers_pass(number: str) -> None:
    """Premium-rate numbers are refused wherever they are known."""
    with pytest.raises(BadAddress, match="premium-rate"):
        recipient(number)


@given(valid_numbers, st.data())
def test_separators_anywhere_change_nothing(number: str, data: st.DataObject) -> None:
    """One number, one key: separators between its digits do not make another number of it."""
    separators = st.text(" -\u00a0\u2011\u200b", max_size=2)
    spaced = "".join(digit + data.draw(separators) for digit in number)
    assert recipient(spaced) == number


@given(st.text() | st.from_regex(r"\+[0-9 ()x-]{0,20}", fullmatch=True))
def test_any_text_is_answered(text: str) -> None:
    """Whatever a caller sends, it is either canonical afterwards or refused as a bad address."""
    try:
        canonical = recipient(text)
    except BadAddress as refusal:
        assert str(refusal).startswith(ACS_SENTENCE)  # noqa: PT017  # both answers are right here
    else:
        assert E164.fullmatch(canonical)
        assert recipient(canonical) == canonical


def test_the_library_is_loaded_when_first_needed() -> None:
    """Importing the module does not load phonenumbers: cold starts pay only for what they use."""
    program = "import sys, shared.rules.addresses; sys.exit('phonenumbers' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603  # our own words


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("14255550123", "+14255550123"),
        ("+14255550123", "+14255550123"),
        (" 14255550123", "+14255550123"),
        ("15555555555", "+15555555555"),
        ("+15550112233", "+15550112233"),
        ("1 (425) 555-0123", "+14255550123"),
        ("6834123", "+6834123"),
        ("12345", "12345"),
        ("123456", "123456"),
        ("+12345", "12345"),
        ("911", "911"),
        ("Contoso", "Contoso"),
        (" Contoso 24 ", "Contoso 24"),
        ("A&B_c-d+e", "A&B_c-d+e"),
        ("\u200e14255550123\u200e", "+14255550123"),
        ("\uff0b\uff11 425 555 0123", "+14255550123"),
        ("+44 (0)7400 123456", "+447400123456"),
    ],
)
def test_the_platform_s_spellings_have_one_key(written: str, key: str) -> None:
    """Numbers with and without +, short codes and names each have one spelling as a key."""
    assert normal(written) == key


@pytest.mark.parametrize(
    "garbage",
    [
        None,
        14255550123,
        ["+14255550123"],
        "",
        "   ",
        "+",
        "-",
        "()",
        "???",
        "1234567890123456",
        "++14255550123",
        "ThisNameIsTooLong",
        "Contoso\x00",
        "Cont\noso",
        "\ud800",
    ],
)
def test_what_is_no_address_is_refused(garbage: object) -> None:
    """What can be no address raises the one error that quarantines the event."""
    with pytest.raises(BadAddress):
        normal(garbage)


@given(digits)
def test_a_plus_makes_no_difference(number: str) -> None:
    """The platform leaves out the + at times; both spellings are the same person."""
    assert normal(number) == normal(f"+{number}") == f"+{number}"


@given(st.text("0123456789+ -()Abc", max_size=14))
def test_normal_is_idempotent(text: str) -> None:
    """A key is its own key."""
    try:
        key = normal(text)
    except BadAddress:
        return
    assert normal(key) == key


@given(valid_numbers)
def test_both_doors_lead_to_the_same_key(number: str) -> None:
    """A person who answers a text is found under the address that was texted."""
    canonical = recipient(number)
    assert normal(canonical) == normal(canonical.removeprefix("+")) == canonical


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("+14255550123", "+1425*****23"),
        ("+442071838750", "+4420******50"),
        ("14255550123", "1425*****23"),
        ("+4930123456", "+493*****56"),
        ("+6834123", "+*****23"),
        ("12345", "12345"),
        ("123456", "123456"),
        ("Contoso", "Contoso"),
        ("", ""),
    ],
)
def test_a_log_shows_little_of_a_number(address: str, shown: str) -> None:
    """A person's number keeps its country and two digits; senders of ours stay readable."""
    assert masked(address) == shown


@given(digits | digits.map("+".__add__) | st.text(min_size=7))
def test_a_mask_hides_at_least_five_digits(address: str) -> None:
    """However a number is written, and however short it is, five of its digits stay hidden."""
    there = sum(character.isdigit() for character in address)
    shown = sum(character.isdigit() for character in masked(address))
    assert shown == there if there < 7 else shown <= min(6, there - 5)
    assert len(masked(address)) == len(address)
