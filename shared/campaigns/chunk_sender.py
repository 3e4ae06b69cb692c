"""Sending one chunk of a campaign, once, however often its message comes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from shared.azure.storage import Changed
from shared.base import log
from shared.base.clock import from_iso, iso
from shared.base.errors import ParleyError, PlatformDenied, Throttled
from shared.base.tasks import AT_ONCE, few_at_once
from shared.campaigns.campaign import Campaign, Fate, Phase, Piece
from shared.campaigns.chunk_requests import ChunkRequests
from shared.campaigns.store import CampaignStore
from shared.limits.frequency_caps import FrequencyCaps
from shared.limits.pacing import Pacing
from shared.messages.parts import Parts
from shared.messages.request import SendRequest
from shared.sending.answers import Answer
from shared.sending.api import Sending
from shared.sending.scheduled import CampaignStanding

REPLACED: Final = "The list has been replaced since the campaign was ordered."
CAPPED: Final = "capped"
_CAPPED_WHY: Final = "A campaign has texted this person within atMostOncePerHours."
# How long before its moment a chunk's message is to be seen: a host looks every two seconds.
AHEAD: Final = timedelta(seconds=2.5)
_LONGEST_WAIT: Final = timedelta(seconds=5)
_LONGEST_PAUSE: Final = 300
_MOST_REASONS: Final = 20
# Denials in a row, at least half a minute apart and then longer: about twenty minutes. A new role
# works after ten; what lasts longer does not pass by itself.
_MOST_DENIALS: Final = 11


class _Watch:
    """Looks at a campaign again, before every few sends of a chunk, whether it still runs.

    At most twice as many sends as run at once leave after a pause or a cancel has been written.
    """

    def __init__(self, store: CampaignStore, campaign_id: str) -> None:
        self._store = store
        self._campaign_id = campaign_id
        self._turn = asyncio.Lock()
        self._left = 0
        self._runs = True

    async def runs(self) -> bool:
        """Whether one more send may leave; once that is denied, none may."""
        async with self._turn:
            if self._runs and self._left == 0:
                self._runs = await self._store.standing(self._campaign_id) is CampaignStanding.RUNS
                self._left = AT_ONCE
            self._left -= 1
            return self._runs


class ChunkSender:
    """Sends chunks.

    Args:
        parts: shared ones; a chunk waits for another try in `dispatch`.
        sending: what sends.
        pacing: told when the platform finds a sender too fast.
        caps: who has been texted lately.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        store: CampaignStore,
        sending: Sending,
        pacing: Pacing,
        caps: FrequencyCaps,
    ) -> None:
        self._clock = parts.clock
        self._dispatch = parts.dispatch
        self._store = store
        self._sending = sending
        self._pacing = pacing
        self._requests = ChunkRequests(parts, caps)

    async def send_chunk(self, message: Mapping[str, Any]) -> None:
        """Send the chunk that a message names.

        Raises:
            Unavailable: storage did not take it; trying again is safe.
        """
        campaign_id, piece = message["campaignId"], Piece.from_json(message)
        campaign = await self._store.get(campaign_id)
        if campaign is None or not await self._may_send(campaign, piece, message):
            return
        try:
            sends = await self._requests.of_piece(campaign, piece)
        except Changed:
            await self._store.record_chunk(campaign_id, piece.number, fate=str(Fate.CANCELED))
            await self._store.stop(campaign_id, Phase.FAILED, REPLACED, self._clock())
            return
        sends, capped = await self._requests.uncapped(campaign, sends)
        await self._until(message.get("slot"))
        watch = _Watch(self._store, campaign_id)

        async def send(one: tuple[str, SendRequest]) -> Answer | ParleyError | None:
            send_id, request = one
            try:
                if not await watch.runs():
                    return None
                return await self._sending.send_paced(request, send_id=send_id)
            except ParleyError as error:
                return error

        results = await few_at_once(send, sends.items())
        answers = [result for result in results if isinstance(result, Answer)]
        if len(answers) == len(results):
            await self._note_done(campaign_id, piece, answers, capped)
            return
        await self._note_left(campaign_id, piece, answers)
        if any(isinstance(result, ParleyError) for result in results):
            await self._troubled(message, piece, list(sends.values()), results)
            return
        campaign = await self._store.get(campaign_id)
        if campaign is not None and await self._may_send(campaign, piece, message):
            # Resumed meanwhile; those who were texted are met again by their sends' ids.
            await self._dispatch.at(self._clock(), message)

    async def _until(self, slot: str | None) -> None:
        """Wait for the chunk's exact moment: queues know whole seconds only."""
        if slot is not None:
            wait = from_iso(slot) - self._clock()
            await asyncio.sleep(min(max(wait, timedelta(0)), _LONGEST_WAIT).total_seconds())

    async def _may_send(self, campaign: Campaign, piece: Piece, message: Mapping[str, Any]) -> bool:
        campaign_id = campaign.campaign_id
        if campaign.phase not in {Phase.PAUSED, Phase.CANCELED, Phase.FAILED}:
            return True
        known = await self._store.chunk(campaign_id, piece.number)
        if known is not None and known.fate is Fate.DONE:
            # Its message has come again; what became of it is no other thing for that.
            return False
        if campaign.phase is Phase.PAUSED:
            await self._store.record_chunk(campaign_id, piece.number, fate=str(Fate.PARKED))
            # Whoever resumed it meanwhile has perhaps not seen this chunk.
            again = await self._store.get(campaign_id)
            if again is not None and again.phase is Phase.RUNNING:
                await self._store.record_chunk(campaign_id, piece.number, fate=str(Fate.OPEN))
                await self._dispatch.at(self._clock(), message)
            return False
        await self._store.record_chunk(campaign_id, piece.number, fate=str(Fate.CANCELED))
        return False

    # What became of it --------------------------------------------------------------------------

    async def _note_done(
        self, campaign_id: str, piece: Piece, answers: Sequence[Answer], capped: int
    ) -> None:
        items = [item for answer in answers for item in answer.items]
        counts = Counter(str(item.state) for item in items)
        errors = Counter(item.error for item in items if item.error)
        if capped:
            counts[CAPPED] += capped
            errors[_CAPPED_WHY] += capped
        await self._store.record_chunk(
            campaign_id,
            piece.number,
            fate=str(Fate.DONE),
            counts=dict(counts),
            errors=dict(errors.most_common(_MOST_REASONS)),
            sends=[answer.send_id for answer in answers],
            doneAt=self._clock(),
            settled=False,
        )
        log.event("campaign.chunk", campaignId=campaign_id, chunk=piece.number, **counts)

    async def _note_left(self, campaign_id: str, piece: Piece, answers: Sequence[Answer]) -> None:
        """Note what has left of a chunk that is not done: they count, whatever becomes of it."""
        if answers:
            await self._store.record_chunk(
                campaign_id,
                piece.number,
                counts=dict(Counter(str(item.state) for one in answers for item in one.items)),
                sends=[answer.send_id for answer in answers],
                doneAt=self._clock(),
                settled=False,
            )

    async def _troubled(
        self,
        message: Mapping[str, Any],
        piece: Piece,
        requests: Sequence[SendRequest],
        results: Sequence[Answer | ParleyError | None],
    ) -> None:
        """Try again later what can be, stop the campaign for what cannot."""
        failed = [
            (request, result)
            for request, result in zip(requests, results, strict=True)
            if isinstance(result, ParleyError)
        ]
        campaign_id = message["campaignId"]
        denied = next((error for _, error in failed if isinstance(error, PlatformDenied)), None)
        denials = int(message.get("denials", 0)) + 1 if denied is not None else 0
        fatal = next((error for _, error in failed if not error.retryable), None)
        if fatal is None and denials >= _MOST_DENIALS:
            fatal = denied
        if fatal is not None:
            reason = f"{fatal.code}: {fatal}"[:1000]
            await self._store.record_chunk(
                campaign_id, piece.number, fate=str(Fate.FAILED), reason=reason
            )
            await self._store.stop(campaign_id, Phase.PAUSED, reason, self._clock())
            return
        tries = int(message.get("tries", 0)) + 1
        asked_for = max(error.retry_after or 1 for _, error in failed)
        moment = self._clock() + timedelta(seconds=max(asked_for, min(2**tries, _LONGEST_PAUSE)))
        # Nothing was sent in the place that these had; they need another one.
        throttled = {
            request.sender: error.retry_after or 1
            for request, error in failed
            if isinstance(error, Throttled)
        }
        unsent = {r.sender for r, error in failed if isinstance(error, Throttled | PlatformDenied)}
        for sender in sorted(unsent):
            if sender in throttled:
                await self._pacing.slow(sender, throttled[sender])
            moment = max(moment, await self._pacing.reserve(sender, piece.segments[sender]))
        again = {**message, "tries": tries, "denials": denials, "slot": iso(moment)}
        await self._dispatch.at(moment - AHEAD, again)
