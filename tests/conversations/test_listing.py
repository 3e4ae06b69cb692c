"""Which conversations have something new: in the order of their last messages, each once."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from local.stack import Stack
from shared.azure.event_grid import Received
from shared.azure.tables import Tables
from shared.base import ids
from shared.conversations import Entry, Kind
from shared.conversations.entries import place
from shared.conversations.index import PERSONS_A_ROW, TABLE, ConversationIndex
from shared.conversations.listing import PAGES, Listing, Wanted
from shared.conversations.looks import IndexedUpTo
from shared.messages.record import MinuteFacts
from shared.rules.conversation_ids import ConversationIds
from shared.services import Services
from tests.support.client import LONG_CODE, SHORT_CODE, TOLL_FREE, Parley, Platform, all_pages
from tests.support.parts import parts_of
from tests.support.people import People

MINUTE = timedelta(minutes=1)
IDS = ConversationIds(b"a key of tests alone")
# Far from what other tests of this stack say.
NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)


class Fold:
    """An index that somebody says how far it is: in the place of the timer's fold."""

    def __init__(self, parts: Services, now: datetime = NOW) -> None:
        self.parts = parts
        self.now = now
        self.progress: IndexedUpTo | None = IndexedUpTo(now, now)
        self.storage: Tables = parts.conversations.entries._tables
        self.ids = parts.conversations.entries.ids
        self.index = ConversationIndex(self.storage, self.ids)

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
        self, ours: str, theirs: str, at: datetime, *, facts_of: datetime | None = None, **way: Any
    ) -> str:
        """Somebody said something: its entry, and its place in the index unless told otherwise."""
        message_id = ids.inbound_id(f"{ours} {theirs} {at}", facts_of or at)
        inbound = way.get("inbound", True)
        entry = Entry(
            message_id,
            ours,
            theirs,
            Kind.RECEIVED if inbound else Kind.SENT,
            way.get("text", f"At {at:%H:%M:%S}"),
            at,
            1,
            keyword=way.get("keyword"),
            arrived=way.get("arrived", at) if inbound else None,
        )
        await self.parts.conversations.entries.write(entry)
        await self.parts.conversations.entries.note_late(entry)
        if way.get("folded", True):
            await self.fold(facts_of or at, [Received(message_id, theirs, ours, "", at, 1)])
        return message_id

    async def mark(self, ours: str, theirs: str, moment: datetime) -> None:
        """Somebody has read what had arrived up to a moment."""
        entries = self.parts.conversations.entries
        assert await entries.mark_read(self.ids.of(ours, theirs), moment) == moment

    async def fold(self, facts_of: datetime, texts: list[Received]) -> None:
        """Put the rows of texts into the index, as facts of a minute of their own."""
        minute = facts_of.replace(second=0, microsecond=0)
        facts = MinuteFacts(minute, [], [("", text) for text in texts])
        for row in self.index.rows(minute, facts):
            await self.storage.put(TABLE, row)

    async def all(self, size: int, *senders: str, **wanted: Any) -> list[dict[str, Any]]:
        """All pages."""
        listing = self.listing(*senders)
        found: list[dict[str, Any]] = []
        after: str | None = None
        while True:
            page = await listing.list_conversations(
                Wanted(**wanted), after=PAGES.after(after), limit=size
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
    index = ConversationIndex(tables=None, ids=IDS)  # type: ignore[arg-type]  # rows need none
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
    index = ConversationIndex(tables=None, ids=IDS)  # type: ignore[arg-type]  # rows need none
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
    first = await listing.list_conversations(Wanted(sender), after=None, limit=2)
    for number in range(7):
        await fold.said(sender, persons[3], NOW + timedelta(seconds=1 + number))
        await fold.said(sender, persons[0], NOW + timedelta(seconds=1 + number))
    fold.now += MINUTE
    rest = await listing.list_conversations(
        Wanted(sender), after=PAGES.after(first.after), limit=50
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
    await fold.mark(sender, read, at)
    await fold.mark(sender, since, at - 5 * MINUTE)
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


async def test_a_text_that_arrives_late_is_unread(fold: Fold, people: People, sender: str) -> None:
    """Order goes by when it was said, unread by when it arrived, however deep it then stands."""
    shallow, deep, seen = persons = people.many(3)
    # Each in an hour of its own: a minute has one row in the index.
    begin = {person: NOW - timedelta(hours=9 + n) for n, person in enumerate(persons)}
    for person, at in begin.items():
        for number in range(9 if person == deep else 1):
            await fold.said(sender, person, at + MINUTE * number)
        await fold.mark(sender, person, NOW - timedelta(hours=2))
    assert await fold.all(50, sender, unread=True) == []
    for person, at in begin.items():
        await fold.said(sender, person, at - MINUTE, arrived=NOW - timedelta(hours=1))
    await fold.mark(sender, seen, NOW - timedelta(hours=1))
    assert set(who(await fold.all(50, sender, unread=True))) == {shallow, deep}
    found = {item["theirs"]: item["lastMessage"]["message"] for item in await fold.all(50, sender)}
    assert found[shallow] == f"At {begin[shallow]:%H:%M:%S}"
    assert found[deep] == f"At {begin[deep] + 8 * MINUTE:%H:%M:%S}"


async def test_the_second_between_said_and_arrived(fold: Fold, people: People, sender: str) -> None:
    """A mark that lies between the two leaves the text unread, though it was said before it."""
    person = people.one()
    at = NOW - timedelta(hours=1)
    await fold.said(sender, person, at, arrived=at + timedelta(seconds=5))
    for number in range(7):
        await fold.said(sender, person, at + MINUTE * (1 + number), inbound=False)
    await fold.mark(sender, person, at + timedelta(seconds=4))
    (item,) = await fold.all(50, sender)
    assert item["unread"] is True
    await fold.mark(sender, person, at + timedelta(seconds=5))
    (item,) = await fold.all(50, sender)
    assert item["unread"] is False


async def test_unanswered(fold: Fold, people: People, sender: str) -> None:
    """The person had the last word, read or not; a STOP asks for nothing."""
    stories = {
        "asked": ["in"],
        "answered": ["in", "out"],
        "stopped": ["out", "STOP"],
        "asked, then stopped": ["in", "STOP"],
        "asked, then stopped often": ["in", *["STOP"] * 6],
        "only ours": ["out"],
    }
    persons = dict(zip(stories, people.many(len(stories)), strict=True))
    for n, (name, story) in enumerate(stories.items()):
        for number, said in enumerate(story):
            at = NOW - timedelta(hours=1 + n) + MINUTE * number
            way: dict[str, Any] = {"text": "STOP", "keyword": "STOP"} if said == "STOP" else {}
            await fold.said(sender, persons[name], at, inbound=said != "out", **way)
    await fold.mark(sender, persons["asked"], NOW)
    wanted = {"asked", "asked, then stopped", "asked, then stopped often"}
    found = await fold.all(2, sender, unanswered=True)
    assert set(who(found)) == {persons[name] for name in wanted}
    both = await fold.all(2, sender, unanswered=True, unread=True)
    assert set(who(both)) == {persons[name] for name in wanted - {"asked"}}


async def test_two_spellings_of_one_telephone(fold: Fold, sender: str) -> None:
    """They are one conversation, shown as the person's number was written last."""
    at = NOW - timedelta(hours=1)
    await fold.said(sender, "+5491155550100", at)
    await fold.said(sender, "+541155550100", at + MINUTE, inbound=False)
    (item,) = await fold.all(1, sender)
    assert (item["theirs"], item["unread"]) == ("+541155550100", True)
    (found,) = (await fold.listing(sender).list_with("+5491155550100", Wanted())).value
    assert found == item


# Over HTTP ----------------------------------------------------------------------------------------


def target(**query: Any) -> str:
    return f"/conversations?{urlencode(query)}"


async def _of(parley: Parley, *persons: str) -> list[dict[str, Any]]:
    # Others may be texted by the same sender at the same time.
    listed = (await parley.own("GET", target(ours=LONG_CODE, maxpagesize=50))).items
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
    await parley.own("POST", f"/conversations/{parley.conversation_id(LONG_CODE, writer)}:markRead")
    first, _ = await _of(parley, texted, writer)
    assert (first["theirs"], first["unread"]) == (writer, False)


async def test_pages_over_http(parley: Parley, people: People) -> None:
    """By their links, each conversation once."""
    persons = people.many(5)
    for person in persons:
        await parley.send(person, sender=SHORT_CODE)
    pages = await all_pages(parley, target(ours=SHORT_CODE), 2)
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
        index = parts.conversations.index
        async for facts in parts.receiving.inbound._record.minutes(start, start + 2 * MINUTE):
            for row in index.rows(facts.minute, facts):
                await parts.conversations.entries._tables.put(TABLE, row)
        listed = [spoken async for spoken in index.newest(LONG_CODE, since="0")]
    assert {spoken.theirs for spoken in listed} >= set(persons)


async def test_the_conversations_of_one_person(
    parley: Parley, platform: Platform, people: People
) -> None:
    """One for each sender that has said or heard something; with a sender, that one in any case."""
    person, stranger = people.many(2)
    await parley.send(person, sender=LONG_CODE)
    await parley.send(person, sender=SHORT_CODE)
    found = (await parley.own("GET", target(theirs=person))).items
    assert [item["ours"] for item in found] == [SHORT_CODE, LONG_CODE]
    for item in found:
        one = (await parley.own("GET", target(theirs=person, ours=item["ours"]))).items
        assert one == [item]
        talk = (await parley.own("GET", f"/conversations/{item['conversationId']}")).json
        assert (talk["ours"], talk["theirs"]) == (item["ours"], person)
    assert (await parley.own("GET", target(theirs=stranger))).items == []
    (begun,) = (await parley.own("GET", target(theirs=stranger, ours=LONG_CODE))).items
    assert begun == {
        "conversationId": parley.conversation_id(LONG_CODE, stranger),
        "ours": LONG_CODE,
        "theirs": stranger,
        "lastMessage": None,
        "unread": False,
        "unanswered": False,
        "readUpTo": None,
    }


@pytest.mark.parametrize(
    ("query", "member"),
    [
        ({"ours": "+18005550999"}, "ours"),
        ({"ours": "nobody at all"}, "ours"),
        ({"theirs": "a/b"}, "theirs"),
        ({"unread": "yes"}, "unread"),
        ({"unanswered": "1"}, "unanswered"),
        ({"after": "x"}, "after"),
        ({"after": "1~2~3~4"}, "after"),
        ({"maxpagesize": "0"}, "maxpagesize"),
    ],
)
async def test_bad_parameters(query: dict[str, str], member: str, parley: Parley) -> None:
    """A parameter that makes no sense, an unknown sender included, is 400 and named."""
    reply = await parley.own("GET", target(**query))
    assert (reply.status, list(reply.json["errors"])) == (400, [member])
