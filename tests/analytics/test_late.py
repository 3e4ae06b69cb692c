"""Facts that come after their minute was folded: who marks, at what cost, when it is heeded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.rest import HttpRequest

from shared.analytics.api import read_query
from shared.analytics.count_rows import TABLE
from shared.analytics.late import LateMarks, due_at
from shared.azure.event_grid import Answered, PlatformReport, Received
from shared.azure.storage import StorageAccount
from shared.azure.tables import Tables
from shared.base import ids, ulid
from shared.base.clock import iso
from shared.messages.facts import Intent, Outcome
from shared.messages.record import Record
from shared.messages.request import Asked, SendRequest
from shared.rules.message_states import State
from tests.analytics.world import SHARDS, Account, FakeClock, run_until_done
from tests.support.transports import Inner, Wrapper

PERSON = "+14255550123"
MOMENT = datetime(2026, 11, 22, 13, 7, 20, tzinfo=UTC)
MINUTE = MOMENT.replace(second=0)


class CountingTransport(Wrapper):
    """Counts the requests to the table of rollups."""

    def __init__(self, inner: Inner) -> None:
        super().__init__(inner)
        self.marks = 0

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        self.marks += f"/{TABLE}(" in request.url
        return await super().send(request, **named)


class Past:
    """A text that was sent at 13:07:20, and facts about it."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.clock = FakeClock(MOMENT)
        self.network = CountingTransport(account.network)
        self.parts = account.parts(self.clock)
        self.storage = Tables(StorageAccount(self.parts.parts.settings, transport=self.network))
        self.record = Record(self.storage, SHARDS, LateMarks(self.storage, self.clock))
        self.send_id = ulid.new(MOMENT, bytes(10))
        self.message_id = ids.message_id(account.id_key, self.send_id, PERSON)

    async def send(self) -> None:
        """The intent and its outcome."""
        request = SendRequest(
            "+18005550100", "Hi", (Asked(PERSON, PERSON),), "visit", True, None, None, "0"
        )
        intent = Intent(
            self.send_id, request, 1, "GSM-7", False, MOMENT, MOMENT, MOMENT, MOMENT, attempt="1"
        )
        await self.record.begin(intent)
        await self.record.conclude(
            self.send_id, [Outcome(PERSON, State.SENT, 202)], self.clock.moment
        )

    def report(self, details: str = "2000", status: str = "Delivered") -> PlatformReport:
        at = self.clock.moment
        return PlatformReport(
            "Outgoing_1", "+18005550100", PERSON, status, details, [], at, iso(at), ""
        )

    async def counted(self) -> dict[str, Any]:
        """What is counted in that minute now."""
        end = MINUTE + timedelta(minutes=1)
        query = read_query(
            {"startTime": MINUTE.isoformat(), "endTime": end.isoformat(), "interval": "minute"},
            self.clock.moment,
        )
        (row,) = (await self.parts.analytics.api.answer(query))["value"]
        found: dict[str, Any] = row
        return found


@pytest.fixture
async def past(account: Account) -> Past:
    await account.storage.make_table(TABLE)
    return Past(account)


async def test_who_is_in_time_pays_nothing(past: Past) -> None:
    """A text that is concluded, and a report that comes, within 30 s after the minute: no mark."""
    await past.send()
    past.clock.moment = MINUTE + timedelta(seconds=89)
    await past.record.report(past.message_id, past.report())
    assert past.network.marks == 0
    past.clock.forward(minutes=2)
    await past.parts.analytics.timer.run()
    assert (await past.counted())["delivered"] == 1


async def test_a_burst_costs_one_mark(past: Past) -> None:
    """One process puts one mark for one minute, however many late facts it writes."""
    await past.send()
    past.clock.moment = MINUTE + timedelta(minutes=3)
    for number in range(20):
        await past.record.report(past.message_id, past.report(f"4006 {number}", "Failed"))
    assert past.network.marks == 1
    past.clock.forward(minutes=1)
    await past.record.report(past.message_id, past.report())
    assert past.network.marks == 2


