"""The brake on one-time codes: in no stretch of time too many, exactly, and each code once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from shared.azure.storage import StorageDown
from shared.limits.floods import _Code, _FloodJob, _FloodPlan
from shared.rules.limit_settings import FloodLimit, FloodLimits
from tests.limits.bench import CODE, NOON, Bench, Counted, admitted, people, request, send_id
from tests.support.transports import Trouble, TroubledTransport

Make = Callable[..., Bench]
MINUTE = timedelta(minutes=1)


def number(codes: int, minutes: int = 10) -> dict[str, object]:
    return {"number": {"codes": codes, "minutes": minutes}}


def range_of(codes: int, minutes: int = 10, digits: int = 8) -> dict[str, object]:
    return {"range": {"codes": codes, "minutes": minutes, "digits": digits}}


def limits(*some: dict[str, object]) -> str:
    return json.dumps({name: limit for one in some for name, limit in one.items()})


async def test_a_number_gets_so_many_codes(bench: Make) -> None:
    """Two codes in ten minutes; the third is refused with the reason, other numbers are free."""
    guards = bench(flood_limits=limits(number(2))).guards()
    for _ in range(2):
        assert not await guards.admit(CODE, send_id(), people(1), 1, NOON)
    assert await guards.admit(CODE, send_id(), people(2), 1, NOON) == {
        people(1)[0]: "Too many one-time codes to this number: at most 2 in 10 minutes."
    }


async def test_a_person_gets_so_many_codes_however_the_number_is_written(bench: Make) -> None:
    """Argentina's mobile with the 9 and without it is one telephone, whose codes count together."""
    guards = bench(flood_limits=limits(number(2))).guards()
    with_nine, without = "+5491123456789", "+541123456789"
    for address in (with_nine, without):
        assert not await guards.admit(CODE, send_id(), [address], 1, NOON)
    for address in (with_nine, without):
        assert (await guards.admit(CODE, send_id(), [address], 1, NOON)).keys() == {address}


async def test_a_range_gets_so_many_codes(bench: Make) -> None:
    """Numbers that share their first digits count together; another range is free."""
    guards = bench(flood_limits=limits(number(9), range_of(3, 5))).guards()
    asked = [*people(4), "+14255560000"]
    assert await guards.admit(CODE, send_id(), asked, 1, NOON) == {
        people(4)[3]: "Too many one-time codes to this range of numbers: at most 3 in 5 minutes."
    }


async def test_the_time_slides(bench: Make) -> None:
    """A code makes room again ten minutes after it, to the microsecond, not at a full hour."""
    guards = bench(flood_limits=limits(number(2))).guards()
    for passed, let_through in (
        (timedelta(0), True),
        (9 * MINUTE, True),
        (10 * MINUTE - timedelta(microseconds=1), False),
        (10 * MINUTE, True),
        (18 * MINUTE, False),
        (19 * MINUTE, True),
    ):
        refused = await guards.admit(CODE, send_id(), people(1), 1, NOON + passed)
        assert (not refused) is let_through, passed


async def test_a_refused_code_does_not_count(bench: Make) -> None:
    """Whoever keeps asking is let through as soon as ten minutes have passed since the last
    code that was sent."""
    guards = bench(flood_limits=limits(number(1), range_of(2))).guards()
    await guards.admit(CODE, send_id(), people(1), 1, NOON)
    for minute in range(1, 10):
        assert await guards.admit(CODE, send_id(), people(1), 1, NOON + minute * MINUTE)
    assert not await guards.admit(CODE, send_id(), people(1, first=1), 1, NOON + 9 * MINUTE)
    assert not await guards.admit(CODE, send_id(), people(1), 1, NOON + 10 * MINUTE)


async def test_a_repeat_counts_once(bench: Make) -> None:
    """The same send is let through again, in another process, and takes nobody's place."""
    made, ours = bench(flood_limits=limits(number(2), range_of(2))), send_id()
    for _ in range(3):
        assert not await made.guards().admit(CODE, ours, people(1), 1, NOON)
    assert not await made.guards().admit(CODE, send_id(), people(1), 1, NOON)
    assert await made.guards().admit(CODE, send_id(), people(1), 1, NOON)
    assert not await made.guards().admit(CODE, ours, people(1), 1, NOON)


async def test_what_was_not_sent_is_given_back(bench: Make) -> None:
    """A code that ACS refused leaves room for the next; giving back twice is once."""
    guards, ours = bench(flood_limits=limits(number(1), range_of(1))).guards(), send_id()
    assert not await guards.admit(CODE, ours, people(1), 1, NOON)
    for _ in range(2):
        await guards.release(CODE, ours, people(1), NOON)
    assert not await guards.admit(CODE, send_id(), people(1), 1, NOON)
    assert await guards.admit(CODE, ours, people(1), 1, NOON)


@pytest.mark.parametrize("category", ["marketing", "transactional", None])
async def test_other_texts_are_free(bench: Make, category: str | None) -> None:
    """Only one-time codes are counted, and only they cost storage operations."""
    made = bench(flood_limits=limits(number(1)))
    counted = Counted(made.transport)
    guards, other = made.guards(counted), request(category)
    assert not guards.applies(other)
    for _ in range(3):
        assert not await guards.admit(other, send_id(), people(3), 1, NOON)
    await guards.release(other, send_id(), people(3), NOON)
    assert counted.asked == []


