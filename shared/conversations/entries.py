"""The table of conversations: partition `ours|theirs`, newest first.

- `{18 digits}~{messageId}`: one message. The digits are its time, counted backwards, so that what
  was said last, which nearly every reader wants, is the first row of its partition. An id alone
  would not do: one that is derived from a caller's repeatability ids knows only whole seconds.
- `!read`: until when an operator has read it; before every message.

Every message's row follows from a recorded fact; writing one twice is once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.azure.packing import pack, unpack
from shared.azure.storage import Changed
from shared.azure.table_keys import key_part
from shared.azure.tables import Entity, Tables, etag_of
from shared.base.clock import from_iso, iso
from shared.base.errors import Unavailable
from shared.base.tasks import few_at_once
from shared.conversations.oldest import Oldest

TABLE: Final = "conversations"
READ_MARK: Final = "!read"
# What sorts before and behind the keys of all messages.
BEFORE_ALL: Final = "0"
BEHIND_ALL: Final = "~"
_TRIES: Final = 10
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# Of which the microseconds since 1970 are taken: enough until the year 9999.
_LAST: Final = 10**18 - 1
_BETWEEN: Final = "PartitionKey eq @partition and RowKey gt @low and RowKey lt @high"


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of a conversation.

    Attributes:
        message_id: ours.
        ours: the sender.
        theirs: the person's number.
        inbound: whether the person said it.
        text: what was said; None for a one-time code, which nobody is shown.
        at: when.
        segments: in how many pieces.
        keyword: the keyword it was read as, e.g. `STOP`.
        tag: the application's tag.
        in_reply_to: the message that a person's text answers.
    """

    message_id: str
    ours: str
    theirs: str
    inbound: bool
    text: str | None
    at: datetime
    segments: int | None = None
    keyword: str | None = None
    tag: str | None = None
    in_reply_to: str | None = None

    @property
    def key(self) -> str:
        """Its place in the conversation; a page begins after one."""
        return f"{place(self.at)}~{self.message_id}"


