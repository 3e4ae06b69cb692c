"""The daily budget: never over it, nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.azure.storage import StorageDown
from tests.limits.bench import NOON, Bench, Counted, admitted, people, request, send_id
from tests.support.transports import Trouble, TroubledTransport

Make = Callable[..., Bench]
TEXT = request("marketing")


def budget(segments: int, warn_at: float = 1) -> str:
    return json.dumps({"{program}": {"segments": segments, "warnAt": warn_at}})


def warnings(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, object]]:
    said = [record.getMessage().split(" ", 1) for record in caplog.records]
    return [json.loads(data) for name, data in said if name == event]


async def test_as_many_as_the_budget_holds(bench: Make) -> None:
    """Seven segments are three texts of two; the first three are let through, with a reason for
    the rest."""
    made = bench(daily_budgets=budget(7))
    refused = await made.guards().admit(TEXT, send_id(), people(5), 2, NOON)
    assert list(refused) == people(2, first=3)
    assert set(refused.values()) == {
        f"The daily budget of program {made.program!r} is used up: 7 segments a UTC day."
    }
    assert await made.used() == 6


async def test_hard_stop(bench: Make) -> None:
    """Once it is used up nobody is let through, and a budget of none lets nobody through at all."""
    made, none = bench(daily_budgets=budget(1)), bench(daily_budgets=budget(0))
    assert not await made.guards().admit(TEXT, send_id(), people(1), 1, NOON)
    for guards in (made.guards(), none.guards()):
        assert list(await guards.admit(TEXT, send_id(), people(2), 1, NOON)) == people(2)


async def test_a_repeat_counts_once(bench: Make) -> None:
    """The same send finds its reservation, in another process too, and when nothing is left."""
    made, ours = bench(daily_budgets=budget(3)), send_id()
    for _ in range(2):
        assert not await made.guards().admit(TEXT, ours, people(3), 1, NOON)
    assert await made.used() == 3
    assert await made.guards().admit(TEXT, send_id(), people(3), 1, NOON)


async def test_a_repeat_may_ask_for_fewer_or_more(bench: Make) -> None:
    """Somebody opted out meanwhile, or somebody got through: only who is new is counted."""
    made, ours = bench(daily_budgets=budget(10)), send_id()
    guards = made.guards()
    await guards.admit(TEXT, ours, people(3), 2, NOON)
    await guards.admit(TEXT, ours, people(1), 2, NOON)
    assert await made.used() == 6
    assert list(await guards.admit(TEXT, ours, people(6), 2, NOON)) == people(1, first=5)
    assert await made.used() == 10


async def test_what_was_not_sent_is_given_back(bench: Make) -> None:
    """Once, however often it is said; and a repeat of the send reserves it anew."""
    made, ours = bench(daily_budgets=budget(4)), send_id()
    guards = made.guards()
    await guards.admit(TEXT, ours, people(4), 1, NOON)
    for _ in range(2):
        await guards.release(TEXT, ours, people(3), NOON)
    assert await made.used() == 1
    assert await guards.budget_left(TEXT, NOON) == 3
    await guards.admit(TEXT, ours, people(2), 1, NOON)
    assert await made.used() == 3


async def test_nothing_is_given_back_that_was_not_reserved(bench: Make) -> None:
    """Another send's, another person's and nobody's: the count stays."""
    made, ours = bench(daily_budgets=budget(4)), send_id()
    guards = made.guards()
    await guards.admit(TEXT, ours, people(2), 1, NOON)
    await guards.release(TEXT, send_id(), people(2), NOON)
    await guards.release(TEXT, ours, people(2, first=2), NOON)
    await guards.release(TEXT, ours, [], NOON)
    assert await made.used() == 2


async def test_a_day_is_a_day_in_utc(bench: Make) -> None:
    """Midnight is UTC's, whatever zone the clock has."""
    made = bench(daily_budgets=budget(1))
    guards, zone = made.guards(), timezone(timedelta(hours=9))
    last = datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC)
    assert not await guards.admit(TEXT, send_id(), people(1), 1, last)
    assert await guards.admit(TEXT, send_id(), people(1), 1, last.astimezone(zone))
    assert not await guards.admit(TEXT, send_id(), people(1), 1, last + timedelta(seconds=1))


async def test_a_program_without_a_budget_costs_nothing(bench: Make) -> None:
    """Other senders' programs are free of the budget, and of its storage operations."""
    made = bench(daily_budgets=budget(0))
    counted = Counted(made.transport)
    guards, other = made.guards(counted), request(sender="24680")
    assert not guards.applies(other)
    assert not await guards.admit(other, send_id(), people(100), 9, NOON)
    await guards.release(other, send_id(), people(100), NOON)
    assert await guards.budget_left(other, NOON) is None
    assert counted.asked == []


async def test_a_reservation_is_two_operations(bench: Make) -> None:
    """One read and one transaction, for a hundred recipients as for one."""
    made = bench(daily_budgets=budget(1000))
    counted = Counted(made.transport)
    guards = made.guards(counted)
    await guards.admit(TEXT, send_id(), people(1), 1, NOON)
    counted.asked.clear()
    await guards.admit(TEXT, send_id(), people(100), 1, NOON)
    assert counted.asked == ["GET", "POST"]


