"""A blob in another storage account that says where the ledger stood a minute ago.

A process that runs notices by itself when the ledger's table is put back to an earlier state. One
that starts knows nothing of what was there before. So blob `witness` in container `parley` of the
host's account says each minute how far the log had come. It is read before the head; if the log
does not hold what it says, everything stops (`shared.optouts.halt`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from shared.azure.blobs import Blobs
from shared.base.errors import LedgerUnreadable
from shared.optouts.rows import LAYOUT, LogHead

CONTAINER: Final = "parley"
BLOB: Final = "witness"
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Witness:
    """Where the ledger stood.

    Attributes:
        head: with no ETag of a row.
        etag: the blob's.
    """

    head: LogHead
    etag: str


class WitnessBlob:
    """Reads and writes the witness.

    Every method raises `StorageDown` where the account does not answer, or the container is not
    there: what cannot be read does not say that nothing was lost.

    Args:
        blobs: of the host's account.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def read(self) -> Witness | None:
        """Where the ledger stood; None if nobody has written that yet. One operation.

        Raises:
            LedgerUnreadable: a version of Parley that this one does not know has written it.
        """
        found = await self._blobs.small(CONTAINER, BLOB)
        if found is None:
            return None
        data, etag = found
        try:
            said: dict[str, Any] = json.loads(data)
            version = said["version"]
        except (ValueError, KeyError, TypeError):
            raise LedgerUnreadable("witness", "none", LAYOUT) from None
        if version != LAYOUT:
            raise LedgerUnreadable("witness", version, LAYOUT)
        head = LogHead(
            said["ledgerId"], said["sequence"], bytes.fromhex(said["chain"]), said["lifts"]
        )
        return Witness(head, etag)

    async def move(self, head: LogHead, *, after: Witness | None) -> None:
        """Say where the ledger stands, in place of what was read before.

        Raises:
            Changed: somebody else has said it meanwhile.
        """
        etag = after.etag if after is not None else None
        await self._blobs.replace(CONTAINER, BLOB, _said(head), _JSON, etag=etag)

    async def write_anew(self, head: LogHead) -> None:
        """Say where the ledger stands, whatever was said before."""
        await self._blobs.put(CONTAINER, BLOB, _said(head), _JSON)


def _said(head: LogHead) -> bytes:
    return json.dumps(
        {
            "version": LAYOUT,
            "ledgerId": head.ledger_id,
            "sequence": head.sequence,
            "chain": head.chain.hex(),
            "lifts": head.lifts,
        }
    ).encode()
