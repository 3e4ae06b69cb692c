"""The ledger in memory: exact at each check, for one query, or nothing is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.base.errors import LedgerMissing, LedgerUnavailable
from shared.optouts import Direction, Ledger
from shared.optouts.ledger import Account
from shared.optouts.rows import HEAD, log_key
from tests.optouts.bench import EARLY, SENDER, Bench, change
from tests.support.transports import (
    EmptyFirstPage,
    HeldTransport,
    SmallPages,
    Trouble,
    TroubledTransport,
    is_query,
)

ONE, TWO, THREE = "+14255550101", "+14255550102", "+14255550103"


async def out(bench: Bench, *addresses: str) -> None:
    """Somebody else's process opts these out, each with a change of its own."""
    for address in addresses:
        await bench.ledger().change([change(f"out {address}", address, Direction.OUT)])


def closed(ledger: Ledger, *addresses: str) -> list[bool]:
    return [ledger.closed_by(address, SENDER) is not None for address in addresses]


@pytest.fixture
async def held(bench: Bench) -> AsyncIterator[HeldTransport]:
    """A way to the account on which answers to queries can be held."""
    transport = HeldTransport(bench.network)
    yield transport
    transport.released.set()


async def test_news_of_another_process(bench: Bench) -> None:
    """Whatever was committed before the call is known after it, and whose sender it was."""
    ledger = bench.ledger()
    await ledger.news()
    assert closed(ledger, ONE, TWO) == [False, False]
    await out(bench, ONE)
    await ledger.news()
    assert closed(ledger, ONE, TWO) == [True, False]
    assert ledger.closed_by(ONE, "24680") is None
    await bench.ledger().change([change("back", ONE, Direction.IN, minute=1)])
    await ledger.news()
    assert closed(ledger, ONE) == [False]


async def test_a_superseded_change_is_no_news(bench: Bench) -> None:
    """A late word that decided nothing does not open anybody."""
    await bench.ledger().change([change("out", ONE, Direction.OUT, minute=5)])
    await bench.ledger().change([change("in", ONE, Direction.IN, minute=3)])
    ledger = bench.ledger()
    await ledger.news()
    assert ledger.closed_by(ONE, SENDER) == 1


async def test_one_query_when_nothing_is_new(bench: Bench, held: HeldTransport) -> None:
    """A check costs one query, for a process that has just started as for one that knows all."""
    await out(bench, ONE, TWO)
    ledger = bench.ledger(held)
    for expected in (1, 2, 3):
        await ledger.news()
        assert held.sent == expected


@pytest.mark.parametrize("pages", [SmallPages, EmptyFirstPage])
async def test_all_pages_are_followed(pages: type[SmallPages], bench: Bench) -> None:
    """Small pages, and empty ones with a continuation, hide nobody."""
    await out(bench, ONE, TWO, THREE)
    ledger = bench.ledger(pages(bench.network))
    await ledger.news()
    assert closed(ledger, ONE, TWO, THREE) == [True] * 3
    late = [f"+1425555{number:04d}" for number in range(5)]
    await out(bench, *late)
    await ledger.news()
    assert closed(ledger, *late) == [True] * 5


async def test_a_call_never_joins_a_query_that_is_out(bench: Bench, held: HeldTransport) -> None:
    """Who asks while a query is under way gets the next one, shared by all who wait for it."""
    await out(bench, ONE)
    ledger = bench.ledger(held)
    await ledger.news()
    held.hold()
    early = asyncio.create_task(ledger.news())
    await held.arrived.wait()
    await out(bench, TWO)
    late = [asyncio.create_task(ledger.news()) for _ in range(5)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in (early, *late))
    held.released.set()
    await early
    await asyncio.gather(*late)
    assert closed(ledger, ONE, TWO) == [True, True]
    assert held.sent == 3


async def test_a_caller_who_gives_up(bench: Bench, held: HeldTransport) -> None:
    """One caller that is cancelled does not take the answer away from another."""
    await out(bench, ONE)
    ledger = bench.ledger(held)
    held.hold()
    impatient, patient = [asyncio.create_task(ledger.news()) for _ in range(2)]
    await held.arrived.wait()
    impatient.cancel()
    held.released.set()
    await patient
    assert closed(ledger, ONE) == [True]
    assert impatient.cancelled() or impatient.cancelling()


