"""What campaigns leave behind is forgotten after some time: rows, lists, who was texted when.

A bounded number of rows and lists each time: what is left over is there the next day, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.azure.blobs import Blobs
from shared.azure.storage import Changed
from shared.campaigns.campaign import OVER, Campaign
from shared.campaigns.store import CONTAINER, CampaignStore, Listed, index_key
from shared.limits.frequency_caps import FrequencyCaps

MOST_ROWS: Final = 100_000
MOST_LISTS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much was: campaigns as a whole, lists, and people of whom it was known when."""

    campaigns: int
    lists: int
    people: int


class Retention:
    """Forgets.

    Args:
        blobs: the lists.
        caps: who was texted when.
        kept: for how long.
        most_rows: rows that go at once, of campaigns and of people each.
        most_lists: lists that go at once.
    """

    def __init__(
        self,
        *,
        blobs: Blobs,
        store: CampaignStore,
        caps: FrequencyCaps,
        kept: timedelta,
        most_rows: int = MOST_ROWS,
        most_lists: int = MOST_LISTS,
    ) -> None:
        self._blobs = blobs
        self._store = store
        self._caps = caps
        self._kept = kept
        self._most_rows = most_rows
        self._most_lists = most_lists

    async def forget(self, now: datetime) -> Forgotten:
        """The daily work: campaigns that are over, then lists that none of the others is for."""
        before = now - self._kept
        room, campaigns = self._most_rows, 0
        used: set[str] = set()
        async for listed in self._store.listed():
            if listed.created_at < before and room > 0:
                rows, gone = await self._forget(listed, before, room)
                room -= rows
                campaigns += gone
                if gone:
                    continue
            used.add(listed.blob)
        lists = await self._forget_lists(used, before)
        return Forgotten(campaigns, lists, await self._caps.forget(now, self._most_rows))

    async def _forget(self, listed: Listed, before: datetime, room: int) -> tuple[int, bool]:
        """How many rows went, and whether nothing is left."""
        rows = 0
        campaign = await self._store.get(listed.campaign_id)
        try:
            # Else it never came to be, its rows went and this one did not, or its id is another's.
            if campaign is not None and index_key(campaign) == listed.key:
                if not _ended_before(campaign, before):
                    return 0, False
                rows = await self._store.empty(campaign.campaign_id, room)
                if rows == room:
                    return rows, False
                # After the others: while it is there, nobody can have its id, and so its rows.
                await self._store.remove(campaign)
            await self._store.unlist(listed)
        except Changed:
            return rows, False
        return rows + 2, True

    async def _forget_lists(self, used: set[str], before: datetime) -> int:
        count = 0
        async for blob in self._blobs.list(CONTAINER):
            if count == self._most_lists:
                break
            if blob.modified >= before or blob.name in used:
                continue
            try:
                await self._blobs.delete(CONTAINER, blob.name, unmodified_since=before)
            except Changed:
                continue
            count += 1
        return count


def _ended_before(campaign: Campaign, moment: datetime) -> bool:
    ended = max(campaign.finished_at or campaign.start, campaign.created_at)
    return campaign.phase in OVER and ended < moment
