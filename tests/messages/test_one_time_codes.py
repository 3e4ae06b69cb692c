"""Texts of one-time codes: found without reading all months, blanked once nothing needs them."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import HttpRequest

from local.azurite import Azurite
from shared.azure.storage import StorageAccount, StorageDown
from shared.azure.tables import Tables, etag_of
from shared.base import ids, ulid
from shared.messages.facts import Intent, Outcome
from shared.messages.one_time_codes import (
    REPEATABLE,
    TABLE,
    CodeBlanking,
    CodeMarks,
    CodeRules,
)
from shared.messages.record import Record, Send
from shared.messages.request import Asked, SendRequest
from shared.rules.categories import ONE_TIME_CODE
from shared.rules.message_states import State
from shared.rules.segments import measure
from shared.sending.attempts import new_intent, waiting_intent
from shared.settings import load
from tests.support.settings import minimal
from tests.support.transports import Inner, Wrapper

NOON = datetime(2026, 11, 22, 12, 0, 7, tzinfo=UTC)
NIGHT = datetime(2026, 11, 23, 0, 5, tzinfo=UTC)
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
WINDOW = timedelta(minutes=4)
RULES = CodeRules(WINDOW, send_again=False)
SHARDS = 4
PERSON = "+14255550123"
TEXT = "Your code is 271828."


def a_code(
    number: int = 0,
    *,
    at: datetime = NOON,
    live: timedelta | None = None,
    category: str | None = ONE_TIME_CODE,
    send_at: datetime | None = None,
) -> Intent:
    """A send whose first attempt begins, or which waits."""
    request = SendRequest(
        sender="+18005550100",
        message=TEXT,
        asked=(Asked(PERSON, PERSON),),
        tag="sign-in",
        wants_report=True,
        report_timeout_seconds=None,
        category=category,
        digest="d" * 64,
        time_to_live=live,
    )
    intent = new_intent(
        ulid.new(at, number.to_bytes(10)),
        request,
        measure(TEXT),
        keyed=False,
        trace=None,
        now=at,
        nonce="00",
    )
    if send_at is None:
        return intent
    waits = waiting_intent(intent, send_at=send_at, why="sendAt")
    return replace(waits, expires_at=send_at + live if live is not None else None)


def sent(intent: Intent) -> Send:
    return Send(intent, {PERSON: Outcome(PERSON, State.SENT, 202)}, intent.attempt_at)


def unsettled(intent: Intent) -> Send:
    return Send(intent, None, None)


# When a text is over ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("send", "again", "end"),
    [
        (sent(a_code()), False, NOON + WINDOW),
        (sent(a_code(live=MINUTE)), False, NOON + WINDOW),
        (sent(a_code(live=DAY)), False, NOON + DAY),
        (unsettled(a_code()), False, NOON + WINDOW),
        (unsettled(a_code()), True, NOON + REPEATABLE),
        (unsettled(replace(a_code(), doubt_since=None)), False, NOON + REPEATABLE),
        (unsettled(a_code(send_at=NOON + DAY)), False, None),
        (unsettled(a_code(send_at=NOON + DAY, live=DAY)), False, NOON + 2 * DAY),
        (
            unsettled(replace(a_code(send_at=NOON + DAY), canceled=frozenset({PERSON}))),
            False,
            NOON + DAY + WINDOW,
        ),
        (sent(replace(a_code(send_at=NOON + DAY), attempt="01")), False, NOON + DAY + WINDOW),
    ],
    ids=[
        "sent: after the window in which it is repeated",
        "sent, with a short time to live",
        "sent: a report may have it sent again until its time to live ends",
        "in doubt: after the window it is sent no more",
        "in doubt, and a second one is better than silence",
        "certainly not sent: as long as its request can be repeated",
        "waits",
        "waits, with a time to live",
        "waits and is taken out",
        "has waited and is sent",
    ],
)
def test_when_nothing_needs_a_text_any_more(send: Send, again: bool, end: datetime | None) -> None:  # noqa: FBT001
    """Until then it can be sent again: by a repeat, by the queue, by a retry."""
    assert CodeRules(WINDOW, send_again=again).end(send) == end


# In storage ---------------------------------------------------------------------------------------


@dataclass
class Rig:
    """An account without messages and codes."""

    tables: Tables
    record: Record
    blanking: CodeBlanking

    async def keep(self, *intents: Intent, done: bool = True) -> None:
        for intent in intents:
            assert await self.record.begin(intent)
            if done:
                outcome = Outcome(PERSON, State.SENT, 202)
                await self.record.conclude(intent.send_id, [outcome], intent.attempt_at)

    async def texts(self, intents: Iterable[Intent]) -> list[str]:
        found = [await self.record.intent(intent.send_id) for intent in intents]
        return [one.request.message for one in found if one is not None]

    async def marks(self) -> list[tuple[str, str]]:
        rows = self.tables.query(TABLE, "PartitionKey ge ''")
        return [(row["PartitionKey"], row["RowKey"]) async for row in rows]


class Clock:
    """A clock that stands where it is put."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
