"""Ids of conversations: what they say, what they hide, and where they lead."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.addresses import from_query
from shared.rules.conversation_ids import (
    PARTITIONS,
    ConversationIds,
    partition_of,
    read_conversation_id,
)
from shared.rules.persons import person

IDS = ConversationIds(b"the key of a deployment")
ELSEWHERE = ConversationIds(b"the key of another one")

numbers = st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)
senders = numbers | st.from_regex(r"[0-9]{5,6}", fullmatch=True) | st.just("CONTOSO")
# Numbers that one telephone has in two spellings, and others.
spelled = numbers | st.from_regex(
    r"\+(549?11[0-9]{8}|521?55[0-9]{8}|5511[0-9]{8,9})", fullmatch=True
)


@given(senders, spelled)
def test_an_id_is_read_as_it_is_written(ours: str, theirs: str) -> None:
    """Both ways, and its place follows from the text alone."""
    made = IDS.of(ours, theirs)
    assert re.fullmatch(r"cv_[0-9a-f]{22}", str(made))
    assert read_conversation_id(str(made)) == made
    assert made.partition == f"{str(made)[3:9]}{int(str(made)[9], 16) % PARTITIONS}"
    assert made.partition in {partition_of(IDS.sender(ours), digit) for digit in range(16)}


@given(senders, spelled, spelled)
def test_one_person_has_one_conversation(ours: str, one: str, other: str) -> None:
    """Two numbers have one id with a sender where they are one person, and only there."""
    assert (IDS.of(ours, one) == IDS.of(ours, other)) is (person(one) == person(other))
    assert IDS.of(ours, person(one)) == IDS.of(ours, one)


@given(senders, senders, spelled)
def test_each_sender_has_its_own(ours: str, other: str, theirs: str) -> None:
    """The same person with another sender is another conversation."""
    assert (IDS.of(ours, theirs) == IDS.of(other, theirs)) is (ours == other)


@given(senders, spelled)
def test_an_id_tells_nobody_who(ours: str, theirs: str) -> None:
    """It holds no run of a number's digits that is longer than chance, and another key makes
    another id."""
    made, elsewhere = IDS.of(ours, theirs), ELSEWHERE.of(ours, theirs)
    assert theirs.lstrip("+") not in str(made)
    assert made.pair != elsewhere.pair


@given(senders, spelled, st.data())
def test_nothing_else_is_an_id(ours: str, theirs: str, data: st.DataObject) -> None:
    """Cut, lengthened, in capitals, with a blank: not an id, and never that of another."""
    text = str(IDS.of(ours, theirs))
    cut = data.draw(st.integers(0, len(text) - 1))
    more = data.draw(st.text(min_size=1, max_size=3))
    for wrong in (text[:cut], text[cut + 1 :], text + more, more + text, f"{text}\n"):
        assert read_conversation_id(wrong) is None
    if text.upper() != text:
        assert read_conversation_id(text.upper()) is None


def test_a_busy_sender_spreads() -> None:
    """Its conversations lie in four partitions, and none of them holds much more than its share."""
    found = Counter(
        IDS.of("+18005550100", f"+1425555{number:04d}").partition for number in range(4000)
    )
    assert len(found) == PARTITIONS
    assert min(found.values()) > 800


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (" 14255550123", "+14255550123"),
        ("+14255550123", "+14255550123"),
        ("14255550123", "14255550123"),
        (" CONTOSO", " CONTOSO"),
        ("CONTOSO BANK", "CONTOSO BANK"),
        ("", ""),
        (" ", " "),
    ],
)
def test_a_plus_in_a_query(written: str, meant: str) -> None:
    """A `+` that was not encoded arrives as a space, and is one where a number begins."""
    assert from_query(written) == meant
