"""Who gets what from whom: the set of numbers, pools, and how a list is cut."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.base.clock import utc_now
from shared.base.errors import InvalidRequest
from shared.campaigns.chunking import Cutter, chunk_size, lead
from shared.campaigns.list_reader import ListRow
from shared.campaigns.order import Definition, read_order
from shared.campaigns.recipients import NumberSet, Recipient, sender_for
from shared.limits.pacing import HEADROOM
from shared.rules.senders import Sender, parse_senders

SENDERS: Final = parse_senders(
    '[{"sender": "24680", "program": "offers", "ratePerMinute": 6000},'
    ' {"sender": "13579", "program": "offers", "ratePerMinute": 2000},'
    ' {"sender": "+18005550100", "program": "offers"},'
    ' {"sender": "+18005550101", "program": "offers"}]'
)
POOL: Final[list[Sender]] = [SENDERS["24680"], SENDERS["13579"]]

numbers = st.integers(10**6, 10**15 - 1).map(lambda number: f"+{number}")


@given(st.lists(numbers, max_size=300))
def test_a_number_is_new_once(given_numbers: list[str]) -> None:
    """As a set has it, whatever the order and however often."""
    seen, known = NumberSet(), set[str]()
    for number in given_numbers:
        assert seen.add(number) == (number not in known)
        known.add(number)


def test_the_set_of_numbers_is_small() -> None:
    """At most 24 bytes a number, growing included."""
    count = 100_000
    tracemalloc.start()
    seen = NumberSet()
    for number in range(count):
        seen.add(f"+1425{number:07d}")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24 * count


def test_a_person_has_one_sender_however_the_number_is_written() -> None:
    """Replies and opt-outs of a person meet the sender that texted them."""
    for last in range(40):
        number = f"112345{last:04d}"
        assert sender_for(f"+549{number}", POOL) == sender_for(f"+54{number}", POOL)


def test_a_pool_shares_by_rate_and_everybody_keeps_their_sender() -> None:
    """Three quarters of the rate, three quarters of the people; always the same ones."""
    people = [f"+1425{number:07d}" for number in range(4000)]
    found = Counter(sender_for(person, POOL) for person in people)
    assert found["24680"] == pytest.approx(3000, abs=120)
    for person in people[:100]:
        assert sender_for(person, POOL) == sender_for(person, POOL[::-1])
        if sender_for(person, [*POOL, SENDERS["+18005550100"]]) != "+18005550100":
            assert sender_for(person, [*POOL, SENDERS["+18005550100"]]) == sender_for(person, POOL)


def test_a_pool_of_toll_free_numbers_is_refused() -> None:
    """One campaign over several toll-free numbers is snowshoeing; the reason is said."""
    body = {
        "senders": ["+18005550100", "+18005550101"],
        "message": "Hello",
        "recipients": [{"to": "+14255550123"}],
    }
    with pytest.raises(InvalidRequest, match="snowshoeing") as refused:
        read_order(body, senders=SENDERS, now=utc_now())
    assert refused.value.code == "TollFreePool"


def rows(count: int) -> list[ListRow]:
    return [ListRow(line, 10 * line, 10, "", {}) for line in range(1, count + 1)]


@given(st.lists(st.booleans(), max_size=400), st.integers(1, 3))
def test_chunks_hold_everybody_once(texted: list[bool], segments: int) -> None:
    """Chunks follow each other, leave nobody out, and are no larger than five seconds or 100."""
    definition = Definition(("+18005550100",), "Hello")
    cutter = Cutter(definition, SENDERS)
    for row, one in zip(rows(len(texted)), texted, strict=True):
        recipient = Recipient("+1", "+18005550100", "Hello", segments)
        cutter.add_row(row, recipient if one else "refused")
    cutter.finish()
    held: list[int] = []
    passed = 0
    for number, piece in enumerate(cutter.pieces):
        assert piece.number == number
        assert piece.recipients <= 11
        assert piece.lead == passed / 200 * 60
        lines = range(piece.line, piece.line + piece.length // 10)
        held += [line for line in lines if line - piece.line not in piece.skip]
        passed += sum(piece.segments.values())
    assert held == [line for line, one in enumerate(texted, 1) if one]
    totals = cutter.totals()
    assert (totals.rows, totals.recipients) == (len(texted), sum(texted))
    assert dict(totals.segments) == ({"+18005550100": passed} if passed else {})


def test_a_pool_leaves_side_by_side() -> None:
    """The lead of a chunk is that of the sender that is furthest behind."""
    assert lead({"24680": 100, "13579": 100}, {"24680": 6000, "13579": 2000}) == 3.0
    assert lead({}, {}) == 0.0


def test_a_definition_comes_back_from_its_row() -> None:
    """All members, in every form that they can have."""
    body = {
        "from": "24680",
        "message": "Hello {name}",
        "recipients": [{"to": "+14255550123", "name": "Ann"}],
        "category": "marketing",
        "tag": "t",
        "enableDeliveryReport": True,
        "startAt": iso_in_a_day(),
        "timeZone": "America/New_York",
        "timeToLiveInSeconds": 3600,
        "spreadOverSeconds": 7200,
        "atMostOncePerHours": 24,
        "window": {
            "from": "08:00",
            "to": "24:00",
            "days": {"sunday": None, "monday": {"from": "10:00", "to": "12:00"}},
            "closedOn": ["12-25", "easter+1"],
        },
    }
    made = read_order(body, senders=SENDERS, now=utc_now()).definition
    made = replace(made, blob="b", etag="e", list_name="l")
    assert Definition.from_json(made.to_json()) == made


def iso_in_a_day() -> str:
    return (utc_now() + timedelta(days=1)).astimezone(ZoneInfo("America/New_York")).isoformat()


@given(st.integers(1, 60_000))
def test_no_minute_holds_more_chunks_than_its_rate(rate: int) -> None:
    """At full pace, the chunks that begin within any sixty seconds hold no more than the rate."""
    size = chunk_size(rate)
    assert 1 <= size <= 100
    between = 60 * size / (rate * HEADROOM)
    assert (int(60 / between) + 1) * size <= max(rate, 1)
