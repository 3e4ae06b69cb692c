"""How far a campaign is, at a cost that does not grow with what is finished.

Chunks whose states are final are added up once, in a row beside them: `upto` says that all before
it are in, but for the few that are named `open`. The sum and what it holds are written together,
guarded by an ETag, and no chunk leaves it; so none counts twice, whoever looks and wherever a look
breaks off. The chunks remain: without the row, the next look makes it anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from shared.base.clock import from_iso, iso
from shared.base.tasks import few_at_once
from shared.campaigns.campaign import Campaign, Chunk, Fate, Phase
from shared.campaigns.counting import Counting
from shared.campaigns.store import CampaignStore
from shared.rules.message_states import State

COUNTED_AT_ONCE: Final = 100
MOST_OPEN: Final = COUNTED_AT_ONCE
# A pump that broke off has placed this many chunks at the most that the campaign does not know of,
# and its successor as many.
AHEAD: Final = 128
MOST_REASONS: Final = 50


@dataclass(slots=True)
class ChunkSum:
    """What has become of chunks, added up.

    Attributes:
        upto: the first chunk that has not been looked at; all before it are in, but for `open`.
        open: chunks before it that are not final yet.
        counts: recipients by state.
        errors: recipients by the reason for which they were not texted.
        recipients: of the chunks that are in.
        segments: of these, by sender.
        first: when the first of them was done.
        last: when the last of them was done.
        at_last: segments of those that were done at that very moment.
    """

    upto: int = 0
    open: set[int] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    recipients: int = 0
    segments: Counter[str] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None
    at_last: int = 0

    def holds(self, number: int) -> bool:
        """Whether a chunk is in."""
        return number < self.upto and number not in self.open

    def add_chunk(self, chunk: Chunk) -> None:
        """Count a chunk that is done. The caller sees to it that it is not in."""
        self.counts.update(chunk.counts)
        self.errors.update(chunk.errors)
        self.recipients += chunk.piece.recipients
        self.segments.update(chunk.piece.segments)
        moment = chunk.done_at
        if moment is None:
            return
        self.first = moment if self.first is None else min(self.first, moment)
        if self.last is None or moment > self.last:
            self.last, self.at_last = moment, 0
        if moment == self.last:
            self.at_last += sum(chunk.piece.segments.values())

    def add_final(self, chunks: Iterable[Chunk]) -> bool:
        """Take in what is final of these chunks, in their order; whether anything has changed."""
        changed = False
        for chunk in chunks:
            number, final = chunk.piece.number, _is_final(chunk)
            if number in self.open and final:
                self.open.remove(number)
            elif number != self.upto or not (final or self._may_be_left_open(chunk)):
                continue
            else:
                self.upto += 1
            if final:
                self.add_chunk(chunk)
            else:
                self.open.add(number)
            changed = True
        return changed

    def _may_be_left_open(self, chunk: Chunk) -> bool:
        return chunk.fate is not Fate.OPEN and len(self.open) < MOST_OPEN

    def with_those_done(self, chunks: Iterable[Chunk]) -> ChunkSum:
        """As it is with what has left of the chunks that are not in."""
        whole = ChunkSum.from_json(self.to_json())
        for chunk in chunks:
            if self.holds(chunk.piece.number):
                continue
            if chunk.fate is Fate.DONE:
                whole.add_chunk(chunk)
            else:
                # A part of it, perhaps, when a pause, a cancel or an error came between.
                whole.counts.update(chunk.counts)
                whole.errors.update(chunk.errors)
                whole.recipients += sum(chunk.counts.values())
        return whole

    @property
    def rate(self) -> float | None:
        """Segments a minute that have left; None before there are two moments to compare."""
        if self.first is None or self.last is None or self.first == self.last:
            return None
        left = self.segments.total() - self.at_last
        return round(left * 60 / (self.last - self.first).total_seconds(), 1)

    def to_json(self) -> dict[str, Any]:
        """As its row holds it; `from_json` reads it."""
        return {
            "upto": self.upto,
            "open": sorted(self.open),
            "counts": dict(self.counts),
            "errors": dict(self.errors.most_common(MOST_REASONS)),
            "recipients": self.recipients,
            "segments": dict(self.segments),
            "first": iso(self.first) if self.first else None,
            "last": iso(self.last) if self.last else None,
            "atLast": self.at_last,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ChunkSum:
        """What `to_json` wrote."""
        return cls(
            upto=value["upto"],
            open=set(value["open"]),
            counts=Counter(value["counts"]),
            errors=Counter(value["errors"]),
            recipients=value["recipients"],
            segments=Counter(value["segments"]),
            first=from_iso(value["first"]) if value["first"] else None,
            last=from_iso(value["last"]) if value["last"] else None,
            at_last=value["atLast"],
        )


@dataclass(frozen=True, slots=True)
class CampaignProgress:
    """What a look has found.

    Attributes:
        counts: recipients by state, all of them.
        done: what has become of the chunks that are done.
        waiting: segments of the others, by sender.
    """

    counts: Mapping[str, int]
    done: ChunkSum
    waiting: Mapping[str, int]


class Progress:
    """Looks at campaigns.

    Args:
        store: the chunks and their sum.
        counting: what became of them.
    """

    def __init__(self, *, store: CampaignStore, counting: Counting) -> None:
        self._store = store
        self._counting = counting

    async def measure(self, campaign: Campaign) -> CampaignProgress:
        """How far it is. Of the chunks that are not final, those longest uncounted are counted."""
        campaign_id = campaign.campaign_id
        kept, etag = ChunkSum(), None
        if not campaign.expanded:
            # Nobody knows yet how many there are.
            chunks = [chunk async for chunk in self._store.chunks(campaign_id)]
            chunks = await self._counted(campaign, chunks)
        else:
            found = await self._store.sum(campaign_id)
            if found is not None:
                kept, etag = ChunkSum.from_json(found.value), found.etag
            chunks = await self._counted(campaign, await self._unfinished(campaign, kept))
            if kept.add_final(chunks):
                await self._store.keep_sum(campaign_id, kept.to_json(), etag)
        return progress_of(campaign, kept, chunks)

    async def _unfinished(self, campaign: Campaign, kept: ChunkSum) -> list[Chunk]:
        """The chunks that the sum does not hold, up to where nobody can have sent any."""
        left_open = await few_at_once(
            lambda number: self._store.chunk(campaign.campaign_id, number), sorted(kept.open)
        )
        following = self._store.chunks(campaign.campaign_id, kept.upto, campaign.next + AHEAD)
        return [one for one in left_open if one is not None] + [one async for one in following]

    async def _counted(self, campaign: Campaign, chunks: list[Chunk]) -> list[Chunk]:
        never = campaign.created_at - timedelta(days=1)
        stale = sorted(
            (one for one in chunks if one.sends and not one.settled),
            key=lambda one: one.counted_at or never,
        )[:COUNTED_AT_ONCE]
        counted = await few_at_once(
            lambda chunk: self._counting.count_chunk(campaign.campaign_id, chunk), stale
        )
        fresh = {one.piece.number: one for one in counted}
        return [fresh.get(chunk.piece.number, chunk) for chunk in chunks]


def progress_of(campaign: Campaign, kept: ChunkSum, chunks: Iterable[Chunk]) -> CampaignProgress:
    """What a sum of chunks and the chunks that it does not hold come to, with everybody else.

    The counts always add up to the recipients of the whole list.
    """
    others = list(chunks)
    done = kept.with_those_done(others)
    recipients, waiting = _rest(campaign, done, others)
    ended = campaign.phase in {Phase.CANCELED, Phase.FAILED}
    counts = done.counts + Counter({State.CANCELED if ended else State.QUEUED: recipients})
    return CampaignProgress({str(state): count for state, count in counts.items()}, done, waiting)


def _is_final(chunk: Chunk) -> bool:
    # Nobody of a chunk without sends was texted: that changes no more.
    return chunk.fate is Fate.DONE and (chunk.settled or not chunk.sends)


def _rest(
    campaign: Campaign, done: ChunkSum, chunks: Iterable[Chunk]
) -> tuple[int, Mapping[str, int]]:
    """Recipients and segments of the chunks that are not done."""
    totals = campaign.totals
    if campaign.expanded:
        return totals.recipients - done.recipients, Counter(totals.segments) - done.segments
    waiting = [chunk.piece for chunk in chunks if chunk.fate is not Fate.DONE]
    segments: Counter[str] = Counter()
    for piece in waiting:
        segments.update(piece.segments)
    return sum(piece.recipients for piece in waiting), segments
