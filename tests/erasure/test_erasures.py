"""How an erasure goes on: step by step, whatever fails, and once more at its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.azure.storage import StorageDown
from shared.base.clock import iso
from shared.erasure.erasures import SETTLES_IN, Erasures
from shared.erasure.places import Done, Places
from shared.erasure.receipts import Receipt, Receipts, Stage
from shared.optouts import Change, Effect, Ledger, Made
from shared.rules.whom import Whom

START = datetime(2026, 11, 29, 12, tzinfo=UTC)
ONE, OTHER = "+14255550123", "+14255550124"
A_DAY = timedelta(days=1)
A_MINUTE = timedelta(minutes=1)


class Clock:
    """A time that only the test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


class KeptReceipts(Receipts):
    """Receipts in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, Receipt] = {}

    async def latest(self, address: str) -> tuple[Receipt | None, str]:
        found = [one for name, one in self.kept.items() if name.startswith(f"er_{address}")]
        return (found[-1] if found else None), f"er_{address}{len(found)}"

    async def get(self, erasure_id: str) -> Receipt | None:
        return self.kept.get(erasure_id)

    async def insert(self, receipt: Receipt) -> None:
        self.kept.setdefault(receipt.erasure_id, receipt)

    async def change(self, receipt: Receipt) -> Receipt:
        self.kept[receipt.erasure_id] = receipt
        return receipt

    async def open(self) -> AsyncIterator[Receipt]:
        for receipt in list(self.kept.values()):
            if receipt.stage is not Stage.FINAL:
                yield receipt


class KeptLedger(Ledger):
    """A ledger in a list."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    async def change(self, changes: Sequence[Change]) -> list[Made]:
        made = []
        for one in changes:
            known = [kept.change_id for kept in self.changes]
            if one.change_id not in known:
                self.changes.append(one)
                known.append(one.change_id)
            made.append(Made(known.index(one.change_id) + 1, Effect.APPLIED, fresh=True))
        return made

    async def change_at(self, sequence: int) -> Change | None:
        return self.changes[sequence - 1]


class Played(Places):
    """Two places; the second has two parts. What is to fail does, once."""

    def __init__(self, clock: Clock) -> None:
        self.done: list[str] = []
        self.fails: list[Exception] = []
        self.last: datetime | None = None
        self.takes = timedelta(0)
        self._clock = clock
        self.steps = (self._first, self._second)

    async def _first(self, whom: Whom, after: str) -> Done:
        return self._do(f"{whom.address} first{after}", Done({"entries": 1}, self.last))

    async def _second(self, whom: Whom, after: str) -> Done:
        return self._do(f"{whom.address} second{after}", Done(after="" if after else "~a"))

    async def drop_entries(self, whom: Whom) -> None:
        self.done.append(f"{whom.address} dropped")

    def _do(self, what: str, done: Done) -> Done:
        if self.fails:
            raise self.fails.pop()
        self._clock.now += self.takes
        self.done.append(what)
        return done


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def places(clock: Clock) -> Played:
    return Played(clock)


@pytest.fixture
def ledger() -> KeptLedger:
    return KeptLedger()


@pytest.fixture
def erasures(clock: Clock, places: Played, ledger: KeptLedger) -> Erasures:
    return Erasures(clock=clock, ledger=ledger, receipts=KeptReceipts(), places=places)


def steps(address: str) -> list[str]:
    """All of a person's, in their order."""
    return [f"{address} first", f"{address} second", f"{address} second~a"]


async def test_everything_is_done_and_done_once_more(
    erasures: Erasures, places: Played, clock: Clock
) -> None:
    """Again a day after reports are over; then the receipt is final, and nothing follows."""
    ordered = await erasures.order(ONE)
    assert (ordered["state"], ordered["isFinal"], ordered["finalFrom"]) == ("erasing", False, None)
    await erasures.run()
    assert places.done == steps(ONE)
    waiting = await erasures.get_receipt(ordered["erasureId"])
    assert (waiting["state"], waiting["removed"]["entries"]) == ("waiting", 1)
    assert waiting["finalFrom"] == iso(START + SETTLES_IN + A_DAY)
    clock.now = START + SETTLES_IN + A_DAY - A_MINUTE
    await erasures.run()
    assert places.done == steps(ONE)
    clock.now += A_MINUTE
    await erasures.run()
    assert places.done == [*steps(ONE), *steps(ONE), f"{ONE} dropped"]
    final = await erasures.get_receipt(ordered["erasureId"])
    assert (final["state"], final["finalAt"]) == ("final", iso(clock.now))
    await erasures.run()
    assert len(places.done) == 7


