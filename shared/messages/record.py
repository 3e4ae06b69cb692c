"""Writing facts down and finding them again."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from azure.core import MatchConditions
from azure.data.tables import UpdateMode

from shared.azure.event_grid import PlatformReport, Received
from shared.azure.storage import Changed
from shared.azure.tables import Entity, TableOperation, Tables
from shared.base import ids
from shared.base.clock import from_iso
from shared.messages import facts
from shared.messages.facts import Intent, Outcome, StoredReport

_ROWS: Final = "PartitionKey eq @partition and RowKey ge @low and RowKey le @high"
_ONE_MESSAGE: Final = (
    # The client finds its parameters at spaces.
    f"{_ROWS} and ( RowKey eq @low or RowKey eq @high"
    " or ( RowKey gt @reports and RowKey lt @reports_end ) )"
)
_SPAN: Final = "PartitionKey ge @low and PartitionKey le @high"
STRAY: Final = "stray"
# Characters of an id that are its time.
_TIME: Final = 10
# A transaction holds 4 MiB, and a request may have 64 KiB.
_BLANKED_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class Send:
    """All facts of one send, or of one recipient's part of it.

    Attributes:
        intent: what was wanted.
        outcomes: by address; None while there is no outcome.
        outcome_at: when the outcome was recorded.
        reports: those that arrived, in the order of their rows.
        answered: ids of its messages that people have answered.
    """

    intent: Intent
    outcomes: dict[str, Outcome] | None
    outcome_at: datetime | None
    reports: tuple[StoredReport, ...] = ()
    answered: frozenset[str] = frozenset()

    @property
    def may_have_left(self) -> bool:
        """Whether somebody was texted, may have been, or still is to be."""
        intent = self.intent
        return self.outcomes is not None or intent.waiting or intent.doubt_since is not None


@dataclass(frozen=True, slots=True)
class MinuteFacts:
    """All facts that lie in one minute, by the times of their ids.

    Attributes:
        minute: its beginning.
        sends: in the order of their ids, with everything that has become of them since.
        inbound: ids and texts from people, likewise.
    """

    minute: datetime
    sends: Sequence[Send]
    inbound: Sequence[tuple[str, Received]]


class LateListener(Protocol):
    """Whoever has to hear of facts that come when their minute may have been counted."""

    def around(self, any_id: str) -> AbstractAsyncContextManager[None]:
        """Facts of this id's minute are written inside."""
        ...


class CodeListener(Protocol):
    """Whoever has to find the texts of one-time codes again."""

    async def mark(self, intent: Intent) -> None:
        """An intent is about to be written."""
        ...


