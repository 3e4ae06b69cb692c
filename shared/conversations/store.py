"""The table of conversations, written and read. What its rows are says `entries.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from azure.data.tables import UpdateMode

from shared.azure.storage import Changed
from shared.azure.tables import Entity, TableOperation, Tables, etag_of
from shared.base.clock import from_iso, iso
from shared.base.errors import Unavailable
from shared.base.tasks import few_at_once
from shared.conversations.entries import (
    BEFORE_ALL,
    BEHIND_ALL,
    READ_MARK,
    TABLE,
    Entry,
    Kind,
    Mark,
    behind,
    entry_row,
    mark_row,
    place,
    read_entry,
    read_mark_row,
    row_key,
)
from shared.conversations.oldest import Oldest
from shared.rules.conversation_ids import ConversationId, ConversationIds
from shared.rules.persons import person

# A text that came so long after it was said is late: it may stand among what was read long ago.
LATE: Final = timedelta(seconds=30)
# What a transaction holds.
MOST_IN_A_TRANSACTION: Final = 100
_BETWEEN: Final = "PartitionKey eq @partition and RowKey gt @low and RowKey lt @high"
# The client finds its parameters at spaces.
_SHOWN: Final = " and ( kind eq 'sent' or kind eq 'received' )"
_SHOWN_OR_MARK: Final = " and ( kind eq 'sent' or kind eq 'received' or kind eq 'read' )"
_SENT: Final = " and kind eq 'sent'"
_UNREAD: Final = " and kind eq 'received' and arrivedAt gt @moment"
_ALL: Final = " and kind ne 'erased'"
_AS_IT_IS: Final = {"mode": UpdateMode.REPLACE}


@dataclass(frozen=True, slots=True)
class Top:
    """What stands at the top of a conversation.

    Attributes:
        entries: its last messages, the newest first.
        mark: how far it has been read.
    """

    entries: list[Entry]
    mark: Mark


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring messages.

    Attributes:
        entries: in the order that was asked for.
        end: the key up to which they are complete; None: to the conversation's end.
    """

    entries: list[Entry]
    end: str | None


class MarkBusy(Unavailable):
    """Too many set one conversation's read mark at once."""

    code = "ConversationBusy"


