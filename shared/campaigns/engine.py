"""How a campaign runs: five kinds of message on the `dispatch` queue, no scheduler.

    campaign.expand   reads the list once, from beginning to end, and writes down its chunks
    campaign.pump     gives the next chunks their place in time, a little ahead, and follows itself
    campaign.chunk    sends one chunk, at its moment
    campaign.unpark   puts back the chunks that a pause or an error held up
    campaign.finish   sees that all is done

Each can be done twice. A chunk's sends have ids that derive from the campaign, the chunk, the
sender and the text, and from the chunk's nominal moment, so that a chunk done again meets its own
first sends. A pump that has been overtaken by another one drops itself. Places in time are reserved
only half a minute ahead, so that what leaves without waiting shifts what follows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from shared.base import log
from shared.base.clock import iso
from shared.base.errors import Unintelligible
from shared.campaigns.campaign import OVER, Campaign, Chunk, Fate, Phase, Piece
from shared.campaigns.chunk_sender import AHEAD, ChunkSender
from shared.campaigns.chunking import lead
from shared.campaigns.counting import Counting
from shared.campaigns.eta import EtaEstimator
from shared.campaigns.expansion import Expanded, Expansion
from shared.campaigns.store import CampaignStore
from shared.jobs.dispatch import Work
from shared.limits.pacing import Pacing
from shared.messages.parts import Parts
from shared.rules.message_states import State

_HORIZON: Final = timedelta(seconds=30)
_PUMPED_AT_ONCE: Final = 64
_MOST_TRIES_UNBORN: Final = 8
_LONGEST_LOOK: Final = 60
# A message that is under way comes back within its lease of ten minutes, or is put back for five.
_OVERDUE: Final = timedelta(minutes=20)


class Engine:
    """Does the campaigns' work.

    Args:
        parts: shared ones; messages wait in `dispatch`.
        expansion: what reads the lists.
        eta: when the last text leaves.
        chunks: what sends them.
        counting: what became of them.
        pacing: when a sender is free.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        store: CampaignStore,
        expansion: Expansion,
        eta: EtaEstimator,
        chunks: ChunkSender,
        counting: Counting,
        pacing: Pacing,
    ) -> None:
        self._clock = parts.clock
        self._dispatch = parts.dispatch
        self._senders = parts.senders
        self._store = store
        self._expansion = expansion
        self._eta = eta
        self._chunks = chunks
        self._counting = counting
        self._pacing = pacing

    def works(self) -> dict[str, Work]:
        """Who does which kind of message."""
        return {
            "campaign.expand": self._understood(self.expand),
            "campaign.pump": self._understood(self.pump),
            "campaign.chunk": self._understood(self._chunks.send_chunk),
            "campaign.unpark": self._understood(self.unpark),
            "campaign.finish": self._understood(self.finish),
        }

    def _understood(self, work: Callable[[Mapping[str, Any]], Awaitable[None]]) -> Work:
        async def tried(message: Mapping[str, Any]) -> None:
            try:
                await work(message)
            except KeyError as error:
                raise Unintelligible("a campaign's message without a member") from error

        return tried

    async def _tell(
        self, kind: str, campaign_id: str, moment: datetime | None = None, **members: Any
    ) -> None:
        message = {"kind": f"campaign.{kind}", "campaignId": campaign_id, **members}
        await self._dispatch.at(moment or self._clock(), message)

    # Beginning ----------------------------------------------------------------------------------

    async def begin(self, campaign: Campaign) -> bool:
        """Start a campaign. False if its id is taken."""
        await self._store.list_in_index(campaign)
        # First, so that a crash after the row leaves no campaign that nobody works on.
        soon = self._clock() + timedelta(seconds=1)
        await self._tell("expand", campaign.campaign_id, soon, attempt=campaign.attempt)
        return await self._store.insert(campaign)

    async def expand(self, message: Mapping[str, Any]) -> None:
        """Read the list once and write its chunks down."""
        campaign = await self._store.get(message["campaignId"])
        if campaign is None and int(message.get("tries", 0)) < _MOST_TRIES_UNBORN:
            await self._dispatch.again(message, 1)
        if campaign is None or campaign.attempt != message["attempt"]:
            return
        if not campaign.expanded and campaign.phase not in OVER:
            found = await self._expansion.expand(campaign)
            if found is None:
                return
            campaign = await self._note_expanded(campaign, found)
        if campaign is not None and campaign.phase not in OVER:
            await self._tell("pump", campaign.campaign_id, campaign.start, next=campaign.next)

    async def _note_expanded(self, campaign: Campaign, found: Expanded) -> Campaign | None:
        totals, chunks, nobody = found
        eta = await self._eta.estimate(campaign.definition, totals.segments, campaign.start)

        def expanded(known: Campaign) -> Campaign | None:
            if known.expanded:
                return None
            phase = Phase.RUNNING if known.phase is Phase.PREPARING else known.phase
            grown = replace(
                known, expanded=True, totals=totals, chunks=chunks, eta=eta, phase=phase
            )
            if nobody is None:
                return grown
            now = self._clock()
            return replace(grown, phase=Phase.FAILED, reason=nobody, finished_at=now)

        log.event(
            "campaign.expanded",
            campaignId=campaign.campaign_id,
            recipients=totals.recipients,
            refused=totals.refused,
            duplicates=totals.duplicates,
            chunks=chunks,
        )
        return await self._store.change(campaign.campaign_id, expanded)

    # Going on -----------------------------------------------------------------------------------

    async def pump(self, message: Mapping[str, Any]) -> None:
        """Give the next chunks their place in time."""
        campaign = await self._store.get(message["campaignId"])
        at = int(message["next"])
        if campaign is None or campaign.phase is not Phase.RUNNING or at < campaign.next:
            return
        slot = campaign.last_slot or campaign.start
        for piece in await self._store.pieces(campaign.campaign_id, at, _PUMPED_AT_ONCE):
            slot = await self._place(campaign, piece)
            at = piece.number + 1
            if slot > self._clock() + _HORIZON:
                break
        # The successor before the row: a crash in between leaves one pump too many, not none.
        if at < campaign.chunks:
            await self._tell("pump", campaign.campaign_id, slot - _HORIZON / 2, next=at)
        else:
            await self._tell("finish", campaign.campaign_id, slot + timedelta(seconds=1))
        end = at

        def moved(known: Campaign) -> Campaign | None:
            return replace(known, next=end, last_slot=slot) if known.next < end else None

        await self._store.change(campaign.campaign_id, moved)

    async def _place(self, campaign: Campaign, piece: Piece) -> datetime:
        """Reserve a chunk's time and put its message there."""
        earliest = campaign.start
        if campaign.definition.spread is not None:
            rates = {s: self._senders[s].rate_per_minute for s in campaign.totals.segments}
            whole = lead(campaign.totals.segments, rates)
            earliest += campaign.definition.spread * (piece.lead / whole if whole else 0.0)
        # Never so soon that the message cannot be there in time: what leaves late leaves too close
        # to what follows.
        earliest = max(earliest, self._clock() + AHEAD)
        moments = [
            await self._pacing.reserve(sender, units, not_before=earliest)
            for sender, units in piece.segments.items()
        ]
        slot = max(moments, default=earliest)
        await self._tell(
            "chunk", campaign.campaign_id, slot - AHEAD, slot=iso(slot), **piece.to_json()
        )
        return slot

    async def unpark(self, message: Mapping[str, Any]) -> None:
        """Give chunks that a pause or an error held up, or whose message was lost, a new place."""
        campaign = await self._store.get(message["campaignId"])
        if campaign is None or campaign.phase is not Phase.RUNNING:
            return
        now = self._clock()
        overdue = campaign.last_slot is not None and now - campaign.last_slot > _OVERDUE
        async for chunk in self._store.chunks(campaign.campaign_id):
            placed = overdue and chunk.piece.number < campaign.next
            # One whose run is alive, or is to come, is slow and not lost.
            lost = chunk.fate is Fate.OPEN and placed and not chunk.is_busy(now)
            if lost or chunk.fate in {Fate.PARKED, Fate.FAILED}:
                # Placed first: where this breaks off, it is found again and has two messages at
                # worst, of which the second meets the run of the first.
                slot = await self._place(campaign, chunk.piece)
                until = slot + self._chunks.lease
                await self._store.reopen(campaign.campaign_id, chunk, until)

    async def finish(self, message: Mapping[str, Any]) -> None:
        """See that all is done; look again later if it is not."""
        campaign = await self._store.get(message["campaignId"])
        if campaign is None or campaign.phase is not Phase.RUNNING:
            return
        last = campaign.start
        async for chunk in self._store.chunks(campaign.campaign_id):
            if chunk.fate is not Fate.DONE or await self._waits(campaign, chunk):
                await self._look_again(message)
                return
            last = max(last, chunk.done_at or last)

        def done(known: Campaign) -> Campaign | None:
            if known.phase is not Phase.RUNNING:
                return None
            return replace(known, phase=Phase.DONE, finished_at=last)

        await self._store.change(campaign.campaign_id, done)
        log.event("campaign.done", campaignId=campaign.campaign_id)

    async def _waits(self, campaign: Campaign, chunk: Chunk) -> bool:
        """Whether somebody of a chunk still waits for their hours."""
        if not chunk.counts.get(State.SCHEDULED):
            return False
        counted = await self._counting.count_chunk(campaign.campaign_id, chunk)
        return bool(counted.counts.get(State.SCHEDULED))

    async def _look_again(self, message: Mapping[str, Any]) -> None:
        looks = int(message.get("looks", 0)) + 1
        pause = timedelta(seconds=min(2**looks, _LONGEST_LOOK))
        await self._dispatch.at(self._clock() + pause, {**message, "looks": looks})
