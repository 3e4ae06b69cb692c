"""The rows of campaigns.

Table `campaigns`, a partition for each campaign:

- `campaign`: the definition, the state, and how far it has come. Changed by its ETag.
- `chunk:{8 digits}`: a piece of the list: where it lies, who of it is left out, what became of it.
  Its place is written when the list is expanded: that follows from facts, so that doing it twice
  changes nothing. A run of it takes the row by its ETag (`attempt`, `busyUntil`), and notes in it
  what has left (`left`, by send) and what became of it.
- `folded`: the chunks whose states are final, added up (see `progress`).
- `refused:{9 digits}`: a line that texts nobody, and why.

The partition `.index` lists the campaigns, the newest first, with the blobs of their lists.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from azure.core import MatchConditions
from azure.data.tables import UpdateMode

from shared.azure.packing import pack, unpack
from shared.azure.storage import Changed
from shared.azure.tables import Entity, TableOperation, Tables, etag_of
from shared.base import log
from shared.base.clock import from_iso, iso
from shared.base.errors import Unavailable
from shared.campaigns.campaign import OVER, Campaign, Chunk, Fate, Phase, Piece, Totals
from shared.campaigns.list_reader import Refused
from shared.campaigns.order import Definition
from shared.sending.scheduled import CampaignStanding

TABLE: Final = "campaigns"
CONTAINER: Final = "lists"
_INDEX: Final = ".index"
_CAMPAIGN: Final = "campaign"
_CHUNK: Final = "chunk:"
# Between the two, so that these rows can be deleted by one range.
_SUM: Final = "folded"
_REFUSED: Final = "refused:"
# More lines are counted, but not kept.
MOST_REFUSED_KEPT: Final = 10_000
_TRANSACTION: Final = 100
# Milliseconds since 1970 have no more digits than this until the year 2286.
_LATEST: Final = 9_999_999_999_999
_RANGE: Final = "PartitionKey eq @partition and RowKey ge @low and RowKey lt @high"


@dataclass(frozen=True, slots=True)
class Listed:
    """A campaign's entry in the index; the campaign may never have come to be.

    Attributes:
        campaign_id: its id.
        created_at: when it was ordered, to the millisecond.
        blob: its list.
        key: of the entry.
        etag: of the entry.
    """

    campaign_id: str
    created_at: datetime
    blob: str
    key: str
    etag: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A packed value, and the ETag of its row."""

    value: Mapping[str, Any]
    etag: str


class CampaignBusy(Unavailable):
    """Too many change one campaign at once."""

    code = "CampaignBusy"


