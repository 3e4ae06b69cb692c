"""Answering `GET /analytics`: a query read strictly, the rows that it needs, one row a bucket.

A day by the hour is the state row and one query, or two where the day lies in two months.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

from shared.analytics.buckets import Bucket, Interval, Plan, buckets
from shared.analytics.count_rows import DAY, HOUR, TABLE, Level, groups_in, properties
from shared.analytics.counts import (
    MONEY,
    NONE,
    OTHERS,
    Counts,
    add_counts,
    by_kind,
    largest,
    percentiles,
)
from shared.analytics.timer import CountingTimer
from shared.azure.tables import Entity, Tables
from shared.base.clock import Clock, from_iso, iso
from shared.base.errors import InvalidRequest
from shared.base.json_body import Body, Member, Parsed
from shared.base.tasks import every, few_at_once
from shared.messages.state import SILENCE
from shared.rules.senders import Programs
from shared.rules.timing.local_time import zone as zone_named

OTHERS_SHOWN: Final = "(other)"
DEFAULT_TOP: Final = 100
MOST_TOP: Final = 500
# Buckets times groups: some ten megabytes of answer.
_MOST_ROWS: Final = 20_000
_LONGEST: Final = {
    Interval.MINUTE: DAY,
    Interval.HOUR: 62 * DAY,
    Interval.DAY: 366 * DAY,
    Interval.TOTAL: 366 * DAY,
}
# Hours that begin between UTC's are made of minutes.
_LONGEST_ODD_HOURS: Final = 7 * DAY
_YEARS: Final = range(2000, 9998)
_MOMENT_FORM: Final = "This is an ISO 8601 time, such as 2026-11-22T13:00:00Z."
_ROWS: Final = "PartitionKey eq @partition and RowKey ge @low and RowKey lt @high"
_KNOWN: Final = frozenset(
    {"startTime", "endTime", "interval", "groupBy", "timeZone", "format", "top", "code"}
)


class GroupBy(StrEnum):
    """By what rows are told apart."""

    SENDER = "sender"
    PROGRAM = "program"
    TAG = "tag"
    CAMPAIGN = "campaign"
    COUNTRY = "country"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class Query:
    """A question.

    Attributes:
        buckets: of time, in UTC, without gaps.
        interval: how long each is.
        zone: whose hours and days they are.
        group_by: by what rows are told apart; None for not at all.
        top: how many groups are told apart.
        as_csv: whether the answer is a spreadsheet.
    """

    buckets: Sequence[Bucket]
    interval: Interval
    zone: ZoneInfo
    group_by: GroupBy | None
    top: int
    as_csv: bool


def read_query(params: Mapping[str, str], now: datetime) -> Query:
    """The query that request parameters make.

    Raises:
        InvalidRequest: with every parameter at fault.
    """
    errors: dict[str, list[str]] = {
        name[:100]: ["This parameter is not known here."] for name in sorted(params.keys() - _KNOWN)
    }

    def read(name: str, reader: Callable[[str], Any], reason: str, default: Any) -> Any:
        if name not in params:
            return default
        try:
            return reader(params[name])
        except ValueError:
            errors[name] = [reason]
            return default

    interval = read("interval", Interval, f"This is one of {', '.join(Interval)}.", Interval.HOUR)
    group_by = read("groupBy", GroupBy, f"This is one of {', '.join(GroupBy)}.", None)
    zone = read(
        "timeZone",
        zone_named,
        "This is an IANA time zone, such as America/New_York.",
        zone_named("UTC"),
    )
    top = read("top", _top, f"This is a whole number from 1 to {MOST_TOP}.", DEFAULT_TOP)
    as_csv = read("format", _is_csv, "This is json or csv.", default=False)
    end = read("endTime", _moment, _MOMENT_FORM, now)
    start = read("startTime", _moment, _MOMENT_FORM, end - DAY)
    if not errors:
        errors = _wrong_span(start, end, interval, zone)
    if errors:
        raise InvalidRequest(errors)
    wanted = buckets(start, end, interval, zone)
    return Query(wanted, interval, zone, group_by, min(top, _MOST_ROWS // len(wanted)), as_csv)


def _wrong_span(
    start: datetime, end: datetime, interval: Interval, zone: ZoneInfo
) -> dict[str, list[str]]:
    if not start < end:
        return {"endTime": ["The span ends before it begins."]}
    longest = _LONGEST[interval]
    if end - start > longest:
        days = longest // DAY
        return {"startTime": [f"A span by {interval} is at most {days} day{'s' * (days > 1)}."]}
    if interval is Interval.HOUR and end - start > _LONGEST_ODD_HOURS and _is_odd(start, zone):
        most = _LONGEST_ODD_HOURS // DAY
        reason = f"Hours in {zone.key} begin between UTC's; a span is at most {most} days."
        return {"startTime": [reason]}
    return {}


def _is_odd(moment: datetime, zone: ZoneInfo) -> bool:
    offset = moment.astimezone(zone).utcoffset() or timedelta(0)
    return offset % HOUR != timedelta(0)


def _top(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > len(str(MOST_TOP)):
        raise ValueError(text)
    if not 1 <= int(text) <= MOST_TOP:
        raise ValueError(text)
    return int(text)


def _is_csv(text: str) -> bool:
    if text not in {"json", "csv"}:
        raise ValueError(text)
    return text == "csv"


def _moment(text: str) -> datetime:
    # A plus in a query is read as a space.
    moment = from_iso(text.replace(" ", "+"))
    if moment.year not in _YEARS:
        raise ValueError(text)
    return moment


_REBUILD: Final = (
    Member("startTime", Parsed(_moment, of=str), _MOMENT_FORM, required=True),
    Member("endTime", Parsed(_moment, of=str), _MOMENT_FORM, required=True),
)


def read_rebuild(body: Any, now: datetime) -> tuple[datetime, datetime]:
    """The span that is to be folded again, in whole minutes.

    Raises:
        InvalidRequest: with every member at fault.
    """
    read = Body(body, _REBUILD)
    read.finish()
    start, end = read["startTime"], min(read["endTime"], now)
    if not start < end:
        raise InvalidRequest.of("endTime", "The span ends before it begins, or has not begun.")
    if end - start > _LONGEST[Interval.TOTAL]:
        raise InvalidRequest.of("startTime", "A span is at most 366 days.")
    ((first, last),) = buckets(start, end, Interval.TOTAL, zone_named("UTC"))
    return first, last


class AnalyticsApi:
    """Answers questions about what was counted.

    Args:
        tables: the rollups.
        timer: how far they have come.
        programs: which program a sender belongs to now.
    """

    def __init__(
        self, *, clock: Clock, tables: Tables, timer: CountingTimer, programs: Programs
    ) -> None:
        self._clock = clock
        self._tables = tables
        self._timer = timer
        self._programs = programs

    async def answer(self, query: Query) -> dict[str, Any]:
        """The answer's members: a row for each bucket, and for each group in it."""
        now = self._clock()
        state, found = await every(self._timer.state(), self._read(query, now))
        value = [
            row
            for bucket, groups in zip(query.buckets, found, strict=True)
            for row in _rows(bucket, groups, query)
        ]
        whole = (query.buckets[0][0], query.buckets[-1][1])
        total: dict[str, Counts] = {}
        for groups in found:
            _add_groups(total, groups)
        return {
            "startTime": iso(whole[0]),
            "endTime": iso(whole[1]),
            "interval": str(query.interval),
            "timeZone": query.zone.key,
            "groupBy": str(query.group_by) if query.group_by is not None else None,
            "upTo": iso(state.folded_up_to) if state is not None else None,
            "value": value,
            "total": list(_rows(whole, total, query)),
        }

    async def _read(self, query: Query, now: datetime) -> list[dict[str, Counts]]:
        """The groups of each bucket."""
        plan = Plan(query.buckets)
        found: list[dict[str, Counts]] = [{} for _ in query.buckets]
        dimension = _dimension(query.group_by)

        async def read(span: tuple[Level, datetime, datetime]) -> None:
            level, start, end = span
            async for row in self._tables.query(
                TABLE,
                _ROWS,
                select=["RowKey", *properties(dimension)],
                partition=level.partition(start),
                low=level.row(start),
                high=level.row(end - level.length) + "~~",
            ):
                moment = level.moment(row["RowKey"])
                bucket = plan.bucket_of(level, moment)
                if bucket is not None:
                    late = now - (moment + level.length) >= SILENCE
                    groups = self._groups(row, query, late=late)
                    if found[bucket]:
                        _add_groups(found[bucket], groups)
                    else:
                        found[bucket] = groups

        await few_at_once(read, plan.ranges())
        kept = _kept(found, query.top)
        return [_within(groups, kept) for groups in found]

    def _groups(self, row: Entity, query: Query, *, late: bool) -> dict[str, Counts]:
        groups = groups_in(row, _dimension(query.group_by))
        if late:
            for counts in groups.values():
                # No report is expected any more.
                if silent := counts.pop("awaiting", 0):
                    add_counts(counts, {"unknown": silent})
        if query.group_by is not GroupBy.PROGRAM:
            return groups
        programs: dict[str, Counts] = {}
        for sender, counts in groups.items():
            group = self._programs.of(sender) if sender not in {NONE, OTHERS} else sender
            add_counts(programs.setdefault(group, {}), counts)
        return programs


