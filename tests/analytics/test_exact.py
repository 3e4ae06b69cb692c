"""Analytics against a brute-force count of texts with late, repeated, reordered reports."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from shared.analytics.api import read_query
from shared.analytics.count_rows import DAY, HOUR, MINUTE, TABLE
from shared.azure.tables import Entity
from shared.services import Services
from tests.analytics import brute
from tests.analytics.world import END, START, Account, Author, FakeClock, run_until_done

SEED = 20261122
MANY = pytest.param(20_000, marks=pytest.mark.slow)
SILENCE = timedelta(hours=72)
DAYS_END = END + timedelta(days=4)


@dataclass(frozen=True)
class Counted:
    """The world, counted.

    Attributes:
        account: where it is.
        things: what counts, by brute force.
        before: what was counted before the late reports came.
        rows: what is counted.
        clock: stands where the last run ended.
    """

    account: Account
    things: list[brute.Thing]
    before: dict[tuple[str, str], Entity]
    rows: dict[tuple[str, str], Entity]
    clock: FakeClock

    def parts(self, now: datetime) -> Services:
        return self.account.parts(FakeClock(now))


@pytest.fixture(scope="module", params=[3_000, MANY], ids="{} texts".format)
async def counted(one_account: Account, request: pytest.FixtureRequest) -> Counted:
    account = one_account
    await account.clear()
    world = Author(SEED, account.id_key).write(request.param)
    await account.put(world)
    clock = FakeClock(END + timedelta(hours=3))
    parts = account.parts(clock)
    await run_until_done(parts, clock)
    before = await account.rollups()
    await _come_late(account, clock, world.late)
    await run_until_done(parts, clock)
    facts = await brute.read(account.storage)
    return Counted(
        account, brute.things(facts, account.id_key), before, await account.rollups(), clock
    )


async def _come_late(account: Account, clock: FakeClock, late: list[Any]) -> None:
    """Some minutes later, shuffled, through two processes, some of them twice."""
    Random(SEED).shuffle(late)  # noqa: S311  # the same order each time
    records = [account.record(clock), account.record(clock)]
    for at in range(0, len(late), 16):
        await asyncio.gather(
            *(
                records[place % 2].report(message_id, report)
                for place, (message_id, report) in enumerate(late[at : at + 16])
            )
        )
        clock.forward(seconds=1)


def test_the_world_is_what_it_should_be(counted: Counted) -> None:
    """Texts of every fate, and late reports that have changed the counts."""
    words = {thing.word for thing in counted.things}
    assert words == {
        *("delivered", "undelivered", "unknown", "awaiting", "uncertain", "failed", "blocked"),
        *("expired", "canceled", "inbound", "optOuts", "resumes"),
    }
    assert counted.before.keys() == counted.rows.keys()
    assert counted.before != counted.rows


SPANS: list[tuple[str, datetime, datetime, str]] = [
    ("minute", START, START + timedelta(hours=1), "UTC"),
    ("hour", START, END, "UTC"),
    ("hour", START - timedelta(days=1), END + timedelta(days=1), "America/New_York"),
    ("hour", START, END, "Asia/Kathmandu"),
    ("day", START, DAYS_END, "UTC"),
    ("day", START, DAYS_END, "America/New_York"),
    ("day", START, DAYS_END, "Asia/Kolkata"),
    ("day", START, DAYS_END, "Australia/Lord_Howe"),
    ("total", START + timedelta(minutes=17), END + timedelta(minutes=3), "UTC"),
    ("total", START, DAYS_END, "UTC"),
]


@pytest.mark.parametrize(("interval", "start", "end", "zone"), SPANS)
@pytest.mark.parametrize("silent", [False, True])
async def test_each_interval(
    counted: Counted,
    interval: str,
    start: datetime,
    end: datetime,
    zone: str,
    *,
    silent: bool,
) -> None:
    """Each row, and the sum of all, is what a count of the facts in its span comes to."""
    now = counted.clock.moment + (timedelta(days=30) if silent else timedelta(0))
    parts = counted.parts(now)
    answer = await parts.analytics.api.answer(
        read_query(
            {
                "interval": interval,
                "startTime": start.isoformat(),
                "endTime": end.isoformat(),
                "timeZone": zone,
            },
            now,
        )
    )
    rows = answer["value"]
    assert datetime.fromisoformat(rows[0]["startTime"]) <= start
    assert datetime.fromisoformat(rows[-1]["endTime"]) >= end
    for row in [*rows, *answer["total"]]:
        first, last = (datetime.fromisoformat(row[name]) for name in ("startTime", "endTime"))
        found = brute.within(counted.things, first, last)
        brute.compare(row, brute.row_of(found, silent_before=_silent_before(now, silent=silent)))
    assert sum(row["sent"] for row in rows) > 0


def _silent_before(now: datetime, *, silent: bool) -> datetime:
    # Of what was sent within three days either nothing or all is old enough here.
    return now if silent else datetime(2000, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "group_by", ["sender", "program", "tag", "campaign", "country", "category"]
)
@pytest.mark.parametrize("interval", ["hour", "total"])
async def test_each_group(counted: Counted, group_by: str, interval: str) -> None:
    """The rows of a group are what a count of its facts comes to; tags past the room are one."""
    now = counted.clock.moment
    answer = await counted.parts(now).analytics.api.answer(
        read_query(
            {
                "interval": interval,
                "startTime": START.isoformat(),
                "endTime": END.isoformat(),
                "groupBy": group_by,
                "top": "40",
            },
            now,
        )
    )
    apart = {row["group"] for row in answer["total"] if not row["isOther"]}
    early = datetime(2000, 1, 1, tzinfo=UTC)
    for row in [*answer["value"], *answer["total"]]:
        first, last = (datetime.fromisoformat(row[name]) for name in ("startTime", "endTime"))
        found = [
            thing
            for thing in brute.within(counted.things, first, last)
            if (
                thing.groups[group_by] not in apart
                if row["isOther"]
                else thing.groups[group_by] == row["group"]
            )
        ]
        assert found
        brute.compare(row, brute.row_of(found, silent_before=early))
    shown = {(row["startTime"], row["group"], row["isOther"]) for row in answer["value"]}
    assert len(shown) == len(answer["value"])
    assert sum(row["sent"] for row in answer["value"]) == sum(r["sent"] for r in answer["total"])


async def test_days_and_hours_are_sums_of_the_level_below(counted: Counted) -> None:
    """The same span says the same by the minute, by the hour, by the day and in total."""
    now = counted.clock.moment
    totals = []
    for interval in ("minute", "hour", "total"):
        query = read_query(
            {
                "interval": interval,
                "startTime": (START.replace(hour=22, minute=0)).isoformat(),
                "endTime": (START.replace(hour=22, minute=0) + 2 * HOUR).isoformat(),
            },
            now,
        )
        totals.append((await counted.parts(now).analytics.api.answer(query))["total"])
    assert totals[0] == totals[1] == totals[2]


async def test_a_rebuild_from_nothing_gives_the_same_bytes(counted: Counted) -> None:
    """With the table gone, runs over the facts as they are now write what was there."""
    await counted.account.storage.drop_table(TABLE)
    clock = FakeClock(counted.clock.moment)
    await run_until_done(counted.account.parts(clock), clock)
    assert await counted.account.rollups() == counted.rows


async def test_a_rebuild_on_request_gives_the_same_bytes(counted: Counted) -> None:
    """What is missing or wrong is made good by the runs that follow a request, and only by them."""
    storage, clock = counted.account.storage, FakeClock(counted.clock.moment + timedelta(hours=1))
    wrong = [key for key in counted.rows if key[0].startswith(("minute", "hour", "day"))]
    for partition, row in Random(SEED).sample(wrong, 40):  # noqa: S311  # the same each time
        await storage.put(TABLE, {"PartitionKey": partition, "RowKey": row, "total": b""})
    parts = counted.account.parts(clock)
    await run_until_done(parts, clock)
    assert await counted.account.rollups() != counted.rows
    await parts.analytics.timer.request_recount(START - DAY, counted.clock.moment + MINUTE)
    clock.forward(minutes=10)
    await run_until_done(parts, clock)
    assert await counted.account.rollups() == counted.rows
