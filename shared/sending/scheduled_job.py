"""Sends whose time has come: paced, and tried again until they have an end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from shared.base.clock import Clock
from shared.base.errors import ParleyError, Throttled, Unintelligible
from shared.jobs.dispatch import Dispatch
from shared.limits.pacing import Pacing
from shared.sending.api import Sending
from shared.sending.scheduled import ScheduledSends

_SOON: Final = timedelta(seconds=1)


class ScheduledJob:
    """Does the `scheduled` work of the `dispatch` queue.

    Args:
        clock: the time.
        sending: what sends.
        scheduled: what knows of those that have not left.
        pacing: when it may.
        dispatch: where it waits meanwhile.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        sending: Sending,
        scheduled: ScheduledSends,
        pacing: Pacing,
        dispatch: Dispatch,
    ) -> None:
        self._clock = clock
        self._sending = sending
        self._scheduled = scheduled
        self._pacing = pacing
        self._dispatch = dispatch

    async def run_scheduled(self, message: Mapping[str, Any]) -> None:
        """Send what was waiting; hand it on where it must wait longer.

        Raises:
            Unintelligible: the message names no send.
            Unavailable: it may not leave yet for all that is known; trying again is safe.
        """
        try:
            send_id = str(message["sendId"])
        except KeyError as error:
            raise Unintelligible("a scheduled message without its send") from error
        if not message.get("paced") and not await self._may_leave(message, send_id):
            return
        try:
            moment = await self._sending.run_due(send_id)
        except ParleyError as error:
            if not error.retryable:
                raise
            await self._put_back(message, error)
        else:
            if moment is not None:
                await self._dispatch.at(moment, {**message, "paced": False})

    async def _may_leave(self, message: Mapping[str, Any], send_id: str) -> bool:
        size = await self._scheduled.size_of(send_id)
        if size is None:
            return True
        sender, units = size
        moment = await self._pacing.reserve(sender, units)
        if moment - self._clock() <= _SOON:
            return True
        await self._dispatch.at(moment, {**message, "paced": True})
        return False

    async def _put_back(self, message: Mapping[str, Any], error: ParleyError) -> None:
        if isinstance(error, Throttled) and (
            size := await self._scheduled.size_of(message["sendId"])
        ):
            await self._pacing.slow(size[0], error.retry_after or 0)
        await self._dispatch.again(message, error.retry_after, paced=False)