class CampaignStore:
    """Reads and writes campaigns."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    # Campaigns ----------------------------------------------------------------------------------

    async def insert(self, campaign: Campaign) -> bool:
        """Write a new campaign down. False if its id is taken."""
        return await self._tables.insert(TABLE, _row(campaign)) is not None

    async def list_in_index(self, campaign: Campaign) -> None:
        """Have a campaign listed; an entry whose campaign never came to be is passed over."""
        row = {"RowKey": index_key(campaign), "blob": campaign.definition.blob}
        await self._tables.put(TABLE, {"PartitionKey": _INDEX, **row})

    async def get(self, campaign_id: str) -> Campaign | None:
        """One campaign."""
        row = await self._tables.get(TABLE, campaign_id, _CAMPAIGN)
        return None if row is None else _read(row)

    async def standing(self, campaign_id: str) -> CampaignStanding:
        """Whether a campaign's texts may leave."""
        known = await self.get(campaign_id)
        if known is None or known.phase in {Phase.CANCELED, Phase.FAILED}:
            return CampaignStanding.ENDED
        return CampaignStanding.PAUSED if known.phase is Phase.PAUSED else CampaignStanding.RUNS

    async def change(
        self, campaign_id: str, change: Callable[[Campaign], Campaign | None]
    ) -> Campaign | None:
        """Change a campaign, whoever else does; as it is then. None if it is not there.

        Args:
            campaign_id: which.
            change: what to make of it; None leaves it as it is. It may be asked again.

        Raises:
            CampaignBusy: others were always faster.
        """

        async def step() -> Campaign | None:
            known = await self.get(campaign_id)
            changed = change(known) if known is not None else None
            if known is None or changed is None:
                return known
            etag = await self._tables.merge(TABLE, _row(changed), etag=str(known.etag))
            return replace(changed, etag=etag)

        try:
            return await self._tables.change(step)
        except Changed:
            raise CampaignBusy(
                "This campaign is being changed by too many at once; repeat it."
            ) from None

    async def stop(self, campaign_id: str, phase: Phase, reason: str, now: datetime) -> None:
        """End or pause a campaign that cannot go on, with the reason."""

        def stopped(known: Campaign) -> Campaign | None:
            if known.phase in OVER or known.phase is phase:
                return None
            finished = now if phase in OVER else None
            return replace(known, phase=phase, reason=reason, finished_at=finished)

        await self.change(campaign_id, stopped)
        log.trouble("campaign.stopped", campaignId=campaign_id, phase=str(phase))

    async def index(self, after: str, limit: int) -> tuple[list[str], str | None]:
        """Keys of campaigns, newest first, and where the next page begins."""
        keys: list[str] = []
        found = self._tables.query(
            TABLE, _RANGE, page=limit + 1, partition=_INDEX, low=after + "!", high="~"
        )
        async for row in found:
            if len(keys) == limit:
                return keys, keys[-1]
            keys.append(row["RowKey"])
        return keys, None

    # Forgetting ---------------------------------------------------------------------------------

    async def listed(self) -> AsyncIterator[Listed]:
        """All entries of the index, newest first."""
        found = self._tables.query(TABLE, "PartitionKey eq @partition", partition=_INDEX)
        async for row in found:
            key = row["RowKey"]
            yield Listed(id_in(key), _moment_in(key), row.get("blob", ""), key, etag_of(row))

    async def unlist(self, listed: Listed) -> None:
        """Take an entry out of the index.

        Raises:
            Changed: it was written again.
        """
        await self._tables.remove(TABLE, _INDEX, listed.key, etag=listed.etag)

    async def empty(self, campaign_id: str, limit: int) -> int:
        """Delete a campaign's rows but its own, so many at the most; how many went."""
        found = self._tables.query(
            TABLE,
            _RANGE,
            select=["PartitionKey", "RowKey"],
            partition=campaign_id,
            low=_CHUNK,
            high=_REFUSED + "~",
        )
        count = 0
        rows: list[TableOperation] = []
        async for row in found:
            rows.append(("delete", {name: row[name] for name in ("PartitionKey", "RowKey")}))
            count += 1
            if len(rows) == _TRANSACTION or count == limit:
                await self._tables.commit(TABLE, rows)
                rows = []
            if count == limit:
                return count
        if rows:
            await self._tables.commit(TABLE, rows)
        return count

    async def remove(self, campaign: Campaign) -> None:
        """Delete a campaign's own row.

        Raises:
            Changed: it has been changed meanwhile.
        """
        await self._tables.remove(TABLE, campaign.campaign_id, _CAMPAIGN, etag=str(campaign.etag))

    # Chunks -------------------------------------------------------------------------------------

    async def write_expansion(
        self, campaign_id: str, pieces: Iterable[Piece], refused: Iterable[Refused]
    ) -> None:
        """Write down what a list was found to hold. What became of a chunk is left as it is."""
        rows = [_chunk_row(campaign_id, piece) for piece in pieces]
        rows += [
            {
                "PartitionKey": campaign_id,
                "RowKey": f"{_REFUSED}{line.line:09d}",
                "reason": line.reason,
            }
            for line in refused
        ]
        for first in range(0, len(rows), _TRANSACTION):
            operations: Sequence[TableOperation] = [
                ("upsert", row, {"mode": UpdateMode.MERGE})
                for row in rows[first : first + _TRANSACTION]
            ]
            await self._tables.commit(TABLE, operations)

    async def pieces(self, campaign_id: str, first: int, count: int) -> list[Piece]:
        """So many chunks from `first` on, where they lie."""
        found = self._tables.query(
            TABLE,
            _RANGE,
            partition=campaign_id,
            low=_chunk_key(first),
            high=_chunk_key(first + count),
        )
        return [_read_chunk(row).piece async for row in found]

    async def chunks(
        self, campaign_id: str, first: int = 0, end: int | None = None
    ) -> AsyncIterator[Chunk]:
        """The chunks from `first` on, before `end` if one is given, in order."""
        found = self._tables.query(
            TABLE,
            _RANGE,
            partition=campaign_id,
            low=_chunk_key(first),
            high=_CHUNK + "~" if end is None else _chunk_key(end),
        )
        async for row in found:
            yield _read_chunk(row)

    async def chunk(self, campaign_id: str, number: int) -> Chunk | None:
        """One of them."""
        row = await self._tables.get(TABLE, campaign_id, _chunk_key(number))
        return None if row is None else _read_chunk(row)

    async def sum(self, campaign_id: str) -> Kept | None:
        """The sum of chunks, as it was kept."""
        row = await self._tables.get(TABLE, campaign_id, _SUM)
        return None if row is None else Kept(unpack(row["sum"]), etag_of(row))

    async def keep_sum(self, campaign_id: str, value: Mapping[str, Any], etag: str | None) -> None:
        """Keep a sum in place of the one that was read with `etag`; None if there was none.

        If another one has been kept meanwhile, that one stays.
        """
        row: Entity = {"PartitionKey": campaign_id, "RowKey": _SUM, "sum": pack(value)}
        if etag is None:
            await self._tables.insert(TABLE, row)
            return
        with suppress(Changed):
            await self._tables.merge(TABLE, row, etag=etag)

    async def record_chunk(self, campaign_id: str, chunk: Chunk, **members: Any) -> str:
        """Note what became of a chunk that was read: the members of its row; its new ETag.

        Raises:
            Changed: somebody else has noted something since.
        """
        row: Entity = {"PartitionKey": campaign_id, "RowKey": _chunk_key(chunk.piece.number)}
        for name, value in members.items():
            if name in _PACKED:
                row[name] = pack(value)
            else:
                row[name] = _moment(value) if name in _MOMENTS else value
        return await self._tables.merge(TABLE, row, etag=str(chunk.etag))

    async def change_chunk(
        self,
        campaign_id: str,
        known: Chunk,
        change: Callable[[Chunk], Mapping[str, Any] | None],
    ) -> None:
        """Note something of a chunk, whoever else does.

        Args:
            campaign_id: which campaign's.
            known: the chunk, as it was read; it is read again where it has been changed since.
            change: the members to write; None for nothing. It may be asked again.

        Raises:
            CampaignBusy: others were always faster.
        """
        latest: Chunk | None = known

        async def step() -> None:
            nonlocal latest
            chunk, latest = latest, None
            if chunk is None:
                chunk = await self.chunk(campaign_id, known.piece.number)
            members = change(chunk) if chunk is not None else None
            if chunk is not None and members:
                await self.record_chunk(campaign_id, chunk, **members)

        try:
            await self._tables.change(step)
        except Changed:
            raise CampaignBusy("This chunk is being changed by too many at once.") from None

    async def commit_places(self, campaign: Campaign, chunks: Sequence[Chunk]) -> Campaign:
        """Write chunks' places down with how far the campaign has come, or nothing of it.

        Args:
            campaign: as it is to be, under the ETag that it was read with; as it is then.
            chunks: 99 at most, each with its place, likewise.

        Raises:
            Changed: somebody else has changed the campaign, or one of the chunks.
        """
        operations = [_under_etag(_row(campaign), campaign.etag)]
        for chunk in chunks:
            row = {
                "PartitionKey": campaign.campaign_id,
                "RowKey": _chunk_key(chunk.piece.number),
                "fate": str(chunk.fate),
                "slot": _moment(chunk.slot),
                "placed": chunk.placed,
                "tries": chunk.tries,
                "busyUntil": _moment(chunk.busy_until),
            }
            operations.append(_under_etag(row, chunk.etag))
        await self._tables.commit(TABLE, operations)
        found = await self.get(campaign.campaign_id)
        if found is None:
            raise Changed
        return found

    # Refused lines ------------------------------------------------------------------------------

    async def refused(
        self, campaign_id: str, after: int, limit: int
    ) -> tuple[list[Refused], int | None]:
        """Lines that text nobody, and after which line the next page begins."""
        found = self._tables.query(
            TABLE,
            _RANGE,
            page=limit + 1,
            partition=campaign_id,
            low=f"{_REFUSED}{after + 1:09d}",
            high=_REFUSED + "~",
        )
        lines: list[Refused] = []
        async for row in found:
            if len(lines) == limit:
                return lines, lines[-1].line
            lines.append(Refused(int(row["RowKey"].removeprefix(_REFUSED)), row["reason"]))
        return lines, None


