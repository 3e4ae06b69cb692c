"""The senders setting: what follows from a sender's form, and what is refused with which words."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.senders import KINDS, Programs, SenderKind, StopAnsweredBy, kind_of, parse_senders

TOLL_FREE = "+18005550100"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
members = st.sampled_from(
    ["sender", "kind", "program", "ratePerMinute", "brand", "helpText", "stopAnsweredBy", "other"]
)


def _parsed(**members: Any) -> dict[str, Any]:
    (sender,) = parse_senders(json.dumps([members])).values()
    return asdict(sender)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("+18005550100", SenderKind.TOLL_FREE),
        ("+18335550100", SenderKind.TOLL_FREE),
        ("+18445550100", SenderKind.TOLL_FREE),
        ("+18555550100", SenderKind.TOLL_FREE),
        ("+18665550100", SenderKind.TOLL_FREE),
        ("+18775550100", SenderKind.TOLL_FREE),
        ("+18885550100", SenderKind.TOLL_FREE),
        ("+18225550100", SenderKind.TEN_DLC),
        ("+14255550123", SenderKind.TEN_DLC),
        ("+447700900123", SenderKind.LONG_CODE),
        ("+6834123", SenderKind.LONG_CODE),
        ("+123456789012345", SenderKind.LONG_CODE),
        ("12345", SenderKind.SHORT_CODE),
        ("123456", SenderKind.SHORT_CODE),
        ("Contoso", SenderKind.ALPHANUMERIC),
        ("A", SenderKind.ALPHANUMERIC),
        ("Contoso 24h", SenderKind.ALPHANUMERIC),
        ("1234567a", SenderKind.ALPHANUMERIC),
    ],
)
def test_the_form_tells_the_kind(address: str, kind: SenderKind) -> None:
    """Nobody has to state a kind that the address shows."""
    assert kind_of(address) is kind


@pytest.mark.parametrize(
    "address",
    [
        "",
        " ",
        "1234",
        "1234567",
        "18005550100",
        "+1800555010a",
        "+0123456789",
        "+123456",
        "+1234567890123456",
        "+1 800 555 0100",
        "Contoso Ltd.",
        "ContosoAlert",
        " Contoso",
        "Contoso ",
        "Cont\noso",
        "Contoso\n",
        "Müller",
        "\uff11\uff12\uff13\uff14\uff15",
    ],
)
def test_what_can_be_no_sender_has_no_kind(address: str) -> None:
    """An address that ACS would not take as a sender is found at the start, not by a send."""
    assert kind_of(address) is None


@pytest.mark.parametrize(
    ("address", "rate", "answered_by"),
    [
        ("+18005550100", 200, StopAnsweredBy.CARRIER),
        ("12345", 6000, StopAnsweredBy.PLATFORM),
        ("+14255550123", 60, StopAnsweredBy.PLATFORM),
        ("+447700900123", 60, StopAnsweredBy.PARLEY),
        ("Contoso", 600, StopAnsweredBy.NOBODY),
    ],
)
def test_what_an_entry_leaves_out_follows_from_the_kind(
    address: str, rate: int, answered_by: StopAnsweredBy
) -> None:
    """One member is enough: the kind gives the rate and who answers STOP."""
    assert _parsed(sender=address) == {
        "address": address,
        "kind": kind_of(address),
        "program": address,
        "rate_per_minute": rate,
        "brand": "",
        "help_text": "",
        "stop_answered_by": answered_by,
        "country": "US",
    }


def test_every_kind_has_a_rule() -> None:
    """No kind is left without a rate and an answerer of STOP."""
    assert set(KINDS) == set(SenderKind)


def test_an_entry_may_state_everything() -> None:
    """What an entry states goes before what its kind implies."""
    stated = _parsed(
        sender="+14255550123",
        kind="longCode",
        program="reminders",
        ratePerMinute=7,
        brand="Contoso",
        helpText="Call us.",
        stopAnsweredBy="nobody",
        country="ca",
    )
    assert stated == {
        "address": "+14255550123",
        "kind": SenderKind.LONG_CODE,
        "program": "reminders",
        "rate_per_minute": 7,
        "brand": "Contoso",
        "help_text": "Call us.",
        "stop_answered_by": StopAnsweredBy.NOBODY,
        "country": "CA",
    }


def test_a_stated_kind_brings_its_own_rule() -> None:
    """A North American mobile number is no 10DLC, and its STOP is then ours to answer."""
    assert _parsed(sender="+14255550123", kind="longCode")["stop_answered_by"] == "parley"


@pytest.mark.parametrize(
    "written", ["+1 (800) 555-0100", "\u202a+18005550100\u202c", " \uff0b18005550100"]
)
def test_a_sender_is_read_as_any_number(written: str) -> None:
    """A number that an operator copied from a page is the sender that ACS knows."""
    assert _parsed(sender=written)["address"] == TOLL_FREE


def test_senders_keep_their_order() -> None:
    """The first sender listed is the first one, wherever one is chosen by default."""
    text = json.dumps([{"sender": "12345"}, {"sender": TOLL_FREE}, {"sender": "Contoso"}])
    assert list(parse_senders(text)) == ["12345", TOLL_FREE, "Contoso"]


def test_a_sender_that_is_not_configured_is_its_own_program() -> None:
    """A number that was given up still has opt-outs: they stay with it, and with nothing else."""
    senders = [{"sender": TOLL_FREE, "program": "reminders"}, {"sender": "12345"}]
    programs = Programs(parse_senders(json.dumps(senders)))
    assert programs.of(TOLL_FREE) == "reminders"
    assert programs.of("12345") == "12345"
    assert programs.of("+18335550100") == "+18335550100"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not JSON"),
        ("+18005550100", "is not JSON"),
        ("[", "is not JSON"),
        ("null", "JSON list"),
        ("{}", "JSON list"),
        ('{"sender": "+18005550100"}', "JSON list"),
        ("[]", "at least one sender"),
        ('["+18005550100"]', "entry 1 must be an object"),
        ('[{"sender": "12345"}, null]', "entry 2 must be an object"),
        ("[{}]", "entry 1: sender ''"),
        ('[{"sender": ""}]', "entry 1: sender ''"),
        ('[{"sender": 12345}]', "entry 1: sender must be a text"),
        ('[{"sender": null}]', "entry 1: sender must be a text"),
        ('[{"sender": "1234567"}]', "neither E.164"),
        ('[{"sender": "12345", "Sender": "x"}]', "unknown member 'Sender'"),
        ('[{"sender": "12345", "rate": 1}]', "unknown member 'rate'"),
        ('[{"sender": "12345"}, {"sender": "12345"}]', "entry 2: 12345 is listed twice"),
        ('[{"sender": "12345", "kind": "toll-free"}]', "kind must be one of tollFree, shortCode"),
        ('[{"sender": "12345", "kind": null}]', "kind must be one of"),
        ('[{"sender": "12345", "kind": ["shortCode"]}]', "kind must be one of"),
        ('[{"sender": "12345", "kind": "tollFree"}]', "12345 cannot be of kind tollFree"),
        ('[{"sender": "+18005550100", "kind": "tenDlc"}]', "by its form it is tollFree"),
        ('[{"sender": "+447700900123", "kind": "tenDlc"}]', "by its form it is longCode"),
        ('[{"sender": "+14255550123", "kind": "tollFree"}]', "by its form it is tenDlc"),
        ('[{"sender": "12345", "ratePerMinute": 0}]', "ratePerMinute must be a whole number"),
        ('[{"sender": "12345", "ratePerMinute": -1}]', "ratePerMinute must be a whole number"),
        ('[{"sender": "12345", "ratePerMinute": 1.5}]', "ratePerMinute must be a whole number"),
        ('[{"sender": "12345", "ratePerMinute": "60"}]', "ratePerMinute must be a whole number"),
        ('[{"sender": "12345", "ratePerMinute": true}]', "ratePerMinute must be a whole number"),
        ('[{"sender": "12345", "ratePerMinute": null}]', "ratePerMinute must be a whole number"),
        ('[{"sender": "12345", "program": 5}]', "program must be a text"),
        ('[{"sender": "12345", "brand": []}]', "brand must be a text"),
        ('[{"sender": "12345", "helpText": "%s"}]' % ("a" * 321), "helpText must be a text of"),
        ('[{"sender": "12345", "stopAnsweredBy": "us"}]', "stopAnsweredBy must be one of carrier"),
    ],
)
def test_a_malformed_setting_says_where_and_what(text: str, words: str) -> None:
    """Whoever wrote the setting learns which entry and which member to mend."""
    with pytest.raises(ValueError, match=r"entry|JSON") as error:
        parse_senders(text)
    assert words in str(error.value)


@given(st.text() | json_values.map(json.dumps))
def test_any_text_is_answered(text: str) -> None:
    """A setting is read, or refused with a ValueError; nothing else stops the start."""
    _read_or_refuse(text)


@given(st.dictionaries(members, json_values, max_size=4))
def test_any_entry_is_answered(entry: dict[str, Any]) -> None:
    """The same for an entry whose members have values of any type."""
    _read_or_refuse(json.dumps([{"sender": TOLL_FREE, **entry}]))


def _read_or_refuse(text: str) -> None:
    try:
        senders = parse_senders(text)
    except ValueError:
        return
    assert all(sender.address == address for address, sender in senders.items())
