"""Quiet hours: no marketing before eight or after nine at the place of whoever receives it.

The rules are data: `quiet_hours.json` beside this module, which an operator can replace. It is one
JSON object of windows (see `windows`). A key names places separated by spaces: countries (`FR`),
American states and Canadian provinces (`US-FL`, known by area code), or beginnings of numbers
(`+1212`); `default` is for all others. The most exact key wins alone: nothing is added up.

A number's zone is a guess, so every zone it may be in counts (see `zones`): a text leaves only at
a moment that is allowed in all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from shared.rules.timing.local_time import zone
from shared.rules.timing.windows import Window, next_open, read_window
from shared.rules.timing.zones import area_codes, places_of

# Longer than any week with holidays in it; what is closed for longer was meant to stay closed.
SEARCH: Final = timedelta(days=8)

_BUILT_IN: Final = Path(__file__).with_name("quiet_hours.json")
_DEFAULT: Final = "default"
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PREFIX: Final = re.compile(r"\+[1-9][0-9]{0,14}")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_SUBDIVISION: Final = re.compile(r"(?:US|CA)-[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Delay:
    """Why a text waits.

    Attributes:
        zone: a zone in which it was not allowed at the moment asked for.
        local: what the clock there showed then.
        opens_in: the zone that opens last.
        opens_at: what the clock there will show.
    """

    zone: str
    local: datetime
    opens_in: str
    opens_at: datetime

    def __str__(self) -> str:
        """A sentence for the message's history; names no number."""
        return (
            f"Quiet hours: it was {self.local:%H:%M} on {_day(self.local)} in {self.zone}; allowed"
            f" from {self.opens_at:%H:%M} on {_day(self.opens_at)} {self.opens_at:%Y-%m-%d} in"
            f" {self.opens_in}."
        )


def _day(moment: datetime) -> str:
    # Not %A: its language is the process's.
    return _DAYS[moment.weekday()]


@dataclass(frozen=True, slots=True)
class Allowed:
    """When a text may leave.

    Attributes:
        at: the first moment allowed, in UTC.
        delay: why that is later than asked for; None if it is not.
    """

    at: datetime
    delay: Delay | None = None


@dataclass(frozen=True, slots=True)
class QuietHours:
    """All windows, by what they are for."""

    default: Window
    by_place: Mapping[str, Window]
    by_prefix: Mapping[str, Window]

    def window_for(self, address: str) -> Window:
        """The window of a number in E.164: by its longest prefix, its state, its country."""
        if self.by_prefix:
            for length in range(len(address), 1, -1):
                if window := self.by_prefix.get(address[:length]):
                    return window
        for place in places_of(address):
            if window := self.by_place.get(place):
                return window
        return self.default


def next_allowed(moment: datetime, zones: Sequence[str], window: Window) -> Allowed | None:
    """The first moment from `moment` on at which the window is open in every zone at once.

    Args:
        moment: with its zone.
        zones: IANA names, at least one; those of `zones_of`, or the one that a caller names.
        window: the hours, `QuietHours.window_for` or a narrower one.

    Returns:
        None if there is no such moment within `SEARCH` (8 days): the window stays closed that
        long, or the zones are so far apart that their windows never meet.

    Raises:
        ValueError: no zone is given, or one that does not exist.
    """
    if not zones:
        raise ValueError("at least one time zone is needed")
    start = moment.astimezone(UTC)
    at = start
    closed: str | None = None
    opener = zones[0]
    settled = False
    while not settled:
        settled = True
        for place in zones:
            opens = next_open(at, place, window, days=SEARCH.days + 1)
            if opens is None or opens > start + SEARCH:
                return None
            if opens > at:
                closed = closed or place
                at, opener, settled = opens, place, False
    if closed is None:
        return Allowed(at)
    return Allowed(
        at, Delay(closed, start.astimezone(zone(closed)), opener, at.astimezone(zone(opener)))
    )


@cache
def built_in_rules() -> QuietHours:
    """The rules that hold where the operator gives none."""
    return parse_rules(_BUILT_IN.read_text(encoding="utf-8"))


def parse_rules(text: str) -> QuietHours:
    """The rules from their JSON text; they replace the built-in ones as a whole.

    Raises:
        ValueError: with a sentence that names the member at fault.
    """
    try:
        entries = json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON ({error})") from None
    if not isinstance(entries, dict):
        raise ValueError('must be a JSON object such as {"default": {"from": "08:00", ...}}')  # noqa: TRY004  # one error type for one text
    if _DEFAULT not in entries:
        raise ValueError(f"{_DEFAULT!r} is missing: the window of all places that are not named")
    windows: dict[str, Window] = {}
    for key, value in entries.items():
        window = read_window(value, key)
        for name in key.split():
            if name in windows:
                raise ValueError(f"{key}: {name} is named twice")
            windows[_known(key, name)] = window
    default = windows.pop(_DEFAULT)
    return QuietHours(
        default,
        {name: window for name, window in windows.items() if not name.startswith("+")},
        {name: window for name, window in windows.items() if name.startswith("+")},
    )


def _without_repeats(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise ValueError(f"{name!r} is named twice")
        members[name] = value
    return members


def _known(key: str, name: str) -> str:
    if name == _DEFAULT or _PREFIX.fullmatch(name):
        return name
    if _COUNTRY.fullmatch(name) and name in _countries():
        return name
    if _SUBDIVISION.fullmatch(name) and name in area_codes().values():
        return name
    raise ValueError(
        f"{key}: {name!r} is neither {_DEFAULT!r}, nor a country of ISO 3166 (FR), nor an American"
        " state or Canadian province (US-FL), nor the beginning of a number (+1212)"
    )


@cache
def _countries() -> frozenset[str]:
    import phonenumbers  # noqa: PLC0415

    return frozenset(phonenumbers.SUPPORTED_REGIONS)
