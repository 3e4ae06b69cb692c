"""Carriers and ACS treat STOP, START and HELP as docs/platform.md 4 says, sender by sender."""

from __future__ import annotations

import phonenumbers
import pytest

from local.platform.carriers import Undeliverable
from local.platform.payloads import Received
from local.platform.recipients import CODES, MAGIC, MAGIC_PREFIX
from tests.local.platform_support import (
    ALPHANUMERIC,
    MOBILE,
    OTHER,
    PERSON,
    RELAYED_SHORT_CODE,
    SHORT_CODE,
    TEN_DLC,
    TOLL_FREE,
    Country,
)

STOP_WORDS = ("STOP", "QUIT", "END", "REVOKE", "OPT OUT", "CANCEL", "UNSUBSCRIBE")


@pytest.mark.parametrize("word", ["STOP", "stop", " Stop \n"])
def test_toll_free_stop(word: str) -> None:
    """The carrier answers STOP on a toll-free number, blocks, and relays it all the same."""
    country = Country()
    country.carriers.hear(PERSON, TOLL_FREE, word)
    (answer,) = country.texts(origin="carrier")
    assert answer.startswith("NETWORK MSG: You replied with the word STOP")
    assert [fact.text for fact in country.facts if isinstance(fact, Received)] == [word]
    country.send()
    country.timeline.advance(1)
    assert country.texts() == []
    assert [report.code for report in country.reports()] == [4007]


@pytest.mark.parametrize("word", [w for w in STOP_WORDS if w != "STOP"] + ["STOP please", "HELP"])
def test_toll_free_knows_one_word(word: str) -> None:
    """A toll-free carrier acts upon the exact word STOP and no other way of saying it."""
    country = Country()
    country.carriers.hear(PERSON, TOLL_FREE, word)
    assert country.texts(origin="carrier") == []
    assert not country.carriers.is_blocked(TOLL_FREE, PERSON)


@pytest.mark.parametrize("word", ["START", "UNSTOP"])
def test_toll_free_back(word: str) -> None:
    """START and UNSTOP lift a toll-free block, and the carrier says so."""
    country = Country()
    country.carriers.hear(PERSON, TOLL_FREE, "STOP")
    country.carriers.hear(PERSON, TOLL_FREE, word)
    assert country.texts(origin="carrier")[-1].startswith("NETWORK MSG: You have replied UNSTOP")
    country.send()
    country.timeline.advance(1)
    assert country.texts() == ["Hello"]


def test_stop_is_confirmed_once() -> None:
    """A second STOP is not answered again."""
    country = Country()
    for _ in range(2):
        country.carriers.hear(PERSON, TOLL_FREE, "STOP")
    assert len(country.texts(origin="carrier")) == 1


@pytest.mark.parametrize("sender", [SHORT_CODE, TEN_DLC])
@pytest.mark.parametrize("word", STOP_WORDS)
def test_managed_stop(sender: str, word: str) -> None:
    """On managed short codes and 10DLC, ACS answers every listed word itself, and blocks."""
    country = Country()
    country.carriers.hear(PERSON, sender, word.lower())
    assert len(country.texts(origin="platform")) == 1
    assert country.carriers.is_opted_out(sender, PERSON)


def test_managed_help_and_start() -> None:
    """HELP is answered with the sender's help text, START lifts the block."""
    country = Country()
    for word in ("STOP", "HELP", "START"):
        country.carriers.hear(PERSON, SHORT_CODE, word)
    assert country.texts(origin="platform")[1] == "Call +1 800 555 0199."
    assert not country.carriers.is_blocked(SHORT_CODE, PERSON)


@pytest.mark.parametrize("sender", [RELAYED_SHORT_CODE, MOBILE])
def test_relaying_senders_do_nothing(sender: str) -> None:
    """Where Parley must answer, nobody else answers or blocks; the word is relayed."""
    country = Country()
    country.carriers.hear(PERSON, sender, "STOP")
    assert [text.direction for text in country.account.of(PERSON)] == ["sent"]
    assert not country.carriers.is_blocked(sender, PERSON)
    assert len(country.facts) == 1


@pytest.mark.parametrize("sender", [ALPHANUMERIC, "+18885550111"])
def test_unanswerable_senders(sender: str) -> None:
    """Nobody can text an alphanumeric sender, or a number that the resource does not own."""
    country = Country()
    with pytest.raises(Undeliverable):
        country.carriers.hear(PERSON, sender, "STOP")
    assert country.account.of(PERSON) == []


