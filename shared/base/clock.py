"""Time, as a parameter: whoever needs the time is given a `Clock`, so that it can be replayed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from typing import Final

Clock = Callable[[], datetime]

# RFC 1123, the only form that ACS takes: "Sun, 22 Nov 2026 12:20:59 GMT". Some libraries (Java's
# RFC_1123_DATE_TIME) write the first nine days of a month with one digit, as the RFC allows.
_RFC1123: Final = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{1,2} "
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4} "
    r"[0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
)


def utc_now() -> datetime:
    """The time now, with its zone."""
    return datetime.now(UTC)  # noqa: TID251  # the one place that knows the time


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds and Z: sorts as text, as rows want it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def from_iso(text: str) -> datetime:
    """The moment that `text` names; a text without a zone is UTC.

    Accepts 0 to 7 fractional digits, as the platform writes them; the seventh is cut off.

    Raises:
        ValueError: if it is no ISO 8601 moment.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a moment outside the years 1 to 9999") from None


# Remembered, because a send names one moment once for each of its recipients.
@lru_cache(maxsize=64)
def http_date(moment: datetime) -> str:
    """RFC 1123, whole seconds, GMT."""
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True)


@lru_cache(maxsize=64)
def from_http_date(text: str) -> datetime:
    """The moment of an RFC 1123 date.

    Raises:
        ValueError: if it is anything else.
    """
    if not _RFC1123.fullmatch(text):
        raise ValueError("not an RFC 1123 date")
    return parsedate_to_datetime(text).astimezone(UTC)
