"""At most one text a person in so many hours, for campaigns that ask for it.

A row says which send texted the person last. A chunk that comes again finds its own send there and
is let through, so that the limit is exact and a repeat changes nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from shared.clock import Clock, from_iso, iso
from shared.keys import key_part
from shared.storage import Changed, Entity, Storage, etag_of

TABLE: Final = "caps"
_TRIES: Final = 5


class Caps:
    """Says whether somebody may be texted again.

    Args:
        storage: the rows.
        clock: the time.
    """

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    async def admit(self, program: str, address: str, send_id: str, hours: int) -> bool:
        """Whether this send may text somebody; it is then the one that did.

        Args:
            program: within which the limit holds.
            address: E.164.
            send_id: derived, so that a repeat has the same.
            hours: how long ago the last text must be.
        """
        now = self._clock()
        row: Entity = {
            # Two digits, so that one program is not one partition.
            "PartitionKey": f"{key_part(program)}~{address[-2:]}",
            "RowKey": address,
            "sendId": send_id,
            "at": iso(now),
        }
        for _ in range(_TRIES):
            if await self._storage.insert(TABLE, row) is not None:
                return True
            known = await self._storage.get(TABLE, row["PartitionKey"], address)
            if known is None:
                continue
            if known["sendId"] == send_id:
                return True
            if now - from_iso(known["at"]) < timedelta(hours=hours):
                return False
            try:
                await self._storage.merge(TABLE, row, etag=etag_of(known))
            except Changed:
                continue
            return True
        # Somebody else has just texted them.
        return False
