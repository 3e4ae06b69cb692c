"""Which conversations have something new: in the order of their last messages, each once."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from local.stack import Stack
from shared.azure.event_grid import Received
from shared.azure.tables import Tables
from shared.base import ids
from shared.conversations import Entry
from shared.conversations.entries import place
from shared.conversations.index import PERSONS_A_ROW, TABLE, ConversationIndex
from shared.conversations.listing import PAGES, IndexedUpTo, Listing
from shared.messages.record import MinuteFacts
from shared.services import Services
from tests.support.client import LONG_CODE, SHORT_CODE, TOLL_FREE, Parley, Platform, all_pages
from tests.support.parts import parts_of
from tests.support.people import People

MINUTE = timedelta(minutes=1)
# Far from what other tests of this stack say.
NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)


class Fold:
    """An index that somebody says how far it is: in the place of the timer's fold."""

    def __init__(self, parts: Services, now: datetime = NOW) -> None:
        self.parts = parts
        self.now = now
        self.progress: IndexedUpTo | None = IndexedUpTo(now, now)
        self.storage: Tables = parts.conversations.entries._tables
        self.index = ConversationIndex(self.storage)

    def listing(self, *senders: str) -> Listing:
        """A listing by this index, at its time."""

        async def progress() -> IndexedUpTo | None:
            return self.progress

        return Listing(
            clock=lambda: self.now,
            conversations=self.parts.conversations.entries,
            index=self.index,
            record=self.parts.receiving.inbound._record,
            progress=progress,
            senders=senders,
        )

    async def said(
        self, ours: str, theirs: str, at: datetime, *, facts_of: datetime | None = None, **way: bool
    ) -> str:
        """Somebody said something: its entry, and its place in the index unless told otherwise."""
        message_id = ids.inbound_id(f"{ours} {theirs} {at}", facts_of or at)
        inbound = way.get("inbound", True)
        entry = Entry(message_id, ours, theirs, inbound, f"At {at:%H:%M:%S}", at, 1)
        await self.parts.conversations.entries.write(entry)
        if way.get("folded", True):
            await self.fold(facts_of or at, [Received(message_id, theirs, ours, "", at, 1)])
        return message_id

    async def fold(self, facts_of: datetime, texts: list[Received]) -> None:
        """Put the rows of texts into the index, as facts of a minute of their own."""
        minute = facts_of.replace(second=0, microsecond=0)
        facts = MinuteFacts(minute, [], [("", text) for text in texts])
        for row in self.index.rows(minute, facts):
            await self.storage.put(TABLE, row)

    async def all(self, size: int, *senders: str, unread: bool = False) -> list[dict[str, Any]]:
        """All pages."""
        listing = self.listing(*senders)
        found: list[dict[str, Any]] = []
        after: str | None = None
        while True:
            page = await listing.list_conversations(
                sender=None, unread=unread, after=PAGES.after(after), limit=size
            )
            assert len(page.value) <= size
            found += page.value
            after = page.after
            if after is None:
                return found


@pytest.fixture
async def fold(stack: Stack) -> AsyncIterator[Fold]:
    async with parts_of(stack) as parts:
        yield Fold(parts)


@pytest.fixture
def sender(people: People) -> str:
    """A sender of its own, so that its part of the index is empty."""
    return people.one()


def who(items: list[dict[str, Any]]) -> list[str]:
    return [item["theirs"] for item in items]


# The rows -----------------------------------------------------------------------------------------


def test_rows_are_by_sender_and_minute_spoken(stack: Stack) -> None:
    """A minute's facts make a row for each sender and minute in which it spoke."""
    index = ConversationIndex(tables=None)  # type: ignore[arg-type]  # rows need none
    texts = [
        Received("1", "+14255550001", TOLL_FREE, "", NOW + timedelta(seconds=5), 1),
        Received("2", "+14255550001", TOLL_FREE, "", NOW + timedelta(seconds=9), 1),
        Received("3", "+14255550002", TOLL_FREE, "", NOW + timedelta(seconds=7), 1),
        Received("4", "+14255550001", SHORT_CODE, "", NOW + timedelta(seconds=61), 1),
    ]
    rows = index.rows(NOW, MinuteFacts(NOW, [], [("", text) for text in texts]))
    assert [(row["PartitionKey"], row["RowKey"]) for row in rows] == [
        (TOLL_FREE, f"{place(NOW)}~203103011200~000"),
        (SHORT_CODE, f"{place(NOW + MINUTE)}~203103011200~000"),
    ]


