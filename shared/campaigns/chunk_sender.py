"""Sending one chunk of a campaign, once, however often its message comes.

A run of a chunk takes the chunk's row by its ETag, and says until when it lives. Meanwhile whoever
else meets the chunk waits. A run that has died is found by that: what may have left in it is looked
up by its sends' ids before anything else is done.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from shared.azure.storage import Changed
from shared.base import log
from shared.base.clock import Clock, from_iso, iso
from shared.base.errors import ParleyError, PlatformDenied, Throttled, Unintelligible
from shared.base.tasks import AT_ONCE, every, few_at_once
from shared.campaigns.campaign import Campaign, Chunk, Fate, Phase, Piece
from shared.campaigns.chunk_counts import Result, after_run, in_doubt
from shared.campaigns.chunk_requests import ChunkRequests
from shared.campaigns.store import CampaignStore
from shared.limits.frequency_caps import FrequencyCaps
from shared.limits.pacing import Pacing
from shared.messages.parts import Parts
from shared.messages.request import SendRequest
from shared.sending.answers import Answer
from shared.sending.api import Sending
from shared.sending.attempts import drawn_nonce
from shared.sending.scheduled import CampaignStanding

REPLACED: Final = "The list has been replaced since the campaign was ordered."
# How long before its moment a chunk's message is to be seen: a host looks every two seconds.
AHEAD: Final = timedelta(seconds=2.5)
_SOON: Final = timedelta(seconds=1)
_LONGEST_WAIT: Final = timedelta(seconds=5)
_LONGEST_PAUSE: Final = 300
# Beyond what one send may take at ACS, and two, between which a run says that it is still alive. A
# dead run must be found while ACS still knows the ids of its sends.
_MARGIN_OF_ONE: Final = timedelta(seconds=40)
_MARGIN_OF_TWO: Final = timedelta(seconds=10)
# Denials in a row, at least half a minute apart and then longer: about twenty minutes. A new role
# works after ten; what lasts longer does not pass by itself.
_MOST_DENIALS: Final = 11


class _Run:
    """A run of a chunk: it goes on as long as the campaign runs and the chunk's row is its own.

    Both are looked at before every few sends. At most twice as many sends as run at once leave
    after a pause or a cancel has been written.
    """

    def __init__(
        self,
        store: CampaignStore,
        campaign_id: str,
        chunk: Chunk,
        *,
        clock: Clock,
        lease: timedelta,
    ) -> None:
        self.chunk = chunk
        self._store = store
        self._campaign_id = campaign_id
        self._clock = clock
        self._lease = lease
        self._turn = asyncio.Lock()
        self._left = 0
        self._goes_on = True

    async def goes_on(self) -> bool:
        """Whether one more send may leave; once that is denied, none may."""
        async with self._turn:
            if self._goes_on and self._left == 0:
                standing = await self._store.standing(self._campaign_id)
                self._goes_on = standing is CampaignStanding.RUNS and await self._is_ours()
                self._left = AT_ONCE
            self._left -= 1
            return self._goes_on

    async def _is_ours(self) -> bool:
        """Say that the run is alive, before it could be taken for dead; False if it has been."""
        now, until = self._clock(), self.chunk.busy_until
        if until is not None and until - now > self._lease / 2:
            return True
        ours = True

        def renewed(known: Chunk) -> Mapping[str, Any] | None:
            nonlocal ours
            ours = known.attempt == self.chunk.attempt
            return {"busyUntil": now + self._lease} if ours else None

        # Others may write counts of an earlier run there; the attempt says whose it is.
        await self._store.change_chunk(self._campaign_id, self.chunk, renewed)
        self.chunk = replace(self.chunk, busy_until=now + self._lease)
        return ours


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
        self._randomness = parts.randomness
        self._dispatch = parts.dispatch
        self._record = parts.record
        self._store = store
        self._sending = sending
        self._pacing = pacing
        self._requests = ChunkRequests(parts, caps)
        timeout = parts.acs_timeout
        self.lease = min(2 * timeout + _MARGIN_OF_TWO, timeout + _MARGIN_OF_ONE)

    async def send_chunk(self, message: Mapping[str, Any]) -> None:
        """Send the chunk that a message names.

        Raises:
            Unintelligible: it names none.
            Unavailable: storage did not take it; trying again is safe.
        """
        try:
            campaign_id, piece = message["campaignId"], Piece.from_json(message)
        except KeyError as error:
            raise Unintelligible("a campaign's message without a member") from error
        campaign, chunk = await every(
            self._store.get(campaign_id), self._store.chunk(campaign_id, piece.number)
        )
        # A message may come again: what became of its chunk is no other thing for that.
        if campaign is None or chunk is None or chunk.fate is Fate.DONE:
            return
        if not chunk.is_for(int(message.get("tries", 0)), self._clock()):
            # Another message's run is alive or to come. If it dies, this one does its work.
            await self._dispatch.at(chunk.busy_until, message)
            return
        try:
            if chunk.attempt:
                chunk = await self._recovered(campaign, chunk)
            if await self._may_send(campaign, chunk, message):
                await self._run(campaign, chunk, message)
        except Changed:
            await self._dispatch.at(self._clock() + _SOON, message)

    async def _recovered(self, campaign: Campaign, chunk: Chunk) -> Chunk:
        """The chunk, with what a run that has died may have left."""
        try:
            requests = await self._requests.of_piece(campaign, chunk.piece)
        except Changed:
            # Nobody can say any more whom its sends were to.
            requests = {}
        left: dict[str, Mapping[str, int]] = {
            send.intent.send_id: in_doubt(send.intent.request)
            for send in await self._record.sends(requests)
            if send.intent.send_id in requests and send.may_have_left
        }
        left |= chunk.left
        counts = dict(sum((Counter(one) for one in left.values()), Counter[str]()))
        members = {"left": left, "sends": list(left), "counts": counts, "attempt": ""}
        etag = await self._store.record_chunk(
            campaign.campaign_id, chunk, **members, settled=False, busyUntil=None
        )
        return replace(chunk, left=left, counts=counts, attempt="", busy_until=None, etag=etag)

    async def _begin(self, campaign_id: str, chunk: Chunk) -> _Run:
        """Take the chunk's row.

        Raises:
            Changed: somebody else has.
        """
        nonce, until = drawn_nonce(self._randomness), self._clock() + self.lease
        etag = await self._store.record_chunk(campaign_id, chunk, attempt=nonce, busyUntil=until)
        ours = replace(chunk, attempt=nonce, busy_until=until, etag=etag)
        return _Run(self._store, campaign_id, ours, clock=self._clock, lease=self.lease)

    async def _run(self, campaign: Campaign, chunk: Chunk, message: Mapping[str, Any]) -> None:
        campaign_id = campaign.campaign_id
        try:
            sends = await self._requests.of_piece(campaign, chunk.piece)
        except Changed:
            await self._set_fate(campaign_id, chunk, Fate.CANCELED)
            await self._store.stop(campaign_id, Phase.FAILED, REPLACED, self._clock())
            return
        sends = await self._requests.uncapped(campaign, sends)
        run = await self._begin(campaign_id, chunk)
        await self._until(message.get("slot"))

        async def send(one: tuple[str, SendRequest]) -> Result:
            send_id, request = one
            try:
                if not await run.goes_on():
                    return None
                return await self._sending.send_paced(request, send_id=send_id)
            except ParleyError as error:
                return error

        results = dict(zip(sends, await few_at_once(send, sends.items()), strict=True))
        if any(isinstance(result, ParleyError) for result in results.values()):
            await self._troubled(message, run, sends, results)
            return
        await self._note(campaign_id, run, sends, results)
        if all(isinstance(result, Answer) for result in results.values()):
            counts = after_run(run.chunk, sends, results)["counts"]
            log.event("campaign.chunk", campaignId=campaign_id, chunk=chunk.piece.number, **counts)
            return
        known = await self._store.get(campaign_id)
        if known is not None and await self._may_send(known, run.chunk, message):
            # Resumed meanwhile; those who were texted are met again by their sends' ids.
            await self._dispatch.at(self._clock(), message)

    async def _until(self, slot: str | None) -> None:
        """Wait for the chunk's exact moment: queues know whole seconds only."""
        if slot is not None:
            wait = from_iso(slot) - self._clock()
            await asyncio.sleep(min(max(wait, timedelta(0)), _LONGEST_WAIT).total_seconds())

    async def _may_send(self, campaign: Campaign, chunk: Chunk, message: Mapping[str, Any]) -> bool:
        campaign_id = campaign.campaign_id
        if campaign.phase not in {Phase.PAUSED, Phase.CANCELED, Phase.FAILED}:
            return True
        if campaign.phase is Phase.PAUSED:
            await self._set_fate(campaign_id, chunk, Fate.PARKED)
            # Whoever resumed it meanwhile has perhaps not seen this chunk.
            again = await self._store.get(campaign_id)
            if again is not None and again.phase is Phase.RUNNING:
                await self._set_fate(campaign_id, chunk, Fate.OPEN)
                await self._dispatch.at(self._clock(), message)
            return False
        await self._set_fate(campaign_id, chunk, Fate.CANCELED)
        return False

    async def _set_fate(self, campaign_id: str, chunk: Chunk, fate: Fate) -> None:
        def change(known: Chunk) -> Mapping[str, Any] | None:
            another = known.is_run(self._clock()) and known.attempt != chunk.attempt
            if known.fate is Fate.DONE or another:
                return None
            return {"fate": str(fate), "attempt": "", "busyUntil": None}

        await self._store.change_chunk(campaign_id, chunk, change)

    # What became of it --------------------------------------------------------------------------

    async def _note(
        self,
        campaign_id: str,
        run: _Run,
        requests: Mapping[str, SendRequest],
        results: Mapping[str, Result],
        *,
        again: tuple[datetime, int] | None = None,
        **others: Any,
    ) -> None:
        """Note what a run has come to; what has left counts, whatever becomes of the rest.

        Args:
            campaign_id: whose chunk it is.
            run: which.
            requests: its sends.
            results: what became of them.
            again: when it is to be run again, and by a message of how many tries, if it is.
            others: further members of the chunk's row.
        """
        now = self._clock()

        def change(known: Chunk) -> Mapping[str, Any] | None:
            if known.fate is Fate.DONE:
                return None
            found = {**after_run(known, requests, results), "doneAt": now}
            if known.attempt == run.chunk.attempt:
                moment, tries = again or (None, 0)
                until = moment + self.lease if moment is not None else None
                found |= {"attempt": "", "busyUntil": until, "tries": tries, **others}
                if moment is not None:
                    # It was put off: that is no death.
                    found |= {"slot": moment, "placed": 1}
            return found

        await self._store.change_chunk(campaign_id, run.chunk, change)

    async def _troubled(
        self,
        message: Mapping[str, Any],
        run: _Run,
        requests: Mapping[str, SendRequest],
        results: Mapping[str, Result],
    ) -> None:
        """Try again later what can be, stop the campaign for what cannot."""
        failed = [
            (requests[send_id], result)
            for send_id, result in results.items()
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
            fate = str(Fate.FAILED)
            await self._note(campaign_id, run, requests, results, fate=fate, reason=reason)
            await self._store.stop(campaign_id, Phase.PAUSED, reason, self._clock())
            return
        tries = int(message.get("tries", 0)) + 1
        moment = await self._next_place(run.chunk.piece, failed, tries)
        await self._note(campaign_id, run, requests, results, again=(moment, tries))
        again = {**message, "tries": tries, "denials": denials, "slot": iso(moment)}
        await self._dispatch.at(moment - AHEAD, again)

    async def _next_place(
        self, piece: Piece, failed: Sequence[tuple[SendRequest, ParleyError]], tries: int
    ) -> datetime:
        """When a chunk is run again of which these sends have failed."""
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
        return moment
