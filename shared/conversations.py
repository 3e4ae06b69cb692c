"""Conversations: what two addresses have said to each other, in the order of time.

Partition `ours|theirs`, one row a message. Its key is the time, then the message's id: an id alone
would not do, since one that is derived from a caller's repeatability ids knows only whole seconds.
Every row follows from a recorded fact; writing one twice is once.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared import ids
from shared.clock import from_iso, iso
from shared.errors import InvalidRequest
from shared.keys import key_part
from shared.packing import pack, unpack
from shared.storage import Entity, Storage, every

TABLE: Final = "conversations"
_AT_ONCE: Final = 8
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_AFTER: Final = "PartitionKey eq @partition and RowKey gt @after"


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of a conversation.

    Attributes:
        message_id: ours.
        ours: the sender.
        theirs: the person's number.
        inbound: whether the person said it.
        text: what was said.
        at: when.
        segments: in how many pieces.
        keyword: the keyword it was read as, e.g. `STOP`.
        tag: the application's tag.
    """

    message_id: str
    ours: str
    theirs: str
    inbound: bool
    text: str
    at: datetime
    segments: int | None = None
    keyword: str | None = None
    tag: str | None = None

    @property
    def key(self) -> str:
        """Its place in the conversation; a page begins after one."""
        return f"{iso(self.at)}~{self.message_id}"


class Conversations:
    """The table of conversations."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def write(self, entry: Entry) -> None:
        """Write one entry; one operation."""
        await self._storage.put(TABLE, _row(entry))

    async def write_all(self, entries: Sequence[Entry]) -> None:
        """Write entries, a few at a time."""
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(entry: Entry) -> None:
            async with room:
                await self.write(entry)

        await every(*(one(entry) for entry in entries))

    async def read(self, ours: str, theirs: str, *, after: str, limit: int) -> list[Entry]:
        """Up to `limit` entries past the key `after`, oldest first."""
        entries: list[Entry] = []
        rows = self._storage.query(
            TABLE, _AFTER, page=limit, partition=_partition(ours, theirs), after=after
        )
        async for row in rows:
            entries.append(_read(row))
            if len(entries) == limit:
                break
        return entries


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
    )


def read_cursor(text: str | None) -> str:
    """The key after which a page begins, from a `nextLink`.

    Raises:
        InvalidRequest: if it is none of ours.
    """
    if text is None:
        return ""
    time, _, message_id = text.partition("~")
    if not _TIME.fullmatch(time) or ids.split_message_id(message_id) is None:
        raise InvalidRequest.of("after", "This is the key that a nextLink holds, unchanged.")
    return text
