"""What has become of a campaign's people: folded from the facts of its sends.

A chunk's counts are kept with it and folded again until all of its states are final; then they are
settled and never read again. Somebody whose text is sent again counts by the last one.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Final

from shared.azure.storage import Changed
from shared.base import ids
from shared.base.clock import Clock
from shared.campaigns.campaign import Chunk
from shared.campaigns.chunk_counts import CAPPED
from shared.campaigns.store import CampaignStore
from shared.messages.record import Record, Send
from shared.messages.views import Seen, recipients_of
from shared.rules.message_states import TERMINAL, State
from shared.settings import MOST_RETRIES

_MOST_REASONS: Final = 20
# After which a state that is not final is not expected to change any more.
_GIVEN_UP: Final = timedelta(days=7)
_WITH_REASON: Final = TERMINAL - {State.DELIVERED}


class Counting:
    """Counts.

    Args:
        store: where counts are kept.
        record: the facts.
        acs_timeout: after which an attempt is dead.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        store: CampaignStore,
        record: Record,
        id_key: bytes,
        acs_timeout: timedelta,
    ) -> None:
        self._clock = clock
        self._store = store
        self._record = record
        self._id_key = id_key
        self._acs_timeout = acs_timeout

    async def count_chunk(self, campaign_id: str, chunk: Chunk) -> Chunk:
        """A chunk with its counts as they are now; they are kept unless it was run meanwhile."""
        now = self._clock()
        counts: Counter[str] = Counter()
        errors: Counter[str] = Counter()
        people = await self._people(chunk)
        if chunk.sends and not people:
            # Its messages are kept no longer; its counts are.
            with suppress(Changed):
                await self._store.record_chunk(campaign_id, chunk, countedAt=now, settled=True)
            return replace(chunk, counted_at=now, settled=True)
        for seen in people:
            counts[str(seen.state)] += 1
            if seen.state in _WITH_REASON:
                errors[_reason(seen)] += 1
        if capped := chunk.counts.get(CAPPED):
            counts[CAPPED] = capped
        final = {str(state) for state in TERMINAL} | {CAPPED}
        given_up = chunk.done_at is not None and now - chunk.done_at > _GIVEN_UP
        waits = bool(counts[State.SCHEDULED])
        settled = counts.keys() <= final or (given_up and not waits)
        counted = replace(
            chunk,
            counts=dict(counts),
            errors=dict(errors.most_common(_MOST_REASONS)),
            counted_at=now,
            settled=settled,
        )
        with suppress(Changed):
            # Else these are the counts of a part of it.
            await self._store.record_chunk(
                campaign_id,
                chunk,
                counts=counted.counts,
                errors=counted.errors,
                countedAt=now,
                settled=settled,
            )
        return counted

    async def _people(self, chunk: Chunk) -> list[Seen]:
        """What has become of each person: of their text, or of its last retry."""
        sends = await self._record.sends(chunk.sends)
        people = [seen for send in sends for seen in self._seen(send)]
        for _ in range(MOST_RETRIES):
            wanted = {seen.retried_by for seen in people if seen.retried_by}
            if not wanted:
                break
            retries = await self._record.sends({each[: ids.ULID_LENGTH] for each in wanted})
            found = {seen.message_id: seen for send in retries for seen in self._seen(send)}
            people = [found.get(seen.retried_by or "", seen) for seen in people]
        return people

    def _seen(self, send: Send) -> list[Seen]:
        return list(
            recipients_of(
                send, id_key=self._id_key, now=self._clock(), acs_timeout=self._acs_timeout
            )
        )


def _reason(seen: Seen) -> str:
    codes = [report.report.code for report in seen.reports if report.report.code is not None]
    if codes:
        return f"{codes[-1].code}: {codes[-1].meaning}"
    if seen.outcome is not None and seen.outcome.error:
        return seen.outcome.error
    return str(seen.state)
