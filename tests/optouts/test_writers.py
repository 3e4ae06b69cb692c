"""Several writers at one ledger, with troubles on their ways: every change is made at most once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.base.errors import LedgerUnavailable
from shared.optouts import Change, Direction, Effect, Ledger, Made
from tests.optouts.bench import SENDER, Bench, change, check_rules, leaf
from tests.support.transports import Trouble, TroubledTransport

ADDRESSES = ["+14255550101", "+14255550102", "+14255550103"]
OTHER_SENDER = "24680"
DIRECTIONS = [Direction.OUT, Direction.IN]
WRITERS = 3
REPEATS = 5
EXAMPLES = 12
law = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Plan:
    """Who asks for which change, in which order, and what happens to his transactions."""

    changes: list[Change]
    asked: list[list[int]]
    troubles: list[list[Trouble]]
    together: list[bool]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    count = draw(st.integers(1, 10))
    changes = [
        change(
            f"change-{number}",
            draw(st.sampled_from(ADDRESSES)),
            draw(st.sampled_from(DIRECTIONS)),
            minute=draw(st.integers(0, 3)),
            sender=draw(st.sampled_from([SENDER, SENDER, OTHER_SENDER])),
            words=draw(st.sampled_from([None, "STOP", "arrêt \N{OCTAGONAL SIGN}"])),
        )
        for number in range(count)
    ]
    askers = [draw(st.sets(st.integers(0, WRITERS - 1), min_size=1)) for _ in changes]
    asked = [[n for n in range(count) if writer in askers[n]] for writer in range(WRITERS)]
    return Plan(
        changes,
        [draw(st.permutations(numbers)) for numbers in asked],
        [draw(st.lists(st.sampled_from(list(Trouble)), max_size=4)) for _ in range(WRITERS)],
        [draw(st.booleans()) for _ in range(WRITERS)],
    )


async def made_certain(ledger: Ledger, changes: list[Change]) -> list[Made]:
    """Ask until it is certain, as Event Grid's repeats do."""
    for _ in range(REPEATS):
        with suppress(LedgerUnavailable):
            return await ledger.change(changes)
    raise AssertionError("repeating does not help")


async def work(bench: Bench, plan: Plan, writer: int) -> list[tuple[int, Made]]:
    """One writer's part: its changes one after the other, or all at once."""
    transport = TroubledTransport(bench.network, plan.troubles[writer])
    ledger = bench.ledger(transport)
    numbers = plan.asked[writer]
    if plan.together[writer]:
        made = await made_certain(ledger, [plan.changes[n] for n in numbers])
        return list(zip(numbers, made, strict=True))
    return [(n, (await made_certain(ledger, [plan.changes[n]]))[0]) for n in numbers]


@pytest.mark.parametrize("trouble", list(Trouble), ids=lambda trouble: trouble.name)
async def test_one_doubtful_answer(trouble: Trouble, bench: Bench) -> None:
    """A change whose answer was doubtful is made once, and its maker learns where it stands."""
    await bench.ledger().change([change("first", ADDRESSES[1], Direction.OUT)])
    ledger = bench.ledger(TroubledTransport(bench.network, [trouble] * 2))
    one = change("second", ADDRESSES[0], Direction.OUT)
    (made,) = await ledger.change([one])
    assert (made.sequence, made.effect) == (2, Effect.APPLIED)
    await check_rules(bench, [change("first", ADDRESSES[1], Direction.OUT), one])


@pytest.mark.parametrize("trouble", list(Trouble), ids=lambda trouble: trouble.name)
async def test_the_very_first_answer_is_doubtful(trouble: Trouble, bench: Bench) -> None:
    """So it is where the ledger itself begins with that change."""
    one = change("first", ADDRESSES[0], Direction.OUT)
    (made,) = await bench.ledger(TroubledTransport(bench.network, [trouble])).change([one])
    assert made.sequence == 1
    await check_rules(bench, [one])


async def test_a_change_made_before_is_found(bench: Bench) -> None:
    """Asking again changes nothing and gives the first answer, marked as not fresh."""
    one = change("one", ADDRESSES[0], Direction.OUT)
    (first,) = await bench.ledger().change([one])
    (again,) = await bench.ledger().change([one])
    assert (first.fresh, again.fresh) == (True, False)
    assert (again.sequence, again.effect) == (first.sequence, first.effect)
    await check_rules(bench, [one])


async def test_the_same_change_twice_in_one_call(bench: Bench) -> None:
    """Two that stand for the same cause are one."""
    one = change("one", ADDRESSES[0], Direction.OUT)
    made = await bench.ledger().change([one, one])
    assert [item.sequence for item in made] == [1, 1]
    await check_rules(bench, [one])


async def test_more_changes_than_a_transaction_holds(bench: Bench) -> None:
    """A hundred changes that arrive together are all made, in their order."""
    changes = [
        change(f"change-{n}", f"+1425555{n:04d}", Direction.OUT, minute=n) for n in range(100)
    ]
    made = await bench.ledger().change(changes)
    assert [item.sequence for item in made] == list(range(1, 101))
    await check_rules(bench, changes)


