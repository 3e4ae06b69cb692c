"""Whom an erasure is about: every way in which one person's number is written, nobody else's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.rules.whom import Whom

NOW = datetime(2026, 11, 29, tzinfo=UTC)
US = Whom("+14255550123", NOW)


@pytest.mark.parametrize(
    "written",
    [
        "+14255550123",
        "14255550123",
        "0014255550123",
        "+1 (425) 555-0123",
        "(425) 555-0123",
        "425.555.0123",
        "4255550123",
        "\uff14\uff12\uff15\uff15\uff15\uff15\uff10\uff11\uff12\uff13",
    ],
)
def test_a_number_is_found_however_it_is_written(written: str) -> None:
    """With or without the country code, with what people put in between, in any width."""
    assert US.is_written(written)
    assert US.is_in(f'"A";{written};"B"')
    assert US.is_in(f'{{"to": "{written}"}}')


@pytest.mark.parametrize(
    "written",
    [
        "+14255550124",
        "24255550123",
        "5550123",
        "0123",
        "142555501230",
        "+4414255550123",
        "",
        "STOP",
    ],
)
def test_another_number_is_not(written: str) -> None:
    """Nor are the last digits alone, which may be anybody's."""
    assert not US.is_written(written)
    assert not US.is_in(f"A;{written};B")


def test_a_person_has_more_than_one_number() -> None:
    """Both spellings of one telephone are the person's, by whichever the erasure was asked for."""
    for asked_by in ("+541123456789", "+5491123456789"):
        whom = Whom(asked_by, NOW)
        for written in ("+541123456789", "+5491123456789", "+54 9 11 2345-6789"):
            assert whom.is_in(written)
        assert not whom.has("+541123456780")


def test_two_numbers_side_by_side() -> None:
    """They are not taken for one that is nobody's."""
    assert US.is_in("14255550124 14255550123")
    assert US.is_in("14255550123 / 14255550124")
    assert US.without("14255550124 14255550123") == "…"
    assert not US.is_in("14255550124 14255550125")


def test_a_text_without_the_number() -> None:
    """An ellipsis stands where it was; what holds none stays as it is, character by character."""
    assert US.without("to +1 (425) 555-0123, code 4007") == "to …, code 4007"
    kept = "to +14255550124, \uff14"
    assert US.without(kept) == kept
