"""The oldest of rows that run from the newest to the oldest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.azure.tables import Entity
from shared.conversations.entries import place
from shared.conversations.oldest import FULL, MOST_QUERIES, Oldest

FIRST = datetime(2019, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)


class Rows:
    """A partition in memory, newest first."""

    def __init__(self, moments: list[datetime]) -> None:
        self.keys = sorted(f"{place(moment)}~{n:05d}" for n, moment in enumerate(moments))
        self.queries = 0

    async def oldest(self, high: str, need: int) -> tuple[list[str], str | None]:
        """A page as `Conversations.oldest` makes it: oldest first, and where the next begins."""

        async def window(low: str, most: int) -> list[Entity]:
            self.queries += 1
            return [{"RowKey": key} for key in self.keys if low < key < high][:most]

        found = await Oldest(window, need).find(high)
        keys = [row["RowKey"] for row in reversed(found.rows)]
        return keys[:need], keys[need - 1] if len(keys) >= need else found.end

    async def all(self, need: int) -> tuple[list[str], int]:
        """All keys by pages, and the most queries that a page took."""
        seen: list[str] = []
        most, high = 0, "~"
        while True:
            self.queries = 0
            page, end = await self.oldest(high, need)
            seen += page
            most = max(most, self.queries)
            if end is None:
                return seen, most
            high = end


moments = st.datetimes(
    min_value=FIRST.replace(tzinfo=None), max_value=NOW.replace(tzinfo=None)
).map(lambda moment: moment.replace(tzinfo=UTC))
# Bursts: a beginning, how many texts follow it, how far apart.
bursts = st.tuples(
    moments, st.integers(1, 900), st.sampled_from([1, 10**3, 10**6, 60 * 10**6, 10**10])
)


@given(st.lists(bursts, max_size=4), st.sampled_from([1, 51, 501]))
async def test_every_row_once_in_order(found: list[tuple[datetime, int, int]], need: int) -> None:
    """However the rows are spread, pages hold each once, oldest first, each for few queries."""
    rows = Rows(
        [
            start + timedelta(microseconds=gap * number)
            for start, count, gap in found
            for number in range(min(count, 40) if need == 1 else count)
        ]
    )
    seen, most = await rows.all(need)
    assert seen == rows.keys[::-1]
    assert most <= MOST_QUERIES


@pytest.mark.parametrize(
    "apart", [timedelta(seconds=30), timedelta(hours=1), timedelta(hours=13)], ids=str
)
async def test_a_page_of_five_thousand(apart: timedelta) -> None:
    """The queries of a page grow with the logarithm of the number of rows."""
    rows = Rows([NOW - apart * number for number in range(5000)])
    seen, most = await rows.all(51)
    assert len(seen) == 5000
    assert most <= 10


async def test_seventy_thousand() -> None:
    """However long a conversation is, a page costs a bounded number of queries."""
    rows = Rows([NOW - timedelta(minutes=30) * number for number in range(70_000)])
    seen, most = await rows.all(501)
    assert seen == rows.keys[::-1]
    assert most <= 12


async def test_one_query_for_most_conversations() -> None:
    """What fits into one window is found by the first."""
    rows = Rows([NOW - timedelta(days=number) for number in range(FULL - 1)])
    page, _ = await rows.oldest("~", 51)
    assert (len(page), rows.queries) == (51, 1)
