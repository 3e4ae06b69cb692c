"""When entries are written, what they say of those who were not texted, and what texts answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.core.rest import HttpRequest

from local.stack import Stack
from shared.base.clock import iso, utc_now
from shared.base.errors import Throttled
from shared.conversations import Conversations, Entry, Kind, PendingSend
from shared.conversations.entries import TABLE
from shared.rules.conversation_ids import ConversationIds
from shared.sending.entries import FEW
from shared.services import Services
from tests.support.client import TOLL_FREE, UNHURRIED, Parley, Platform, send_body, with_ids
from tests.support.golden import golden_event
from tests.support.parts import parts_of, send_request
from tests.support.people import People
from tests.support.polling import eventually
from tests.support.transports import Inner, Wrapper

RECEIVED = "Parley.SMSReceived"
MANY = FEW + 1


def is_entry(request: HttpRequest) -> bool:
    """What writes an entry, or the row that stands for many."""
    return request.method in {"POST", "PUT"} and f"/{TABLE}" in request.url


def is_queue(request: HttpRequest) -> bool:
    return request.method == "POST" and "/record/messages" in request.url


class OutOfReach(Wrapper):
    """A network on which some requests find nobody; notes what is asked."""

    def __init__(self, inner: Inner, lost: Callable[[HttpRequest], bool]) -> None:
        super().__init__(inner)
        self.lost = lost
        self.asked: list[str] = []

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        if self.lost(request):
            raise ServiceRequestError("no connection")
        answer = await super().send(request, **named)
        self.asked.append(f"{request.method} {request.url.partition('?')[0]}")
        return answer


class Network:
    """Makes it, and keeps it at hand."""

    def __init__(self, lost: Callable[[HttpRequest], bool] = lambda _: False) -> None:
        self.lost = lost
        self.made: list[OutOfReach] = []

    def __call__(self, network: Inner) -> Inner:
        self.made.append(OutOfReach(network, self.lost))
        return self.made[-1]

    @property
    def asked(self) -> list[str]:
        return self.made[-1].asked


async def send(parts: Services, *to: str, **members: Any) -> list[str]:
    """Message ids of a send of now, in the order of its recipients."""
    answer = await parts.sending.api.send(send_request(parts, send_body(*to, **members)))
    return [str(item.message_id) for item in answer.items]


async def replied(parley: Parley, platform: Platform, person: str) -> str | None:
    """What a text that a person writes now is taken to answer."""
    event = golden_event("received", person=person)
    event["data"]["receivedTimestamp"] = iso(datetime.now(UTC))
    assert await parley.deliver("inbound", [event]) == 202
    told = await platform.relayed_event(RECEIVED, platformMessageId=event["data"]["messageId"])
    found: dict[str, Any] | None = told["data"]["inReplyTo"]
    return None if found is None else str(found["messageId"])


async def pending(parts: Services) -> set[str]:
    """Sends whose entries are yet to be written."""
    found = await parts.conversations.pending.older_than(TOLL_FREE, utc_now() + timedelta(days=1))
    return {send_id for send_id, _ in found}


async def hidden(parley: Parley, person: str) -> list[tuple[str, str | None]]:
    """Kinds and states of everything in a conversation."""
    talk = parley.conversation_id(TOLL_FREE, person)
    reply = await parley.own("GET", f"/conversations/{talk}?include=hidden")
    assert reply.status == 200, reply.body
    return [(item["kind"], item["state"]) for item in reply.items if item["type"] == "message"]


# What a text answers ------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, FEW, MANY])
async def test_entries_stand_before_the_platform_is_asked(
    count: int, stack: Stack, people: People
) -> None:
    """So that no reply can come before them, nor be taken for one to an older text."""
    network = Network()
    async with parts_of(stack, way=network) as parts:
        await send(parts, *people.many(count))
    asked = next(place for place, call in enumerate(network.asked) if call.endswith("/sms"))
    written = [n for n, call in enumerate(network.asked) if f"/{TABLE}" in call]
    assert len(written) == (count if count <= FEW else 1)
    assert max(written) < asked


@pytest.mark.parametrize("count", [1, FEW, MANY])
async def test_a_reply_a_moment_after_the_answer(
    count: int, stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """It names the text that was answered with 202 just now, whatever the queue is about."""
    persons = people.many(count)
    before = await parley.send(*persons, tag="before")
    for item in before:
        await eventually(
            lambda to=item["to"]: parley.conversation(TOLL_FREE, to),  # type: ignore[misc]
            "the first entries are written",
        )
    async with parts_of(stack, way=Network(is_queue)) as parts:
        sent = await send(parts, *persons, tag="now")
    for person, message_id in zip(persons, sent, strict=True):
        assert await replied(parley, platform, person) == message_id


@pytest.mark.parametrize("count", [1, MANY])
async def test_what_was_not_sent_is_not_answered(
    count: int, stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """Neither one of a few nor one of many of which it is certain that it reached nobody."""
    persons = people.many(count)
    first = await parley.send(*persons)
    await eventually(
        lambda: parley.conversation(TOLL_FREE, persons[-1]),
        "the entries are written",
    )
    await platform.order_fault("send", "throttle", number=persons[0])
    async with parts_of(stack) as parts:
        with pytest.raises(Throttled):
            await send(parts, *persons)
    assert await replied(parley, platform, persons[-1]) == first[-1]["messageId"]
    kinds = [kind for kind, _ in await hidden(parley, persons[-1])]
    assert kinds == [*(["sent", "notSent"] if count == 1 else ["sent"]), "received"]


# What became of a send ----------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, FEW, MANY])
async def test_who_was_blocked_is_out_of_sight(count: int, parley: Parley, people: People) -> None:
    """Unless it is asked for: this is the way from a person to their messages."""
    closed, *others = people.many(count)
    opted_out = {"from": TOLL_FREE, "recipients": [{"to": closed}]}
    assert (await parley.signed("POST", "/sms/optouts:add", opted_out)).status == 200
    await parley.send(closed, *others)
    talk = parley.conversation_id(TOLL_FREE, closed)

    async def there() -> bool:
        return (await parley.own("GET", f"/conversations/{talk}")).status == 200

    await eventually(there, "the entries are written")
    assert await hidden(parley, closed) == [("notSent", "blocked")]
    assert await parley.conversation(TOLL_FREE, closed) == []
    for other in others:
        assert len(await parley.conversation(TOLL_FREE, other)) == 1


@pytest.mark.parametrize("count", [2, MANY])
async def test_a_repeat_adds_nothing(count: int, stack: Stack, people: People) -> None:
    """However often a request comes, each text stands once; also for who reads the rows."""
    person, *others = people.many(count)
    async with parts_of(stack) as parts:
        request = send_request(parts, with_ids(send_body(person, *others)))
        for _ in range(3):
            await parts.sending.api.send(request)
        entries = parts.conversations.entries
        talk = entries.ids.of(TOLL_FREE, person)

        async def rows() -> int:
            return len((await entries.newest(talk, limit=9, hidden=True)).entries)

        await eventually(rows, "the entries are written")
        assert await rows() == 1


@pytest.mark.parametrize("count", [1, MANY])
async def test_an_entry_that_cannot_be_written_stops_no_send(
    count: int, stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """The text leaves, and the queue has its entry written."""
    persons = people.many(count)
    async with parts_of(stack, way=Network(is_entry)) as parts:
        await send(parts, *persons)
    for person in persons:
        assert len(await platform.accepted(person)) == 1
        (entry,) = await eventually(
            lambda to=person: parley.conversation(TOLL_FREE, to),  # type: ignore[misc]
            "the queue has the entry written",
        )
        assert entry["kind"] == "sent"


# Sends to many ------------------------------------------------------------------------------------


async def test_a_hundred_entries_are_four_transactions(
    stack: Stack, parley: Parley, people: People
) -> None:
    """Each within a partition of the sender's; the row that stood for them goes with the last."""
    persons = people.many(100)
    async with parts_of(stack, way=Network(is_queue)) as parts:
        sent = await send(parts, *persons)
        send_id = sent[0].partition(".")[0]
        assert send_id in await pending(parts)
    network = Network()
    async with parts_of(stack, way=network) as parts:
        (etag,) = [
            etag
            for found, etag in await parts.conversations.pending.older_than(
                TOLL_FREE, utc_now() + timedelta(days=1)
            )
            if found == send_id
        ]
        network.asked.clear()
        assert await parts.sending.follow_up._outcomes.write_left_entries(send_id, etag=etag)
        assert [call.rpartition("/")[2] for call in network.asked[1:]] == ["$batch"] * 4
        assert send_id not in await pending(parts)
        # Again, as the queue may bring it: nothing is there any more, and nothing goes wrong.
        assert await parts.sending.follow_up._outcomes.write_left_entries(send_id, etag=etag)
    for person, message_id in zip(persons[::30], sent[::30], strict=True):
        (entry,) = await parley.conversation(TOLL_FREE, person)
        assert entry["messageId"] == message_id


