"""The timer's work: fold the minutes that are over, and those that late facts have changed.

One run, once a minute:

    1. Minutes that have been over for 90 seconds, in their order.
    2. Minutes that marks name (shared/analytics/late.py), once their marks have settled.
    3. What the ledger's log has got since.
    4. Spans that an operator wants folded again.

Each step writes minutes, then the hours that they belong to, then the days, and only then how far
it has come. A run that is cut off anywhere is so repeated by the next one, which writes the same.
Nothing is ever added to a row that was read: rows are made from the facts and replace each other.

Only one run folds at a time: it claims the state row, by its ETag, for less than the minute in
which the next one comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from shared.analytics.count_rows import MINUTE, MINUTES, TABLE
from shared.analytics.count_writer import Batch, CountWriter
from shared.analytics.counts import Tally
from shared.analytics.late import FOLDED_AFTER, SETTLED_AFTER, DueMarks, Span
from shared.analytics.minute import (
    Tariff,
    answers,
    count_change,
    fold_minute,
    minute_of_change,
)
from shared.analytics.origins import Origins
from shared.analytics.state import (
    STATE_PARTITION,
    STATE_ROW,
    Overtaken,
    TimerState,
    read_state,
    state_row,
)
from shared.azure.storage import Changed
from shared.azure.tables import Entity, Tables
from shared.base import log
from shared.base.clock import Clock
from shared.conversations.looks import IndexedUpTo
from shared.messages.record import MinuteFacts, Record
from shared.optouts import Ledger

OPTOUTS: Final = "optouts"
# How long a run goes on taking up work, and how long nobody else may.
BUDGET: Final = timedelta(seconds=40)
CLAIM: Final = timedelta(seconds=55)
# Changes of the ledger that one run takes up.
_MOST_CHANGES: Final = 10_000
# Nothing says where in the ledger's log a minute begins.
_FROM_THE_BEGINNING: Final[dict[str, Any]] = {"log_from": 0, "log_end": 0, "log_minute": None}


class FactIndex(Protocol):
    """Another fold over the same facts, read once: its rows follow from one minute's facts alone.

    Attributes:
        table: where its rows go. They replace what has their keys.
    """

    table: str

    def rows(self, minute: datetime, facts: MinuteFacts) -> Sequence[Entity]:
        """The rows of one minute; asked for again when more of its facts have come."""
        ...


class CountingTimer:
    """Counts what the facts say, a run a minute.

    Args:
        tables: where counts and their state are.
        record: the facts.
        ledger: opt-outs, which are counted, too.
        tariff: what texts cost; made when it is first needed.
        indexes: other folds over the same facts.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        tables: Tables,
        record: Record,
        ledger: Ledger,
        id_key: bytes,
        tariff: Callable[[], Tariff],
        indexes: Sequence[FactIndex] = (),
    ) -> None:
        self._clock = clock
        self._tables = tables
        self._record = record
        self._ledger = ledger
        self._id_key = id_key
        self._tariff = tariff
        self._indexes = indexes
        self._marks = DueMarks(tables)
        self._origins = Origins(record)
        self._writer = CountWriter(tables)

    async def run(self) -> None:
        """Fold what there is to fold, as far as the time allows; the next run goes on."""
        until = self._clock() + BUDGET
        try:
            state = await self._claim()
            state = await self._fold_new(state, until)
            state = await self._fold_marked(state, until)
            state = await self._fold_log(state, until)
            state = await self._fold_again(state, until)
            await self._save(replace(state, claimed_until=None))
        except Overtaken:
            log.event("rollups.overtaken")

    async def indexed_up_to(self) -> IndexedUpTo | None:
        """How far other folds over the same facts are; None where it has not begun."""
        state = await self.state()
        return IndexedUpTo(state.folded_up_to, state.marks_up_to) if state is not None else None

    async def state(self) -> TimerState | None:
        """How far the fold has come; None before the first run. One operation."""
        row = await self._tables.get(TABLE, STATE_PARTITION, STATE_ROW)
        return read_state(row) if row is not None else None

    async def request_recount(self, start: datetime, end: datetime) -> None:
        """Have a span counted again, by the runs to come."""
        await self._marks.mark_span(start, end, self._clock())

    async def drop_old_marks(self) -> int:
        """Drop the marks of days that are behind; how many there were."""
        state = await self.state()
        if state is None:
            return 0
        return await self._marks.drop_before(state.marks_up_to - timedelta(days=1))

    # The state ----------------------------------------------------------------------------------

    async def _claim(self) -> TimerState:
        now = self._clock()
        state = await self.state()
        if state is None:
            return await self._begin(now)
        if state.claimed_until is not None and now < state.claimed_until:
            raise Overtaken
        return await self._save(replace(state, claimed_until=now + CLAIM))

    async def _begin(self, now: datetime) -> TimerState:
        first = await self._record.first_month()
        # Whatever is there is about to be read; marks that are put from now on are due later.
        state = TimerState(first or _over(now), MINUTES.floor(now), claimed_until=now + CLAIM)
        etag = await self._tables.insert(TABLE, state_row(state))
        if etag is None:
            raise Overtaken
        return replace(state, etag=etag)

    async def _save(self, state: TimerState) -> TimerState:
        try:
            etag = await self._tables.merge(TABLE, state_row(state), etag=str(state.etag))
        except Changed:
            raise Overtaken from None
        return replace(state, etag=etag)

    async def _advance(self, state: TimerState, batch: Batch, **members: Any) -> TimerState:
        """Write a batch, the hours and days that it changes, and how far the fold has come."""
        if not batch.rows:
            # What the run writes at its end is soon enough.
            return replace(state, **members)
        now = self._clock()
        if state.claimed_until is None or now >= state.claimed_until:
            raise Overtaken
        await self._writer.write(batch)
        claimed = self._clock() + CLAIM
        return await self._save(replace(state, claimed_until=claimed, **members))

    # Facts --------------------------------------------------------------------------------------

    async def _fold_new(self, state: TimerState, until: datetime) -> TimerState:
        return await self._fold_span(
            state,
            until,
            state.folded_up_to,
            _over(self._clock()),
            lambda upto: {"folded_up_to": upto},
        )

    async def _fold_again(self, state: TimerState, until: datetime) -> TimerState:
        while state.again and self._clock() < until:
            (start, end), *others = state.again
            # What has not been folded yet will be.
            end = min(end, state.folded_up_to)

            def left(
                upto: datetime, end: datetime = end, others: Sequence[Span] = tuple(others)
            ) -> dict[str, Any]:
                return {"again": (((upto, end),) if upto < end else ()) + tuple(others)}

            state = await self._fold_span(state, until, start, end, left)
        return state

    async def _fold_span(
        self,
        state: TimerState,
        until: datetime,
        start: datetime,
        end: datetime,
        members: Callable[[datetime], dict[str, Any]],
    ) -> TimerState:
        """Fold a span as far as the time allows; `members` of the state say how far that was."""
        batch = Batch()
        async with aclosing(self._record.minutes(start, end)) as found:
            async for facts in found:
                await self._fold(batch, facts)
                if batch.full:
                    upto = facts.minute + MINUTE
                    state, batch = await self._advance(state, batch, **members(upto)), Batch()
                    if self._clock() >= until:
                        return state
        return await self._advance(state, batch, **members(max(start, end)))

    async def _fold_marked(self, state: TimerState, until: datetime) -> TimerState:
        settled = MINUTES.floor(self._clock() - SETTLED_AFTER)
        marks = await self._marks.find(state.marks_up_to, settled)
        batch, done, upto = Batch(), set[datetime](), state.marks_up_to
        for due in sorted(marks):
            if self._clock() >= until:
                break
            for start, end in _stretches(marks[due].minutes - done):
                async with aclosing(self._record.minutes(start, end)) as found:
                    async for facts in found:
                        await self._fold(batch, facts)
                        if batch.full:
                            state, batch = await self._advance(state, batch), Batch()
            done |= marks[due].minutes
            upto = due
            if spans := marks[due].spans:
                state = replace(state, **_FROM_THE_BEGINNING)
                state = replace(state, again=tuple(dict.fromkeys((*state.again, *spans))))
        else:
            upto = max(upto, settled)
        return await self._advance(state, batch, marks_up_to=upto)

    async def _fold(self, batch: Batch, facts: MinuteFacts) -> None:
        """Fold one minute's facts into a batch; note in the record who has been answered."""
        for message_id, received in facts.inbound:
            if (answered := answers(received)) is not None:
                await self._record.answered(answered, message_id, received.received)
        found = fold_minute(
            facts,
            id_key=self._id_key,
            tariff=self._tariff(),
            origins=await self._origins.of_answered(facts),
        )
        cause = MINUTES.row(facts.minute)
        for minute, tally in found.items():
            batch.add_tally(minute, tally, cause=cause)
        for index in self._indexes:
            batch.add_rows(index.table, index.rows(facts.minute, facts))
        batch.folded += 1
        batch.texts += sum(len(send.intent.request.asked) for send in facts.sends)
        batch.texts += len(facts.inbound)

    # The ledger ---------------------------------------------------------------------------------

    async def _fold_log(self, state: TimerState, until: datetime) -> TimerState:
        first = None
        async with aclosing(self._ledger.log(state.log_end)) as found:
            first = await anext(found, None)
        if first is None or self._clock() >= until:
            return state
        after = state.log_end
        if minute_of_change(first, state.log_minute) == state.log_minute:
            # More of the minute that was the last one: it is made again as a whole.
            after = state.log_from - 1
        group, count, batch = _MinuteOfChanges(state.log_minute), 0, Batch()
        async with aclosing(self._ledger.log(after)) as found:
            async for row in found:
                minute = minute_of_change(row, group.minute)
                if minute != group.minute or not group.end:
                    group.put(batch)
                    if count >= _MOST_CHANGES:
                        break
                    group = _MinuteOfChanges(minute, start=row["sequence"])
                origin = await self._origins.of_message(row["messageId"])
                count_change(group.tally, row, tariff=self._tariff(), origin=origin)
                group.end, count = row["sequence"], count + 1
            else:
                group.put(batch)
        return await self._advance(
            state, batch, log_from=group.start, log_end=group.end, log_minute=group.minute
        )


@dataclass(slots=True)
class _MinuteOfChanges:
    """The changes of the ledger that count at one minute."""

    minute: datetime | None
    start: int = 0
    end: int = 0
    tally: Tally = field(default_factory=Tally)

    def put(self, batch: Batch) -> None:
        """Have it written, if there is anything in it."""
        if self.minute is not None and self.tally:
            batch.add_tally(self.minute, self.tally, cause=OPTOUTS)


def _stretches(minutes: Iterable[datetime]) -> list[Span]:
    """Minutes that follow each other as one span: a query for each shard reads them all."""
    found: list[Span] = []
    for minute in sorted(minutes):
        if found and found[-1][1] == minute:
            found[-1] = (found[-1][0], minute + MINUTE)
        else:
            found.append((minute, minute + MINUTE))
    return found


def _over(now: datetime) -> datetime:
    """The end of the last minute that may be folded."""
    return MINUTES.floor(now - FOLDED_AFTER)
