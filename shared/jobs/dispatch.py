"""Work that waits for its moment, on the `dispatch` queue.

A message becomes visible when its time has come; nobody polls. What is due later than in a few
minutes has a row in the table `due` instead (`shared.jobs.due`), whose timer puts it here in time.
Each kind of work can be done twice and is then done once. What storage or another service does not
take now is put back with a longer and longer pause, however long that lasts; a message that makes
no sense ends on `dispatch-poison`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from shared.azure.packing import message_text, read_known_message
from shared.azure.queues import Queues
from shared.base import log
from shared.base.clock import Clock, from_iso, iso
from shared.base.errors import Unavailable, Unintelligible

QUEUE: Final = "dispatch"
# No message is hidden for longer: Azure's scale controller counts hidden ones as work.
LONGEST_WAIT: Final = timedelta(minutes=2)
_EARLY: Final = timedelta(milliseconds=200)
_LONGEST_PAUSE: Final = 300

Work = Callable[[Mapping[str, Any]], Awaitable[None]]


class Dispatch:
    """Puts work on the queue, and finds who does it.

    Args:
        queues: the queue.
    """

    def __init__(self, queues: Queues, clock: Clock) -> None:
        self._queues = queues
        self._clock = clock
        self._workers: dict[str, Work] = {}
        self._once: set[str] = set()

    def register(self, kind: str, work: Work, *, once: bool = False) -> None:
        """Say who does one kind of work.

        Args:
            kind: of message.
            work: does it.
            once: drop a message that comes again after its process has died, since somebody else
                sees to what it named.
        """
        self._workers[kind] = work
        if once:
            self._once.add(kind)

    async def at(self, moment: datetime, message: Mapping[str, Any]) -> None:
        """Have `message` worked on at `moment`, or as soon after as there is room.

        One whose moment is more than two minutes away is handed on on the way.
        """
        wait = min(max(moment - self._clock(), timedelta(0)), LONGEST_WAIT)
        text = message_text({**message, "at": iso(moment)})
        # Whole seconds, rounded up: a text that leaves early may leave at night.
        await self._queues.enqueue(QUEUE, text, delay_seconds=-int(-wait.total_seconds() // 1))

    async def again(self, message: Mapping[str, Any], pause: int | None, **changed: Any) -> None:
        """Have the work of a message tried again after a pause that grows with its tries.

        Args:
            message: what could not be done.
            pause: the shortest, in seconds.
            changed: members of the message that are others next time.
        """
        tries = int(message.get("tries", 0)) + 1
        wait = timedelta(seconds=max(pause or 1, min(2**tries, _LONGEST_PAUSE)))
        await self.at(self._clock() + wait, {**message, **changed, "tries": tries})

    async def first_visible(self) -> datetime | None:
        """When the first message that can be seen became visible; None if there is none."""
        first = await self._queues.first(QUEUE)
        if first is None:
            return None
        text, inserted = first
        try:
            return from_iso(json.loads(text)["at"])
        except (ValueError, TypeError, KeyError):
            # Nobody of ours wrote it; it was visible at once.
            return inserted or self._clock()

    async def run_work(self, text: str, attempts: int = 1) -> None:
        """Do the work of one message, or hand it on if its time has not come.

        Args:
            text: the message.
            attempts: how often the host has handed it out, this time included.

        Raises:
            Unintelligible: it makes no sense.
            StorageDown: it could not even be put back.
        """
        try:
            message = read_known_message(QUEUE, text)
            work, moment = self._workers[message["kind"]], from_iso(message["at"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Unintelligible("a dispatch message that names no known work") from error
        if attempts > 1 and message["kind"] in self._once:
            log.trouble("dispatch.came_again", kind=message["kind"], attempts=attempts)
            return
        if moment - self._clock() > _EARLY:
            await self.at(moment, message)
            return
        try:
            await work(message)
        except Unavailable as error:
            log.trouble("dispatch.put_back", kind=message["kind"], code=error.code)
            await self.again(message, error.retry_after)