async def take_row(bench: Bench, sequence: int) -> dict[str, Any]:
    """Remove a log row, as nothing ever should; what it was."""
    row = next(r for r in (await bench.rows())["log"] if r["sequence"] == sequence)
    await bench.storage.table("optouts").delete_entity("ledger", log_key(sequence))
    return row


async def test_a_gap_stops_everything_until_it_is_closed(bench: Bench) -> None:
    """With a row missing nobody may be texted; when it is back, the log is read on from there."""
    await out(bench, ONE)
    ledger = bench.ledger()
    await ledger.news()
    await out(bench, TWO, THREE)
    row = await take_row(bench, 2)
    for _ in range(2):
        with pytest.raises(LedgerUnavailable):
            await ledger.news()
    with pytest.raises(LedgerUnavailable):
        await bench.ledger().news()
    await bench.storage.insert("optouts", row)
    await ledger.news()
    assert closed(ledger, ONE, TWO, THREE) == [True] * 3


async def test_a_missing_end_is_noticed_at_the_start(bench: Bench) -> None:
    """A process that starts compares the log with its head."""
    await out(bench, ONE, TWO)
    await take_row(bench, 2)
    with pytest.raises(LedgerUnavailable):
        await bench.ledger().news()


async def test_a_failed_check_opens_nobody(bench: Bench) -> None:
    """Who was closed when his request asked stays closed, though a later one finds a gap."""
    await out(bench, ONE)
    ledger = bench.ledger()
    await ledger.news()
    await out(bench, TWO, THREE)
    for sequence in (1, 2):
        await take_row(bench, sequence)
    with pytest.raises(LedgerUnavailable):
        await ledger.news()
    assert closed(ledger, ONE) == [True]


async def test_a_log_that_cannot_be_read(bench: Bench) -> None:
    """Without an answer there is no news; the next call asks again."""
    await out(bench, ONE)
    ledger = bench.ledger(TroubledTransport(bench.network, [Trouble.UNSENT] * 3, is_query))
    with pytest.raises(LedgerUnavailable):
        await ledger.news()
    await ledger.news()
    assert closed(ledger, ONE) == [True]


async def test_before_there_is_a_ledger(bench: Bench) -> None:
    """An empty table is an empty ledger, not an error."""
    ledger = bench.ledger()
    await ledger.news()
    assert closed(ledger, ONE) == [False]
    assert await ledger.account(ONE) == Account([], [])
    assert await ledger.said(ONE, SENDER) == []
    assert await ledger.entry(1) is None
    await out(bench, ONE)
    await ledger.news()
    assert closed(ledger, ONE) == [True]


async def test_no_table_is_no_ledger(bench: Bench) -> None:
    """Nothing that the ledger is asked reads its missing table as "nobody has opted out", neither
    in a process that knew it nor in a fresh one; it is not made anew either, which would forget
    everybody. When it is back, all is as it was."""
    await out(bench, ONE)
    kept = [row for rows in (await bench.rows()).values() for row in rows]
    knows, fresh = bench.ledger(), bench.ledger()
    await knows.news()
    await bench.storage.drop_table("optouts")
    for ledger in (knows, fresh):
        for asked in (
            ledger.news(),
            ledger.account(ONE),
            ledger.said(ONE, SENDER),
            ledger.entry(1),
            ledger.evidence("out"),
            ledger.closed_before(ONE, SENDER, EARLY),
            ledger.change([change("another", TWO, Direction.OUT)]),
            anext(ledger.log(0)),
        ):
            with pytest.raises(LedgerMissing):
                await asked
    await bench.storage.make_table("optouts")
    for row in kept:
        await bench.storage.insert("optouts", row)
    for ledger in (knows, fresh):
        await ledger.news()
        assert closed(ledger, ONE, TWO) == [True, False]


async def test_a_log_without_its_head_is_no_ledger(bench: Bench) -> None:
    """Where the head is gone nobody knows how much of the log is: nobody may be texted."""
    await out(bench, ONE)
    await bench.storage.table("optouts").delete_entity("ledger", HEAD)
    with pytest.raises(LedgerUnavailable):
        await bench.ledger().news()