def _dimension(group_by: GroupBy | None) -> str:
    if group_by is None:
        return "total"
    return "sender" if group_by is GroupBy.PROGRAM else str(group_by)


def _add_groups(into: dict[str, Counts], more: Mapping[str, Counts]) -> None:
    for group, counts in more.items():
        add_counts(into.setdefault(group, {}), counts)


def _kept(found: Sequence[Mapping[str, Counts]], top: int) -> frozenset[str]:
    """The groups that are told apart: those with the most texts over all."""
    sent: dict[str, Counts] = {}
    for groups in found:
        for group, counts in groups.items():
            add_counts(sent.setdefault(group, {}), {"sent": counts.get("sent", 0)})
    return frozenset(largest(sent, top))


def _within(groups: Mapping[str, Counts], kept: frozenset[str]) -> dict[str, Counts]:
    if kept.issuperset(groups):
        return dict(groups)
    found: dict[str, Counts] = {}
    for group, counts in groups.items():
        add_counts(found.setdefault(group if group in kept else OTHERS, {}), counts)
    return found


def _rows(bucket: Bucket, groups: Mapping[str, Counts], query: Query) -> list[dict[str, Any]]:
    if query.group_by is None:
        return [_row(bucket, None, groups.get(NONE, {}))]
    names = sorted(groups, key=lambda g: (g == OTHERS, -groups[g].get("sent", 0), g))
    return [_row(bucket, name, groups[name]) for name in names]


