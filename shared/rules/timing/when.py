"""The moment at which a caller wants a text to leave, read strictly.

A time that is misread texts people at night or a year too late. So nothing is guessed: a moment has
an offset, or a zone beside it in which it happens exactly once.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from shared.base.errors import InvalidRequest
from shared.base.json_body import Body, Member, Parsed, Text
from shared.rules.timing.local_time import moments, zone

_ZONE_MEMBER: Final = "timeZone"
# Clocks differ and requests travel: a moment that has just passed means now.
_GRACE: Final = timedelta(minutes=1)
_FURTHEST: Final = timedelta(days=366)

# RFC 3339 section 5.6, with seconds left to the caller and the offset checked apart.
_WRITTEN: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
    r"(?P<offset>[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
)
_FORM: Final = (
    "must be a date and time of ISO 8601 with its offset, such as 2026-03-08T09:30:00-05:00 or"
    " 2026-03-08T14:30:00Z"
)
TIME_ZONE: Final = Member(
    _ZONE_MEMBER,
    Parsed(lambda name: zone(name).key, of=str),
    "This is an IANA time zone, such as America/New_York.",
)


def moment_member(name: str) -> Member:
    """The row of a body's table for a moment; `read_moment` reads it further, with `TIME_ZONE`."""
    return Member(name, Text(form=_WRITTEN), f"{name} {_FORM}.")


def read_moment(
    body: Body, member: str, now: datetime, *, also_past: bool = False
) -> datetime | None:
    """The moment that a body's member names, in UTC; None where it is left out or wrong.

    Args:
        body: read by a table with `moment_member` and `TIME_ZONE`; told what is wrong.
        member: which.
        now: the time now, with its zone.
        also_past: take one that has passed, too; the caller asks `check_not_past`.
    """
    if body[member] is None or not body.sound(_ZONE_MEMBER):
        return None
    try:
        return read_send_at(
            body[member],
            now,
            time_zone=body[_ZONE_MEMBER],
            member=member,
            also_past=also_past,
        )
    except InvalidRequest as error:
        body.adopt(error)
        return None


def check_not_past(moment: datetime | None, now: datetime, member: str = "sendAt") -> None:
    """Refuse a moment that has passed.

    Raises:
        InvalidRequest: naming `member`.
    """
    if moment is not None and has_passed(moment, now):
        raise InvalidRequest.of(member, f"{member} is in the past.")


def has_passed(moment: datetime, now: datetime) -> bool:
    """Whether a moment is more than a minute ago."""
    return moment < now - _GRACE


def read_send_at(
    text: object,
    now: datetime,
    *,
    time_zone: object = None,
    member: str = "sendAt",
    also_past: bool = False,
) -> datetime:
    """The moment that `sendAt` names, in UTC.

    Args:
        text: ISO 8601 with an offset or Z; or local time without one if `time_zone` is given.
        now: the time now, with its zone.
        time_zone: the IANA name in `timeZone`, or None. With an offset as well, both must agree.
        member: what `sendAt` is called in this body.
        also_past: take one that has passed, too.

    Raises:
        InvalidRequest: naming `sendAt` or `timeZone`: another form; no zone; more than a minute in
            the past; more than 366 days ahead; a local time that the clocks leap over, or that
            happens twice (neither is chosen: one would be an hour wrong).
    """
    match = _WRITTEN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidRequest.of(member, f"{member} {_FORM}.")
    place = _zone(time_zone)
    if match["offset"] is None and place is None:
        raise InvalidRequest.of(
            member, f"{member} names no time zone; it {_FORM}, or come with {_ZONE_MEMBER}."
        )
    try:
        written = datetime.fromisoformat(match[0].upper())
        moment = _in_zone(written, place, member)
    except ValueError:
        raise InvalidRequest.of(member, f"{member} names a day that does not exist.") from None
    except OverflowError:
        raise InvalidRequest.of(member, f"{member} is outside the years 1 to 9999.") from None
    if not also_past:
        check_not_past(moment, now, member)
    return _near(moment, now, member)


def _zone(name: object) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        if not isinstance(name, str):
            raise ValueError(f"{_ZONE_MEMBER} must be a text")  # noqa: TRY004, TRY301  # told to the caller below
        return zone(name)
    except ValueError:
        raise InvalidRequest.of(
            _ZONE_MEMBER, f"{_ZONE_MEMBER} must be an IANA time zone, such as America/New_York."
        ) from None


def _in_zone(written: datetime, place: ZoneInfo | None, member: str) -> datetime:
    if written.tzinfo is None:
        if place is None:
            raise ValueError("a time without a zone")
        return _local(written, place, member)
    moment = written.astimezone(UTC)
    if place is not None and moment.astimezone(place).utcoffset() != written.utcoffset():
        raise InvalidRequest.of(
            member,
            f"{member} and {_ZONE_MEMBER} disagree: at that moment clocks in {place.key} show"
            f" {moment.astimezone(place).isoformat(timespec='seconds')}.",
        )
    return moment


def _local(written: datetime, place: ZoneInfo, member: str) -> datetime:
    found = moments(written, place)
    if not found.happens:
        after = found.first.astimezone(place)
        raise InvalidRequest.of(
            member,
            f"{member}: {written:%H:%M} does not happen on {written:%Y-%m-%d} in {place.key}:"
            f" the clocks go forward to {after:%H:%M} and leap over it.",
        )
    if found.twice:
        choices = " or ".join(
            moment.astimezone(place).isoformat(timespec="seconds")
            for moment in (found.first, found.last)
        )
        raise InvalidRequest.of(
            member,
            f"{member}: {written:%H:%M} happens twice on {written:%Y-%m-%d} in {place.key}:"
            f" the clocks go back. Write {choices}.",
        )
    return found.first


def _near(moment: datetime, now: datetime, member: str) -> datetime:
    if moment > now + _FURTHEST:
        raise InvalidRequest.of(member, f"{member} is more than a year ahead.")
    return moment