_PACKED: Final = frozenset({"counts", "errors", "sends", "left"})
_MOMENTS: Final = frozenset({"busyUntil", "doneAt", "countedAt", "slot"})


def index_key(campaign: Campaign) -> str:
    """The key of a campaign's entry in the index."""
    age = _LATEST - int(campaign.created_at.timestamp() * 1000)
    return f"{age:013d}~{campaign.campaign_id}"


def _moment_in(key: str) -> datetime:
    age = int(key.partition("~")[0])
    return datetime.fromtimestamp((_LATEST - age) / 1000, UTC)


def id_in(key: str) -> str:
    """The campaign that an entry of the index is of."""
    return key.partition("~")[2]


def _row(campaign: Campaign) -> Entity:
    return {
        "PartitionKey": campaign.campaign_id,
        "RowKey": _CAMPAIGN,
        "definition": pack(campaign.definition.to_json()),
        "phase": str(campaign.phase),
        "createdAt": iso(campaign.created_at),
        "attempt": campaign.attempt,
        "reason": campaign.reason or "",
        "expanded": campaign.expanded,
        "totals": pack(campaign.totals.to_json()),
        "chunks": campaign.chunks,
        "next": campaign.next,
        "lastSlot": _moment(campaign.last_slot),
        "eta": _moment(campaign.eta),
        "finishedAt": _moment(campaign.finished_at),
        "low": campaign.low,
        "dueAt": _moment(campaign.due_at),
        "busyUntil": _moment(campaign.busy_until),
    }