class Record:
    """The message tables.

    Args:
        shards: partitions that a minute is spread over; a constant of the deployment.
        late: told of facts that come when their minute may have been counted. None where nobody
            counts.
        codes: told of intents before they are written. None where no text is ever blanked.
    """

    def __init__(
        self,
        tables: Tables,
        shards: int,
        late: LateListener | None = None,
        codes: CodeListener | None = None,
    ) -> None:
        self._tables = tables
        self._shards = shards
        self._late = late
        self._codes = codes

    def _in_time(self, any_id: str) -> AbstractAsyncContextManager[None]:
        return self._late.around(any_id) if self._late is not None else nullcontext()

    # Sends ------------------------------------------------------------------------------------

    async def begin(self, intent: Intent) -> Intent | None:
        """Write an intent down; it with its ETag. None if there is one with its id."""
        if self._codes is not None:
            await self._codes.mark(intent)
        async with self._in_time(intent.send_id):
            etag = await self._tables.insert(
                ids.month_table(intent.send_id), facts.intent_row(intent, self._shards)
            )
        return replace(intent, etag=etag) if etag is not None else None

    async def record_attempt(self, intent: Intent) -> Intent:
        """Note how an attempt went, or that another takes over; the intent with its new ETag.

        Raises:
            Changed: somebody else took it over since it was read.
        """
        async with self._in_time(intent.send_id):
            etag = await self._tables.merge(
                ids.month_table(intent.send_id),
                facts.attempt_row(intent, self._shards),
                etag=str(intent.etag),
            )
        return replace(intent, etag=etag)

    async def change(self, step: Callable[[], Awaitable[None]]) -> None:
        """Read an intent and note a change of it, until nobody else did in between.

        Raises:
            Changed: others were always faster.
        """
        await self._tables.change(step)

    async def blank(self, intents: Sequence[Intent]) -> int:
        """Take the texts out of intents of one month; how many: those that nobody else changed."""
        by_partition: dict[str, list[TableOperation]] = {}
        for intent in intents:
            row = facts.blank_row(intent, self._shards)
            options = {
                "mode": UpdateMode.MERGE,
                "etag": intent.etag,
                "match_condition": MatchConditions.IfNotModified,
            }
            by_partition.setdefault(row["PartitionKey"], []).append(("update", row, options))
        table = ids.month_table(intents[0].send_id) if intents else ""
        blanked = 0
        for operations in by_partition.values():
            for start in range(0, len(operations), _BLANKED_AT_ONCE):
                blanked += await self._commit(table, operations[start : start + _BLANKED_AT_ONCE])
        return blanked

    async def _commit(self, table: str, operations: Sequence[TableOperation]) -> int:
        """Do all of these, or each that still can be done; how many."""
        try:
            await self._tables.commit(table, operations)
        except Changed:
            if len(operations) == 1:
                return 0
            return sum([await self._commit(table, [operation]) for operation in operations])
        return len(operations)

    async def conclude(self, send_id: str, outcomes: list[Outcome], at: datetime) -> bool:
        """Write the outcome down. False if another attempt did already."""
        row = facts.outcome_row(send_id, outcomes, at=at, shards=self._shards)
        async with self._in_time(send_id):
            return await self._tables.insert(ids.month_table(send_id), row) is not None

    async def send(self, send_id: str) -> Send | None:
        """A send with all its reports; one query."""
        rows = [
            row
            async for row in self._tables.query(
                ids.month_table(send_id),
                _ROWS,
                partition=ids.partition(send_id, self._shards),
                low=send_id,
                high=send_id + facts.OUTCOME,
            )
        ]
        return _read_send(rows)

    async def message(self, message_id: str) -> Send | None:
        """A send with the reports of one recipient only; one query."""
        send_id = message_id[: ids.ULID_LENGTH]
        rows = [
            row
            async for row in self._tables.query(
                ids.month_table(send_id),
                _ONE_MESSAGE,
                partition=ids.partition(send_id, self._shards),
                low=send_id,
                high=send_id + facts.OUTCOME,
                reports=message_id + ".",
                reports_end=message_id + "/",
            )
        ]
        return _read_send(rows)

    async def sends(self, send_ids: Iterable[str]) -> list[Send]:
        """Sends with all their reports, and with the sends that carry parts of them.

        One query for each partition that they lie in, where their ids have one time.
        """
        found = {send.intent.send_id: send for send in await self._sends(set(send_ids))}
        carried = {part.send_id for send in found.values() for part in send.intent.parts}
        found |= {send.intent.send_id: send for send in await self._sends(carried - found.keys())}
        return list(found.values())

    async def _sends(self, send_ids: set[str]) -> list[Send]:
        places = {(ids.month_table(i), ids.partition(i, self._shards), i[:_TIME]) for i in send_ids}
        found: list[Send] = []
        for table, partition, time in sorted(places):
            rows = self._tables.query(table, _ROWS, partition=partition, low=time, high=time + "~")
            async for key, send in _grouped(rows):
                if key in send_ids and isinstance(send, Send):
                    found.append(send)
        return found

    async def intent(self, send_id: str) -> Intent | None:
        """A send's intent alone; one point read."""
        row = await self._tables.get(
            ids.month_table(send_id), ids.partition(send_id, self._shards), send_id
        )
        return facts.read_intent(row) if row is not None else None

    # Reports ----------------------------------------------------------------------------------

    async def report(
        self, message_id: str, report: PlatformReport, *, retried_by: str | None = None
    ) -> bool:
        """Write a report down. False if it is there: the same fact came twice."""
        row = facts.report_row(message_id, report, self._shards, retried_by)
        async with self._in_time(message_id):
            return await self._tables.insert(ids.month_table(message_id), row) is not None

    async def stray(self, report: PlatformReport) -> None:
        """Keep a report for a message that Parley never sent."""
        key = ids.derived(
            report.platform_id, report.theirs, report.status, report.details, report.received_text
        )
        row: Entity = {
            "PartitionKey": f"{STRAY}-{report.received:%Y%m%d}",
            "RowKey": key,
            "from": report.ours,
            "to": report.theirs,
            "tag": report.tag[:1000],
            **facts.report_members(report),
        }
        await self._tables.put(f"messages{report.received:%Y%m}", row)

    # Inbound ----------------------------------------------------------------------------------

    async def inbound(self, message_id: str, received: Received) -> bool:
        """Write an inbound message down. False if it is there."""
        row = facts.inbound_row(message_id, received, self._shards)
        async with self._in_time(message_id):
            return await self._tables.insert(ids.month_table(message_id), row) is not None

    async def inbound_message(self, message_id: str) -> Received | None:
        """An inbound message, or None."""
        row = await self._tables.get(
            ids.month_table(message_id), ids.partition(message_id, self._shards), message_id
        )
        return facts.read_inbound(row) if row is not None else None

    # Answers ----------------------------------------------------------------------------------

    async def answered(self, message_id: str, by: str, at: datetime) -> None:
        """Note that somebody has answered a message of ours. The first answer stays.

        Two operations, and one if it was noted before.
        """
        table, row = ids.month_table(message_id), facts.answer_row(message_id, by, at, self._shards)
        if await self._tables.get(table, row["PartitionKey"], row["RowKey"]) is None:
            async with self._in_time(message_id):
                await self._tables.insert(table, row)

    # Listing ----------------------------------------------------------------------------------

    async def span(
        self, start: datetime, end: datetime, *, after: str = ""
    ) -> AsyncIterator[tuple[str, Send | Received]]:
        """Sends and inbound messages of a span of time, in its order, with their ULIDs or ids.

        One query for each shard and month, read as far as the caller goes on reading.

        Args:
            start: inclusive, by the minute.
            end: exclusive.
            after: the message id up to which the caller has read already; its send comes again.
        """
        seen = after[: ids.ULID_LENGTH]
        if seen:
            start = max(start, ids.time_of(seen))
        month = start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        while month < end:
            following = (month + timedelta(days=32)).replace(day=1)
            low, high = max(start, month), min(end, following) - timedelta(microseconds=1)
            streams = [
                _grouped(
                    self._tables.query(
                        f"messages{month:%Y%m}",
                        _SPAN,
                        low=f"{shard:x}-{low:%Y%m%d%H%M}",
                        high=f"{shard:x}-{high:%Y%m%d%H%M}",
                    )
                )
                for shard in range(self._shards)
            ]
            async for key, found in _merged(streams):
                if key >= seen:
                    yield key, found
            month = following

    async def minutes(self, start: datetime, end: datetime) -> AsyncGenerator[MinuteFacts, None]:
        """The facts of a span of time, minute by minute; minutes without any are left out.

        Args:
            start: inclusive, a whole minute.
            end: exclusive, likewise.
        """
        minute: datetime | None = None
        sends: list[Send] = []
        inbound: list[tuple[str, Received]] = []
        async for key, found in self.span(start, end):
            at = ids.time_of(key).replace(second=0, microsecond=0)
            if minute is not None and at != minute:
                yield MinuteFacts(minute, sends, inbound)
                sends, inbound = [], []
            minute = at
            if isinstance(found, Send):
                sends.append(found)
            else:
                inbound.append((key, found))
        if minute is not None:
            yield MinuteFacts(minute, sends, inbound)

    async def first_month(self) -> datetime | None:
        """The beginning of the first month of which there are facts; None if there are none."""
        months = [
            datetime.strptime(name, f"{ids.MONTH_TABLES}%Y%m").replace(tzinfo=UTC)
            for name in await self._tables.tables(ids.MONTH_TABLES)
        ]
        return min(months, default=None)


