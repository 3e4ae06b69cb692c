"""How a campaign runs: a row in the table `due`, and a message for each chunk.

The row `campaign~{campaignId}` (`shared.jobs.due`) is there before the campaign and goes when it is
over. Each time that it is due it does what comes next: it reads the list, once, from beginning to
end, and writes down its chunks; then, at least every thirty seconds, it gives chunks their places
in time (`shared.campaigns.pump`); when all are done, it sees whether somebody still waits, and ends
the campaign. While the campaign is paused it looks every five minutes; a resume writes a new row.

A chunk's message on the queue `dispatch` sends it at its moment (`shared.campaigns.chunk_sender`).
Its sends have ids that derive from the campaign, the chunk, the sender and the text, and from the
chunk's nominal moment, so that a chunk done again meets its own first sends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from shared.azure import telemetry
from shared.azure.storage import Changed
from shared.base import log
from shared.campaigns.campaign import OVER, Campaign, Chunk, Fate, Phase
from shared.campaigns.counting import Counting
from shared.campaigns.eta import EtaEstimator
from shared.campaigns.expansion import Expanded, Expansion
from shared.campaigns.pump import CHUNK, EVERY, Pump
from shared.campaigns.store import CampaignStore
from shared.jobs.due import Due, Standing, names_here
from shared.jobs.due_table import DueTable
from shared.jobs.due_worker import Met, PutOff
from shared.messages.parts import Parts
from shared.rules.message_states import State

# The kind of work that a campaign is.
CAMPAIGN: Final = "campaign"
_PAUSED_FOR: Final = timedelta(minutes=5)
_SOON: Final = timedelta(seconds=1)
_LONGEST_LOOK: Final = 60
# Rounds of the pump in one run, each of so many chunks as a transaction takes.
_MOST_ROUNDS: Final = 16
_GIVEN_UP: Final = (
    "Parley gave it up: its process ended each time that the list was read or chunks were placed."
    " Resume it once the reason is mended."
)
_CHUNK_GIVEN_UP: Final = (
    "Parley gave a chunk up that was not done although it was tried four times: its process ended"
    " each time. Resume the campaign once the reason is mended."
)


class Engine:
    """Does the due work of kind `campaign`.

    Args:
        parts: shared ones.
        store: the rows.
        expansion: what reads the lists.
        eta: when the last text leaves.
        counting: what became of chunks.
        pump: what places them.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        store: CampaignStore,
        expansion: Expansion,
        eta: EtaEstimator,
        counting: Counting,
        pump: Pump,
    ) -> None:
        self._clock = parts.clock
        self._due: DueTable = parts.jobs.due
        self._store = store
        self._expansion = expansion
        self._eta = eta
        self._counting = counting
        self._pump = pump

    # Beginning and going on ---------------------------------------------------------------------

    async def begin(self, campaign: Campaign) -> bool:
        """Start a campaign. False if its id is taken."""
        await self._store.list_in_index(campaign)
        now = self._clock()
        insert = partial(self._store.insert, replace(campaign, due_at=now))
        return await self._due.begin(Due(CAMPAIGN, campaign.campaign_id, now), insert)

    async def wake(
        self, campaign_id: str, moment: datetime, write: Callable[[], Awaitable[Campaign]]
    ) -> Campaign:
        """Have a campaign that is there do what comes next, from a moment on.

        Args:
            campaign_id: which.
            moment: now.
            write: has its row name that moment.
        """
        return await self._due.begin(Due(CAMPAIGN, campaign_id, moment), write)

    # Its work -----------------------------------------------------------------------------------

    async def meet(self, work_id: str) -> Met[Campaign] | None:
        """The campaign as its row has it; None if it is not there."""
        campaign = await self._store.get(work_id)
        if campaign is None:
            return None
        busy = campaign.busy_until is not None and self._clock() < campaign.busy_until
        return Met(Standing(campaign.due_at, lives=busy and not campaign.expanded), campaign)

    async def run(self, found: Campaign, due: Due) -> PutOff | None:
        """Do what comes next, and say when to look again; None once the campaign is over."""
        campaign: Campaign | None = found
        if found.phase not in OVER and found.phase is not Phase.PAUSED and not found.expanded:
            campaign = await self._expand(found)
        now = self._clock()
        if campaign is None or campaign.phase in OVER:
            return None
        if campaign.phase is Phase.PAUSED:
            return PutOff(now + _PAUSED_FOR, "campaignPaused")
        if campaign.start > now + _SOON:
            return PutOff(campaign.start, "startAt")
        try:
            return await self._go_on(campaign, due)
        except Changed:
            # Paused, resumed or pumped by somebody else meanwhile.
            return PutOff(now + _SOON, "changed", due.tries + 1)

    async def name(self, due: Due, later: Due) -> None:
        """Have the campaign, which names `due`, name `later` in its place.

        Raises:
            Changed: it names another one.
            CampaignBusy: others were always faster.
        """

        def named(known: Campaign) -> Campaign | None:
            here = known.due_at is not None and names_here(due, known.due_at)
            return replace(known, due_at=later.moment) if here else None

        changed = await self._store.change(due.work_id, named)
        if changed is None or changed.due_at != later.moment:
            raise Changed

    async def give_up(self, found: Campaign, due: Due) -> None:  # noqa: ARG002  # as every job
        """Pause a campaign that has ended its process time and again."""
        await self._store.stop(found.campaign_id, Phase.PAUSED, _GIVEN_UP, self._clock())

    # Reading the list ---------------------------------------------------------------------------

    async def _expand(self, campaign: Campaign) -> Campaign | None:
        """The campaign once its list is read and its chunks are there; None if it is gone."""
        found = await self._expansion.expand(campaign)
        if found is None:
            return await self._store.get(campaign.campaign_id)
        return await self._note_expanded(campaign, found)

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

    # Sending it ---------------------------------------------------------------------------------

    async def _go_on(self, campaign: Campaign, due: Due) -> PutOff | None:
        pumped = await self._pump.run(campaign)
        for _ in range(_MOST_ROUNDS):
            runs = pumped.campaign.phase is Phase.RUNNING
            if pumped.given_up is not None or not pumped.more or not runs:
                break
            pumped = await self._pump.run(pumped.campaign)
        now = self._clock()
        if pumped.given_up is not None:
            await self._give_chunk_up(campaign, pumped.given_up)
            return PutOff(now + _PAUSED_FOR, "campaignPaused")
        campaign = pumped.campaign
        if pumped.all_done and await self._finish(campaign):
            return None
        if campaign.next < campaign.chunks:
            idle = campaign.low >= campaign.next and pumped.next_at is not None
            ready = pumped.next_at if idle and pumped.next_at else now
            return PutOff(max(now + EVERY, ready - EVERY), "chunks")
        last = campaign.last_slot or now
        if last > now:
            return PutOff(min(last + _SOON, now + EVERY), "chunks")
        # All have had their places: it looks less and less often for the end.
        looks = due.tries + 1 if due.why == "end" else 1
        longest = _LONGEST_LOOK if pumped.all_done else EVERY.total_seconds()
        return PutOff(now + timedelta(seconds=min(2 ** min(looks, 10), longest)), "end", looks)

    async def _give_chunk_up(self, campaign: Campaign, chunk: Chunk) -> None:
        campaign_id, number = campaign.campaign_id, chunk.piece.number
        await self._store.stop(campaign_id, Phase.PAUSED, _CHUNK_GIVEN_UP, self._clock())
        fate = {"fate": str(Fate.FAILED), "busyUntil": None}
        await self._store.change_chunk(
            campaign_id, chunk, lambda known: None if known.fate is Fate.DONE else fate
        )
        telemetry.GIVEN_UP.add(1, {"kind": CHUNK})
        log.trouble("campaign.chunk_given_up", campaignId=campaign_id, chunk=number)

    async def _finish(self, campaign: Campaign) -> bool:
        """End a campaign of which every chunk is done. False while somebody still waits."""
        last: datetime = campaign.start
        async for chunk in self._store.chunks(campaign.campaign_id):
            if chunk.fate is not Fate.DONE or await self._waits(campaign, chunk):
                return False
            last = max(last, chunk.done_at or last)

        def done(known: Campaign) -> Campaign | None:
            if known.phase is not Phase.RUNNING:
                return None
            return replace(known, phase=Phase.DONE, finished_at=last)

        changed = await self._store.change(campaign.campaign_id, done)
        if changed is None or changed.phase is not Phase.DONE:
            raise Changed
        log.event("campaign.done", campaignId=campaign.campaign_id)
        return True

    async def _waits(self, campaign: Campaign, chunk: Chunk) -> bool:
        """Whether somebody of a chunk still waits for their hours."""
        if not chunk.counts.get(State.SCHEDULED):
            return False
        counted = await self._counting.count_chunk(campaign.campaign_id, chunk)
        return bool(counted.counts.get(State.SCHEDULED))
