"""What is finished is added up once: the same figures at a cost that does not grow with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.rest import HttpRequest
from hypothesis import given
from hypothesis import strategies as st

from local.stack import Stack
from shared.base import ulid
from shared.base.clock import iso
from shared.campaigns.campaign import Campaign, Chunk, Fate, Phase, Piece, Totals
from shared.campaigns.order import Definition, inline_shape
from shared.campaigns.progress import AHEAD, MOST_OPEN, ChunkSum, Progress
from shared.campaigns.store import TABLE, _row
from shared.services import Services
from tests.support.client import SHORT_CODE
from tests.support.parts import parts_of
from tests.support.transports import Inner, Wrapper

BEGIN = datetime(2026, 11, 22, 12, tzinfo=UTC)
A_SECOND = timedelta(seconds=1)


# The law ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Course:
    """A chunk's course: at which look it is parked, done and final; None for never."""

    recipients: int
    seconds: int
    parked: bool
    done: int | None
    final: int | None

    def at(self, number: int, look: int) -> Chunk:
        piece = Piece(number, 0, 1, 1, (), 0.0, {SHORT_CODE: self.recipients}, self.recipients)
        if self.done is None or look < self.done:
            return Chunk(piece, Fate.PARKED if self.parked else Fate.OPEN)
        settled = self.final is not None and look >= self.final
        return Chunk(
            piece,
            Fate.DONE,
            counts={"delivered" if settled else "sent": self.recipients},
            errors={"a reason": 1} if settled else {},
            sends=("a send",),
            done_at=BEGIN + self.seconds * A_SECOND,
            settled=settled,
        )


looks = st.none() | st.integers(0, 5)
courses = st.builds(
    lambda recipients, seconds, parked, done, later: Course(
        recipients,
        seconds,
        parked,
        done,
        None if done is None or later is None else done + later,
    ),
    st.integers(1, 100),
    st.integers(0, 3),
    st.booleans(),
    looks,
    looks,
)


def read(chunks: Sequence[Chunk], kept: ChunkSum) -> list[Chunk]:
    """What a look reads."""
    return [chunks[number] for number in sorted(kept.open)] + list(chunks[kept.upto :])


@given(st.lists(courses, max_size=130), st.lists(st.sampled_from(["kept", "late", "lost"])))
def test_the_sum_is_that_of_all_chunks(all_of_them: list[Course], ends: list[str]) -> None:
    """Whenever chunks become final, whichever looks are kept, come too late or lose the sum: each
    look finds what adding up every chunk finds."""
    kept = ChunkSum()
    for look, end in enumerate(ends):
        chunks = [course.at(number, look) for number, course in enumerate(all_of_them)]
        mine = ChunkSum.from_json(kept.to_json())
        found = read(chunks, mine)
        mine.add_final(found)
        assert len(mine.open) <= MOST_OPEN
        whole = mine.with_those_done(found)
        done = [chunk for chunk in chunks if chunk.fate is Fate.DONE]
        assert whole.counts == sum((Counter(one.counts) for one in done), Counter[str]())
        assert whole.errors == sum((Counter(one.errors) for one in done), Counter[str]())
        assert whole.recipients == sum(one.piece.recipients for one in done)
        assert whole.segments.total() == whole.recipients
        assert whole.rate == rate_of(done)
        kept = {"kept": mine, "late": kept, "lost": ChunkSum()}[end]


def rate_of(done: Sequence[Chunk]) -> float | None:
    moments = [one.done_at for one in done if one.done_at is not None]
    if not moments or min(moments) == max(moments):
        return None
    left = sum(one.piece.recipients for one in done if one.done_at != max(moments))
    return round(left * 60 / (max(moments) - min(moments)).total_seconds(), 1)


def test_what_is_final_is_not_read_again() -> None:
    """All but what is not final, and that no matter where it lies."""
    never = [Course(1, 0, parked=False, done=0, final=None)]
    final = [Course(1, 0, parked=False, done=0, final=0)]
    chunks = [course.at(n, 0) for n, course in enumerate(final * 9 + never + final * 90)]
    kept = ChunkSum()
    assert kept.add_final(read(chunks, kept))
    assert [one.piece.number for one in read(chunks, kept)] == [9]
    assert not kept.add_final(read(chunks, kept))


# On storage -------------------------------------------------------------------------------------


class Asked(Wrapper):
    """Notes what is asked of tables."""

    def __init__(self, inner: Inner) -> None:
        super().__init__(inner)
        self.paths: list[str] = []

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        self.paths.append(f"{request.method} {request.url}")
        return await super().send(request, **named)


@pytest.fixture
async def asked_and_parts(stack: Stack) -> AsyncIterator[tuple[Asked, Services]]:
    made: list[Asked] = []

    def way(network: Inner) -> Inner:
        made.append(Asked(network))
        return made[0]

    async with parts_of(stack, way=way) as parts:
        yield made[0], parts


CHUNKS = 300


