"""A campaign's counts outlive its messages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.campaigns.campaign import Chunk, Fate, Piece
from shared.campaigns.counting import Counting
from shared.campaigns.store import CampaignStore
from shared.messages.record import Record, Send

NOW = datetime(2026, 11, 29, tzinfo=UTC)


class DroppedMonths(Record):
    """A record of which nothing is kept any more."""

    def __init__(self) -> None:
        """Nothing is needed."""

    async def sends(self, _send_ids: Iterable[str]) -> list[Send]:
        return []


class KeptChunks(CampaignStore):
    """Notes what is written of chunks."""

    def __init__(self) -> None:
        self.written: list[dict[str, Any]] = []

    async def record_chunk(self, campaign_id: str, chunk: Chunk, **members: Any) -> str:
        self.written.append({"of": (campaign_id, chunk.piece.number), **members})
        return ""


async def test_counts_outlive_the_messages_that_they_count() -> None:
    """A chunk that nobody looked at before its month was dropped keeps what was counted when it was
    sent, and is looked at no more."""
    store = KeptChunks()
    counting = Counting(
        clock=lambda: NOW,
        store=store,
        record=DroppedMonths(),
        id_key=b"k" * 32,
        acs_timeout=timedelta(seconds=30),
    )
    piece = Piece(0, 0, 10, 1, (), 0.0, {"24680": 2}, 2)
    chunk = Chunk(piece, fate=Fate.DONE, counts={"sent": 2}, sends=("01JDQ7Z0000000000000000000",))
    counted = await counting.count_chunk("campaign", chunk)
    assert (counted.counts, counted.settled) == ({"sent": 2}, True)
    assert store.written == [{"of": ("campaign", 0), "countedAt": NOW, "settled": True}]
