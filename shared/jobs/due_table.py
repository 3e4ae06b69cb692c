"""The rows of the table `due`, and the queue messages that name them.

`shared.jobs.due` describes the rows. A message of kind `due` on the queue `dispatch` names up to
fifty works of one partition: `in`, the partition, and `works`, for each its kind, id, moment,
queueings, tries and reason. The row `heartbeat` in the partition `timer` says when the timer ran
last.

Nothing here undoes what was written before: wherever a process dies, what is left is a row without
its work, a row that its work does not name, or a work whose message is missing; the timer and the
worker deal with each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from azure.core import MatchConditions
from azure.data.tables import UpdateMode

from shared.azure.storage import Changed, StorageDown
from shared.azure.tables import ANY, Entity, TableOperation, Tables, etag_of
from shared.base import log
from shared.base.clock import Clock, from_iso, iso
from shared.base.errors import Unintelligible
from shared.jobs.dispatch import Dispatch
from shared.jobs.due import FRESH, HORIZON, VERSION, Due, minute_of, placed

TABLE: Final = "due"
KIND: Final = "due"
_TIMER: Final = "timer"
_HEARTBEAT: Final = "heartbeat"
_BEFORE: Final = "PartitionKey lt @end"
_REST: Final = "PartitionKey eq @place and RowKey gt @row"
_LATER: Final = "PartitionKey gt @place and PartitionKey lt @end"
# Partitions begin with digits, and this comes after all of them.
_END: Final = ":"
_TRANSACTION: Final = 100
_TRIES: Final = 3
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A run of the timer.

    Attributes:
        at: when it began.
        first: works that it queued for the first time.
        again: works that it queued again.
        behind: works that it would have queued again, had the queue not been behind.
    """

    at: datetime
    first: int = 0
    again: int = 0
    behind: int = 0


