"""Recipient lists from which somebody was erased: still those that campaigns were ordered with.

An erasure overwrites the person's records with blanks, byte for byte, so that every other record
stays where it was, and names in the blob's metadata (`was`) the ETags that the list had before. A
campaign that goes by one of these reads on; a list that was replaced by another one has none of
them. `written` says when the list was put in place, which its rewriting does not change.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime
from typing import Final

from shared.azure.blobs import BlobEntry, BlobFacts, Blobs
from shared.azure.storage import Changed, StorageDown
from shared.base import log
from shared.base.clock import from_iso, iso
from shared.base.errors import InvalidRequest
from shared.campaigns.list_format import ENCODINGS, Shape
from shared.campaigns.list_reader import HEAD, rows, sniff
from shared.campaigns.list_sniffing import Told
from shared.campaigns.order import Definition
from shared.campaigns.store import CONTAINER, CampaignStore
from shared.rules.whom import Whom

_WAS: Final = "was"
_WRITTEN: Final = "written"
# Metadata has 8 KiB; a list lives for months, and an ETag has some 20 characters.
_MOST_ETAGS: Final = 200
_LIST_TYPE: Final = "application/octet-stream"
_ROWS_A_BREATH: Final = 1000


async def read_kept(
    blobs: Blobs, definition: Definition, *, offset: int = 0, length: int | None = None
) -> bytes:
    """Bytes of the list that a campaign was ordered with.

    Raises:
        Changed: it is another one now, or gone.
    """
    pieces = stream_kept(blobs, definition, offset=offset, length=length)
    return b"".join([piece async for piece in pieces])


async def stream_kept(
    blobs: Blobs, definition: Definition, *, offset: int = 0, length: int | None = None
) -> AsyncIterator[bytes]:
    """As `read_kept`, a piece at a time; it goes on where somebody is erased meanwhile."""
    name, etag = definition.blob, definition.etag
    while True:
        try:
            async for piece in blobs.stream(
                CONTAINER, name, etag=etag, offset=offset, length=length
            ):
                offset += len(piece)
                length = length - len(piece) if length is not None else None
                yield piece
        except Changed:
            found = await blobs.facts(CONTAINER, name)
            if found is None or found.etag == etag or _bare(definition.etag) not in _were(found):
                raise
            etag = found.etag
            if length == 0:
                return
        else:
            return


def _were(found: BlobFacts) -> list[str]:
    return found.metadata.get(_WAS, "").split()


def _bare(etag: str) -> str:
    # As metadata can hold it.
    return etag.strip('"')


class ListErasing:
    """Erases a person from lists.

    Args:
        blobs: the lists.
        store: the campaigns, which say how a list is written.
    """

    def __init__(self, blobs: Blobs, store: CampaignStore) -> None:
        self._blobs = blobs
        self._store = store

    async def names(self, whom: Whom) -> list[str]:
        """The lists that were put in place when an erasure was ordered, by name."""
        return [
            blob.name async for blob in self._blobs.list(CONTAINER) if _written(blob) <= whom.up_to
        ]

    async def erase(self, name: str, whom: Whom) -> int:
        """Overwrite a person's records in a list; how many.

        Raises:
            StorageDown: repeating is safe.
        """
        found = await self._blobs.facts(CONTAINER, name)
        if found is None:
            return 0
        try:
            data = await self._blobs.read(CONTAINER, name, etag=found.etag)
            records = await self._records(name, data, whom)
            if not records:
                return 0
            blank = bytearray(data)
            for start, end, codec in records:
                blank[start:end] = _blanked(data[start:end], codec)
            await self._blobs.replace(
                CONTAINER,
                name,
                bytes(blank),
                _LIST_TYPE,
                etag=found.etag,
                metadata=await self._metadata(name, found),
            )
        except Changed:
            raise StorageDown("A list is being replaced.") from None
        log.event("list.erased", records=len(records))
        return len(records)

    async def _metadata(self, name: str, found: BlobFacts) -> dict[str, str]:
        were = [*_were(found), _bare(found.etag)][-_MOST_ETAGS:]
        written = found.metadata.get(_WRITTEN)
        if written is None:
            async for blob in self._blobs.list(CONTAINER):
                if blob.name == name:
                    written = iso(blob.modified)
                    break
        return {_WAS: " ".join(were), _WRITTEN: written or ""}

    async def _records(self, name: str, data: bytes, whom: Whom) -> set[tuple[int, int, str]]:
        """The person's records, as every campaign that uses the list reads it: places, encoding."""
        found: set[tuple[int, int, str]] = set()
        for shape in await self._shapes(name, data):
            codec = ENCODINGS[shape.encoding][0]
            for count, (start, end) in enumerate(_places(data, shape), start=1):
                if count % _ROWS_A_BREATH == 0:
                    # Requests are served by this thread, too.
                    await asyncio.sleep(0)
                if whom.is_in(data[start:end].decode(codec, "replace")):
                    found.add((start, end, codec))
        return found

    async def _shapes(self, name: str, data: bytes) -> list[Shape | _Lines]:
        shapes: list[Shape | _Lines] = []
        async for listed in self._store.listed():
            campaign = await self._store.get(listed.campaign_id) if listed.blob == name else None
            shape = campaign.definition.shape if campaign is not None else None
            if shape is not None and shape not in shapes:
                shapes.append(shape)
        if not shapes:
            try:
                shapes.append(sniff(data[:HEAD], Told()))
            except InvalidRequest:
                shapes.append(_Lines())
        return shapes


class _Lines:
    """How a list is read of which nothing is known: line by line."""

    encoding = "utf-8"


def _places(data: bytes, shape: Shape | _Lines) -> Iterator[tuple[int, int]]:
    """Where the records of a list lie."""
    if isinstance(shape, Shape):
        try:
            yield from [(row.offset, row.offset + row.length) for row in rows((data,), shape)]
        except InvalidRequest:
            yield from _lines(data)
    else:
        yield from _lines(data)


def _lines(data: bytes) -> Iterator[tuple[int, int]]:
    start = 0
    for line in data.splitlines(keepends=True):
        yield start, start + len(line)
        start += len(line)


def _blanked(record: bytes, codec: str) -> bytes:
    """Blanks in place of all characters but the ends of lines, as many bytes as before."""
    blank = " ".encode(codec)
    ends = {end.encode(codec) for end in "\r\n"}
    return b"".join(_units(record, len(blank), blank, ends))


def _units(record: bytes, size: int, blank: bytes, ends: Iterable[bytes]) -> Iterator[bytes]:
    for start in range(0, len(record), size):
        unit = record[start : start + size]
        # A unit that was cut off at the end of a broken list stays as long as it was.
        yield unit if unit in ends else blank[: len(unit)]


def _written(blob: BlobEntry) -> datetime:
    written = blob.metadata.get(_WRITTEN)
    return from_iso(written) if written else blob.modified