class Conversations:
    """The table of conversations.

    Args:
        ids: of this deployment.
    """

    def __init__(self, tables: Tables, ids: ConversationIds) -> None:
        self._tables = tables
        self.ids = ids

    # Writing ----------------------------------------------------------------------------------

    async def insert(self, entry: Entry) -> str | None:
        """Add one entry; its ETag. None if it is there: it stays as it is. One operation."""
        return await self._tables.insert(TABLE, self._row(entry))

    async def write(self, entry: Entry) -> str:
        """Write one entry, whatever stands in its place; its ETag. One operation."""
        return await self._tables.put(TABLE, self._row(entry))

    async def set_kind(self, entry: Entry, etag: str) -> None:
        """Have the entry that was written with `etag` be of another kind, that of `entry`.

        Raises:
            Changed: somebody else wrote it since.
        """
        row = self._row(entry)
        members = {name: row[name] for name in ("PartitionKey", "RowKey", "kind")}
        await self._tables.merge(TABLE, members, etag=etag)

    async def remove(self, entry: Entry, etag: str) -> None:
        """Take the entry back that was written with `etag`.

        Raises:
            Changed: somebody else wrote it since.
        """
        row = self._row(entry)
        await self._tables.remove(TABLE, row["PartitionKey"], row["RowKey"], etag=etag)

    async def write_all(self, entries: Iterable[Entry]) -> None:
        """Write entries: those of a partition in one transaction, or a few where they are many."""
        await few_at_once(self.commit, self.operations(entries))

    def operations(self, entries: Iterable[Entry]) -> list[list[TableOperation]]:
        """The transactions that write entries, each within one partition."""
        rows: dict[str, dict[str, Entity]] = {}
        for entry in entries:
            row = self._row(entry)
            rows.setdefault(row["PartitionKey"], {})[row["RowKey"]] = row
        found: list[list[TableOperation]] = []
        for _, of_partition in sorted(rows.items()):
            operations = [("upsert", row, _AS_IT_IS) for row in of_partition.values()]
            found += [
                list(operations[start : start + MOST_IN_A_TRANSACTION])
                for start in range(0, len(operations), MOST_IN_A_TRANSACTION)
            ]
        return found

    async def commit(self, operations: Sequence[TableOperation]) -> None:
        """One transaction.

        Raises:
            Changed: an ETag in it did not hold; nothing was written.
        """
        await self._tables.commit(TABLE, operations)

    async def note_late(self, entry: Entry) -> None:
        """Note that a text has arrived long after it was said; one operation.

        Whoever asks what is unread looks at the latest texts alone, and at this note.
        """
        if entry.arrived is None or entry.arrived - entry.at <= LATE:
            return
        row = mark_row(self.ids.of(entry.ours, entry.theirs), lateAt=iso(entry.arrived))
        await self._tables.set_members(TABLE, row)

    async def mark_read(self, conversation: ConversationId, moment: datetime) -> datetime | None:
        """Note that everything that arrived up to `moment` has been read; until when it now is.

        The mark never moves backwards. None if there is no such conversation.
        """
        row = mark_row(conversation, readUpTo=iso(moment))

        async def step() -> datetime | None:
            known = await self._tables.get(TABLE, row["PartitionKey"], row["RowKey"])
            if known is None:
                if await self.pair(conversation) is None:
                    return None
                if await self._tables.insert(TABLE, row) is None:
                    raise Changed
                return moment
            if known.get("readUpTo", "") >= row["readUpTo"]:
                return from_iso(known["readUpTo"])
            await self._tables.merge(TABLE, row, etag=etag_of(known))
            return moment

        try:
            return await self._tables.change(step)
        except Changed:
            raise MarkBusy("Too many mark this conversation at once.") from None

    # Reading ----------------------------------------------------------------------------------

    async def newest(
        self, conversation: ConversationId, *, after: str = "", limit: int, hidden: bool = False
    ) -> Stretch:
        """The newest `limit` messages past the key `after`, newest first; one query.

        Args:
            conversation: which.
            after: a message's key.
            limit: how many.
            hidden: those that were not sent and those that wait, too.
        """
        low, kinds = after or BEFORE_ALL, _ALL if hidden else _SHOWN
        rows = await self._rows(conversation, low, BEHIND_ALL, limit, kinds)
        entries = [read_entry(row) for row in rows]
        return Stretch(_of_one_pair(entries), entries[-1].key if len(entries) == limit else None)

    async def oldest(
        self, conversation: ConversationId, *, after: str = "", limit: int, hidden: bool = False
    ) -> Stretch:
        """The oldest `limit` messages before the key `after`, oldest first.

        One query for a conversation of some hundred messages, a few for a longer one. Where they
        are spread so unevenly that it takes too many, fewer messages than wanted are found.
        """
        high, kinds = after or BEHIND_ALL, _ALL if hidden else _SHOWN

        async def window(low: str, most: int) -> list[Entity]:
            rows = await self._rows(conversation, low, high, most, kinds)
            for row in rows:
                row["RowKey"] = row["RowKey"].partition("~")[2]
            return rows

        found = await Oldest(window, limit).find(high)
        entries = [read_entry(row) for row in reversed(found.rows)]
        if len(entries) > limit:
            entries = entries[:limit]
        end = entries[-1].key if len(entries) == limit else found.end
        return Stretch(_of_one_pair(entries), end)

    async def last_sent(
        self, ours: str, theirs: str, *, since: datetime, before: datetime
    ) -> Entry | None:
        """The last text that the sender sent the person in a span of time; one query."""
        conversation, wanted = self.ids.of(ours, theirs), (ours, person(theirs))
        rows = self._tables.query(
            TABLE,
            f"{_BETWEEN}{_SENT}",
            page=1,
            **_range(conversation, behind(before), behind(since)),
        )
        async for row in rows:
            if (row["ours"], person(row["theirs"])) == wanted:
                return read_entry(row)
        return None

    async def head(self, conversation: ConversationId, limit: int) -> Top:
        """The last messages and the read mark; one query."""
        rows = await self._rows(conversation, "!", BEHIND_ALL, limit + 1, _SHOWN_OR_MARK)
        mark = Mark()
        if rows and rows[0]["RowKey"] == row_key(conversation, READ_MARK):
            mark = read_mark_row(rows.pop(0))
        return Top(_of_one_pair([read_entry(row) for row in rows[:limit]]), mark)

    async def pair(self, conversation: ConversationId) -> tuple[str, str] | None:
        """Between whom it is: the sender, and the person as written last. None if there is none."""
        for row in await self._rows(conversation, BEFORE_ALL, BEHIND_ALL, 1, _ALL):
            return row["ours"], row["theirs"]
        return None

    async def has_unread(self, conversation: ConversationId, moment: datetime | None) -> bool:
        """Whether a text that was not late has arrived after a moment, or ever; one query."""
        since = behind(moment - LATE) if moment is not None else BEHIND_ALL
        rows = self._tables.query(
            TABLE,
            f"{_BETWEEN}{_UNREAD}",
            page=1,
            select=["RowKey"],
            moment=iso(moment) if moment is not None else "",
            **_range(conversation, BEFORE_ALL, since),
        )
        async for _ in rows:
            return True
        return False

    async def _rows(
        self, conversation: ConversationId, low: str, high: str, most: int, kinds: str
    ) -> list[Entity]:
        found: list[Entity] = []
        rows = self._tables.query(
            TABLE, f"{_BETWEEN}{kinds}", page=most, **_range(conversation, low, high)
        )
        async for row in rows:
            found.append(row)
            if len(found) == most:
                break
        return found

    def _row(self, entry: Entry) -> Entity:
        return entry_row(self.ids.of(entry.ours, entry.theirs), entry)


def _range(conversation: ConversationId, low: str, high: str) -> Mapping[str, Any]:
    return {
        "partition": conversation.partition,
        "low": row_key(conversation, low),
        "high": row_key(conversation, high),
    }


def _of_one_pair(entries: list[Entry]) -> list[Entry]:
    """Those of the latest's sender and person: digits of a hash may meet, people do not."""
    latest = min(entries, key=lambda entry: entry.key, default=None)
    if latest is None or all(_are(entry, latest.ours, latest.theirs) for entry in entries):
        return entries
    whom = person(latest.theirs)
    return [e for e in entries if e.ours == latest.ours and person(e.theirs) == whom]


def _are(entry: Entry, ours: str, theirs: str) -> bool:
    return entry.ours == ours and entry.theirs == theirs


def is_unread(entry: Entry, mark: Mark) -> bool:
    """Whether a text is a person's that arrived after the mark."""
    if entry.kind is not Kind.RECEIVED:
        return False
    return mark.read_up_to is None or (entry.arrived or entry.at) > mark.read_up_to


def may_be_unread_since(mark: Mark) -> str:
    """The place behind which no text is unread that was not late."""
    return place(mark.read_up_to - LATE) if mark.read_up_to is not None else BEHIND_ALL