@pytest.mark.parametrize(
    ("some", "operations"),
    [
        (limits(number(9), range_of(9)), ["GET", "GET", "POST"]),
        (limits(number(9)), ["GET", "POST"]),
        (limits(range_of(9)), ["GET", "POST"]),
        ("{}", []),
    ],
)
async def test_a_code_is_few_operations(bench: Make, some: str, operations: list[str]) -> None:
    """A read for each limit, and one transaction."""
    made = bench(flood_limits=some)
    counted = Counted(made.transport)
    guards = made.guards(counted)
    await guards.admit(CODE, send_id(), people(1), 1, NOON)
    counted.asked.clear()
    await guards.admit(CODE, send_id(), people(1), 1, NOON)
    assert counted.asked == operations


async def test_many_processes_at_once(bench: Make) -> None:
    """Eight processes send codes to three numbers of a range at once: each number gets its four,
    the range its ten, and no process is told otherwise."""
    made = bench(flood_limits=limits(number(4), range_of(10)))
    processes = [made.guards() for _ in range(8)]

    async def send(place: int, address: str) -> list[str]:
        refused = await processes[place % 8].admit(CODE, send_id(), [address], 1, NOON)
        return admitted([address], refused)

    answers = await asyncio.gather(
        *(send(place, address) for place in range(16) for address in people(3))
    )
    got = [address for answer in answers for address in answer]
    assert len(got) == 10
    assert all(got.count(address) <= 4 for address in people(3))


async def test_many_repeats_at_once(bench: Make) -> None:
    """One send in six processes at once is one code."""
    made, ours = bench(flood_limits=limits(number(2), range_of(2))), send_id()
    answers = await asyncio.gather(
        *(made.guards().admit(CODE, ours, people(1), 1, NOON) for _ in range(6))
    )
    assert answers == [{}] * 6
    assert not await made.guards().admit(CODE, send_id(), people(1), 1, NOON)
    assert await made.guards().admit(CODE, send_id(), people(1), 1, NOON)


async def test_a_hundred_recipients_of_one_range(bench: Make) -> None:
    """More rows than one transaction holds: the limit of the range is as exact."""
    made = bench(flood_limits=limits(number(1), range_of(90)))
    ours = send_id()
    for _ in range(2):
        refused = await made.guards().admit(CODE, ours, people(100), 1, NOON)
        assert len(refused) == 10
    await made.guards().release(CODE, ours, people(100), NOON)
    assert len(await made.guards().admit(CODE, send_id(), people(100), 1, NOON)) == 10


@pytest.mark.parametrize("trouble", [Trouble.UNSENT, Trouble.LOST, Trouble.FAILED, Trouble.TWICE])
async def test_a_lost_answer_is_settled(bench: Make, trouble: Trouble) -> None:
    """Done or not, answered or not: it is one code in the end."""
    made = bench(flood_limits=limits(number(2), range_of(2)))
    guards = made.guards(TroubledTransport(made.transport, [trouble]))
    for refused in (False, False, True):
        assert bool(await guards.admit(CODE, send_id(), people(1), 1, NOON)) is refused


async def test_without_storage_no_code_is_sent(bench: Make) -> None:
    """What cannot be counted is not sent."""
    made = bench(flood_limits=limits(number(2)))
    broken = TroubledTransport(made.transport, [Trouble.UNSENT] * 99, lambda _: True)
    with pytest.raises(StorageDown):
        await made.guards(broken).admit(CODE, send_id(), people(1), 1, NOON)


async def test_rows_hold_no_number(bench: Make) -> None:
    """Neither keys nor entries tell whom a code went to."""
    made = bench(flood_limits=limits(number(2), range_of(2)))
    await made.guards().admit(CODE, send_id(), people(2), 1, NOON)
    for row in await made.rows("floods"):
        shown = f"{row['PartitionKey']} {row['RowKey']} {row['entries']!r}"
        assert "555000" not in shown
        assert "14255550" not in shown


async def test_sweeping_leaves_what_still_counts(bench: Make) -> None:
    """Rows are deleted once no limit looks at them, and not before."""
    made = bench(flood_limits=limits(number(1), range_of(150)))
    guards = made.guards()
    await guards.forget(NOON + timedelta(days=1))
    await guards.admit(CODE, send_id(), people(100), 1, NOON)
    await guards.admit(CODE, send_id(), people(20, first=100), 1, NOON + 15 * MINUTE)
    await guards.forget(NOON + 10 * MINUTE)
    assert len(await made.rows("floods")) == 121
    await guards.forget(NOON + 11 * MINUTE)
    assert await guards.admit(CODE, send_id(), people(1, first=100), 1, NOON + 16 * MINUTE)
    assert len(await made.rows("floods")) == 21
    await guards.forget(NOON + timedelta(days=1))
    assert await made.rows("floods") == []


@hypothesis_settings(max_examples=200)
@given(
    times=st.lists(st.integers(0, 3000), max_size=60),
    codes=st.integers(1, 4),
    seconds=st.integers(60, 600),
)
def test_no_stretch_of_time_has_too_many(*, times: list[int], codes: int, seconds: int) -> None:
    """Whenever codes are asked for, by clocks that differ: no window holds more than the limit."""
    plan = _FloodPlan(
        FloodLimits(FloodLimit(codes, timedelta(seconds=seconds))), {"number:a": None}
    )
    sent: list[int] = []
    for place, second in enumerate(times):
        code = _Code("+14255550123", "number:a", place.to_bytes(8, "big"))
        if not plan.add_job(_FloodJob((code,), second * 1_000_000, gives_back=False)):
            sent.append(max([second, *sent]))
    for start in sent:
        assert sum(start <= second < start + seconds for second in sent) <= codes
