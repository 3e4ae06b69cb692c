"""NCRONTAB, the schedule language of timer triggers.

Six fields: second, minute, hour, day of month, month, day of week (0 is Sunday). A moment matches
when all six do; unlike in cron, the two day fields are not alternatives. Times are UTC.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_MONTHS: Final = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS: Final = {
    name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))
}
_FIELDS: Final[tuple[tuple[str, int, int, dict[str, int]], ...]] = (
    ("second", 0, 59, {}),
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 6, _DAYS),
)
_WITHOUT_SECONDS: Final = 5
_PART: Final = re.compile(r"(\*|[0-9a-z]+(?:-[0-9a-z]+)?)(?:/([0-9]+))?")
# 29 February can be eight years away (1896 to 1904, 2096 to 2104).
_HORIZON: Final = timedelta(days=366 * 8 + 2)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A parsed schedule: for each field the values that match."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """Read six fields, or five, which leave out the seconds.

        Raises:
            ValueError: with the field at fault.
        """
        parts = text.lower().split()
        if len(parts) == _WITHOUT_SECONDS:
            parts.insert(0, "0")
        if len(parts) != len(_FIELDS):
            raise ValueError(f"{text!r} has {len(parts)} fields; a schedule has six")
        return cls(
            *(
                _values(part, name, low, high, names)
                for part, (name, low, high, names) in zip(parts, _FIELDS, strict=True)
            )
        )

    def matches(self, moment: datetime) -> bool:
        """Whether the schedule is due in this second (UTC)."""
        return (
            self._matches_day(moment)
            and moment.hour in self.hours
            and moment.minute in self.minutes
            and moment.second in self.seconds
        )

    def next_after(self, moment: datetime) -> datetime:
        """The first whole second after `moment` at which the schedule is due.

        Raises:
            ValueError: the schedule is never due (30 February).
        """
        due = moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        end = due + _HORIZON
        while due < end:
            if not self._matches_day(due):
                due = due.replace(hour=0, minute=0, second=0) + timedelta(days=1)
            elif due.hour not in self.hours:
                due = due.replace(minute=0, second=0) + timedelta(hours=1)
            elif due.minute not in self.minutes:
                due = due.replace(second=0) + timedelta(minutes=1)
            elif due.second not in self.seconds:
                due += timedelta(seconds=1)
            else:
                return due
        raise ValueError("the schedule is never due")

    def _matches_day(self, moment: datetime) -> bool:
        return (
            moment.month in self.months
            and moment.day in self.days
            and moment.isoweekday() % 7 in self.weekdays
        )


def _values(text: str, field: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    chosen: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{field}: {part!r} is no value, range or step")
        span, step = match[1], int(match[2] or 1)
        if step == 0:
            raise ValueError(f"{field}: a step of 0 never ends")
        first, last = _bounds(span, field, low, high, names, open_ended=match[2] is not None)
        chosen.update(range(first, last + 1, step))
    return frozenset(chosen)


def _bounds(
    span: str, field: str, low: int, high: int, names: dict[str, int], *, open_ended: bool
) -> tuple[int, int]:
    if span == "*":
        return low, high
    start, _, end = span.partition("-")
    first = _number(start, field, names)
    # "5/15" runs from 5 to the field's end, "5" is 5 alone.
    last = _number(end, field, names) if end else (high if open_ended else first)
    if not low <= first <= last <= high:
        raise ValueError(f"{field}: {span!r} is not within {low} to {high}")
    return first, last


def _number(text: str, field: str, names: dict[str, int]) -> int:
    if text in names:
        return names[text]
    if text.isdecimal():
        return int(text)
    raise ValueError(f"{field}: {text!r} is neither a number nor a name")
