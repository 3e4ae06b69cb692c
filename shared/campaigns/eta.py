"""When the last text of a campaign leaves, as far as can be told now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.base.clock import Clock
from shared.campaigns.order import Definition
from shared.limits.pacing import HEADROOM, Pacing
from shared.rules.senders import Sender


class EtaEstimator:
    """Reckons with each sender's rate, its pace now, and what it has to do before."""

    def __init__(self, clock: Clock, senders: Mapping[str, Sender], pacing: Pacing) -> None:
        self._clock = clock
        self._senders = senders
        self._pacing = pacing

    async def estimate(
        self, definition: Definition, segments: Mapping[str, int], start: datetime
    ) -> datetime:
        """When the last text leaves.

        Args:
            definition: the campaign's.
            segments: that are to be sent, by sender.
            start: when the campaign begins.
        """
        now = self._clock()
        end = max(now, start + (definition.spread or timedelta(0)))
        for address, units in segments.items():
            pace = await self._pacing.pace(address)
            rate = self._senders[address].rate_per_minute * HEADROOM * pace.speed(now)
            end = max(end, max(pace.free_at, now, start) + timedelta(minutes=units / rate))
        return end