async def network() -> AsyncIterator[Inner]:
    async with AioHttpTransport() as made:
        yield made


def rig_of(azurite: Azurite, network: Inner, clock: Clock) -> Rig:
    account = StorageAccount(load(minimal(azurite.connection_string)), transport=network)
    tables = Tables(account)
    record = Record(tables, SHARDS, codes=CodeMarks(tables, clock, RULES))
    return Rig(tables, record, CodeBlanking(tables, record, RULES))


@pytest.fixture
async def rig(azurite: Azurite, network: Inner, clock: Clock) -> Rig:
    made = rig_of(azurite, network, clock)
    for table in [*await made.tables.tables(ids.MONTH_TABLES), TABLE]:
        await made.tables.drop_table(table)
    return made


async def test_a_text_is_blanked_and_the_rest_stays(rig: Rig) -> None:
    """Digest, recipients, sizes and all else are as they were; a second time there is nothing."""
    intent = a_code()
    await rig.keep(intent)
    before = await rig.record.intent(intent.send_id)
    assert before is not None
    assert await rig.marks() == [("20261122", "202611221200")]
    assert await rig.blanking.blank(NIGHT) == 1
    after = await rig.record.intent(intent.send_id)
    assert after is not None
    assert after.request.is_blank
    restored = replace(after.request, message=TEXT)
    assert replace(after, request=restored, etag=before.etag) == before
    assert await rig.marks() == []
    assert await rig.blanking.blank(NIGHT) == 0


async def test_other_texts_stay_and_cost_nothing(rig: Rig) -> None:
    """Only a one-time code is marked, and only one is blanked beside others of its minute."""
    others = [a_code(n, category=category) for n, category in enumerate((None, "transactional"))]
    await rig.keep(*others)
    assert await rig.marks() == []
    await rig.keep(a_code(9))
    assert await rig.blanking.blank(NIGHT) == 1
    assert await rig.texts(others) == [TEXT, TEXT]


async def test_a_minute_is_marked_once(rig: Rig, clock: Clock) -> None:
    """By a process; and again once it can no longer rely on it."""
    await rig.keep(*(a_code(n) for n in range(3)))
    row = await rig.tables.get(TABLE, "20261122", "202611221200")
    assert row is not None
    clock.moment += MINUTE
    await rig.keep(a_code(3))
    again = await rig.tables.get(TABLE, "20261122", "202611221200")
    assert again is not None
    assert etag_of(again) != etag_of(row)


async def test_what_is_still_needed_is_looked_at_when_it_is_over(rig: Rig) -> None:
    """A time to live of days, a send for later: each on its day, and until then from its day on."""
    soon, later, waits = a_code(0), a_code(1, live=3 * DAY), a_code(2, send_at=NOON + 5 * DAY)
    await rig.keep(soon, later)
    await rig.keep(waits, done=False)
    assert await rig.blanking.blank(NIGHT) == 1
    assert await rig.texts([soon, later, waits]) == ["", TEXT, TEXT]
    assert {day for day, _ in await rig.marks()} == {"20261124", "20261125", "20261127"}
    for days, texts in ((1, [TEXT, TEXT]), (2, [TEXT, TEXT]), (3, ["", TEXT]), (5, ["", TEXT])):
        await rig.blanking.blank(NIGHT + days * DAY)
        assert await rig.texts([later, waits]) == texts, days
    # It has left at last.
    outcome = Outcome(PERSON, State.SENT, 202)
    await rig.record.conclude(waits.send_id, [outcome], NOON + 5 * DAY)
    assert await rig.blanking.blank(NIGHT + 6 * DAY) == 1
    assert await rig.marks() == []


async def test_a_mark_that_was_put_just_now_is_left(rig: Rig, clock: Clock) -> None:
    """Its intent is perhaps not written yet; the next night it is there."""
    clock.moment = NIGHT - 4 * MINUTE
    intent = a_code(at=clock.moment - 2 * DAY)
    await rig.keep(intent)
    assert await rig.blanking.blank(NIGHT) == 0
    assert len(await rig.marks()) == 1
    assert await rig.blanking.blank(NIGHT + DAY) == 1