@dataclass(frozen=True, slots=True)
class Top:
    """What stands at the top of a conversation.

    Attributes:
        entries: its last messages, the newest first.
        read_up_to: until when it has been read; None if nobody ever has.
    """

    entries: list[Entry]
    read_up_to: datetime | None


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
    """The table of conversations."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    # Writing ----------------------------------------------------------------------------------

    async def write(self, entry: Entry) -> None:
        """Write one entry; one operation."""
        await self._tables.put(TABLE, _row(entry))

    async def write_all(self, entries: Sequence[Entry]) -> None:
        """Write entries, a few at a time."""
        await few_at_once(self.write, entries)

    async def mark_read(self, ours: str, theirs: str, moment: datetime) -> datetime:
        """Note that everything up to `moment` has been read; until when it now is.

        The mark never moves backwards.
        """
        row: Entity = {
            "PartitionKey": _partition(ours, theirs),
            "RowKey": READ_MARK,
            "readUpTo": iso(moment),
        }

        async def step() -> datetime:
            known = await self._tables.get(TABLE, row["PartitionKey"], READ_MARK)
            if known is None:
                if await self._tables.insert(TABLE, row) is None:
                    raise Changed
                return moment
            if known["readUpTo"] >= row["readUpTo"]:
                return from_iso(known["readUpTo"])
            await self._tables.merge(TABLE, row, etag=etag_of(known))
            return moment

        try:
            return await self._tables.change(step)
        except Changed:
            raise MarkBusy("Too many mark this conversation at once.") from None

    # Reading ----------------------------------------------------------------------------------

    async def newest(self, ours: str, theirs: str, *, after: str = "", limit: int) -> Stretch:
        """The newest `limit` messages past the key `after`, newest first; one query."""
        rows = await self._rows(_partition(ours, theirs), after or BEFORE_ALL, BEHIND_ALL, limit)
        entries = [_read(row) for row in rows]
        return Stretch(entries, entries[-1].key if len(entries) == limit else None)

    async def oldest(self, ours: str, theirs: str, *, after: str = "", limit: int) -> Stretch:
        """The oldest `limit` messages before the key `after`, oldest first.

        One query for a conversation of some hundred messages, a few for a longer one. Where they
        are spread so unevenly that it takes too many, fewer messages than wanted are found.
        """
        partition, high = _partition(ours, theirs), after or BEHIND_ALL

        async def window(low: str, most: int) -> list[Entity]:
            return await self._rows(partition, low, high, most)

        found = await Oldest(window, limit).find(high)
        entries = [_read(row) for row in reversed(found.rows)]
        if len(entries) > limit:
            entries = entries[:limit]
        if len(entries) == limit:
            return Stretch(entries, entries[-1].key)
        return Stretch(entries, found.end)

    async def last_outbound(
        self, ours: str, theirs: str, *, since: datetime, before: datetime
    ) -> Entry | None:
        """The last text that the sender sent the person in a span of time; one query."""
        rows = self._tables.query(
            TABLE,
            f"{_BETWEEN} and inbound eq false",
            page=1,
            partition=_partition(ours, theirs),
            low=behind(before),
            high=behind(since),
        )
        async for row in rows:
            return _read(row)
        return None

    async def head(self, ours: str, theirs: str, limit: int) -> Top:
        """The last messages and the read mark; one query."""
        rows = await self._rows(_partition(ours, theirs), "!", BEHIND_ALL, limit + 1)
        mark = None
        if rows and rows[0]["RowKey"] == READ_MARK:
            mark = from_iso(rows.pop(0)["readUpTo"])
        return Top([_read(row) for row in rows[:limit]], mark)

    async def spoken_after(self, ours: str, theirs: str, moment: datetime | None) -> bool:
        """Whether the person has said anything after a moment, or ever; one query."""
        rows = self._tables.query(
            TABLE,
            f"{_BETWEEN} and inbound eq true",
            page=1,
            select=["RowKey"],
            partition=_partition(ours, theirs),
            low=BEFORE_ALL,
            high=place(moment) if moment is not None else BEHIND_ALL,
        )
        async for _ in rows:
            return True
        return False

    async def _rows(self, partition: str, low: str, high: str, most: int) -> list[Entity]:
        found: list[Entity] = []
        rows = self._tables.query(
            TABLE, _BETWEEN, page=most, partition=partition, low=low, high=high
        )
        async for row in rows:
            found.append(row)
            if len(found) == most:
                break
        return found


def place(moment: datetime) -> str:
    """How the keys of a moment begin: later moments sort first."""
    return f"{_LAST - (moment - _EPOCH) // _MICROSECOND:018d}"


def behind(moment: datetime) -> str:
    """What sorts behind all keys of a moment, and before those of any earlier one."""
    return f"{place(moment)}~~"


def _partition(ours: str, theirs: str) -> str:
    return f"{key_part(ours)}|{key_part(theirs)}"


def _row(entry: Entry) -> Entity:
    return {
        "PartitionKey": _partition(entry.ours, entry.theirs),
        "RowKey": entry.key,
        "messageId": entry.message_id,
        "at": iso(entry.at),
        "inbound": entry.inbound,
        "entry": pack(
            {
                "from": entry.ours,
                "to": entry.theirs,
                "text": entry.text,
                "segments": entry.segments,
                "keyword": entry.keyword,
                "tag": entry.tag,
                "inReplyTo": entry.in_reply_to,
            }
        ),
    }


def _read(row: Entity) -> Entry:
    packed = unpack(row["entry"])
    return Entry(
        message_id=row["messageId"],
        ours=packed["from"],
        theirs=packed["to"],
        inbound=row["inbound"],
        text=packed["text"],
        at=from_iso(row["at"]),
        segments=packed["segments"],
        keyword=packed["keyword"],
        tag=packed["tag"],
        in_reply_to=packed["inReplyTo"],
    )
