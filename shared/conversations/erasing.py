"""Erasing a person in conversations: the way to their messages, then gone.

First each entry of the person says nothing any more but its message id (`Kind.ERASED`, shown to
nobody), so that what comes later finds the same messages again. Once the erasure is final the
entries go, and the read mark with them. Each is changed under its ETag; doing it again does the
rest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from shared.azure.packing import pack, unpack
from shared.azure.storage import Changed, StorageDown
from shared.azure.sweeping import sweep
from shared.azure.table_keys import key_part
from shared.azure.tables import Entity, Tables, etag_of
from shared.base.clock import from_iso
from shared.conversations import index
from shared.conversations.entries import BEFORE_ALL, BEHIND_ALL, TABLE, Kind, place, row_key
from shared.conversations.index import minute_of
from shared.conversations.pending import PendingSends
from shared.rules.conversation_ids import ConversationIds
from shared.rules.whom import Whom

_BETWEEN: Final = "PartitionKey eq @partition and RowKey gt @low and RowKey lt @high"
_INDEXED: Final = "PartitionKey eq @ours and RowKey ge @low and RowKey lt @high"
_EMPTY: Final = dict.fromkeys(("text", "segments", "keyword", "tag", "inReplyTo"))
_EVER: Final = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


class ConversationErasing:
    """Erases a person's conversations.

    Args:
        ids: of this deployment.
        pending: sends to many whose entries are yet to be written.
    """

    def __init__(self, tables: Tables, ids: ConversationIds, pending: PendingSends) -> None:
        self._tables = tables
        self._ids = ids
        self._pending = pending

    async def senders(self) -> list[str]:
        """All senders that have ever spoken, of the settings or not: one query for each."""
        found: list[str] = []
        last = ""
        while True:
            rows = self._tables.query(
                index.TABLE, "PartitionKey gt @last", page=1, select=["PartitionKey"], last=last
            )
            async for row in rows:
                last = row["PartitionKey"]
                break
            else:
                return found
            found.append(last)

    async def messages(self, ours: str, whom: Whom) -> AsyncIterator[tuple[str, Entity | None]]:
        """Ids of the messages of a sender and a person, with their entries where there are any.

        One query for the entries, and one for sends to many that have none yet.
        """
        for text in await self._pending.texts_to(
            ours, whom.address, since=_EVER, before=whom.up_to
        ):
            yield text.message_id, None
        rows = self._tables.query(TABLE, _BETWEEN, **self._range(ours, whom))
        async for row in rows:
            if self._is_theirs(row, ours, whom):
                yield row["messageId"], row

    async def blank(self, row: Entity, whom: Whom) -> bool:
        """Have an entry say nothing any more, and the list of conversations not name the person.

        Whether that was still to be done.

        Raises:
            StorageDown: repeating is safe.
        """
        await self._blank_in_index(row["ours"], minute_of(from_iso(row["at"])), whom)
        if row["kind"] == Kind.ERASED:
            return False
        members = {
            "PartitionKey": row["PartitionKey"],
            "RowKey": row["RowKey"],
            "kind": str(Kind.ERASED),
            "theirs": "",
            "entry": pack(_EMPTY),
        }
        try:
            await self._tables.merge(TABLE, members, etag=etag_of(row))
        except Changed:
            raise StorageDown("An entry is being changed.") from None
        return True

    async def drop(self, ours: str, whom: Whom) -> int:
        """Drop the entries that say nothing any more, and the mark of what was read; how many."""
        low, high = self._range(ours, whom)["low"], self._range(ours, whom)["high"]
        conversation = self._ids.of(ours, whom.address)
        gone = await sweep(
            self._tables,
            TABLE,
            f"{_BETWEEN} and ours eq @ours and kind eq 'erased'",
            partition=conversation.partition,
            low=low,
            high=high,
            ours=ours,
        )
        if await self._is_empty(ours, whom):
            await sweep(
                self._tables,
                TABLE,
                "PartitionKey eq @partition and RowKey eq @row",
                partition=conversation.partition,
                row=row_key(conversation, "!read"),
            )
        return gone

    async def _is_empty(self, ours: str, whom: Whom) -> bool:
        async for _ in self._tables.query(TABLE, _BETWEEN, page=1, **self._range(ours, whom)):
            return False
        return True

    async def _blank_in_index(self, ours: str, minute: datetime, whom: Whom) -> None:
        """Take the person out of the rows of one minute."""

        async def step() -> None:
            low = f"{place(minute)}~"
            rows = self._tables.query(
                index.TABLE, _INDEXED, ours=key_part(ours), low=low, high=low + BEHIND_ALL
            )
            async for row in rows:
                persons = unpack(row["persons"])
                left = [one for one in persons if not self._is_erased(one, whom)]
                if len(left) < len(persons):
                    keys = {name: row[name] for name in ("PartitionKey", "RowKey")}
                    await self._tables.merge(
                        index.TABLE, keys | {"persons": pack(left)}, etag=etag_of(row)
                    )

        try:
            await self._tables.change(step)
        except Changed:
            raise StorageDown("The list of conversations is being changed all the time.") from None

    @staticmethod
    def _is_erased(spoken: list[str], whom: Whom) -> bool:
        theirs, at = spoken
        return whom.has(theirs) and at >= place(whom.up_to)

    @staticmethod
    def _is_theirs(row: Entity, ours: str, whom: Whom) -> bool:
        if row["ours"] != ours:
            return False
        if row["kind"] == Kind.ERASED:
            return True
        return whom.has(row["theirs"])

    def _range(self, ours: str, whom: Whom) -> dict[str, Any]:
        conversation = self._ids.of(ours, whom.address)
        return {
            "partition": conversation.partition,
            "low": row_key(conversation, BEFORE_ALL),
            "high": row_key(conversation, BEHIND_ALL),
        }