async def test_a_minute_of_very_many(rig: Rig) -> None:
    """In transactions of fifty; nobody is left out, in no partition."""
    codes = [a_code(n) for n in range(230)]
    await rig.keep(*codes)
    assert await rig.blanking.blank(NIGHT) == 230
    assert set(await rig.texts(codes)) == {""}
    assert await rig.marks() == []


async def test_a_month_that_is_gone(rig: Rig) -> None:
    """A table that retention has dropped has no texts; its marks go."""
    await rig.keep(a_code())
    await rig.tables.drop_table("messages202611")
    assert await rig.blanking.blank(NIGHT) == 0
    assert await rig.marks() == []


async def test_what_somebody_changes_meanwhile_is_blanked_the_next_night(rig: Rig) -> None:
    """Its neighbours are blanked all the same."""
    codes = [a_code(n * SHARDS) for n in range(3)]
    await rig.keep(*codes)
    read = [await rig.record.intent(intent.send_id) for intent in codes]
    stale = [one for one in read if one is not None]
    await rig.record.record_attempt(stale[1])
    assert await rig.record.blank(stale) == 2
    assert await rig.texts(codes) == ["", TEXT, ""]


# Cut off ------------------------------------------------------------------------------------------


class Dying(Wrapper):
    """A process that dies: after so many writes nothing leaves it any more.

    Args:
        lives: writes that it does.
        done: whether the last one is still done, and only its answer lost.
    """

    def __init__(self, inner: Inner, lives: int, *, done: bool) -> None:
        super().__init__(inner)
        self._left = lives
        self._done = done
        self.died = False

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        if self.died:
            raise ServiceRequestError("dead")
        if request.method != "GET":
            if self._left == 0:
                self.died = True
                if self._done:
                    await super().send(request, **named)
                raise ServiceRequestError("dead")
            self._left -= 1
        return await super().send(request, **named)


@pytest.mark.parametrize("done", [False, True])
async def test_cut_off_anywhere_the_next_night_does_the_rest(
    azurite: Azurite, network: Inner, rig: Rig, clock: Clock, *, done: bool
) -> None:
    """Whatever was done of it: nothing is forgotten, and nothing is blanked before its end."""
    for lives in itertools.count():
        at = NOON - lives * 10 * MINUTE
        clock.moment = at
        over = [a_code(n, at=at) for n in range(6)] + [a_code(7, at=at + MINUTE)]
        needed = a_code(8, at=at, live=DAY)
        await rig.keep(*over, needed)
        dying = Dying(network, lives, done=done)
        try:
            await rig_of(azurite, dying, clock).blanking.blank(NIGHT)
        except StorageDown:
            assert dying.died
        assert await rig.texts([needed]) == [TEXT]
        await rig.blanking.blank(NIGHT + MINUTE)
        assert set(await rig.texts(over)) == {""}
        assert await rig.texts([needed]) == [TEXT]
        await rig.blanking.blank(NIGHT + 2 * DAY)
        assert await rig.texts([needed]) == [""]
        assert await rig.marks() == []
        if not dying.died:
            assert lives > 3
            return


class Meanwhile(Wrapper):
    """Before a mark is taken away, somebody else writes a code of the same minute."""

    def __init__(self, inner: Inner, other: Rig, codes: Sequence[Intent]) -> None:
        super().__init__(inner)
        self._other = other
        self._codes = iter(codes)

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        if request.method == "DELETE":
            for intent in self._codes:
                await self._other.keep(intent)
        return await super().send(request, **named)


async def test_a_code_that_comes_while_its_minute_is_looked_at_is_not_lost(
    azurite: Azurite, network: Inner, rig: Rig, clock: Clock
) -> None:
    """Its process has put the mark again, so that it stays."""
    await rig.keep(a_code())
    clock.moment = NIGHT
    late = a_code(1)
    other = rig_of(azurite, network, clock)
    later = rig_of(azurite, Meanwhile(network, other, [replace(late, attempt_at=NOON)]), clock)
    assert await later.blanking.blank(NIGHT) == 1
    assert await rig.texts([late]) == [TEXT]
    assert await rig.blanking.blank(NIGHT + DAY) == 1
    assert await rig.texts([late]) == [""]


async def test_without_its_mark_no_code_is_written(
    azurite: Azurite, network: Inner, rig: Rig, clock: Clock
) -> None:
    """Else nobody would find its text again. The caller repeats."""
    unmarked = rig_of(azurite, Dying(network, 0, done=False), clock)
    with pytest.raises(StorageDown):
        await unmarked.record.begin(a_code())
    assert await rig.texts([a_code()]) == []