async def test_it_waits_for_the_last_moment(
    erasures: Erasures, places: Played, clock: Clock
) -> None:
    """A text that was to leave in three weeks: a day after all of it is over."""
    places.last = START + timedelta(days=21)
    erasure_id = (await erasures.order(ONE))["erasureId"]
    await erasures.run()
    assert (await erasures.get_receipt(erasure_id))["finalFrom"] == iso(places.last + A_DAY)


async def test_a_run_goes_on_where_the_last_one_ended(
    erasures: Erasures, places: Played, clock: Clock
) -> None:
    """Each run ends in time for the next; what was done is not done again."""
    places.takes = A_MINUTE
    await erasures.order(ONE)
    for run in range(1, 4):
        await erasures.run()
        assert places.done == steps(ONE)[:run]


@pytest.mark.parametrize("error", [StorageDown("away"), KeyError("a mistake")])
async def test_what_fails_holds_nobody_else_up(
    erasures: Erasures, places: Played, error: Exception
) -> None:
    """It is tried again by the next run, from the step that failed."""
    await erasures.order(ONE)
    await erasures.order(OTHER)
    places.fails.append(error)
    await erasures.run()
    assert places.done == steps(OTHER)
    await erasures.run()
    assert places.done == [*steps(OTHER), *steps(ONE)]


async def test_a_repeat_is_the_same_order(
    erasures: Erasures, ledger: KeptLedger, clock: Clock
) -> None:
    """Within an hour; after that it is one of its own, of what has come since. The younger one goes
    by the entries that the older one would take away."""
    first = await erasures.order(ONE)
    clock.now += A_MINUTE
    assert (await erasures.order(ONE))["erasureId"] == first["erasureId"]
    assert len(ledger.changes) == 1
    clock.now += timedelta(hours=1)
    second = await erasures.order(ONE)
    assert second["erasureId"] != first["erasureId"]
    assert [change.said_at for change in ledger.changes] == [START, clock.now]


async def test_the_younger_one_takes_the_entries_away(
    erasures: Erasures, places: Played, clock: Clock
) -> None:
    """While there is one, the older one leaves them: they are the way to the messages."""
    await erasures.order(ONE)
    await erasures.run()
    clock.now += timedelta(hours=2)
    await erasures.order(ONE)
    await erasures.run()
    clock.now = START + SETTLES_IN + A_DAY
    await erasures.run()
    assert f"{ONE} dropped" not in places.done
    clock.now += timedelta(hours=2)
    await erasures.run()
    assert places.done[-1] == f"{ONE} dropped"


async def test_an_order_that_was_cut_off_is_found_by_its_repeat(
    erasures: Erasures, ledger: KeptLedger, clock: Clock
) -> None:
    """The ledger has it and the receipt is missing: the repeat makes no second change, and counts
    from the first."""
    receipts = erasures._receipts
    assert isinstance(receipts, KeptReceipts)
    first = await erasures.order(ONE)
    receipts.kept.clear()
    clock.now += A_MINUTE
    again = await erasures.order(ONE)
    assert again == first
    assert len(ledger.changes) == 1


async def test_a_receipt_whose_order_the_ledger_lost_waits(
    erasures: Erasures, places: Played, ledger: KeptLedger
) -> None:
    """It was put back, perhaps: nobody is erased by the number of another change."""
    await erasures.order(ONE)
    ledger.changes[0] = replace(ledger.changes[0], direction="out")  # type: ignore[arg-type]
    await erasures.run()
    assert places.done == []
