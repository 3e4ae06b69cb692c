"""ULIDs: ids that sort by time and give it back."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.base.ulid import is_ulid, new, time_of

FIRST = datetime(1970, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
ZEROS = bytes(10)
moments = st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis adds the zone
randomness = st.binary(min_size=10, max_size=10)


def _cut(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@pytest.mark.parametrize(
    ("moment", "random", "ulid"),
    [
        (FIRST, ZEROS, "0" * 26),
        (FIRST, b"\xff" * 10, "0" * 10 + "Z" * 16),
        # The time that the ULID specification's own example uses.
        (FIRST + timedelta(milliseconds=1469918176385), ZEROS, "01ARYZ6S41" + "0" * 16),
    ],
)
def test_known_values(moment: datetime, random: bytes, ulid: str) -> None:
    """The form is that of the specification, not one of our own."""
    assert new(moment, random) == ulid


@given(moments, randomness)
def test_the_time_comes_back(moment: datetime, random: bytes) -> None:
    """An id gives back its moment to the millisecond."""
    ulid = new(moment, random)
    assert is_ulid(ulid)
    assert time_of(ulid) == _cut(moment)
    assert time_of(ulid).tzinfo is UTC


@given(moments, randomness, moments, randomness)
def test_ids_sort_by_time_then_randomness(
    one: datetime, one_random: bytes, other: datetime, other_random: bytes
) -> None:
    """Sorting ids as text sorts them by time; equal ids have equal time and randomness."""
    first, second = (_cut(one), one_random), (_cut(other), other_random)
    assert (new(*first) < new(*second)) == (first < second)
    assert (new(*first) == new(*second)) == (first == second)


def test_other_time_zones_are_the_same_moment() -> None:
    """The zone of the clock does not show in the id."""
    elsewhere = NOON.astimezone(timezone(timedelta(hours=-8)))
    assert new(elsewhere, ZEROS) == new(NOON, ZEROS)


@pytest.mark.parametrize(
    ("moment", "random"),
    [
        (NOON.replace(tzinfo=None), ZEROS),
        (FIRST - timedelta(microseconds=1), ZEROS),
        (NOON, b""),
        (NOON, bytes(9)),
        (NOON, bytes(11)),
    ],
)
def test_what_does_not_fit_is_refused(moment: datetime, random: bytes) -> None:
    """A moment without zone, one before 1970 and too little randomness make no id."""
    with pytest.raises(ValueError, match="must"):
        new(moment, random)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0" * 25,
        "0" * 27,
        "8" + "0" * 25,
        "01aryz6s41" + "0" * 16,
        "I" + "0" * 25,
        *("0" * 25 + letter for letter in "ILOU-_ é\n"),
        "0" * 26 + "\n",
        "\u0660" + "0" * 25,
    ],
)
def test_only_the_canonical_spelling_counts(text: str) -> None:
    """One id has one spelling: no lower case, no look-alikes, nothing around it."""
    assert not is_ulid(text)
    with pytest.raises(ValueError, match="not a ULID"):
        time_of(text)


def test_a_time_beyond_the_calendar_is_a_value_error() -> None:
    """48 bits reach past the year 9999; an id from outside must not bring a handler down."""
    assert is_ulid("7" + "Z" * 25)
    with pytest.raises(ValueError, match="9999"):
        time_of("7" + "Z" * 25)


@given(st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=26, max_size=26) | st.text())
def test_any_text_is_answered(text: str) -> None:
    """Nothing but a moment or a ValueError comes out of a text."""
    try:
        moment = time_of(text)
    except ValueError:
        return
    assert new(moment, ZEROS)[:10] == text[:10]
