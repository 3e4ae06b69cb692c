"""The senders as an operator sees them: what the setting says, and how busy each is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.base.clock import Clock, iso
from shared.limits.pacing import Pace, Pacing
from shared.rules.senders import Sender


class SenderStatus:
    """Lists the senders.

    Args:
        pacing: how busy they are.
    """

    def __init__(self, *, clock: Clock, pacing: Pacing, senders: Mapping[str, Sender]) -> None:
        self._clock = clock
        self._pacing = pacing
        self._senders = senders

    async def list_senders(self) -> list[dict[str, Any]]:
        """Every sender with its pace; one query."""
        now, paces = self._clock(), await self._pacing.paces()
        return [_view(sender, paces[sender.address], now) for sender in self._senders.values()]


def _view(sender: Sender, pace: Pace, now: datetime) -> dict[str, Any]:
    recovered = pace.recovered_at
    return {
        "sender": sender.address,
        "kind": str(sender.kind),
        "program": sender.program,
        "brand": sender.brand,
        "ratePerMinute": sender.rate_per_minute,
        "stopAnsweredBy": str(sender.stop_answered_by),
        "pace": {
            "nextFreeAt": iso(pace.free_at) if pace.free_at > now else None,
            "ratePerMinuteNow": round(sender.rate_per_minute * pace.speed(now), 2),
            "slowedUntil": iso(recovered) if recovered is not None and recovered > now else None,
        },
    }