async def a_campaign(parts: Services) -> Campaign:
    """Of which all but the last chunk are done and final."""
    now = parts.parts.clock()
    campaign_id = ulid.new(now, bytes(ulid.RANDOM_BYTES))
    totals = Totals(CHUNKS, CHUNKS, 0, 0, {SHORT_CODE: CHUNKS})
    definition = Definition((SHORT_CODE,), "Hello", shape=inline_shape(("to",)))
    campaign = Campaign(
        campaign_id,
        definition,
        Phase.RUNNING,
        now,
        campaign_id,
        expanded=True,
        totals=totals,
        chunks=CHUNKS,
        next=CHUNKS,
    )
    store = parts.campaigns.store
    await store.insert(campaign)
    pieces = [Piece(n, n, 1, n + 1, (), 0.0, {SHORT_CODE: 1}, 1) for n in range(CHUNKS)]
    await store.write_expansion(campaign_id, pieces, [])
    for number in range(CHUNKS - 1):
        await note_final(parts, campaign_id, number)
    return campaign


async def note_final(parts: Services, campaign_id: str, number: int) -> None:
    chunk = await parts.campaigns.store.chunk(campaign_id, number)
    assert chunk is not None
    await parts.campaigns.store.record_chunk(
        campaign_id,
        chunk,
        fate=str(Fate.DONE),
        counts={"delivered": 1},
        errors={},
        sends=["a send"],
        doneAt=BEGIN + number * A_SECOND,
        settled=True,
    )


async def test_looks_read_what_is_not_finished(asked_and_parts: tuple[Asked, Services]) -> None:
    """After the first look, one costs three operations however many chunks are finished: the
    campaign, the sum, what follows it. Its figures are those of the first."""
    asked, parts = asked_and_parts
    campaign_id = (await a_campaign(parts)).campaign_id
    first = await parts.campaigns.api.get_campaign(campaign_id)
    assert first["counts"] == {"delivered": CHUNKS - 1, "queued": 1}
    asked.paths.clear()
    second = await parts.campaigns.api.get_campaign(campaign_id)
    assert (len(asked.paths), second) == (3, first)
    await note_final(parts, campaign_id, CHUNKS - 1)
    for _ in range(2):
        last = await parts.campaigns.api.get_campaign(campaign_id)
        assert last["counts"] == {"delivered": CHUNKS}
        assert last["ratePerMinute"] == 60.0


async def test_a_slower_look_changes_nothing(asked_and_parts: tuple[Asked, Services]) -> None:
    """Of two looks at once, one is kept: nobody counts twice. Without its row, the sum is made
    anew."""
    _, parts = asked_and_parts
    campaign = await a_campaign(parts)
    store = parts.campaigns.store
    look = Progress(store=store, counting=parts.campaigns.counting).measure
    nothing = ChunkSum().to_json()
    before = await look(campaign)
    await store.keep_sum(campaign.campaign_id, nothing, None)
    kept = await store.sum(campaign.campaign_id)
    assert kept is not None
    assert kept.value["upto"] == CHUNKS - 1
    await store.keep_sum(campaign.campaign_id, nothing, 'W/"another"')
    assert await look(campaign) == before
    await store._tables.remove(TABLE, campaign.campaign_id, "folded", etag=kept.etag)
    assert await look(campaign) == before


async def test_a_chunk_whose_message_comes_again_counts_once(
    asked_and_parts: tuple[Asked, Services],
) -> None:
    """What is in the sum stays as it was, and a pause does not make what was done undone."""
    _, parts = asked_and_parts
    campaign = await a_campaign(parts)
    store = parts.campaigns.store
    before = await parts.campaigns.api.get_campaign(campaign.campaign_id)
    for phase in (Phase.PAUSED, Phase.CANCELED):
        known = await store.get(campaign.campaign_id)
        assert known is not None
        await store._tables.set_members(TABLE, _row(replace(known, phase=phase)))
        (piece,) = await store.pieces(campaign.campaign_id, 7, 1)
        message = {"campaignId": campaign.campaign_id, "at": iso(BEGIN), **piece.to_json()}
        await parts.campaigns.chunks.send_chunk(message)
        chunk = await store.chunk(campaign.campaign_id, 7)
        assert chunk is not None
        assert chunk.fate is Fate.DONE
    after = await parts.campaigns.api.get_campaign(campaign.campaign_id)
    assert after["counts"] == {"delivered": CHUNKS - 1, "canceled": 1}
    assert before["counts"] == {"delivered": CHUNKS - 1, "queued": 1}


async def test_what_was_sent_ahead_of_the_campaigns_row_is_seen(
    asked_and_parts: tuple[Asked, Services],
) -> None:
    """A pump that broke off before it wrote how far it was has placed chunks: they count."""
    _, parts = asked_and_parts
    campaign = replace(await a_campaign(parts), next=CHUNKS - AHEAD)
    look = Progress(store=parts.campaigns.store, counting=parts.campaigns.counting).measure
    assert (await look(campaign)).counts["delivered"] == CHUNKS - 1
