"""Events that cannot be understood: kept with their reason, counted, never lost.

Event Grid drops what is refused and repeats what fails; neither helps with an event that no repeat
makes clearer. So it is answered with success and kept here for a person to look at.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any, Final

from shared import log, telemetry
from shared.clock import Clock, iso
from shared.events import Envelope
from shared.storage import Storage

CONTAINER: Final = "quarantine"


class Quarantine:
    """The container of events that were not understood."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    async def keep(self, handler: str, envelope: Envelope, reason: str) -> str:
        """Keep an event; the blob's name. The same event keeps its place however often it comes.

        Raises:
            StorageDown: it could not be kept; Event Grid must bring it again.
        """
        event = {
            "id": envelope.id,
            "type": envelope.type,
            "time": _plain(envelope.time),
            "data": envelope.data,
        }
        text = json.dumps(event, sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        name = f"{handler}/{digest}.json"
        kept = {
            "handler": handler,
            "reason": reason,
            "quarantinedAt": iso(self._clock()),
            "event": event,
        }
        body = json.dumps(kept, indent=2, default=str).encode()
        await self._storage.put_blob(CONTAINER, name, body, "application/json")
        telemetry.QUARANTINED.add(1, {"handler": handler})
        log.trouble("event.quarantined", handler=handler, blob=name, reason=reason)
        return name


def _plain(moment: datetime | None) -> Any:
    return moment.isoformat() if moment is not None else None
