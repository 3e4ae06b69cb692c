"""Warnings about recipients: each kind once, with how many it concerns."""

import phonenumbers

from shared.rules.recipient_warnings import RecipientWarnings


def test_nothing_questionable_gives_no_warning() -> None:
    """Known numbers are not mentioned."""
    found = RecipientWarnings()
    found.add(range_known=True)
    assert found.shown() == []


def test_unknown_ranges_are_counted_with_the_data_s_version() -> None:
    """Who reads it can tell how old the data is that does not know the numbers."""
    found = RecipientWarnings()
    for known in (False, True, False):
        found.add(range_known=known)
    (warning,) = found.shown()
    assert (warning["code"], warning["count"], warning["position"]) == (
        "numberRangeUnknown",
        2,
        None,
    )
    assert phonenumbers.__version__ in warning["message"]
    assert "2 numbers" in warning["message"]


def test_each_warning_counts_whom_it_concerns() -> None:
    """Out of reach, and placeholders by name."""
    found = RecipientWarnings()
    found.add(range_known=True, out_of_reach=True, doubtful=["name"])
    found.add(range_known=True, out_of_reach=True)
    found.add(range_known=True, doubtful=["name", "city"])
    assert [(one["code"], one["count"]) for one in found.shown()] == [
        ("outOfReach", 2),
        ("doubtfulValues", 2),
        ("doubtfulValues", 1),
    ]