async def test_the_timer_finishes_what_nobody_did(
    stack: Stack, parley: Parley, people: People
) -> None:
    """After ten minutes, and not before; an attempt that never began is dropped."""
    persons = people.many(MANY)
    async with parts_of(stack, way=Network(is_queue)) as parts:
        sent = await send(parts, *persons)
        send_id = sent[0].partition(".")[0]
        never = f"{send_id[:-4]}0000"
        stands = PendingSend(never, TOLL_FREE, persons, None, utc_now())
        assert await parts.conversations.pending.insert(stands)
    for minutes, left in ((9, {send_id, never}), (11, set())):
        ahead = timedelta(minutes=minutes)
        async with parts_of(stack, clock=lambda ahead=ahead: utc_now() + ahead) as parts:  # type: ignore[misc]
            await parts.sending.follow_up.write_old_entries()
            assert await pending(parts) & {send_id, never} == left
    for person, message_id in zip(persons, sent, strict=True):
        (shown,) = await parley.conversation(TOLL_FREE, person)
        assert (shown["messageId"], shown["kind"]) == (message_id, "sent")


async def test_digits_that_meet_bring_nobody_together(stack: Stack, people: People) -> None:
    """Two people whose hashes were equal would share rows: none reads what the other was told."""
    one, other = people.many(2)

    class Meeting(ConversationIds):
        def pair_bytes(self, ours: str, theirs: str) -> bytes:
            return super().pair_bytes(ours, one if theirs == other else theirs)

    async with parts_of(stack) as parts:
        entries = Conversations(parts.parts.tables, Meeting(parts.parts.id_key))
        now = utc_now()
        for number, person in enumerate((one, one, other)):
            at = now - timedelta(minutes=number)
            await entries.write(
                Entry(f"{number}.0123456789", TOLL_FREE, person, Kind.SENT, "Hello", at)
            )
        talk = entries.ids.of(TOLL_FREE, other)
        assert talk == entries.ids.of(TOLL_FREE, one)
        found = await entries.last_sent(
            TOLL_FREE, other, since=now - timedelta(hours=1), before=now
        )
        assert found is not None
        assert found.theirs == other
        for read in (entries.newest, entries.oldest):
            assert {e.theirs for e in (await read(talk, limit=9)).entries} == {one}
        assert {e.theirs for e in (await entries.head(talk, 9)).entries} == {one}


@pytest.mark.parametrize("count", [1, MANY])
async def test_what_waits_is_out_of_sight(
    count: int, stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """Unless it is asked for; nobody has answered it, and once it has left it is there."""
    persons = people.many(count)
    person = persons[-1]
    (first,) = await parley.send(person)
    soon = {"sendAt": iso(utc_now() + timedelta(hours=1)), "sender": UNHURRIED}
    waits = await parley.send(*persons, **soon)

    async def waiting() -> bool:
        talk = parley.conversation_id(UNHURRIED, person)
        reply = await parley.own("GET", f"/conversations/{talk}?include=hidden")
        return reply.status == 200 and [(item["kind"], item["state"]) for item in reply.items] == [
            ("waiting", "scheduled")
        ]

    await eventually(waiting, "what waits is written")
    assert await parley.conversation(UNHURRIED, person) == []
    assert await replied(parley, platform, person) == first["messageId"]
    assert {item["httpStatusCode"] for item in waits} == {202}