def _read_send(rows: list[Entity]) -> Send | None:
    """The send that rows of one send id make; None without the intent."""
    intent: Intent | None = None
    outcomes: dict[str, Outcome] | None = None
    outcome_at: datetime | None = None
    reports: list[StoredReport] = []
    answered: list[str] = []
    for row in rows:
        key = row["RowKey"]
        if len(key) == ids.ULID_LENGTH:
            intent = facts.read_intent(row)
        elif key.endswith(facts.OUTCOME):
            outcomes, outcome_at = facts.read_outcomes(row), from_iso(row["at"])
        elif key.endswith(facts.ANSWER):
            answered.append(key.removesuffix(facts.ANSWER))
        else:
            reports.append(facts.read_report_row(row))
    if intent is None:
        return None
    return Send(intent, outcomes, outcome_at, tuple(reports), frozenset(answered))


async def _grouped(
    rows: AsyncIterator[Entity],
) -> AsyncIterator[tuple[str, Send | Received]]:
    """Rows in key order as sends and inbound messages."""
    group: list[Entity] = []
    async for row in rows:
        key = row["RowKey"]
        if group and not key.startswith(group[0]["RowKey"][: ids.ULID_LENGTH]):
            if send := _read_send(group):
                yield send.intent.send_id, send
            group = []
        if key.endswith(ids.INBOUND_SUFFIX):
            yield key, facts.read_inbound(row)
        else:
            group.append(row)
    if group and (send := _read_send(group)):
        yield send.intent.send_id, send


async def _merged(
    streams: list[AsyncIterator[tuple[str, Send | Received]]],
) -> AsyncIterator[tuple[str, Send | Received]]:
    """Several ordered streams as one."""
    heads = await asyncio.gather(*(anext(stream, None) for stream in streams))
    heap = [(head[0], i, head[1]) for i, head in enumerate(heads) if head is not None]
    heapq.heapify(heap)
    while heap:
        key, i, found = heapq.heappop(heap)
        yield key, found
        following = await anext(streams[i], None)
        if following is not None:
            heapq.heappush(heap, (following[0], i, following[1]))
