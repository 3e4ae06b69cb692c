"""A table that is put back stops everything, until an operator has looked and lifted the halt."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import pytest
from azure.core.rest import HttpRequest

from shared.base.errors import LedgerHalted, LedgerUnavailable, LedgerUnreadable
from shared.base.log import NAME
from shared.optouts import Direction, Ledger
from shared.optouts.known import mark_of
from shared.optouts.rows import HEAD, log_key
from tests.optouts.bench import SENDER, Bench, change, check_log
from tests.support.transports import HeldTransport, Inner, Trouble, TroubledTransport

FIVE = [f"+1425555010{n}" for n in range(1, 6)]
OTHERS = [f"+1425555020{n}" for n in range(1, 4)]


async def out(bench: Bench, *people: str) -> None:
    """Somebody else's process opts these out."""
    for person in people:
        await bench.ledger().change([change(f"out {person}", person, Direction.OUT)])


def closed(ledger: Ledger, people: Sequence[str]) -> list[bool]:
    return [ledger.closed_by(person, SENDER) is not None for person in people]


async def put_back_and_grown(
    bench: Bench, *, processes: int = 1, way: Inner | None = None
) -> list[Ledger]:
    """Processes that have read five changes; the table, set back to the second, with three others.

    Both heads read five.
    """
    await out(bench, *FIVE[:2])
    backup = await bench.copy()
    await out(bench, *FIVE[2:])
    ledgers = [bench.ledger(way) for _ in range(processes)]
    for ledger in ledgers:
        await ledger.news()
        assert closed(ledger, FIVE) == [True] * 5
    await bench.put_back(backup)
    await out(bench, *OTHERS)
    (head,) = (await bench.rows())["head"]
    assert head["sequence"] == 5
    return ledgers