@pytest.mark.parametrize(
    "age", [timedelta(minutes=2), timedelta(minutes=50), timedelta(hours=5), timedelta(days=40)]
)
async def test_a_late_report_is_counted(past: Past, age: timedelta) -> None:
    """However late it comes: three minutes later it is counted, eight where the text is old."""
    await past.send()
    past.clock.forward(minutes=5)
    await run_until_done(past.parts, past.clock)
    assert (await past.counted())["awaiting"] == 1
    past.clock.moment = max(past.clock.moment, MOMENT + age)
    while (state := await past.parts.analytics.timer.state()) and (
        past.clock.moment - state.folded_up_to > timedelta(minutes=3)
    ):
        await past.parts.analytics.timer.run()
    old = past.clock.moment - MOMENT > timedelta(hours=1)
    came = past.clock.moment
    await past.record.report(past.message_id, past.report())
    while (await past.counted())["delivered"] == 0:
        past.clock.forward(minutes=1)
        await past.parts.analytics.timer.run()
        assert past.clock.moment - came <= timedelta(minutes=8 if old else 3)


async def test_a_mark_stands_before_its_fact(past: Past) -> None:
    """Whoever can see a late fact finds a mark for it, even if its writer died right after."""
    await past.send()
    past.clock.moment = MINUTE + timedelta(minutes=3)
    seen = []

    class Watching(Wrapper):
        async def send(self, request: HttpRequest, **named: Any) -> Any:
            seen.append(TABLE in request.url)
            return await super().send(request, **named)

    tables = Tables(
        StorageAccount(past.parts.parts.settings, transport=Watching(past.account.network))
    )
    record = Record(tables, SHARDS, LateMarks(tables, past.clock))
    await record.report(past.message_id, past.report())
    assert seen == [True, False]


async def test_a_write_that_takes_too_long_marks_afterwards(past: Past) -> None:
    """A fact that was begun in time and is there only after the fold has a mark."""
    await past.send()

    class Slow(Wrapper):
        async def send(self, request: HttpRequest, **named: Any) -> Any:
            past.clock.forward(minutes=2)
            return await super().send(request, **named)

    tables = Tables(StorageAccount(past.parts.parts.settings, transport=Slow(past.network)))
    await Record(tables, SHARDS, LateMarks(tables, past.clock)).report(
        past.message_id, past.report()
    )
    assert past.network.marks == 1


async def test_an_answer_counts_with_the_text(past: Past) -> None:
    """A reply counts at its own minute, and as replied at the minute of the text; once."""
    await past.send()
    past.clock.forward(minutes=30)
    for number in range(2):
        received = Received(
            f"Incoming_{number}",
            PERSON,
            "+18005550100",
            "HELP",
            past.clock.moment,
            1,
            Answered(past.message_id, "visit"),
        )
        await past.record.inbound(ids.inbound_id(received.platform_id, received.received), received)
    await run_until_done(past.parts, past.clock)
    # The count of the answer has marked the minute of the text.
    await run_until_done(past.parts, past.clock)
    row = await past.counted()
    assert (row["sent"], row["replied"], row["replyRate"], row["inbound"]) == (1, 1, 1.0, 0)
    query = read_query({"groupBy": "tag", "interval": "total"}, past.clock.moment)
    (row,) = (await past.parts.analytics.api.answer(query))["value"]
    assert (row["group"], row["inbound"], row["help"], row["replied"]) == ("visit", 2, 2, 1)
    # Whoever reads the message does not see the note.
    send = await past.record.message(past.message_id)
    assert send is not None
    assert (send.reports, send.answered) == ((), frozenset({past.message_id}))


async def test_old_marks_are_dropped(past: Past) -> None:
    """The nightly work drops marks of days that are behind, and none that is not heeded yet."""
    await past.send()
    past.clock.forward(minutes=5)
    await past.record.report(past.message_id, past.report())
    past.clock.forward(days=5)
    assert await past.parts.analytics.timer.drop_old_marks() == 0
    await run_until_done(past.parts, past.clock)
    assert await past.parts.analytics.timer.drop_old_marks() == 1
    assert await past.parts.analytics.timer.drop_old_marks() == 0


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-22T13:09:00Z", "2026-11-22T13:10:00Z"),
        ("2026-11-22T13:09:59Z", "2026-11-22T13:10:00Z"),
        ("2026-11-22T14:06:59Z", "2026-11-22T14:07:00Z"),
        ("2026-11-22T14:08:00Z", "2026-11-22T14:10:00Z"),
        ("2026-11-22T14:10:00Z", "2026-11-22T14:15:00Z"),
        ("2026-11-22T23:58:00Z", "2026-11-23T00:00:00Z"),
    ],
)
def test_when_a_mark_is_due(now: str, due: str) -> None:
    """Always later than now; marks about an old minute wait for each other."""
    assert due_at(MINUTE, datetime.fromisoformat(now)) == datetime.fromisoformat(due)
