"""Whoever counts is told by a word which guard refused."""

from __future__ import annotations

import pytest

from shared.limits.reasons import OTHER, reason_of


@pytest.mark.parametrize("sentence", [None, "", "ACS said no.", "the country"])
def test_other_sentences(sentence: str | None) -> None:
    """What no guard says is told apart from what they say."""
    assert reason_of(sentence) == OTHER
