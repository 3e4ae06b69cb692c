"""The laws of counting: sums do not depend on an order, rows come out the same to the byte."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.analytics.count_rows import (
    DAYS,
    HOURS,
    MINUTES,
    NARROW_ROOM,
    Level,
    entity_of,
    groups_in,
    tally_of,
)
from shared.analytics.counts import (
    DIMENSIONS,
    OTHERS,
    Counts,
    Tally,
    largest,
    merged,
    percentiles,
    seconds_kept,
)

MOMENT = datetime(2026, 11, 22, 13, 7, tzinfo=UTC)
FIRST, LAST = MOMENT.replace(tzinfo=None, year=2025), MOMENT.replace(tzinfo=None, year=2027)
NAMES = st.sampled_from(["sent", "delivered", "undelivered.4004", "time.3", "cost.USD", "inbound"])
COUNTS = st.dictionaries(NAMES, st.integers(1, 10**12), max_size=4)
GROUPS = st.fixed_dictionaries(
    {}, optional={name: st.text(max_size=3) for name in DIMENSIONS if name != "total"}
)
TALLIES = st.lists(st.tuples(GROUPS, COUNTS), max_size=5)


def tally(parts: list[tuple[dict[str, str], Counts]]) -> Tally:
    found = Tally()
    for groups, counts in parts:
        found.count(groups, counts)
    return found


@given(st.lists(COUNTS, max_size=5), st.randoms())
def test_a_sum_does_not_depend_on_its_order(parts: list[Counts], random: Random) -> None:
    """Counts become one by adding name by name: associative and commutative."""
    shuffled = sorted(parts, key=lambda _: random.random())
    assert merged(shuffled) == merged(parts)
    assert merged([merged(parts[:2]), merged(parts[2:])]) == merged(parts)


@given(TALLIES, TALLIES, TALLIES)
def test_tallies_add_in_any_order(
    one: list[tuple[dict[str, str], Counts]],
    two: list[tuple[dict[str, str], Counts]],
    three: list[tuple[dict[str, str], Counts]],
) -> None:
    """An hour is the sum of its minutes, whichever of them came first and however they were cut."""
    whole = tally([*one, *two, *three])
    left = tally(three)
    left.add(tally(one))
    left.add(tally(two))
    assert left.groups == whole.groups
    assert entity_of(HOURS, MOMENT, left) == entity_of(HOURS, MOMENT, whole)


@given(TALLIES)
def test_each_dimension_has_all_of_it(parts: list[tuple[dict[str, str], Counts]]) -> None:
    """The groups of every dimension sum up to the total."""
    found = tally(parts)
    total = merged(counts for _, counts in parts)
    for _, groups in found:
        assert merged(groups.values()) == total


@given(TALLIES)
def test_a_row_keeps_its_tally(parts: list[tuple[dict[str, str], Counts]]) -> None:
    """What was put into an entity is what is read from it."""
    found = tally(parts)
    assert tally_of([entity_of(MINUTES, MOMENT, found)]).groups == found.groups


@pytest.mark.parametrize("level", [MINUTES, HOURS, DAYS])
def test_an_entity_holds_a_tag_for_each_text(level: Level) -> None:
    """As many tags as texts fit: those with the most texts apart, the others as one, none lost."""
    found = Tally()
    random = Random(7)  # noqa: S311  # the same tags each time
    for number in range(4_000):
        # As incompressible as a tag can be.
        tag = "".join(chr(random.randrange(0x1F000, 0x2A000)) for _ in range(256))
        found.count({"tag": tag}, {"sent": 1 + number % 3})
    row = entity_of(level, MOMENT, found)
    sizes = [len(value) for value in row.values() if isinstance(value, bytes)]
    assert max(sizes) <= 65_536
    assert sum(sizes) <= 1_000_000
    groups = groups_in(row, "tag")
    assert merged(groups.values()) == {"sent": sum(1 + number % 3 for number in range(4_000))}
    assert OTHERS in groups
    if level is not MINUTES:
        assert len(groups) == NARROW_ROOM + 1
    # Two thirds of all have more than one text.
    assert all(counts["sent"] > 1 for name, counts in groups.items() if name != OTHERS)


def test_the_same_groups_stay_whoever_counts() -> None:
    """Among groups with as many texts the first by name stays apart."""
    groups = {name: {"sent": 1} for name in ("d", "b", "a", "c")} | {"z": {"sent": 2}}
    assert list(largest(groups, 3)) == ["a", "b", "z", OTHERS]
    assert largest(groups, 3)[OTHERS] == {"sent": 2}
    assert largest(largest(groups, 3), 2)[OTHERS] == {"sent": 3}


@given(st.floats(-1e6, 3e6))
def test_times_are_kept_to_five_percent(seconds: float) -> None:
    """To the second up to two minutes, at most 5 % less beyond; kept once more they stay."""
    kept = seconds_kept(seconds)
    exact = max(0, int(seconds + 0.5))
    assert exact / 1.05 <= kept <= exact or exact > 30 * 86_400
    assert kept == exact or exact > 120
    assert seconds_kept(kept) == kept


@given(st.lists(st.integers(0, 120), min_size=1), st.sampled_from([50, 95]))
def test_a_percentile_is_the_nearest_rank(times: list[int], hundredths: int) -> None:
    """The smallest time within which so many of a hundred came."""
    counts = merged({str(seconds): 1} for seconds in times)
    ranked = sorted(times)
    assert percentiles(counts, hundredths, 100)[0] == next(
        seconds
        for place, seconds in enumerate(ranked, 1)
        if place * 100 >= hundredths * len(ranked)
    )


def test_nothing_delivered_has_no_percentile() -> None:
    """Where nothing was delivered no time is made up."""
    assert percentiles({}, 50, 95) == [None, None]


@pytest.mark.parametrize(
    ("level", "partition", "row"),
    [
        (MINUTES, "minute-20261122", "202611221307"),
        (HOURS, "hour-202611", "2026112213"),
        (DAYS, "day-2026", "20261122"),
    ],
)
def test_where_rows_lie(level: Level, partition: str, row: str) -> None:
    """A row's place follows from its time, and its time from its place."""
    assert level.partition(MOMENT) == partition
    assert level.row(MOMENT) == row
    moment = level.moment(f"{row}~x")
    assert moment == level.floor(MOMENT)


@given(
    st.sampled_from([MINUTES, HOURS, DAYS]),
    st.datetimes(FIRST, LAST),
    st.integers(1, 500),
)
def test_periods_leave_no_gap(level: Level, start: datetime, steps: int) -> None:
    """A stretch of time is cut where its partitions end, and nowhere else."""
    first = level.floor(start.replace(tzinfo=UTC))
    end = first + steps * level.length
    found = level.periods(first, end)
    assert (found[0][0], found[-1][1]) == (first, end)
    for (_, before), (after, _) in pairwise(found):
        assert before == after
    tick = timedelta(microseconds=1)
    partitions = [level.partition(low) for low, _ in found]
    assert partitions == [level.partition(high - tick) for _, high in found]
    assert len(set(partitions)) == len(partitions)
