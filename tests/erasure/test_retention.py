"""Messages are kept as long as the settings say, and what speaks of them as long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from local.stack import Stack
from shared.base import ulid
from shared.base.clock import iso
from shared.conversations import Entry, Kind
from shared.conversations.entries import place
from shared.conversations.index import TABLE as INDEX
from shared.erasure.retention import DroppedMessages
from shared.jobs.poison import TABLE as POISON
from shared.messages.facts import intent_row
from shared.rules.segments import measure
from shared.sending.attempts import new_intent, waiting_intent
from shared.services import Services
from tests.support.client import TOLL_FREE, send_body
from tests.support.parts import parts_of, send_request
from tests.support.storage import everything

# Long before anything that other tests write: 40 days are kept.
NOW = datetime(2011, 6, 20, 12, tzinfo=UTC)
DAYS = 40


@pytest.fixture
async def parts(stack: Stack) -> AsyncIterator[Services]:
    async with parts_of(stack, PARLEY_KEEP_MESSAGES_DAYS=str(DAYS)) as made:
        yield made
        for month in ("201103", "201104", "201105", "201106"):
            await made.parts.tables.drop_table(f"messages{month}")


async def _text(
    parts: Services, person: str, at: datetime, *, send_at: datetime | None = None
) -> str:
    """A text that was accepted at a moment, with its entry; its id."""
    send_id = ulid.new(at, b"0123456789")
    request = send_request(parts, send_body(person))
    intent = new_intent(
        send_id, request, measure("Hello"), keyed=False, trace=None, now=at, nonce="a"
    )
    if send_at is not None:
        intent = waiting_intent(intent, send_at=send_at, why="sendAt")
    row = intent_row(intent, 4)
    await parts.parts.tables.put(f"messages{at:%Y%m}", row)
    await parts.conversations.entries.write(
        Entry(f"{send_id}.0123456789", TOLL_FREE, person, Kind.SENT, "Hello", at)
    )
    return send_id


async def _months(parts: Services) -> list[str]:
    found = await parts.parts.tables.tables("messages2011")
    return sorted(name.removeprefix("messages") for name in found)


async def test_months_go_once_they_are_wholly_over(
    stack: Stack, parts: Services, person: str
) -> None:
    """On the 20th of June, with 40 days: March and April are over, May is not, though most of it
    is. Entries go with their months; doing it twice is once."""
    for month in (3, 4, 5, 6):
        await _text(parts, person, datetime(2011, month, 15, tzinfo=UTC))
    dropped = await parts.erasure.retention.drop_old(NOW)
    assert (dropped.months, dropped.entries) == (2, 2)
    assert await _months(parts) == ["201105", "201106"]
    talk = parts.conversations.entries.ids.of(TOLL_FREE, person)
    left = await parts.conversations.entries.newest(talk, limit=10)
    assert [entry.at.month for entry in left.entries] == [6, 5]
    assert await parts.erasure.retention.drop_old(NOW) == DroppedMessages()


async def test_a_month_with_a_text_that_is_yet_to_leave_stays(parts: Services, person: str) -> None:
    """Accepted in March for July: nothing that was answered 202 is dropped."""
    later = NOW + timedelta(days=20)
    await _text(parts, person, datetime(2011, 3, 15, tzinfo=UTC), send_at=later)
    assert (await parts.erasure.retention.drop_old(NOW)).months == 0
    assert await _months(parts) == ["201103"]
    after = later + timedelta(days=DAYS + 1)
    assert (await parts.erasure.retention.drop_old(after)).months == 1


async def test_what_speaks_of_them_goes_too(stack: Stack, parts: Services, person: str) -> None:
    """The list of conversations, and work that failed; a poison message that is young stays."""
    tables = parts.parts.tables
    old, young = datetime(2011, 3, 15, tzinfo=UTC), NOW - timedelta(days=1)
    for at in (old, young):
        await _text(parts, person, at)
        row = {"kind": "relay", "insertedAt": "", "failedAt": iso(at), "reason": "", "summary": ""}
        keys = {"PartitionKey": "record", "RowKey": f"{at:%Y%m%d}{'0' * 24}"}
        await tables.put(POISON, {**keys, **row, "message": b""})
    await tables.put(
        INDEX,
        {
            "PartitionKey": TOLL_FREE,
            "RowKey": f"{place(old)}~201103150000~000",
            "persons": b"",
        },
    )
    dropped = await parts.erasure.retention.drop_old(NOW)
    assert dropped.aside == 1
    places = [place async for place, _ in everything(stack.storage)]
    assert not [place for place in places if "201103150000" in place]
    assert [p for p in places if p.startswith(f"{POISON}/record/2011")] == [
        f"{POISON}/record/20110619{'0' * 24}"
    ]
    await parts.poison.drop("record", f"20110619{'0' * 24}")


async def test_for_ever_unless_set(stack: Stack, person: str) -> None:
    """Without the setting nothing is dropped, however old."""
    async with parts_of(stack) as parts:
        await _text(parts, person, datetime(2011, 3, 15, tzinfo=UTC))
        assert await parts.erasure.retention.drop_old(NOW) == DroppedMessages()
        assert await _months(parts) == ["201103"]
        await parts.parts.tables.drop_table("messages201103")
