"""The hours of a week in which a text may leave, by the clock of whoever receives it.

As JSON, in the rules for quiet hours and in a campaign alike:

    {"from": "08:00", "to": "21:00",
     "days": {"saturday": {"from": "10:00", "to": "18:00"}, "sunday": null},
     "closedOn": ["12-25", "2026-11-26", "easter+1"]}

`from` and `to` hold for every day that `days` does not name; null closes a day. `closedOn` takes a
day of every year, one date, or a distance in days from Easter Sunday (Gregorian), from which most
movable holidays of Europe are reckoned. The minute named by `to` is the first one closed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final

from shared.rules.timing.local_time import moments, zone

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SPAN_MEMBERS: Final = frozenset({"from", "to"})
_MEMBERS: Final = _SPAN_MEMBERS | {"days", "closedOn", "source"}
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00)")
_YEARLY: Final = re.compile(r"[01][0-9]-[0-3][0-9]")
_ONCE: Final = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]")
_EASTER: Final = re.compile(r"easter([+-][0-9]{1,3})?")
_LEAP_YEAR: Final = 2000
_MOST_CLOSED_DAYS: Final = 400


@dataclass(frozen=True, slots=True)
class HoursOfDay:
    """Hours of one day: minutes after local midnight, the end not included."""

    opens: int
    closes: int


@dataclass(frozen=True, slots=True)
class Window:
    """The open hours of every day.

    Attributes:
        days: one entry a weekday, Monday first; None for a day that is closed.
        closed_on: days closed whatever their weekday, as `closedOn` writes them.
        source: the law or contract that asks for it; may be empty.
    """

    days: tuple[HoursOfDay | None, ...]
    closed_on: frozenset[str] = frozenset()
    source: str = ""

    def on(self, day: date) -> HoursOfDay | None:
        """The open hours of a date; None if it is closed."""
        span = self.days[day.weekday()]
        return None if span is None or self._closes(day) else span

    def _closes(self, day: date) -> bool:
        if not self.closed_on:
            return False
        distance = (day - easter(day.year)).days
        names = {day.strftime("%m-%d"), day.isoformat(), f"easter{distance:+d}"}
        return not names.isdisjoint(self.closed_on)


def narrowed(one: Window, other: Window) -> Window:
    """The hours that both windows leave open, such as the law's and a campaign's.

    Raises:
        ValueError: there are none.
    """
    days = tuple(_common(a, b) for a, b in zip(one.days, other.days, strict=True))
    if not any(days):
        raise ValueError(
            "the two windows have no hour in common, so nothing could ever leave"
            f" ({described(one)}; {described(other)})"
        )
    source = "; ".join(filter(None, (one.source, other.source)))
    return Window(days, one.closed_on | other.closed_on, source)


def _common(one: HoursOfDay | None, other: HoursOfDay | None) -> HoursOfDay | None:
    if one is None or other is None:
        return None
    opens, closes = max(one.opens, other.opens), min(one.closes, other.closes)
    return HoursOfDay(opens, closes) if opens < closes else None


def described(window: Window) -> str:
    """The window in words: `monday to saturday 08:00-22:00, sunday closed`."""
    parts: list[str] = []
    first = 0
    for last in range(len(_DAYS)):
        if last + 1 < len(_DAYS) and window.days[last + 1] == window.days[first]:
            continue
        names = _DAYS[first] if first == last else f"{_DAYS[first]} to {_DAYS[last]}"
        parts.append(f"{names} {_hours(window.days[first])}")
        first = last + 1
    return ", ".join(parts)


def _hours(span: HoursOfDay | None) -> str:
    return "closed" if span is None else f"{_clock(span.opens)}-{_clock(span.closes)}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def next_open(moment: datetime, place: str, window: Window, *, days: int) -> datetime | None:
    """The first moment from `moment` on at which the window is open in one zone.

    Args:
        moment: with its zone.
        place: IANA name of a time zone.
        window: the hours.
        days: how many local dates after today's are looked at.

    Returns:
        In UTC; None if the window stays closed on all these days.
    """
    today = moment.astimezone(zone(place)).date()
    for distance in range(days + 1):
        day = today + timedelta(days=distance)
        span = window.on(day)
        if span is None:
            continue
        opens, closes = _edges(place, day, span)
        if moment < closes and opens < closes:
            return max(moment, opens)
    return None


@lru_cache(maxsize=4096)
def _edges(place: str, day: date, span: HoursOfDay) -> tuple[datetime, datetime]:
    # A day on which clocks change is read in the recipient's favour: of a time that happens twice
    # the window opens at the later one and closes at the earlier.
    midnight = datetime.combine(day, time())
    opens = moments(midnight + timedelta(minutes=span.opens), zone(place))
    closes = moments(midnight + timedelta(minutes=span.closes), zone(place))
    return opens.last, closes.first


@lru_cache(maxsize=64)
def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar, by the tables of its golden number and epact."""
    golden = year % 19
    century = year // 100
    epact = (century - century // 4 - (8 * century + 13) // 25 + 19 * golden + 15) % 30
    full_moon = epact - (epact // 28) * (1 - (29 // (epact + 1)) * ((21 - golden) // 11))
    weekday = (year + year // 4 + full_moon + 2 - century + century // 4) % 7
    return date(year, 3, 28) + timedelta(days=full_moon - weekday)


def read_window(value: Any, where: str = "window") -> Window:
    """A window from its JSON value.

    Args:
        value: what JSON made of it.
        where: how to call it in an error.

    Raises:
        ValueError: with a sentence that names the member at fault.
    """
    entry = _object(where, value, _MEMBERS)
    usual = _span(where, {name: entry[name] for name in _SPAN_MEMBERS if name in entry})
    named = _object(f"{where}.days", entry.get("days", {}), frozenset(_DAYS))
    days = tuple(
        _span_or_closed(f"{where}.days.{day}", named[day]) if day in named else usual
        for day in _DAYS
    )
    if not any(days):
        raise ValueError(f"{where}: a window that never opens: every day of the week is closed")
    source = entry.get("source", "")
    if not isinstance(source, str):
        raise ValueError(f"{where}.source must be a text")  # noqa: TRY004  # one error type for one text
    return Window(days, _closed_days(f"{where}.closedOn", entry.get("closedOn", [])), source)


def written(window: Window) -> dict[str, Any]:
    """The JSON value that `read_window` reads as this window."""
    usual = next(span for span in window.days if span is not None)
    return {
        **_written_span(usual),
        "days": {
            name: None if span is None else _written_span(span)
            for name, span in zip(_DAYS, window.days, strict=True)
            if span != usual
        },
        "closedOn": sorted(window.closed_on),
        "source": window.source,
    }


def _written_span(span: HoursOfDay) -> dict[str, str]:
    return {"from": _clock(span.opens), "to": _clock(span.closes)}


def _object(where: str, value: Any, known: frozenset[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be an object")  # noqa: TRY004  # one error type for one text
    if unknown := sorted(value.keys() - known):
        raise ValueError(f"{where}: unknown member {unknown[0]!r}; known are {sorted(known)}")
    return value


def _span_or_closed(where: str, value: Any) -> HoursOfDay | None:
    return None if value is None else _span(where, value)


def _span(where: str, value: Any) -> HoursOfDay:
    entry = _object(where, value, _SPAN_MEMBERS)
    opens, closes = (_minutes(f"{where}.{name}", entry.get(name)) for name in ("from", "to"))
    if opens >= closes:
        raise ValueError(
            f"{where}: a window that never opens: from {_clock(opens)} to {_clock(closes)};"
            " it must open before it closes, on the same day"
        )
    return HoursOfDay(opens, closes)


def _minutes(where: str, value: Any) -> int:
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{where} must be a time such as 08:00, not {value!r}")
    hours, minutes = (part for part in match.groups() if part is not None)
    return int(hours) * 60 + int(minutes)


def _closed_days(where: str, value: Any) -> frozenset[str]:
    if not isinstance(value, list) or len(value) > _MOST_CLOSED_DAYS:
        raise ValueError(f"{where} must be a list of at most {_MOST_CLOSED_DAYS} days")
    return frozenset(_closed_day(f"{where}[{index}]", day) for index, day in enumerate(value))


def _closed_day(where: str, value: Any) -> str:
    text = value if isinstance(value, str) else ""
    if match := _EASTER.fullmatch(text):
        return f"easter{int(match[1] or 0):+d}"
    # 29 February is a day of every year that has one.
    dated = f"{_LEAP_YEAR}-{text}" if _YEARLY.fullmatch(text) else text
    try:
        if _ONCE.fullmatch(dated):
            date.fromisoformat(dated)
            return text
    except ValueError:
        pass
    raise ValueError(f"{where} must be a day such as 12-25, 2026-12-25 or easter+1, not {value!r}")
