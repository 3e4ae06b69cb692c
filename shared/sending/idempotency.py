"""`Idempotency-Key`: the same request twice is one send, even without repeatability ids.

A key's row says which send it stands for; the answer is read from that send's own rows. Rows live
in a table per day, so that forgetting is dropping a table; today's and yesterday's are read, which
remembers every key for at least 24 hours.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.azure.table_keys import key_part
from shared.azure.tables import Entity, Tables
from shared.base.clock import iso
from shared.base.errors import InvalidRequest, KeyReused

PREFIX: Final = "keys"
MAX_LENGTH: Final = 255
_PRINTABLE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a key stands for.

    Attributes:
        send_id: the send that it guards.
        fresh: whether this request is the first with the key.
    """

    send_id: str
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
    """The tables of keys."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def find(self, key: str, digest: str, now: datetime) -> str | None:
        """The id that a key stands for, or None.

        Raises:
            KeyReused: if it stands for a request with another digest.
        """
        partition = hashlib.sha256(key.encode()).hexdigest()[:2]
        for day in (now, now - timedelta(days=1)):
            row = await self._tables.get(table_of(day), partition, key_part(key))
            if row is not None:
                if row["digest"] != digest:
                    raise KeyReused("This Idempotency-Key was used for another request.")
                return str(row["sendId"])
        return None

    async def claim(self, key: str, digest: str, send_id: str, now: datetime) -> Claim:
        """Bind the key to `send_id`, unless it stands for a send already.

        Raises:
            KeyReused: if it stands for a request with another digest.
        """
        partition = hashlib.sha256(key.encode()).hexdigest()[:2]
        today, yesterday = table_of(now), table_of(now - timedelta(days=1))
        row = await self._tables.get(yesterday, partition, key_part(key))
        if row is None:
            claim: Entity = {
                "PartitionKey": partition,
                "RowKey": key_part(key),
                "digest": digest,
                "sendId": send_id,
                "at": iso(now),
            }
            if await self._tables.insert(today, claim):
                return Claim(send_id, fresh=True)
            row = await self._tables.get(today, partition, key_part(key))
        if row is None or row["digest"] != digest:
            raise KeyReused("This Idempotency-Key was used for another request.")
        return Claim(row["sendId"], fresh=False)


def table_of(day: datetime) -> str:
    """The table of a day's keys."""
    return f"{PREFIX}{day:%Y%m%d}"


def forgotten(tables: Sequence[str], now: datetime) -> list[str]:
    """Those of the key tables that are no longer read."""
    oldest_read = table_of(now - timedelta(days=1))
    return [name for name in tables if name < oldest_read]
