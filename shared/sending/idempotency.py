"""`Idempotency-Key`: the same request twice is one, even without repeatability ids.

A row of table `keys` says for what a key stands: the send, or the campaign, whose own rows have the
answer. There is one row for each key, whatever operation it came with, so that midnight and clocks
that differ part nobody from it:

- partition: the first two hex digits of the row; row: the HMAC of the key, 64 hex digits (an
  application may write a person's number into a key);
- `digest`: of the operation and the request, an HMAC; `standsFor`: an id;
- `at`: when it was claimed; `until`: when it is forgotten.

A key is known for 24 hours, and that of something that waits until a day after its moment. The
nightly work drops the rows of those that are over; one that it has not come to yet can be claimed
anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.azure.storage import Changed
from shared.azure.sweeping import sweep
from shared.azure.tables import Entity, Tables, etag_of
from shared.base.clock import from_iso, iso
from shared.base.digests import keyed_digest
from shared.base.errors import InvalidRequest, KeyReused, StillSending

TABLE: Final = "keys"
REMEMBERED: Final = timedelta(hours=24)
MAX_LENGTH: Final = 255
_PRINTABLE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
# By which the clocks of two processes may differ.
_CLOCKS: Final = timedelta(hours=1)
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Claim:
    """What a key stands for.

    Attributes:
        stands_for: the id of the send or the campaign that it guards.
        fresh: whether this request is the first with the key.
    """

    stands_for: str
    fresh: bool


def read_key(header: str | None) -> str | None:
    """The key that a request brings, or None. Quotes around it (RFC 9651 strings) are dropped.

    Raises:
        InvalidRequest: if it is empty, too long or not printable ASCII.
    """
    if header is None:
        return None
    key = header.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if len(key) > MAX_LENGTH or not _PRINTABLE.fullmatch(key):
        raise InvalidRequest.of(
            "Idempotency-Key", f"A key is 1 to {MAX_LENGTH} printable ASCII characters."
        )
    return key


class IdempotencyKeys:
    """The table of keys.

    Args:
        tables: where it is.
        id_key: under which keys are hashed.
    """

    def __init__(self, tables: Tables, id_key: bytes) -> None:
        self._tables = tables
        self._id_key = id_key

    async def find(self, key: str, digest: str, now: datetime) -> str | None:
        """The id that a key stands for, or None.

        Raises:
            KeyReused: if it stands for a request with another digest.
        """
        partition, row_key = self._place(key)
        row = await self._tables.get(TABLE, partition, row_key)
        if row is None or _is_over(row, now):
            return None
        return _checked(row, digest)

    async def claim(
        self, key: str, digest: str, wanted: str, *, now: datetime, moment: datetime | None = None
    ) -> Claim:
        """Bind the key to the id `wanted`, unless it stands for another already. One operation.

        Args:
            key: as the caller wrote it.
            digest: of the operation and the request.
            wanted: the id that it is to stand for.
            now: the time.
            moment: when the last of what was asked is to happen, if it has to wait.

        Raises:
            KeyReused: if it stands for a request with another digest.
            StillSending: others claim it all the time.
        """
        partition, row_key = self._place(key)
        ours: Entity = {
            "PartitionKey": partition,
            "RowKey": row_key,
            "digest": digest,
            "standsFor": wanted,
            "at": iso(now),
            "until": iso(max(now, moment or now) + REMEMBERED),
        }

        async def step() -> Claim:
            if await self._tables.insert(TABLE, ours) is not None:
                return Claim(wanted, fresh=True)
            known = await self._tables.get(TABLE, partition, row_key)
            if known is None:
                # The nightly work has dropped it just now.
                raise Changed
            if _is_over(known, now):
                await self._tables.merge(TABLE, ours, etag=etag_of(known))
                return Claim(wanted, fresh=True)
            return Claim(_checked(known, digest), fresh=False)

        try:
            return await self._tables.change(step, tries=_TRIES)
        except Changed:
            raise StillSending("Others claim this Idempotency-Key just now; repeat it.") from None

    async def forget(self, now: datetime) -> int:
        """Drop the rows of keys that are over; how many."""
        return await sweep(self._tables, TABLE, "until lt @before", before=iso(now - _CLOCKS))

    def _place(self, key: str) -> tuple[str, str]:
        row = keyed_digest(self._id_key, "Idempotency-Key", key).hex()
        return row[:2], row


def _is_over(row: Entity, now: datetime) -> bool:
    return from_iso(row["until"]) <= now


def _checked(row: Entity, digest: str) -> str:
    if row["digest"] != digest:
        raise KeyReused("This Idempotency-Key was used for another request.")
    return str(row["standsFor"])
