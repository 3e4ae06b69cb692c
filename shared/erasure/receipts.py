"""What is on record of an erasure: a receipt, which names nobody.

Table `erasures`, partition `receipt`, a row for each erasure that a person has asked for:

- row: 32 hex digits of an HMAC of the person, then `-{number}`: the first is 0001. The id of the
  erasure, by which the receipt is asked for, is `er_` and both;
- `sequence`: the change of the ledger (direction `erased`), whose row alone says whose it is;
- `orderedAt`; `state`: `erasing`, `waiting` (for what may still come), `final`;
- `step`, `after`: what is to be done next, for whoever goes on after a process has died;
- `counts`: what was erased so far, packed; `lastAt`: until when something may come;
- `finalAt`: from when on all of it is done once more; `doneAt`: when the receipt became final.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from shared.azure.packing import pack, unpack
from shared.azure.tables import Entity, Tables, etag_of
from shared.base.clock import from_iso, iso
from shared.base.digests import keyed_digest
from shared.rules.persons import person

TABLE: Final = "erasures"
_PARTITION: Final = "receipt"
_PREFIX: Final = "er_"
_ID: Final = re.compile(r"er_([0-9a-f]{32})([0-9]{4})")
_OF_A_PERSON: Final = "PartitionKey eq @partition and RowKey ge @low and RowKey lt @high"
_OPEN: Final = "PartitionKey eq @partition and state ne 'final'"


class Stage(StrEnum):
    """How far an erasure has come."""

    ERASING = "erasing"
    WAITING = "waiting"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One erasure.

    Attributes:
        erasure_id: its id.
        sequence: the ledger's change.
        ordered_at: when it was ordered.
        stage: how far it is.
        step: the next thing to do.
        after: within that step, what has been done last.
        counts: what was erased, by kind.
        last_at: until when something may come that has to be erased, too.
        final_at: from when on everything is done once more; None before the first time is over.
        done_at: when it became final.
        etag: of its row.
    """

    erasure_id: str
    sequence: int
    ordered_at: datetime
    stage: Stage = Stage.ERASING
    step: int = 0
    after: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    last_at: datetime | None = None
    final_at: datetime | None = None
    done_at: datetime | None = None
    etag: str | None = None

    def with_counts(self, found: Mapping[str, int]) -> Receipt:
        """The same, with what was erased added."""
        counts = dict(self.counts)
        for name, count in found.items():
            counts[name] = counts.get(name, 0) + count
        return replace(self, counts=counts)


class Receipts:
    """The table of erasures.

    Args:
        id_key: from which ids are derived.
    """

    def __init__(self, tables: Tables, id_key: bytes) -> None:
        self._tables = tables
        self._id_key = id_key

    async def latest(self, address: str) -> tuple[Receipt | None, str]:
        """A person's last erasure, if there is one, and the id of the one after it."""
        whom = keyed_digest(self._id_key, "erasure", person(address)).hex()[:32]
        rows = self._tables.query(
            TABLE, _OF_A_PERSON, partition=_PARTITION, low=f"{whom}-", high=f"{whom}."
        )
        found = [_read(row) async for row in rows]
        return (found[-1] if found else None), f"{_PREFIX}{whom}{len(found) + 1:04d}"

    async def get(self, erasure_id: str) -> Receipt | None:
        """One, or None."""
        key = _row_key(erasure_id)
        row = await self._tables.get(TABLE, _PARTITION, key) if key is not None else None
        return _read(row) if row is not None else None

    async def insert(self, receipt: Receipt) -> None:
        """Write a new one down; one that is there stays."""
        await self._tables.insert(TABLE, _row(receipt))

    async def change(self, receipt: Receipt) -> Receipt:
        """Note how far it has come; with its new ETag.

        Raises:
            Changed: another process goes on with it.
        """
        etag = await self._tables.merge(TABLE, _row(receipt), etag=str(receipt.etag))
        return replace(receipt, etag=etag)

    async def open(self) -> AsyncIterator[Receipt]:
        """Those that are not final; one query."""
        async for row in self._tables.query(TABLE, _OPEN, partition=_PARTITION):
            yield _read(row)


def _row_key(erasure_id: str) -> str | None:
    found = _ID.fullmatch(erasure_id)
    return f"{found[1]}-{found[2]}" if found else None


def _row(receipt: Receipt) -> Entity:
    return {
        "PartitionKey": _PARTITION,
        "RowKey": _row_key(receipt.erasure_id),
        "sequence": receipt.sequence,
        "orderedAt": iso(receipt.ordered_at),
        "state": str(receipt.stage),
        "step": receipt.step,
        "after": receipt.after,
        "counts": pack(dict(receipt.counts)),
        "lastAt": _text(receipt.last_at),
        "finalAt": _text(receipt.final_at),
        "doneAt": _text(receipt.done_at),
    }


def _read(row: Mapping[str, Any]) -> Receipt:
    whom, _, number = row["RowKey"].partition("-")
    return Receipt(
        erasure_id=f"{_PREFIX}{whom}{number}",
        sequence=row["sequence"],
        ordered_at=from_iso(row["orderedAt"]),
        stage=Stage(row["state"]),
        step=row["step"],
        after=row["after"],
        counts=unpack(row["counts"]),
        last_at=_moment(row["lastAt"]),
        final_at=_moment(row["finalAt"]),
        done_at=_moment(row["doneAt"]),
        etag=etag_of(row),
    )


def _text(moment: datetime | None) -> str:
    return iso(moment) if moment is not None else ""


def _moment(text: str) -> datetime | None:
    return from_iso(text) if text else None
