"""Codes: what the platform's numbers mean, and how they are found in its sentences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messages.state import TERMINAL, State
from shared.rules.delivery_codes import CODES, code_in
from tests.support.golden import names

DOCUMENTED = {
    *(2000, 4000, 4001, 4002, 4003, 4004, 4005, 4006, 4007, 4008, 4009, 4010, 4020),
    *(5000, 5001, 5002, 9999),
}


def test_all_documented_codes_are_known() -> None:
    """The table has the codes of ACS's troubleshooting page, each under its own number."""
    assert set(CODES) == DOCUMENTED
    assert all(number == code.code for number, code in CODES.items())


@pytest.mark.parametrize(
    ("details", "code"),
    [
        ("No error.", 2000),
        ("2000: No Error", 2000),
        ("ErrorCode: 5002. ErrorMessage: Message Delivery Timeout", 5002),
        ("Message Delivery Timeout", 5002),
        ("Sender blocked for given recipient.", 4007),
        ("sender  blocked for\ngiven recipient", 4007),
        ("4007: Sender blocked for given recipient.", 4007),
        ("4004", 4004),
        ("(4010)", 4010),
        ("Code=4020;", 4020),
        ("ErrorCode:4006.", 4006),
        # Only a code of the table counts; other numbers of four digits are passed over.
        ("carrier 4795, code 4010", 4010),
        ("5001 then 4007", 5001),
        # An unknown number still leaves the wording.
        ("1234: Sender blocked for given recipient.", 4007),
    ],
)
def test_codes_are_found_in_every_wording(details: str, code: int) -> None:
    """All wordings that ACS has used over the years lead to the same code."""
    assert code_in(details) is CODES[code]


@pytest.mark.parametrize(
    "details",
    [
        None,
        "",
        "Something else",
        "1234",
        "40070",
        "14007",
        "400",
        "+14255554007",
        "\u0664\u0660\u0660\u0667",
    ],
)
def test_what_holds_no_code_gives_none(details: str | None) -> None:
    """A longer number that happens to contain a code is not one."""
    assert code_in(details) is None


@given(st.sampled_from(sorted(DOCUMENTED)), st.text("abc .:;,-()"), st.text("abc .:;,-()"))
def test_surroundings_do_not_hide_a_code(number: int, before: str, after: str) -> None:
    """Whatever prose stands around it, the number decides."""
    assert code_in(f"{before}{number}{after}") is CODES[number]


@given(st.text())
def test_any_details_can_be_read(details: str) -> None:
    """Free text of the platform never makes the reading fail."""
    found = code_in(details)
    assert found is None or found in CODES.values()


def test_only_the_opt_out_opts_out() -> None:
    """4007 is the one code that closes an address in the ledger."""
    assert [number for number, code in CODES.items() if code.opts_out] == [4007]


@pytest.mark.parametrize("number", [2000, 4007, 5002, 9999])
def test_no_second_text_where_one_may_have_arrived(number: int) -> None:
    """What was delivered, may have been, or was refused by the person is never sent again."""
    assert not CODES[number].retryable


@pytest.mark.parametrize("code", CODES.values(), ids=lambda code: str(code.code))
def test_a_code_settles_a_message_or_says_so(code: object) -> None:
    """Every code ends a message, except 5002, which knows nothing."""
    number, state = getattr(code, "code", 0), getattr(code, "state", None)
    assert (state in TERMINAL) is (number != 5002)
    assert (state is State.DELIVERED) is (number == 2000)


def test_every_failure_says_what_to_do() -> None:
    """An operator finds a sentence and, for each failure, a next step."""
    assert all(code.meaning.endswith(".") for code in CODES.values())
    assert all(code.next_step.endswith(".") for code in CODES.values() if code.code != 2000)


@pytest.mark.parametrize("number", [code for code in CODES if code != 2000])
def test_every_failure_has_a_golden_report(number: int) -> None:
    """Each code is taken in as the platform writes it: tests/functions/test_events.py posts it."""
    assert f"report-failed-{number}" in names("report-failed")


@pytest.mark.parametrize(
    ("details", "code"),
    [
        ("No report after 2000 seconds. ErrorCode: 5002.", 5002),
        ("No report after 4000 seconds. ErrorCode: 5002.", 5002),
        ("Port 4001 closed; error code 4006", 4006),
        ("No error.", None),
        ("2000", None),
    ],
)
def test_a_failure_has_the_code_that_is_called_so(details: str, code: int | None) -> None:
    """The number behind ErrorCode is the code, and none of success belongs to a failure."""
    found = code_in(details, delivered=False)
    assert (None if found is None else found.code) == code
    assert code_in("No error.", delivered=True) is CODES[2000]
