"""What is kept of people's messages no longer than the settings say.

- Months of messages go as whole tables, the oldest first, once all in them is over: neither young
  enough nor of a send whose moment is yet to come.
- What speaks of them goes with them: entries of conversations, the list of conversations, what
  failed too often, what was not understood.

The ledger and the counts stay. Whoever is killed in between has the next night do the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.azure.blobs import Blobs
from shared.azure.storage import Changed
from shared.azure.sweeping import sweep
from shared.azure.tables import Tables
from shared.base import ids, log
from shared.base.clock import iso
from shared.conversations import entries, index
from shared.conversations.entries import place
from shared.conversations.erasing import ConversationErasing
from shared.jobs import poison
from shared.receiving import quarantine

# Nothing is under way for longer that counts are made of.
FEWEST_DAYS: Final = 31
_MONTH: Final = f"{ids.MONTH_TABLES}%Y%m"
# Of a send that is yet to leave; of others this is empty or long ago.
_STILL_TO_COME: Final = "sendAt ge @since"


@dataclass(frozen=True, slots=True)
class DroppedMessages:
    """What went: months of messages, entries of conversations, and what lay aside."""

    months: int = 0
    entries: int = 0
    aside: int = 0


class MessageRetention:
    """Drops what is old.

    Args:
        blobs: where the quarantine is.
        conversations: knows all senders.
        kept: for how long; None for ever.
    """

    def __init__(
        self,
        tables: Tables,
        blobs: Blobs,
        conversations: ConversationErasing,
        kept: timedelta | None,
    ) -> None:
        self._tables = tables
        self._blobs = blobs
        self._conversations = conversations
        self._kept = kept

    async def drop_old(self, now: datetime) -> DroppedMessages:
        """The nightly work. Doing it again does what was left.

        Raises:
            StorageDown: the next night does the rest.
        """
        if self._kept is None:
            return DroppedMessages()
        since = now - self._kept
        months = await self._drop_months(since)
        # As far back as there may still be messages of which these speak, they stay.
        first = since.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        gone = await sweep(self._tables, entries.TABLE, "at lt @before", before=iso(first))
        for ours in await self._conversations.senders():
            await sweep(
                self._tables,
                index.TABLE,
                "PartitionKey eq @ours and RowKey gt @low",
                ours=ours,
                low=place(first),
            )
        aside = await sweep(self._tables, poison.TABLE, "failedAt lt @before", before=iso(since))
        aside += await self._drop_quarantined(since)
        return DroppedMessages(months, gone, aside)

    async def _drop_months(self, since: datetime) -> int:
        count = 0
        for table in sorted(await self._tables.tables(ids.MONTH_TABLES)):
            if _end_of(table) > since:
                break
            if await self._is_awaited(table, since):
                # The nights to come ask again.
                log.event("retention.month_awaited", table=table)
                continue
            await self._tables.drop_table(table)
            log.event("retention.month_dropped", table=table)
            count += 1
        return count

    async def _is_awaited(self, table: str, since: datetime) -> bool:
        found = self._tables.query(
            table, _STILL_TO_COME, page=1, select=["RowKey"], since=iso(since)
        )
        async for _ in found:
            return True
        return False

    async def _drop_quarantined(self, since: datetime) -> int:
        count = 0
        async for blob in self._blobs.list(quarantine.CONTAINER):
            if blob.modified < since:
                try:
                    await self._blobs.delete(
                        quarantine.CONTAINER, blob.name, unmodified_since=since
                    )
                except Changed:
                    # It has come once more.
                    continue
                count += 1
        return count


def _end_of(table: str) -> datetime:
    """When the month of a table is over."""
    month = datetime.strptime(table, _MONTH).replace(tzinfo=UTC)
    return (month + timedelta(days=32)).replace(day=1)
