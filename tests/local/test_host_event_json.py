"""Event Grid's JSON as the real host hands it on: written anew by Newtonsoft's rules."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.host.event_json import parse


@pytest.mark.parametrize(
    ("came", "seen"),
    [
        # Seen on the real host.
        ("2026-11-22T15:04:41.1887860Z", "2026-11-22T15:04:41.188786Z"),
        ("2026-11-22T15:04:00.1200000+00:00", "2026-11-22T15:04:00.12+00:00"),
        ("/Date(0)/", "1970-01-01T00:00:00Z"),
        # Read in its source.
        ("2026-11-22T15:04:41.000+02:00", "2026-11-22T13:04:41+00:00"),
        ("2026-11-22T15:04:41-0630", "2026-11-22T21:34:41+00:00"),
        ("2026-11-22T15:04:41", "2026-11-22T15:04:41"),
        ("2026-11-22T15:04:41z", "2026-11-22T15:04:41Z"),
        ("2026-11-22T24:00:00Z", "2026-11-23T00:00:00Z"),
        ("/Date(1795941000123+0200)/", "2026-11-29T08:30:00.123+00:00"),
    ],
)
def test_a_date_is_rewritten(came: str, seen: str) -> None:
    """Any text that is nothing but a date is, a person's own words included."""
    assert parse(json.dumps([{"data": {"message": came}}])) == [{"data": {"message": seen}}]


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        "",
        "2026-11-22",
        " 2026-11-22T15:04:41Z",
        "2026-11-22 15:04:41Z",
        "2026-13-01T00:00:00Z",
        "2026-11-22T24:00:01Z",
        "2026-11-22T15:04Z",
        "11/22/2026 15:04:41",
        "Sun, 22 Nov 2026 15:04:41 GMT",
        "/Date(x)/",
        "/Date(999999999999999)/",
    ],
)
def test_other_texts_are_not(text: str) -> None:
    """What Newtonsoft takes for no date stays as it is; so do the names of members."""
    assert parse(json.dumps({text: text})) == {text: text}
    assert parse(b'{"2026-11-22T15:04:41.10Z": 1}') == {"2026-11-22T15:04:41.10Z": 1}


def test_half_a_surrogate_pair_is_replaced() -> None:
    """No half of a pair reaches a function."""
    assert parse(rb'["\ud83d", {"\ud83d": 1}]') == ["\ufffd", {"\ufffd": 1}]


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def test_what_is_nested_too_deeply_is_refused() -> None:
    """64 levels are read, 65 are not."""
    found: Any = parse(nested(64))
    assert found
    with pytest.raises(ValueError, match="deeper than 64"):
        parse(nested(65))
