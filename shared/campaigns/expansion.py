"""Expanding a campaign: reading its list, once and as a whole, and writing its chunks down."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from shared.azure.storage import Changed
from shared.base.errors import InvalidRequest
from shared.campaigns.campaign import OVER, Campaign, Phase, Totals
from shared.campaigns.chunk_sender import REPLACED
from shared.campaigns.chunking import Cutter
from shared.campaigns.recipients import Recipients, read_recipients
from shared.campaigns.store import MOST_REFUSED_KEPT, CampaignStore
from shared.messages.parts import Parts
from shared.sending.timetable import Timetable

_CHUNKS_A_WRITE: Final = 50
# Whoever reads a list says so in the campaign's row, and again as it goes on: for less than the
# minute after which the campaign's work is queued again, so that a death is seen as one.
_BUSY_FOR: Final = timedelta(seconds=45)
_TELLS_EVERY: Final = timedelta(seconds=15)


class Expanded(NamedTuple):
    """What a list came to.

    Attributes:
        totals: its rows.
        chunks: how many were written down.
        nobody: why it texts nobody; None if it texts somebody.
    """

    totals: Totals
    chunks: int
    nobody: str | None


class Expansion:
    """Expands campaigns.

    Args:
        parts: shared ones; the lists are blobs.
        store: where chunks are written down.
        timetable: who must wait.
    """

    def __init__(self, parts: Parts, *, store: CampaignStore, timetable: Timetable) -> None:
        self._clock = parts.clock
        self._blobs = parts.blobs
        self._senders = parts.senders
        self._store = store
        self._timetable = timetable

    async def expand(self, campaign: Campaign) -> Expanded | None:
        """Write down the chunks of a campaign and its refused lines.

        Returns:
            what the list comes to; None if the campaign ended meanwhile, or fails because its
            list was replaced or cannot be read.
        """
        recipients = Recipients(
            campaign.definition,
            self._senders,
            timetable=self._timetable,
            start=campaign.start,
        )
        cutter = Cutter(campaign.definition, self._senders)
        kept = 0
        told = await self._tell(campaign.campaign_id)
        try:
            async for row, judged in read_recipients(self._blobs, campaign.definition, recipients):
                cutter.add_row(row, judged)
                if len(cutter.pieces) < _CHUNKS_A_WRITE and len(cutter.refused) < _CHUNKS_A_WRITE:
                    continue
                kept = await self._write(campaign.campaign_id, cutter, kept)
                known = await self._store.get(campaign.campaign_id)
                if known is None or known.phase in OVER or known.expanded:
                    return None
                if self._clock() - told > _TELLS_EVERY:
                    told = await self._tell(campaign.campaign_id)
        except Changed:
            await self._fail(campaign, REPLACED)
            return None
        except InvalidRequest as error:
            await self._fail(campaign, str(error))
            return None
        cutter.finish()
        await self._write(campaign.campaign_id, cutter, kept)
        totals = cutter.totals()
        return Expanded(totals, cutter.number, None if totals.recipients else cutter.why_nobody())

    async def _tell(self, campaign_id: str) -> datetime:
        """Say that somebody is reading the list; when that was said."""
        now = self._clock()
        await self._store.change(campaign_id, partial(replace, busy_until=now + _BUSY_FOR))
        return now

    async def _fail(self, campaign: Campaign, reason: str) -> None:
        await self._store.stop(campaign.campaign_id, Phase.FAILED, reason, self._clock())

    async def _write(self, campaign_id: str, cutter: Cutter, kept: int) -> int:
        room = max(0, MOST_REFUSED_KEPT - kept)
        await self._store.write_expansion(campaign_id, cutter.pieces, cutter.refused[:room])
        kept += len(cutter.refused)
        cutter.pieces.clear()
        cutter.refused.clear()
        return kept