def test_a_busy_minute_takes_several_rows() -> None:
    """No row holds more than what surely fits, whatever a minute brings."""
    index = ConversationIndex(tables=None)  # type: ignore[arg-type]  # rows need none
    draw = random.Random(17)  # noqa: S311  # no secret
    texts = [
        Received("1", f"+1425{number:07d}", TOLL_FREE, "", NOW + timedelta(microseconds=at), 1)
        for number, at in enumerate(draw.sample(range(60 * 10**6), 6000))
    ]
    rows = index.rows(NOW, MinuteFacts(NOW, [], [("", text) for text in texts]))
    assert len(rows) == 6000 / PERSONS_A_ROW
    assert max(len(row["persons"]) for row in rows) < 32_768


# Order, pages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 50])
async def test_each_once_by_its_last_message(
    size: int, fold: Fold, people: People, sender: str
) -> None:
    """Whoever spoke in many minutes stands at the last of them, with what was said there."""
    persons, draw = people.many(7), random.Random(size)  # noqa: S311  # no secret
    last: dict[str, datetime] = {}
    for minute in range(40):
        at = NOW - timedelta(days=2) + MINUTE * minute + timedelta(seconds=draw.random() * 59)
        person = draw.choice(persons)
        await fold.said(sender, person, at)
        last[person] = at
    found = await fold.all(size, sender)
    assert who(found) == sorted(last, key=lambda person: last[person], reverse=True)
    assert [item["lastMessage"]["message"] for item in found] == [
        f"At {last[person]:%H:%M:%S}" for person in who(found)
    ]


@pytest.mark.parametrize("size", [1, 2, 50])
async def test_senders_are_merged_by_time(size: int, fold: Fold, people: People) -> None:
    """Without `from`, one order over all senders."""
    senders, person = people.many(3), people.one()
    for number in range(9):
        await fold.said(senders[number % 3], person, NOW - timedelta(hours=1) - MINUTE * number)
    found = await fold.all(size, *senders)
    assert [item["ours"] for item in found] == senders


async def test_a_send_that_waited_stands_where_it_left(
    fold: Fold, people: People, sender: str
) -> None:
    """Its facts lie in the minute in which it was asked for, days before."""
    early, late = people.many(2)
    asked = NOW - timedelta(days=3)
    await fold.said(sender, late, NOW - MINUTE, facts_of=asked, inbound=False)
    await fold.said(sender, early, NOW - timedelta(days=1))
    assert who(await fold.all(50, sender)) == [late, early]


async def test_a_late_fact_that_is_not_folded_yet(fold: Fold, people: People, sender: str) -> None:
    """It is shown where the conversation stood before, until the fold has heeded its mark."""
    known, waited = people.many(2)
    asked = NOW - timedelta(days=3)
    await fold.said(sender, waited, NOW - timedelta(days=2))
    await fold.said(sender, waited, NOW - MINUTE, facts_of=asked, inbound=False, folded=False)
    await fold.said(sender, known, NOW - timedelta(days=1))
    found = await fold.all(1, sender)
    assert who(found) == [known, waited]
    assert found[1]["lastMessage"]["direction"] == "outbound"


async def test_an_entry_that_is_not_written_yet(fold: Fold, people: People, sender: str) -> None:
    """The index may know of a send to many before its entries are there: the older one counts."""
    known, waited = people.many(2)
    await fold.said(sender, waited, NOW - timedelta(days=2))
    await fold.fold(NOW, [Received("1", waited, sender, "", NOW - MINUTE, 1)])
    await fold.said(sender, known, NOW - timedelta(days=1))
    assert who(await fold.all(1, sender)) == [known, waited]


async def test_what_is_said_between_two_pages(fold: Fold, people: People, sender: str) -> None:
    """Nobody falls out of a listing because something more was said, and nobody comes twice."""
    persons = people.many(4)
    for number, person in enumerate(persons):
        await fold.said(sender, person, NOW - timedelta(hours=1 + number))
    listing = fold.listing(sender)
    first = await listing.list_conversations(sender=sender, unread=False, after=None, limit=2)
    for number in range(7):
        await fold.said(sender, persons[3], NOW + timedelta(seconds=1 + number))
        await fold.said(sender, persons[0], NOW + timedelta(seconds=1 + number))
    fold.now += MINUTE
    rest = await listing.list_conversations(
        sender=sender, unread=False, after=PAGES.after(first.after), limit=50
    )
    assert who(first.value) + who(rest.value) == persons
    assert rest.after is None


# Read and unread ----------------------------------------------------------------------------------


