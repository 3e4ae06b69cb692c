"""The pump of a campaign: it gives chunks their places in time, a little ahead, and sees to them.

It runs at least every thirty seconds while the campaign does, and makes three rounds in one:

- chunks that have no place yet get one, as far as three quarters of a minute ahead, so that what
  leaves without waiting shifts what follows;
- chunks that a pause or an error held up get another one;
- chunks that are not done 45 seconds after their moment get another one: their process died, or
  their message was lost. Again after 2 and 4 minutes, unless the queue has not come to them; the
  campaign is paused when a fifth place would be needed.

What it decides is one transaction with the campaign's own row, under its ETag: a pump that another
one has overtaken changes nothing, and a place that it reserved is lost to nobody but the sender's
time. The messages follow the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.base.clock import iso
from shared.base.tasks import few_at_once
from shared.campaigns.campaign import Campaign, Chunk, Fate, Piece
from shared.campaigns.chunk_sender import AHEAD
from shared.campaigns.chunking import lead
from shared.campaigns.store import CampaignStore
from shared.jobs.due import HORIZON
from shared.limits.pacing import Pacing
from shared.messages.parts import Parts

CHUNK: Final = "campaign.chunk"
EVERY: Final = timedelta(seconds=30)
# A pump's places reach until the next pump has surely run.
_REACH: Final = timedelta(seconds=45)
_AGAIN_AFTER: Final = (
    timedelta(seconds=45),
    timedelta(minutes=2),
    timedelta(minutes=4),
    timedelta(minutes=8),
)
MOST_PLACES: Final = len(_AGAIN_AFTER)
_NEW_AT_ONCE: Final = 64
_OLD_AT_ONCE: Final = 32


@dataclass(frozen=True, slots=True)
class Pumped:
    """What a run of the pump came to.

    Attributes:
        campaign: as it is then.
        given_up: a chunk that would have needed a fifth place; None if there is none.
        all_done: whether every chunk is done.
        next_at: when the next chunk can get its place at the earliest; None if that is not known.
        more: whether there are further chunks to place now.
    """

    campaign: Campaign
    given_up: Chunk | None
    all_done: bool
    next_at: datetime | None = None
    more: bool = False


def is_overdue(chunk: Chunk, now: datetime) -> bool:
    """Whether a chunk that has a place should have been done, and no run of it is alive."""
    if chunk.is_busy(now):
        return False
    if chunk.slot is None:
        return True
    return chunk.placed > 0 and now >= chunk.slot + _AGAIN_AFTER[min(chunk.placed, MOST_PLACES) - 1]


def had_its_turn(chunk: Chunk, first_visible: datetime | None) -> bool:
    """Whether the queue has come past a chunk's message.

    Args:
        chunk: one that has a place.
        first_visible: when the queue's first message became visible; None if there is none.
    """
    if chunk.slot is None or first_visible is None:
        return True
    return first_visible > chunk.slot - AHEAD


class Pump:
    """Places chunks.

    Args:
        parts: shared ones.
        store: the rows.
        pacing: when a sender is free.
        lease: how long after its moment a chunk that was held up counts as under way.
    """

    def __init__(
        self, parts: Parts, *, store: CampaignStore, pacing: Pacing, lease: timedelta
    ) -> None:
        self._clock = parts.clock
        self._dispatch = parts.dispatch
        self._senders = parts.senders
        self._store = store
        self._pacing = pacing
        self._lease = lease

    async def run(self, campaign: Campaign) -> Pumped:
        """Give the next chunks their places, and others another one.

        Raises:
            Changed: the campaign was changed meanwhile; nothing has been decided.
        """
        now = self._clock()
        end = campaign.next + _NEW_AT_ONCE
        chunks = [c async for c in self._store.chunks(campaign.campaign_id, campaign.low, end)]
        low = next((c.piece.number for c in chunks if c.fate is not Fate.DONE), campaign.chunks)
        old = [c for c in chunks if c.fate is not Fate.DONE and c.piece.number < campaign.next]
        overdue = await self._overdue(old, now)
        spent = next((c for c in overdue if c.placed >= MOST_PLACES), None)
        if spent is not None:
            return Pumped(campaign, spent, all_done=False)
        held_up = [c for c in old if c.fate in {Fate.PARKED, Fate.FAILED}]
        soon = [c for c in old if c.slot and not c.placed and c.slot <= now + _REACH]
        placed = [replace(chunk, placed=1) for chunk in soon]
        for chunk in [*held_up, *overdue][:_OLD_AT_ONCE]:
            slot = await self._reserve(campaign, chunk.piece, now)
            if chunk in held_up:
                opened = replace(chunk, fate=Fate.OPEN, tries=0, busy_until=slot + self._lease)
                placed.append(_placed(opened, slot, 1, now))
            else:
                placed.append(_placed(chunk, slot, chunk.placed + 1, now))
        campaign, fresh, next_at = await self._place_new(replace(campaign, low=low), chunks, now)
        placed += fresh
        campaign = await self._store.commit_places(campaign, placed)
        await self.send_messages(campaign, [chunk for chunk in placed if chunk.placed])
        more = next_at is None and campaign.next < campaign.chunks
        return Pumped(campaign, None, low >= campaign.chunks, next_at, more)

    async def _overdue(self, chunks: Sequence[Chunk], now: datetime) -> list[Chunk]:
        found = [c for c in chunks if c.fate is Fate.OPEN and is_overdue(c, now)]
        if not found:
            return []
        head = await self._dispatch.first_visible()
        return [chunk for chunk in found if had_its_turn(chunk, head)]

    async def _place_new(
        self, campaign: Campaign, chunks: Sequence[Chunk], now: datetime
    ) -> tuple[Campaign, list[Chunk], datetime | None]:
        """The campaign with the chunks that get their first place, and when the next one may."""
        fresh: list[Chunk] = []
        for chunk in chunks:
            if chunk.piece.number < campaign.next:
                continue
            earliest = self._earliest(campaign, chunk.piece)
            if earliest > now + _REACH:
                return campaign, fresh, earliest
            slot = await self._reserve(campaign, chunk.piece, now)
            fresh.append(_placed(chunk, slot, 1, now))
            campaign = replace(campaign, next=chunk.piece.number + 1, last_slot=slot)
            if slot > now + _REACH:
                return campaign, fresh, slot
        return campaign, fresh, None

    def _earliest(self, campaign: Campaign, piece: Piece) -> datetime:
        """Before which a chunk does not leave, whoever is free."""
        if campaign.definition.spread is None:
            return campaign.start
        rates = {s: self._senders[s].rate_per_minute for s in campaign.totals.segments}
        whole = lead(campaign.totals.segments, rates)
        return campaign.start + campaign.definition.spread * (piece.lead / whole if whole else 0.0)

    async def _reserve(self, campaign: Campaign, piece: Piece, now: datetime) -> datetime:
        """Reserve a chunk's time."""
        # Never so soon that the message cannot be there in time: what leaves late leaves too close
        # to what follows.
        earliest = max(self._earliest(campaign, piece), now + AHEAD)
        moments = [
            await self._pacing.reserve(sender, units, not_before=earliest)
            for sender, units in piece.segments.items()
        ]
        return max(moments, default=earliest)

    async def send_messages(self, campaign: Campaign, chunks: Sequence[Chunk]) -> None:
        """Put the messages of chunks that have a place where they become visible in time."""

        async def one(chunk: Chunk) -> None:
            slot = chunk.slot or self._clock()
            await self._dispatch.at(slot - AHEAD, chunk_message(campaign, chunk, slot))

        await few_at_once(one, chunks)


def _placed(chunk: Chunk, slot: datetime, count: int, now: datetime) -> Chunk:
    """A chunk with its place; without a message yet, where that is far."""
    return replace(chunk, slot=slot, placed=count if slot - now <= HORIZON else 0)


def chunk_message(campaign: Campaign, chunk: Chunk, slot: datetime) -> dict[str, object]:
    """The message of a chunk that has a place in time."""
    message = {"kind": CHUNK, "campaignId": campaign.campaign_id, "slot": iso(slot)}
    return {**message, **chunk.piece.to_json(), "tries": chunk.tries}