async def test_a_running_process_finds_it_by_its_next_check(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """Five changes read, the table set back to the second, three others said: nobody may be texted,
    by this process or any other, and log and error say why. STOPs are written meanwhile."""
    ledger, idle = await put_back_and_grown(bench, processes=2)
    with caplog.at_level("WARNING", NAME), pytest.raises(LedgerHalted, match="Change 5") as halted:
        await ledger.news()
    assert (halted.value.status, halted.value.code) == (503, "LedgerHalted")
    assert "ledger.halted" in caplog.text
    for process in (ledger, idle, bench.ledger()):
        with pytest.raises(LedgerHalted):
            await process.news()
    assert closed(ledger, FIVE) == [True] * 5

    await out(bench, "+14255550300")
    rows = await bench.rows()
    assert rows["log"][-1]["address"] == "+14255550300"
    check_log(rows["log"], rows["head"][0], rows["src"])


async def test_what_a_process_knew_is_kept(bench: Bench) -> None:
    """Its rows and its entries go to a blob whose name holds no number, once."""
    (ledger,) = await put_back_and_grown(bench)
    for _ in range(2):
        with pytest.raises(LedgerHalted):
            await ledger.news()
    looked = await ledger.halts.look()
    (name,) = looked["kept"]
    assert name.startswith("halts/0000/")
    content = await bench.blobs.whole("ledger", name)
    kept: dict[str, Any] = json.loads(content or b"")
    assert [row["person"] for row in kept["rows"]] == FIVE
    assert [row["direction"] for row in kept["rows"]] == ["out"] * 5
    assert dict(kept["closed"]) == {
        f"{mark_of(person, SENDER):016x}": n for n, person in enumerate(FIVE, 1)
    }
    assert (kept["sequence"], looked["known"]["chain"]) == (5, kept["chain"])


async def test_all_are_told_though_nothing_can_be_kept(bench: Bench) -> None:
    """Blobs do not answer: everybody is halted all the same, and what is known is kept later."""
    trouble = TroubledTransport(bench.network, [Trouble.UNSENT] * 3, _keeps)
    (ledger,) = await put_back_and_grown(bench, way=trouble)
    with pytest.raises(LedgerUnavailable):
        await ledger.news()
    assert len((await bench.rows())["halt"]) == 1
    with pytest.raises(LedgerHalted):
        await bench.ledger().news()
    with pytest.raises(LedgerHalted):
        await ledger.news()
    assert len((await ledger.halts.look())["kept"]) == 1


def _keeps(request: HttpRequest) -> bool:
    return request.method == "PUT" and "/halts/" in unquote(request.url)


async def test_after_the_lift_nobody_halts_again(bench: Bench) -> None:
    """Who had noticed, who had slept, and who starts only then: all go on from the table as it is,
    and what they knew is kept."""
    noticed, slept = await put_back_and_grown(bench, processes=2)
    (head,) = (await bench.rows())["head"]
    with pytest.raises(LedgerHalted):
        await noticed.news()

    assert await noticed.halts.lift("The last backup; nobody was lost.")
    assert not await noticed.halts.lift("Twice is once.")
    (after,) = (await bench.rows())["head"]
    assert (after["lifts"], after["chain"]) == (head["lifts"] + 1, head["chain"])
    assert (await bench.rows())["halt"] == []
    for ledger in (noticed, slept, bench.ledger()):
        for _ in range(2):
            await ledger.news()
            assert closed(ledger, FIVE) == [True, True, False, False, False]
            assert closed(ledger, OTHERS) == [True] * 3
    kept = [entry.name async for entry in bench.blobs.list("ledger")]
    assert [name.rpartition("/")[2] == "lift.json" for name in kept].count(False) == 2
    await out(bench, FIVE[4])
    await noticed.news()
    assert closed(noticed, FIVE[3:]) == [False, True]


async def test_a_second_restore_halts_again(bench: Bench) -> None:
    """A lift is good for the table that was looked at, not for what comes later."""
    (ledger,) = await put_back_and_grown(bench)
    with pytest.raises(LedgerHalted):
        await ledger.news()
    await ledger.halts.lift("Looked.")
    await ledger.news()
    backup = await bench.copy()
    await out(bench, *FIVE[3:])
    await ledger.news()
    await bench.put_back(backup)
    with pytest.raises(LedgerHalted):
        await ledger.news()
    assert (await bench.rows())["halt"][0]["lifts"] == 1


@pytest.mark.parametrize("left", [0, 2])
async def test_a_table_that_is_shorter(left: int, bench: Bench) -> None:
    """One made anew, or set back and not written to since, is found by its head."""
    await out(bench, *FIVE[:left])
    backup = await bench.copy()
    await out(bench, *FIVE[left:])
    ledger = bench.ledger()
    await ledger.news()
    await bench.put_back(backup)
    with pytest.raises(LedgerHalted):
        await ledger.news()
    await ledger.halts.lift("Made anew.")
    await ledger.news()
    assert closed(ledger, FIVE) == [True] * left + [False] * (5 - left)
    await out(bench, FIVE[4])
    await ledger.news()
    assert closed(ledger, FIVE[4:]) == [True]


async def test_another_table_that_has_grown_longer(bench: Bench) -> None:
    """The first row that does not go on from what is known is enough."""
    (ledger,) = await put_back_and_grown(bench)
    await out(bench, "+14255550300")
    with pytest.raises(LedgerHalted):
        await ledger.news()
    assert closed(ledger, ["+14255550300"]) == [False]


# The witness --------------------------------------------------------------------------------------


async def test_a_cold_process_sees_it_by_the_witness(bench: Bench) -> None:
    """Nobody runs who remembers; what the witness said a minute ago is not there."""
    await out(bench, *FIVE[:2])
    backup = await bench.copy()
    await out(bench, *FIVE[2:])
    await bench.ledger().halts.move_witness()
    await bench.put_back(backup)
    await out(bench, *OTHERS)
    cold = bench.ledger()
    with pytest.raises(LedgerHalted, match="witness has seen change 5"):
        await cold.news()
    assert len((await bench.rows())["halt"]) == 1
    assert await cold.halts.lift("Looked.")
    for ledger in (cold, bench.ledger()):
        await ledger.news()
        assert closed(ledger, OTHERS) == [True] * 3


async def test_the_timer_sees_it_too_and_moves_no_witness(bench: Bench) -> None:
    """What was witnessed stays until somebody has looked; the lift writes it anew."""
    await out(bench, *FIVE[:2])
    backup = await bench.copy()
    await out(bench, *FIVE[2:])
    halts = bench.ledger().halts
    await halts.move_witness()
    before = await halts.look()
    await bench.put_back(backup)
    for _ in range(2):
        with pytest.raises(LedgerHalted):
            await halts.move_witness()
    looked = await halts.look()
    assert looked["isHalted"]
    assert (
        looked["witness"] == before["witness"] == {"sequence": 5, "chain": before["head"]["chain"]}
    )
    await halts.lift("Looked.")
    looked = await halts.look()
    assert looked["witness"] == looked["head"]
    await halts.move_witness()
    await out(bench, FIVE[4])
    await halts.move_witness()
    looked = await halts.look()
    assert looked["witness"] == looked["head"]
    assert looked["head"]["sequence"] == 3


async def test_another_account_is_noticed(bench: Bench) -> None:
    """An app that is pointed at an empty table elsewhere does not take it for the ledger."""
    await out(bench, *FIVE)
    await bench.ledger().halts.move_witness()
    await bench.put_back([])
    with pytest.raises(LedgerHalted):
        await bench.ledger().news()


async def test_a_lift_that_was_cut_off(bench: Bench) -> None:
    """The table is lifted and the witness is not: a cold process goes by the lift that the head
    counts, and the next minute, or a repeat of the lift, writes the witness anew."""
    (ledger,) = await put_back_and_grown(bench)
    await _witness_of_five(bench)
    with pytest.raises(LedgerHalted):
        await ledger.news()
    witnessed = await bench.blobs.whole("parley", "witness")
    await ledger.halts.lift("Looked.")
    await bench.blobs.put("parley", "witness", witnessed or b"", "application/json")
    cold = bench.ledger()
    await cold.news()
    assert closed(cold, OTHERS) == [True] * 3
    assert not await cold.halts.lift("Again.")
    looked = await cold.halts.look()
    assert looked["witness"] == looked["head"]


async def _witness_of_five(bench: Bench) -> None:
    said = {"version": 2, "ledgerId": (await bench.rows())["head"][0]["ledgerId"], "sequence": 5,
            "chain": "00" * 32, "lifts": 0}  # fmt: skip
    await bench.blobs.put("parley", "witness", json.dumps(said).encode(), "application/json")


async def test_without_its_witness_a_cold_process_sends_nothing(bench: Bench) -> None:
    """One that cannot be read does not say that nothing was lost."""
    await out(bench, *FIVE)
    await bench.blobs.put("parley", "witness", b'{"version": 9}', "application/json")
    with pytest.raises(LedgerUnreadable, match="witness has version 9"):
        await bench.ledger().news()


# What is not a halt -------------------------------------------------------------------------------


async def test_a_gap_is_not_a_halt(bench: Bench) -> None:
    """Where what is known is there still, a missing row stops sending until it is back, and no
    longer."""
    await out(bench, FIVE[0])
    ledger = bench.ledger()
    await ledger.news()
    await out(bench, *FIVE[1:3])
    table = bench.storage.table("optouts")
    row = next(r for r in (await bench.rows())["log"] if r["sequence"] == 2)
    await table.delete_entity("ledger", log_key(2))
    with pytest.raises(LedgerUnavailable, match="gap"):
        await ledger.news()
    await bench.storage.insert("optouts", row)
    await ledger.news()
    assert closed(ledger, FIVE[:3]) == [True] * 3
    assert (await bench.rows())["halt"] == []


@pytest.mark.parametrize(
    ("key", "member"), [(HEAD, "version"), (log_key(1), "version"), ("log:~stop~x", "version")]
)
async def test_an_unknown_version_is_refused(key: str, member: str, bench: Bench) -> None:
    """A row that a newer Parley has written stops an older one, with a sentence that says so."""
    await out(bench, FIVE[0])
    row = {"PartitionKey": "ledger", "RowKey": key, member: 3}
    await bench.storage.set_members("optouts", row)
    with pytest.raises(LedgerUnreadable, match="deploy the version that wrote it"):
        await bench.ledger().news()


async def test_a_load_anew_opens_nobody_meanwhile(bench: Bench) -> None:
    """While the table is read anew, those known to be closed stay closed for whoever asks."""
    held = HeldTransport(bench.network)
    await out(bench, *FIVE[:2])
    backup = await bench.copy()
    await out(bench, *FIVE[2:])
    ledger = bench.ledger(held)
    await ledger.news()
    await bench.put_back(backup)
    with pytest.raises(LedgerHalted):
        await ledger.news()
    await bench.ledger().halts.lift("Looked.")
    held.hold()
    loading = asyncio.create_task(ledger.news())
    await held.arrived.wait()
    held.arrived.clear()
    # The answer with another chain gets through; the next one, of the load, is held.
    held.released.set()
    held.released.clear()
    await held.arrived.wait()
    assert closed(ledger, FIVE) == [True] * 5
    held.released.set()
    await loading
    assert closed(ledger, FIVE) == [True, True, False, False, False]
