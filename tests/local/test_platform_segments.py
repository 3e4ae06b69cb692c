"""The simulator counts segments for itself, by GSM 03.38 and 03.40."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.platform.segments import count_segments


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        # An escaped character does not straddle two parts: 152 septets and then 2.
        ("a" * 152 + "€" + "a" * 152, 3),
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        # A surrogate pair does not straddle either: 33 of them fill 66 of 67 units.
        ("😀" * 66, 2),
        ("😀" * 67, 3),
    ],
)
def test_sizes(text: str, segments: int) -> None:
    """160 and 153 septets, 70 and 67 UTF-16 units."""
    assert count_segments(text) == segments


@given(st.text(max_size=400), st.text(max_size=50))
def test_longer_texts_never_need_fewer(text: str, more: str) -> None:
    """Adding characters never makes a text take fewer segments."""
    assert count_segments(text + more) >= count_segments(text)
