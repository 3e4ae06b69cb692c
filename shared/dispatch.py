"""Work that waits for its moment, on the `dispatch` queue.

A message becomes visible when its time has come; nobody polls. Storage Queues hide a message for
seven days at most, so a longer wait is handed on. Each kind of work can be done twice and is then
done once; a message that makes no sense ends on `dispatch-poison`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from shared.clock import Clock, from_iso, iso
from shared.errors import Unintelligible
from shared.storage import Storage

QUEUE: Final = "dispatch"
# The service's limit is seven days; the margin is for clocks.
_LONGEST_WAIT: Final = timedelta(days=6, hours=23)
_EARLY: Final = timedelta(milliseconds=200)

Work = Callable[[Mapping[str, Any]], Awaitable[None]]


class Dispatch:
    """Puts work on the queue, and finds who does it.

    Args:
        storage: the queue.
        clock: the time.
    """

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._workers: dict[str, Work] = {}

    def register(self, kind: str, work: Work) -> None:
        """Say who does one kind of work."""
        self._workers[kind] = work

    async def at(self, moment: datetime, message: Mapping[str, Any]) -> None:
        """Have `message` worked on at `moment`, or as soon after as there is room."""
        wait = min(max(moment - self._clock(), timedelta(0)), _LONGEST_WAIT)
        text = json.dumps({**message, "at": iso(moment)}, separators=(",", ":"))
        # Whole seconds, rounded up: a text that leaves early may leave at night.
        await self._storage.enqueue(QUEUE, text, delay_seconds=-int(-wait.total_seconds() // 1))

    async def take(self, text: str) -> None:
        """Do the work of one message, or hand it on if its time has not come.

        Raises:
            Unintelligible: it makes no sense.
            ParleyError: trying again helps.
        """
        try:
            message = json.loads(text)
            work, moment = self._workers[message["kind"]], from_iso(message["at"])
        except (ValueError, TypeError, KeyError) as error:
            raise Unintelligible("a dispatch message that names no known work") from error
        if moment - self._clock() > _EARLY:
            await self.at(moment, message)
            return
        await work(message)