async def test_many_processes_at_once(bench: Make) -> None:
    """Six processes with ten sends each want more than there is: all of it is given out, no more,
    and what storage counts is what they were told."""
    made = bench(daily_budgets=budget(101))

    async def process(first: int) -> int:
        guards = made.guards()
        asked = [people(3, first=first + 3 * place) for place in range(10)]
        answers = await asyncio.gather(
            *(guards.admit(TEXT, send_id(), group, 2, NOON) for group in asked)
        )
        return sum(
            len(admitted(group, refused)) for group, refused in zip(asked, answers, strict=True)
        )

    texts = sum(await asyncio.gather(*(process(30 * number) for number in range(6))))
    assert texts == 50
    assert await made.used() == 100


async def test_many_repeats_at_once(bench: Make) -> None:
    """The same five sends in five processes at once: each is counted once."""
    made, sends = bench(daily_budgets=budget(1000)), [send_id() for _ in range(5)]
    processes = [made.guards() for _ in range(5)]
    await asyncio.gather(
        *(
            guards.admit(TEXT, one, people(2, first=2 * place), 3, NOON)
            for guards in processes
            for place, one in enumerate(sends)
        )
    )
    assert await made.used() == 30


async def test_reserving_and_giving_back_at_once(bench: Make) -> None:
    """Whatever is reserved and given back in whatever order, the count is what is still held."""
    made, chance = bench(daily_budgets=budget(60)), random.Random(22)  # noqa: S311
    held = 0

    async def send(place: int) -> None:
        nonlocal held
        guards, ours, group = made.guards(), send_id(), people(3, first=3 * place)
        got = admitted(group, await guards.admit(TEXT, ours, group, 2, NOON))
        back = got[: chance.randrange(4)]
        await guards.release(TEXT, ours, back, NOON)
        held += 2 * (len(got) - len(back))

    await asyncio.gather(*(send(place) for place in range(20)))
    assert await made.used() == held <= 60


async def test_more_at_once_than_a_transaction_holds(bench: Make) -> None:
    """Sends of one process that wait for each other go together, in several transactions."""
    made = bench(daily_budgets=budget(1000))
    counted = Counted(made.transport)
    guards = made.guards(counted)
    await asyncio.gather(*(guards.admit(TEXT, send_id(), [one], 1, NOON) for one in people(150)))
    assert await made.used() == 150
    assert counted.asked.count("POST") < 15


@pytest.mark.parametrize("trouble", [Trouble.UNSENT, Trouble.LOST, Trouble.FAILED, Trouble.TWICE])
async def test_a_lost_answer_is_settled(bench: Make, trouble: Trouble) -> None:
    """Done or not, answered or not: it is counted once in the end."""
    made, ours = bench(daily_budgets=budget(10)), send_id()
    guards = made.guards(TroubledTransport(made.transport, [trouble]))
    assert not await guards.admit(TEXT, ours, people(3), 2, NOON)
    await guards.release(TEXT, ours, people(1), NOON)
    assert await made.used() == 4


async def test_without_storage_nobody_is_let_through(bench: Make) -> None:
    """What cannot be counted is not sent; the repeat counts it once."""
    made, ours = bench(daily_budgets=budget(10)), send_id()
    broken = made.guards(TroubledTransport(made.transport, [Trouble.UNSENT] * 99))
    with pytest.raises(StorageDown):
        await broken.admit(TEXT, ours, people(3), 1, NOON)
    assert not await made.guards().admit(TEXT, ours, people(3), 1, NOON)
    assert await made.used() == 3


async def test_one_early_warning(bench: Make, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever crosses the share of the day's budget says so, nobody says it again, and the end is
    said when it is reached."""
    caplog.set_level(logging.INFO, "parley")
    made = bench(daily_budgets=budget(20, 0.5))
    for group in range(3):
        await asyncio.gather(
            *(
                made.guards().admit(TEXT, send_id(), [one], 1, NOON)
                for one in people(4, first=4 * group)
            )
        )
        assert len(warnings(caplog, "budget.warning")) == (1 if group == 2 else 0)
    [said] = warnings(caplog, "budget.warning")
    assert said["program"] == made.program
    assert (said["day"], said["budget"]) == ("20261122", 20)
    assert not warnings(caplog, "budget.used_up")
    guards = made.guards()
    for _ in range(2):
        await guards.admit(TEXT, send_id(), people(9, first=50), 1, NOON)
    assert len(warnings(caplog, "budget.used_up")) == 1


async def test_a_lost_answer_loses_no_warning(
    bench: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """The transaction that crossed the share went through without an answer: it is said all the
    same."""
    caplog.set_level(logging.INFO, "parley")
    made = bench(daily_budgets=budget(10, 0.5))
    guards = made.guards(TroubledTransport(made.transport, [Trouble.LOST] * 3))
    await guards.admit(TEXT, send_id(), people(6), 1, NOON)
    assert len(warnings(caplog, "budget.warning")) == 1


async def test_old_tables_are_dropped(bench: Make) -> None:
    """This month's and last month's reservations stay; older ones go."""
    made = bench(daily_budgets=budget(10))
    guards = made.guards()
    march = datetime(2025, 3, 31, 12, tzinfo=UTC)
    for day in (march, datetime(2025, 2, 1, tzinfo=UTC), datetime(2025, 1, 31, tzinfo=UTC)):
        await guards.admit(TEXT, send_id(), people(1), 1, day)
    await guards.forget(march)
    tables = await made.storage.tables("budgets2025")
    assert tables == ["budgets202502", "budgets202503"]