class DueTable:
    """Writes down what is due later, and finds it.

    Args:
        tables: the rows.
        dispatch: the queue that what is due soon waits on.
    """

    def __init__(self, tables: Tables, dispatch: Dispatch, clock: Clock) -> None:
        self._tables = tables
        self._dispatch = dispatch
        self._clock = clock

    # Writing ------------------------------------------------------------------------------------

    async def begin(self, due: Due, write: Callable[[], Awaitable[_T]]) -> _T:
        """Write a work down: its due row, then what it is about, then its message if it is soon.

        Args:
            due: the work.
            write: writes the work's own row. It may be there already.

        Raises:
            StorageDown: repeating is safe.
        """
        written = await self._put(due)
        found = await write()
        await self._announce_soon(written)
        return found

    async def put_off(
        self, due: Due, later: Due, name: Callable[[Due, Due], Awaitable[None]]
    ) -> None:
        """Have a work done later than it is due.

        Args:
            due: where it is.
            later: as it is to be.
            name: has the work's own row, which names the first, name the second.

        Raises:
            Changed: its own row could not be changed; the work stays where it is, too.
            StorageDown: it stays where it is, or is there already; repeating is safe.
        """
        if later.moment - self._clock() <= HORIZON:
            near = placed(replace(later, partition=due.place), self._clock())
            with suppress(Changed):  # somebody else has ended it
                await self._tables.merge(TABLE, _row(near), etag=ANY)
                await self._announce_soon(near)
            return
        await self._put(replace(later, partition=""))
        await name(due, later)
        if later.place != due.place:
            await self.remove([due])

    async def set_back(self, due: Due) -> None:
        """Count a work as queued once, now: somebody is at work at it."""
        # Nothing else of the row: whoever is at work at it may have put it off.
        members = {"queued": 1, "queuedAt": iso(self._clock())}
        with suppress(Changed):
            await self._tables.merge(TABLE, {**_keys(due), **members}, etag=ANY)

    async def mark(self, dues: Sequence[Due]) -> None:
        """Note that works of one partition have been queued, unless somebody changed their rows."""
        operations: list[TableOperation] = [
            (
                "update",
                _row(due),
                {
                    "mode": UpdateMode.MERGE,
                    "etag": due.etag,
                    "match_condition": MatchConditions.IfNotModified,
                },
            )
            for due in dues
        ]
        for start in range(0, len(dues), _TRANSACTION):
            try:
                await self._tables.commit(
                    TABLE, operations[start : start + _TRANSACTION], must_exist=True
                )
            except Changed:
                # One of them was done meanwhile, or put off. The others count all the same.
                for due in dues[start : start + _TRANSACTION]:
                    with suppress(Changed):
                        await self._tables.merge(TABLE, _row(due), etag=str(due.etag))

    async def remove(self, dues: Sequence[Due]) -> None:
        """Take works of one partition away; those that are gone already are fine."""
        if len(dues) > 1:
            operations: list[TableOperation] = [("delete", _keys(due)) for due in dues]
            with suppress(Changed):
                await self._tables.commit(TABLE, operations, must_exist=True)
                return
        for due in dues:
            await self._tables.remove(TABLE, due.place, due.row, etag=ANY)

    async def _put(self, due: Due) -> Due:
        """Write a due row, fresh enough for what it is about to follow."""
        for _ in range(_TRIES):
            begun = self._clock()
            written = placed(due, begun)
            await self._tables.put(TABLE, _row(written))
            if self._clock() - begun < FRESH:
                return written
        raise StorageDown("Storage took too long to write down what is due. Repeat the request.")

    # Queueing -----------------------------------------------------------------------------------

    async def announce(self, dues: Sequence[Due], *, at: datetime | None = None) -> None:
        """Put a message on the queue that names works of one partition.

        Args:
            dues: as the message has them.
            at: when it is to be seen; when they say they are queued, unless it is given.
        """
        moment = at or dues[0].queued_at or self._clock()
        await self._dispatch.at(moment, {"kind": KIND, **_told(dues)})

    async def _announce_soon(self, due: Due) -> None:
        if due.queued_at is None:
            return
        try:
            await self.announce([due])
        except StorageDown as error:
            # Its row says that it is queued: the timer sees that it is still there.
            log.trouble("due.not_announced", kind=due.kind, code=error.code)

    # Reading ------------------------------------------------------------------------------------

    async def due_by(self, moment: datetime) -> AsyncIterator[Due]:
        """What is due by the end of a moment's minute, by partition: the oldest minute first."""
        end = minute_of(moment + timedelta(minutes=1))
        async for row in self._tables.query(TABLE, _BEFORE, must_exist=True, end=end):
            try:
                yield read_row(row)
            except Unintelligible as error:
                # One such row must not hold up the others.
                log.trouble("due.unreadable", partition=row["PartitionKey"], reason=str(error))

    async def after(self, place: str, row: str, page: int) -> AsyncIterator[Due]:
        """What is due, whenever that is, past a partition and row; so many a page."""
        if place:
            rest = self._tables.query(
                TABLE, _REST, page=page, must_exist=True, place=place, row=row
            )
            async for found in rest:
                yield read_row(found)
        later = self._tables.query(TABLE, _LATER, page=page, must_exist=True, place=place, end=_END)
        async for found in later:
            yield read_row(found)

    # The timer ----------------------------------------------------------------------------------

    async def beat(self, beat: Heartbeat) -> None:
        """Note that the timer has run."""
        row: Entity = {
            "PartitionKey": _TIMER,
            "RowKey": _HEARTBEAT,
            "v": VERSION,
            "at": iso(beat.at),
            "first": beat.first,
            "again": beat.again,
            "behind": beat.behind,
        }
        await self._tables.put(TABLE, row)

    async def last_beat(self) -> Heartbeat | None:
        """The timer's last run; None if it has never run."""
        row = await self._tables.get(TABLE, _TIMER, _HEARTBEAT, must_exist=True)
        if row is None:
            return None
        return Heartbeat(from_iso(row["at"]), row["first"], row["again"], row["behind"])


def _keys(due: Due) -> Entity:
    return {"PartitionKey": due.place, "RowKey": due.row}


def _row(due: Due) -> Entity:
    return {
        **_keys(due),
        "v": VERSION,
        "moment": iso(due.moment),
        "queued": due.queued,
        "queuedAt": iso(due.queued_at) if due.queued_at else "",
        "tries": due.tries,
        "why": due.why,
    }


def read_row(row: Entity) -> Due:
    """A work from its row.

    Raises:
        Unintelligible: it is of another version.
    """
    if row.get("v") != VERSION:
        raise Unintelligible(
            f"a row of the table due of version {row.get('v')!r}, where this release of Parley"
            f" reads {VERSION}; run the release that wrote it"
        )
    kind, _, work_id = row["RowKey"].partition("~")
    return Due(
        kind=kind,
        work_id=work_id,
        moment=from_iso(row["moment"]),
        partition=row["PartitionKey"],
        queued=row["queued"],
        queued_at=from_iso(row["queuedAt"]) if row["queuedAt"] else None,
        tries=row["tries"],
        why=row["why"],
        etag=etag_of(row),
    )


def _told(dues: Sequence[Due]) -> dict[str, Any]:
    works = [[d.kind, d.work_id, iso(d.moment), d.queued, d.tries, d.why] for d in dues]
    return {"in": dues[0].place, "works": works}


def read_works(message: Mapping[str, Any]) -> list[Due]:
    """The works that a message names.

    Raises:
        Unintelligible: it is none.
    """
    try:
        return [
            Due(kind, work_id, from_iso(moment), message["in"], queued, tries=tries, why=why)
            for kind, work_id, moment, queued, tries, why in message["works"]
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise Unintelligible("a due message that names no works") from error
