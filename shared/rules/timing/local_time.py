"""From the clock on a wall to a moment, with the two days a year on which that is not simple.

When clocks go forward, some local times never happen; when they go back, some happen twice. Both
are told here, once, so that windows and send times cannot disagree about them.

Governments change their clocks every year. What counts is the zone data of the package `tzdata`,
pinned in requirements.txt, never the files of the machine: those are as old as its image.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

# Without a path `ZoneInfo` reads the package; what others made before this line is forgotten.
zoneinfo.reset_tzpath(to=())
ZoneInfo.clear_cache()

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
    # Asked of the list, because a file system may take another case or a name that leads outside.
    if name not in _names():
        raise ValueError(f"{name!r} is no IANA time zone, such as America/New_York")
    return ZoneInfo(name)


@cache
def _names() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split())


@cache
def zones_by_country() -> Mapping[str, tuple[str, ...]]:
    """The zones that each country keeps, by its code of ISO 3166: `{"FR": ("Europe/Paris",), ...}`.

    Countries of one zone and of many; only zones that people live in today.
    """
    found: dict[str, list[str]] = {}
    table = files("tzdata.zoneinfo").joinpath("zone.tab").read_text("utf-8")
    for line in table.splitlines():
        if not line.startswith("#"):
            country, _, name, *_ = line.split("\t")
            found.setdefault(country, []).append(name)
    return {country: tuple(names) for country, names in found.items()}


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