async def test_unread(fold: Fold, people: People, sender: str) -> None:
    """A text later than the mark, whatever was sent after it; and the filter."""
    never, read, since, answered, only_ours = persons = people.many(5)
    at = NOW - timedelta(hours=1)
    for number, person in enumerate(persons):
        await fold.said(sender, person, at - MINUTE * number, inbound=person != only_ours)
    await fold.parts.conversations.entries.mark_read(sender, read, at)
    await fold.parts.conversations.entries.mark_read(sender, since, at - 5 * MINUTE)
    for number in range(7):
        await fold.said(sender, answered, at + MINUTE * (1 + number), inbound=False)
    found = {item["theirs"]: item for item in await fold.all(2, sender)}
    assert {person: item["unread"] for person, item in found.items()} == {
        never: True,
        read: False,
        since: True,
        answered: True,
        only_ours: False,
    }
    assert found[never]["readUpTo"] is None
    assert found[read]["readUpTo"] == "2031-03-01T11:00:00.000000Z"
    unread = await fold.all(2, sender, unread=True)
    assert unread[0]["theirs"] == answered
    assert set(who(unread)) == {never, since, answered}


# Over HTTP ----------------------------------------------------------------------------------------


def target(**query: Any) -> str:
    return f"/conversations?{urlencode(query)}"


async def _of(parley: Parley, *persons: str) -> list[dict[str, Any]]:
    # Others may be texted by the same sender at the same time.
    listed = (await parley.own("GET", target(**{"from": LONG_CODE, "maxpagesize": 50}))).items
    return [item for item in listed if item["theirs"] in persons]


async def test_fresh_at_once(parley: Parley, platform: Platform, people: People) -> None:
    """What has just been said is there, before any fold; a mark is, too."""
    texted, writer = people.many(2)
    (item,) = await parley.send(texted, sender=LONG_CODE)
    platform_id = await platform.speak(writer, "Is it open?", LONG_CODE)
    await platform.relayed_event("Parley.SMSReceived", platformMessageId=platform_id)
    first, second = await _of(parley, texted, writer)
    assert (first["ours"], first["theirs"], first["unread"]) == (LONG_CODE, writer, True)
    assert first["lastMessage"]["message"] == "Is it open?"
    assert (second["theirs"], second["unread"]) == (texted, False)
    assert (
        second["lastMessage"].items()
        >= {
            "messageId": item["messageId"],
            "direction": "outbound",
            "message": "Hello",
            "keyword": None,
        }.items()
    )
    await parley.own("POST", f"/conversations/{quote(LONG_CODE)}/{quote(writer)}:markRead")
    first, _ = await _of(parley, texted, writer)
    assert (first["theirs"], first["unread"]) == (writer, False)


async def test_pages_over_http(parley: Parley, people: People) -> None:
    """By their links, each conversation once."""
    persons = people.many(5)
    for person in persons:
        await parley.send(person, sender=SHORT_CODE)
    pages = await all_pages(parley, target(**{"from": SHORT_CODE}), 2)
    found = [item["theirs"] for page in pages for item in page]
    assert found[:5] == persons[::-1]
    assert len(found) == len(set(found))


async def test_by_the_real_fold(stack: Stack, parley: Parley, people: People) -> None:
    """Sends to one and to many, folded by the timer's own work, stand in the index."""
    alone, *many = persons = people.many(4)
    await parley.send(alone, sender=LONG_CODE)
    await parley.send(*many, sender=LONG_CODE)
    start = datetime.now(UTC).replace(second=0, microsecond=0) - MINUTE
    async with parts_of(stack) as parts:
        index = ConversationIndex(parts.conversations.entries._tables)
        async for facts in parts.receiving.inbound._record.minutes(start, start + 2 * MINUTE):
            for row in index.rows(facts.minute, facts):
                await parts.conversations.entries._tables.put(TABLE, row)
        listed = [pair async for pair in index.newest(LONG_CODE, since="0")]
    assert {theirs for _, _, theirs in listed} >= set(persons)


@pytest.mark.parametrize(
    ("query", "member"),
    [
        ({"from": "+18005550999"}, "from"),
        ({"from": "nobody at all"}, "from"),
        ({"unread": "yes"}, "unread"),
        ({"after": "x"}, "after"),
        ({"after": "1~2~3~4"}, "after"),
        ({"maxpagesize": "0"}, "maxpagesize"),
    ],
)
async def test_bad_parameters(query: dict[str, str], member: str, parley: Parley) -> None:
    """A parameter that makes no sense, an unknown sender included, is 400 and named."""
    reply = await parley.own("GET", target(**query))
    assert (reply.status, list(reply.json["errors"])) == (400, [member])
