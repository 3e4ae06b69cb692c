"""Keys of rows and of pages: where they sort, and that a page key leads back to its place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.base import ids, ulid
from shared.base.errors import InvalidRequest
from shared.conversations import Entry, Kind, listing
from shared.conversations.api import PAGES
from shared.conversations.entries import (
    BEFORE_ALL,
    BEHIND_ALL,
    READ_MARK,
    behind,
    entry_row,
    place,
    read_entry,
    row_key,
)
from shared.rules.conversation_ids import ConversationIds

IDS = ConversationIds(b"the key of a deployment")
FIRST, LAST = datetime(1971, 1, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)
moments = st.datetimes(
    min_value=FIRST.replace(tzinfo=None),
    max_value=LAST.replace(tzinfo=None),
    timezones=st.just(UTC),
)
numbers = st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)


def entry_at(at: datetime, theirs: str = "+14255550123", **members: object) -> Entry:
    """A text of a moment."""
    message_id = ids.message_id(b"key", ulid.new(at, bytes(10)), theirs)
    kind = members.pop("kind", Kind.SENT)
    return Entry(message_id, "+18005550100", theirs, kind, "Hello", at, **members)  # type: ignore[arg-type]


@given(moments, moments)
def test_what_was_said_later_sorts_first(one: datetime, other: datetime) -> None:
    """Keys run backwards in time, to the microsecond."""
    if one != other:
        assert (entry_at(one).key < entry_at(other).key) is (one > other)
    assert place(one) <= entry_at(one).key < behind(one)
    assert BEFORE_ALL < entry_at(one).key < BEHIND_ALL
    assert READ_MARK < BEFORE_ALL


@given(moments, moments, numbers, numbers)
def test_rows_of_a_conversation_are_one_range(
    at: datetime, later: datetime, theirs: str, another: str
) -> None:
    """Between its first and last possible key lies nothing of another one."""
    first, second = IDS.of("+18005550100", theirs), IDS.of("+18005550100", another)
    row, other = (
        entry_row(talk, entry_at(moment, number))
        for talk, moment, number in ((first, at, theirs), (second, later, another))
    )
    low, high = row_key(first, READ_MARK), row_key(first, BEHIND_ALL)
    assert row["PartitionKey"] == first.partition
    assert low < row["RowKey"] < high
    same = row["PartitionKey"] == other["PartitionKey"] and low < other["RowKey"] < high
    assert same is (first == second)


@given(moments, moments, st.sampled_from(list(Kind)), st.text(max_size=40))
def test_an_entry_is_read_as_it_was_written(
    at: datetime, arrived: datetime, kind: Kind, tag: str
) -> None:
    """Whatever it is about."""
    entry = entry_at(
        at,
        kind=kind,
        tag=tag or None,
        segments=2,
        arrived=arrived if kind is Kind.RECEIVED else None,
    )
    assert read_entry(entry_row(IDS.of(entry.ours, entry.theirs), entry)) == entry


@given(moments, st.integers(0, 10**16 - 1))
def test_a_page_of_a_conversation_begins_where_the_last_ended(at: datetime, sequence: int) -> None:
    """Each key of a message, a change or a moment is one to go on from."""
    for key in (entry_at(at).key, f"{place(at)}~!{sequence:016d}", place(at)):
        assert PAGES.after(key) == key


@given(moments, moments, numbers, st.data())
def test_a_page_of_the_list_begins_where_the_last_ended(
    began: datetime, at: datetime, theirs: str, data: st.DataObject
) -> None:
    """A cursor is read as it is written, holds no number, and no part of it is one."""
    talk = str(IDS.of("+18005550100", theirs))
    cursor = listing.Cursor(place(began), place(at), talk)
    assert listing.PAGES.after(str(cursor)) == cursor
    cut = data.draw(st.integers(0, len(str(cursor)) - 1))
    for wrong in (str(cursor)[:cut], f"{cursor}0", f"{place(began)}~{place(at)}~{theirs}"):
        with pytest.raises(InvalidRequest):
            listing.PAGES.after(wrong)


def test_microseconds_tell_moments_apart() -> None:
    """Two texts of one second keep their order."""
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    keys = [entry_at(at + timedelta(microseconds=n)).key for n in range(3)]
    assert keys == sorted(keys, reverse=True)