def _read(row: Entity) -> Campaign:
    return Campaign(
        campaign_id=row["PartitionKey"],
        definition=Definition.from_json(unpack(row["definition"])),
        phase=Phase(row["phase"]),
        created_at=from_iso(row["createdAt"]),
        attempt=row["attempt"],
        reason=row["reason"] or None,
        expanded=row["expanded"],
        totals=Totals(**unpack(row["totals"])),
        chunks=row["chunks"],
        next=row["next"],
        last_slot=_read_moment(row["lastSlot"]),
        eta=_read_moment(row["eta"]),
        finished_at=_read_moment(row["finishedAt"]),
        low=row["low"],
        due_at=_read_moment(row["dueAt"]),
        busy_until=_read_moment(row["busyUntil"]),
        etag=etag_of(row),
    )


def _under_etag(row: Entity, etag: str | None) -> TableOperation:
    ours = {
        "mode": UpdateMode.MERGE,
        "etag": etag,
        "match_condition": MatchConditions.IfNotModified,
    }
    return ("update", row, ours)


def _chunk_key(number: int) -> str:
    return f"{_CHUNK}{number:08d}"


def _chunk_row(campaign_id: str, piece: Piece) -> Entity:
    return {
        "PartitionKey": campaign_id,
        "RowKey": _chunk_key(piece.number),
        "piece": pack(piece.to_json()),
    }


def _read_chunk(row: Entity) -> Chunk:
    return Chunk(
        piece=Piece.from_json(unpack(row["piece"])),
        fate=Fate(row.get("fate", "")),
        attempt=row.get("attempt", ""),
        busy_until=_read_moment(row.get("busyUntil", "")),
        tries=row.get("tries", 0),
        left=unpack(row["left"]) if "left" in row else {},
        counts=unpack(row["counts"]) if "counts" in row else {},
        errors=unpack(row["errors"]) if "errors" in row else {},
        sends=tuple(unpack(row["sends"])) if "sends" in row else (),
        done_at=_read_moment(row.get("doneAt", "")),
        counted_at=_read_moment(row.get("countedAt", "")),
        settled=row.get("settled", False),
        slot=_read_moment(row.get("slot", "")),
        placed=row.get("placed", 0),
        etag=etag_of(row),
    )


def _moment(moment: datetime | None) -> str:
    return iso(moment) if moment is not None else ""


def _read_moment(text: str) -> datetime | None:
    return from_iso(text) if text else None
