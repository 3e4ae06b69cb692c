"""An estimate: exact sums of what is known, and never a zero for what is not."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.cost.estimate import CostTally, estimate, saving
from shared.rules.cost.prices import own_prices
from shared.rules.senders import Sender, parse_senders

AMERICAN, CANADIAN, PUERTO_RICAN, BRITISH = (
    "+14255550123",
    "+16135550123",
    "+17875550123",
    "+447400123456",
)
NO_COUNTRY = "+80012345678"
# 71 characters: one segment in GSM-7, two with the curly apostrophe.
CURLY = "We\u2019ll see you " + "x" * 57


def sender(address: str = "+18005550100") -> Sender:
    return parse_senders(f'[{{"sender": "{address}"}}]')[address]


def test_the_sum_and_each_country() -> None:
    """Two segments to two Americans and a Canadian: each country by its own price."""
    found = estimate(sender(), 2, [AMERICAN, CANADIAN, "+12065550199"], own_prices())
    assert found.segments == 6
    assert found.cost == found.at_least == Decimal("0.0720")
    assert found.unknown == ()
    assert [(part.country, part.recipients, part.segments, part.cost) for part in found.parts] == [
        ("US", 2, 4, Decimal("0.0400")),
        ("CA", 1, 2, Decimal("0.0320")),
    ]


@pytest.mark.parametrize(
    ("address", "recipients", "at_least", "words"),
    [
        ("+18005550100", [BRITISH], None, "The price of a tollFree text to GB is not"),
        ("+18005550100", [PUERTO_RICAN], Decimal("0.0400"), "surcharge on a tollFree text to PR"),
        ("+18005550100", [AMERICAN, BRITISH], Decimal("0.0100"), "text to GB"),
        ("+18005550100", [AMERICAN, NO_COUNTRY], Decimal("0.0100"), "country of some numbers"),
        ("24680", [AMERICAN], None, "The price of a shortCode text to US is not"),
    ],
)
def test_what_is_unknown_is_said(
    address: str, recipients: Sequence[str], at_least: Decimal | None, words: str
) -> None:
    """One unknown part makes the whole unknown: None with the reason, never 0 or a part of it."""
    found = estimate(sender(address), 1, recipients, own_prices())
    assert found.cost is None
    assert found.at_least == at_least
    [said] = found.unknown
    assert words in said


def test_nobody_costs_nothing() -> None:
    """Without recipients the cost is known, and is 0."""
    found = estimate(sender(), 1, [], own_prices())
    assert (found.cost, found.at_least, found.segments) == (Decimal(0), Decimal(0), 0)


def test_amounts_are_shown_as_texts() -> None:
    """The interface shows decimals as texts with their currency, and null for the unknown."""
    found = estimate(sender(), 1, [AMERICAN, BRITISH], own_prices()).shown()
    assert (found["cost"], found["atLeast"]) == (None, "USD 0.0100")
    assert found["pricesAsOf"] == "2021-11-30"
    assert "verify" in found["note"]
    assert [part["cost"] for part in found["countries"]] == ["USD 0.0100", None]
    assert found["unknown"] == [found["countries"][1]["unknown"]]


@given(
    st.lists(
        st.tuples(st.sampled_from([AMERICAN, CANADIAN, PUERTO_RICAN, BRITISH]), st.integers(1, 10)),
        max_size=30,
    )
)
def test_a_list_costs_what_its_texts_cost(texts: list[tuple[str, int]]) -> None:
    """Counting recipients one after another comes to the sum of asking for each alone."""
    tally = CostTally()
    for address, segments in texts:
        tally.add_text(address, segments)
    whole = tally.estimate(sender(), own_prices())
    alone = [estimate(sender(), segments, [a], own_prices()) for a, segments in texts]
    costs = [one.cost for one in alone]
    known = [one.at_least for one in alone if one.at_least is not None]
    assert whole.segments == sum(segments for _, segments in texts)
    assert whole.cost == (None if None in costs else sum(c for c in costs if c is not None))
    assert whole.at_least == (sum(known) if known or not texts else None)


def test_the_saving_is_told() -> None:
    """A curly apostrophe that doubles the bill: segments with and without it, and the money."""
    found = saving(sender(), CURLY, [AMERICAN, CANADIAN], own_prices())
    assert found is not None
    assert found.shown() == {
        "message": CURLY.replace("\u2019", "'"),
        "segments": 2,
        "segmentsWithStandIns": 1,
        "totalSegmentsSaved": 2,
        "saved": "USD 0.0260",
    }


def test_the_saving_may_be_of_unknown_price() -> None:
    """Segments are saved all the same where money cannot be told."""
    found = saving(sender(), CURLY, [BRITISH], own_prices())
    assert found is not None
    assert found.saved is found.shown()["saved"] is None
    assert found.shown()["totalSegmentsSaved"] == 1


@pytest.mark.parametrize("message", ["Hello", "We\u2019ll see you", "\u4f60\u597d" * 50])
def test_no_saving_without_fewer_segments(message: str) -> None:
    """Plain texts, short ones and those without stand-ins: there is nothing to save."""
    assert saving(sender(), message, [AMERICAN], own_prices()) is None