def test_blocks_are_per_sender_and_person() -> None:
    """STOP to one number blocks neither another number nor another person."""
    country = Country()
    country.carriers.hear(PERSON, TOLL_FREE, "STOP")
    country.send(PERSON, TEN_DLC)
    country.send(OTHER, TOLL_FREE)
    country.timeline.advance(1)
    assert (country.texts(PERSON), country.texts(OTHER)) == (["Hello"], ["Hello"])


def test_stop_overtakes_a_text_on_its_way() -> None:
    """What counts is the block at the moment of delivery, not of acceptance."""
    country = Country()
    country.send()
    country.carriers.hear(PERSON, TOLL_FREE, "STOP")
    country.timeline.advance(1)
    assert country.texts() == []


@pytest.mark.parametrize("code", [code for code in CODES if code != 2000])
def test_magic_codes(code: int) -> None:
    """Each code of the table has a number that fails with it; 5002 alone arrives all the same."""
    country = Country()
    number = f"{MAGIC_PREFIX}{code}"
    country.send(number)
    country.timeline.advance(1)
    assert [report.code for report in country.reports()] == [code]
    assert country.texts(number) == (["Hello"] if code == 5002 else [])


@pytest.mark.parametrize(
    ("digits", "codes", "arrives"),
    [
        ("0001", [], True),
        ("0002", [2000, 2000], True),
        ("0003", [2000, 5001], True),
        ("0004", [2000], True),
        ("0005", [2000], True),
        ("0006", [5002, 2000], True),
        ("0007", [], False),
        ("0010", [2000], True),
    ],
)
def test_magic_behaviours(digits: str, codes: list[int], *, arrives: bool) -> None:
    """Reports come as the behaviour's sentence says, and the text arrives or does not."""
    country = Country()
    number = MAGIC_PREFIX + digits
    country.send(number)
    country.timeline.advance(10)
    assert [report.code for report in country.reports()] == codes
    assert bool(country.texts(number)) == arrives


@pytest.mark.parametrize(("digits", "code"), [("0011", 4006), ("0012", 4008)])
def test_every_other_text_fails(digits: str, code: int) -> None:
    """The first text to such a number fails, the second arrives, and so on."""
    country = Country()
    for _ in range(3):
        country.send(MAGIC_PREFIX + digits)
        country.timeline.advance(1)
    assert [report.code for report in country.reports()] == [code, 2000, code]
    assert country.texts(MAGIC_PREFIX + digits) == ["Hello"]


def test_late_failure_claims_an_older_time() -> None:
    """The reordered pair is told apart by receivedTimestamp alone."""
    country = Country()
    country.send(MAGIC_PREFIX + "0003")
    country.timeline.advance(10)
    newer, older = country.reports()
    assert older.at < newer.at


def test_magic_stop() -> None:
    """The number that answers STOP is blocked from then on."""
    country = Country()
    number = MAGIC_PREFIX + "0005"
    for _ in range(2):
        country.send(number)
        country.timeline.advance(1)
    assert country.texts(number) == ["Hello"]
    assert [report.code for report in country.reports()] == [2000, 4007]


@pytest.mark.parametrize("number", MAGIC)
def test_magic_numbers_are_valid(number: str) -> None:
    """A magic number passes for a real one, or Parley would refuse it before ACS could."""
    assert phonenumbers.is_valid_number(phonenumbers.parse(number))


def test_timeout_report() -> None:
    """Where no carrier reports, a wished-for time-out makes ACS report 5002 itself."""
    country = Country()
    item = country.send(MAGIC_PREFIX + "0001")
    message = country.carriers.outgoing[item["messageId"]]
    message.timeout_seconds = 60
    country.timeline.advance(60)
    assert country.reports() == []
    country.timeline.advance(1)
    assert [report.code for report in country.reports()] == [5002]


def test_state_survives() -> None:
    """Opt-outs and texts on their way live on in what is stored."""
    before, after = Country(), Country()
    before.carriers.hear(PERSON, TOLL_FREE, "STOP")
    before.send(OTHER)
    after.carriers.load(before.carriers.as_json())
    after.timeline.advance(1)
    assert after.carriers.is_blocked(TOLL_FREE, PERSON)
    assert after.texts(OTHER) == ["Hello"]