async def test_a_hundred_words_of_one_address(bench: Bench) -> None:
    """Changes of one address in one transaction are so many log rows and one state row."""
    changes = [
        change(f"change-{n}", ADDRESSES[0], Direction.OUT if n % 3 else Direction.IN, minute=n % 7)
        for n in range(100)
    ]
    await bench.ledger().change(changes)
    await check_rules(bench, changes)
    assert len((await bench.rows())["num"]) == 1


async def test_when_storage_is_gone(bench: Bench) -> None:
    """A writer that cannot make certain says so; nothing half-made is left."""
    ledger = bench.ledger(TroubledTransport(bench.network, [Trouble.UNSENT] * 100))
    one = change("one", ADDRESSES[0], Direction.OUT)
    with pytest.raises(LedgerUnavailable):
        await ledger.change([one])
    assert (await bench.rows())["log"] == []
    await bench.ledger().change([one])
    await check_rules(bench, [one])


async def test_a_change_that_cannot_be_written_fails_alone(bench: Bench) -> None:
    """Whatever arrives together with it is somebody's STOP, and is made."""
    good = [change(f"good-{n}", ADDRESSES[n], Direction.OUT) for n in range(3)]
    bad = replace(change("bad", "+14255550104", Direction.OUT), rule="x" * 70_000)
    ledger = bench.ledger()
    made = await asyncio.gather(
        *(ledger.change([one]) for one in (*good, bad)), return_exceptions=True
    )
    assert isinstance(made[3], ValueError)
    assert not any(isinstance(one, BaseException) for one in made[:3])
    await check_rules(bench, good)


async def test_the_longest_words_are_kept_as_far_as_a_row_holds_them(bench: Bench) -> None:
    """A report's details have no limit; the opt-out that it brings is made all the same."""
    one = change("one", ADDRESSES[0], Direction.OUT, words="\N{OCTAGONAL SIGN}" * 70_000)
    ledger = bench.ledger()
    await ledger.change([one])
    evidence = await ledger.evidence("one")
    assert evidence is not None
    assert evidence["words"] == "\N{OCTAGONAL SIGN}" * 10_000
    await check_rules(bench, [one])


async def test_evidence_can_be_erased(bench: Bench) -> None:
    """Words may be taken out of a cause's row: the log and its chain stand as they were."""
    one = change("one", ADDRESSES[0], Direction.OUT, words="Stop it")
    ledger = bench.ledger()
    await ledger.change([one])
    before = await bench.rows()
    assert (await ledger.evidence("one")) == {"cause": {"messageId": "one"}, "words": "Stop it"}
    source = dict(before["src"][0])
    del source["evidence"], source["evidenceSalt"]
    await bench.storage.put("optouts", source)
    assert await ledger.evidence("one") is None
    after = await bench.rows()
    assert (after["log"], after["head"]) == (before["log"], before["head"])
    (again,) = await ledger.change([one])
    assert (again.sequence, again.fresh) == (1, False)


async def test_an_address_stands_beside_its_leaf(bench: Bench) -> None:
    """A number may be taken out of its row, and the salt of its hash out of the cause: leaf and
    chain stand as they were, and nothing that is left can be tried against all numbers."""
    one = change("one", ADDRESSES[0], Direction.OUT)
    await bench.ledger().change([one])
    (row,) = (await bench.rows())["log"]
    erased = row | {"address": "", "person": ""}
    assert leaf(erased).hex() == row["leaf"]
    assert ADDRESSES[0].lstrip("+") not in str(erased)


@given(plan=plans())
@law
async def test_concurrent_writers(plan: Plan, bench: Bench) -> None:
    """Whatever the interleaving and whichever answers are lost: one log, every change in it once.

    The log is contiguous, its chain ends at the head, and each writer was told the sequence at
    which the change stands, or that of a change which says the same.
    """
    await bench.clear()
    told = await asyncio.gather(*(work(bench, plan, writer) for writer in range(WRITERS)))
    await check_rules(bench, plan.changes)
    log = (await bench.rows())["log"]
    for number, made in (pair for pairs in told for pair in pairs):
        row, one = log[made.sequence - 1], plan.changes[number]
        assert (row["person"], row["sender"]) == (one.person, one.sender)
        assert row["direction"] == one.direction
        assert made.effect is Effect.UNCHANGED or row["changeId"] == one.change_id


@given(
    said=st.permutations(range(6)),
    directions=st.lists(st.sampled_from(DIRECTIONS), min_size=6, max_size=6),
)
@law
async def test_the_end_depends_on_times_alone(
    said: list[int], directions: list[Direction], bench: Bench
) -> None:
    """However changes arrive, the address ends as the latest word has it."""
    await bench.clear()
    changes = [
        change(f"change-{number}", ADDRESSES[0], directions[number], minute=minute // 2)
        for number, minute in enumerate(said)
    ]
    ledger = bench.ledger()
    for one in changes:
        await ledger.change([one])
    await ledger.news()
    last = max(changes, key=lambda one: (one.said_at, one.direction is Direction.OUT))
    closed = ledger.closed_by(ADDRESSES[0], SENDER) is not None
    assert closed is (last.direction is Direction.OUT)
