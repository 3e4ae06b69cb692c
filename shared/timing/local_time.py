"""From the clock on a wall to a moment, with the two days a year on which that is not simple.

When clocks go forward, some local times never happen; when they go back, some happen twice. Both
are told here, once, so that windows and send times cannot disagree about them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Moments:
    """What a local time stands for.

    Attributes:
        first: the moment, in UTC; the earlier one of a time that happens twice; the moment at which
            the clocks go forward for a time that never happens.
        last: the same moment, except for a time that happens twice.
        happens: false for a time that the clocks leap over.
    """

    first: datetime
    last: datetime
    happens: bool = True

    @property
    def twice(self) -> bool:
        """The clocks go back over this time."""
        return self.first != self.last


@cache
def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name.

    Raises:
        ValueError: there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no IANA time zone, such as America/New_York") from None


def moments(local: datetime, place: ZoneInfo) -> Moments:
    """The moment or moments at which clocks in `place` show `local`, a time without a zone."""
    before = local.replace(tzinfo=place, fold=0).astimezone(UTC)
    after = local.replace(tzinfo=place, fold=1).astimezone(UTC)
    if before <= after:
        return Moments(before, after)
    leap = _change(after, before, place)
    return Moments(leap, leap, happens=False)


def _change(low: datetime, high: datetime, place: ZoneInfo) -> datetime:
    # The zone's offset changes once in (low, high], at a whole second.
    low, high = low.replace(microsecond=0), high.replace(microsecond=0)
    old = low.astimezone(place).utcoffset()
    steps_low, steps_high = 0, (high - low) // _SECOND
    while steps_high - steps_low > 1:
        middle = (steps_low + steps_high) // 2
        if (low + middle * _SECOND).astimezone(place).utcoffset() == old:
            steps_low = middle
        else:
            steps_high = middle
    return low + steps_high * _SECOND
