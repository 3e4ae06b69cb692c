"""The list of conversations by the timer's own fold, over a made-up past."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.base import ids
from shared.base.clock import from_iso
from shared.conversations import Entry, Kind
from shared.conversations.entries import TABLE
from shared.conversations.index import TABLE as INDEX
from shared.conversations.index import spoken_in
from shared.conversations.listing import PAGES, Wanted
from shared.messages.record import Send
from shared.services import Services
from tests.analytics.world import END, START, Account, Author, FakeClock, run_until_done


async def entries_of_all(parts: Services) -> list[Entry]:
    """What every conversation holds, from the facts alone."""
    found = []
    async for key, fact in parts.receiving.inbound._record.span(START, END + timedelta(days=1)):
        for at, ours, theirs in spoken_in([fact]):
            inbound = not isinstance(fact, Send)
            message_id = (
                key if inbound else ids.message_id(parts.parts.settings.id_key, key, theirs)
            )
            kind = Kind.RECEIVED if inbound else Kind.SENT
            found.append(Entry(message_id, ours, theirs, kind, "Hello", at, 1))
    return found


async def listed(parts: Services, size: int) -> list[dict[str, Any]]:
    """All pages of the list."""
    found: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        page = await parts.conversations.listing.list_conversations(
            Wanted(), after=PAGES.after(after), limit=size
        )
        found += page.value
        if (after := page.after) is None:
            return found


@pytest.mark.parametrize("folded", [True, False])
async def test_the_list_is_what_the_facts_say(folded: bool, account: Account) -> None:  # noqa: FBT001
    """Every conversation once, by its last message, by the index or past it."""
    # Some of what waited left hours after the facts of its minute.
    clock = FakeClock(END + timedelta(hours=3) if folded else END)
    await account.put(Author(17, account.id_key).write(150))
    parts = account.parts(clock)
    for table in (TABLE, INDEX):
        await account.storage.drop_table(table)
    entries = await entries_of_all(parts)
    await parts.conversations.entries.write_all(entries)
    if folded:
        await run_until_done(parts, clock)
    last: dict[tuple[str, str], datetime] = {}
    for entry in entries:
        pair = (entry.ours, entry.theirs)
        if entry.ours in parts.parts.settings.senders:
            last[pair] = max(entry.at, last.get(pair, entry.at))
    if not folded:
        # As far back as is read without an index.
        begin = END - timedelta(hours=1)
        last = {pair: at for pair, at in last.items() if begin <= at <= END}
    found = await listed(parts, 7)
    shown = {(i["ours"], i["theirs"]): from_iso(i["lastMessage"]["at"]) for i in found}
    assert len(shown) == len(found)
    assert last
    assert last.items() <= shown.items()
    moments = [from_iso(item["lastMessage"]["at"]) for item in found]
    assert moments == sorted(moments, reverse=True)
    if folded:
        assert shown == last