def _row(bucket: Bucket, group: str | None, counts: Mapping[str, int]) -> dict[str, Any]:
    def of(name: str) -> int:
        return counts.get(name, 0)

    kinds = by_kind(counts)
    median, p95 = percentiles(kinds.get("time", {}), 50, 95)
    return {
        "startTime": iso(bucket[0]),
        "endTime": iso(bucket[1]),
        "group": OTHERS_SHOWN if group == OTHERS else group or None,
        "isOther": group == OTHERS,
        "sent": of("sent"),
        "segments": of("segments"),
        "cost": {name: _money(amount) for name, amount in kinds.get("cost", {}).items()},
        "unpricedSegments": of("unpriced"),
        "blocked": {
            **dict.fromkeys(("optedOut", "country", "budget", "flood", "platform"), 0),
            **kinds.get("blocked", {}),
        },
        "failed": kinds.get("failed", {}),
        "expired": of("expired"),
        "canceled": of("canceled"),
        "delivered": of("delivered"),
        "undelivered": kinds.get("undelivered", {}),
        "uncertain": of("uncertain"),
        "unknown": of("unknown"),
        "awaiting": of("awaiting"),
        "timeToDelivery": {"median": median, "p95": p95},
        "deliveryRate": _rate(of("delivered"), of("sent")),
        "inbound": of("inbound"),
        "replied": of("replied"),
        "replyRate": _rate(of("replied"), of("sent")),
        "optOuts": of("optOuts"),
        "optOutRate": _rate(of("optOuts"), of("sent")),
        "resumes": of("resumes"),
        "help": of("help"),
    }


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _money(amount: int) -> str:
    exact = (Decimal(amount) / MONEY).normalize()
    # At least the four decimals of the price table.
    return f"{exact:f}" if -int(exact.as_tuple().exponent) > 4 else f"{exact:.4f}"  # noqa: PLR2004


def empty_row(query: Query) -> dict[str, Any]:
    """A row in which nothing was counted, for its members."""
    return _row(query.buckets[0], None, {})
