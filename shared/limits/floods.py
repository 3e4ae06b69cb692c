"""The brake on one-time codes: not too many to one number, nor to one range of numbers.

Whoever can make an application send codes can make it text expensive ranges, or pester a person.
Table `floods`, a partition for each range of numbers:

- `range`: when codes went to any number of the range.
- `number:{digits}`: when codes went to one person in it, however the number was written.

Each row lists single codes with their times, so that a limit holds for every stretch of time and
not only from one full hour to the next; a code that is listed already is not counted again. Both
rows change in one transaction, guarded by their ETags. Neither holds a number: partitions, rows and
entries are named by keyed hashes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from azure.core import MatchConditions
from azure.data.tables import UpdateMode

from shared.azure.storage import Changed
from shared.azure.tables import Entity, TableOperation, Tables, etag_of
from shared.base.clock import iso
from shared.base.digests import keyed_digest
from shared.base.tasks import every
from shared.limits.group_commit import GroupCommit
from shared.messages.request import SendRequest
from shared.rules.categories import ONE_TIME_CODE
from shared.rules.limit_settings import FloodLimit, FloodLimits
from shared.rules.persons import person

TABLE: Final = "floods"
_RANGE: Final = "range"
_CATEGORY: Final = ONE_TIME_CODE
# Where ranges have no limit they still spread the numbers over partitions.
_USUAL_DIGITS: Final = 8
# A transaction holds 100 entities: the range, and 33 numbers of each of three jobs.
_MOST_NUMBERS: Final = 33
_MOST_JOBS: Final = 3
_MOST_DELETES: Final = 100
_ENTRY: Final = struct.Struct(">8sQ")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_IF_SAME: Final = {"match_condition": MatchConditions.IfNotModified}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Code:
    address: str
    row: str
    mark: bytes


@dataclass(frozen=True, slots=True)
class _FloodJob:
    codes: tuple[_Code, ...]
    at: int
    gives_back: bool


class Floods:
    """Holds the limits on one-time codes.

    Args:
        id_key: from which the hashes are derived.
        limits: what is too many.
    """

    def __init__(self, tables: Tables, id_key: bytes, limits: FloodLimits) -> None:
        self._tables = tables
        self._id_key = id_key
        self._limits = limits
        self._group = GroupCommit[_FloodJob, dict[str, str]](
            self._commit, most=_MOST_JOBS, pause=tables.pause
        )

    def applies(self, request: SendRequest) -> bool:
        """Whether the request sends one-time codes, and they are limited."""
        return request.category == _CATEGORY and bool(self._limits)

    async def reserve(
        self, send_id: str, addresses: Iterable[str], now: datetime
    ) -> dict[str, str]:
        """Count a code for each address.

        Returns:
            address to reason, for those who got too many; they are not counted.
        """
        return await self._run(send_id, addresses, now, gives_back=False)

    async def give_back(self, send_id: str, addresses: Iterable[str], now: datetime) -> None:
        """Count no code for those to whom this send's certainly was not sent."""
        await self._run(send_id, addresses, now, gives_back=True)

    async def sweep(self, now: datetime) -> int:
        """Delete rows that no limit looks at any more; how many."""
        stale: dict[str, list[Entity]] = {}
        async for row in self._tables.query(
            TABLE, "until lt @now", select=["PartitionKey", "RowKey"], now=iso(now)
        ):
            stale.setdefault(row["PartitionKey"], []).append(row)
        deleted = 0
        for rows in stale.values():
            for some in _in_parts(rows, _MOST_DELETES):
                try:
                    await self._tables.commit(
                        TABLE, [("delete", row, {**_IF_SAME, "etag": etag_of(row)}) for row in some]
                    )
                except Changed:
                    # One of them is in use again; the others can wait for the next sweep.
                    continue
                deleted += len(some)
        return deleted

    async def _run(
        self, send_id: str, addresses: Iterable[str], now: datetime, *, gives_back: bool
    ) -> dict[str, str]:
        partitions: dict[str, list[_Code]] = {}
        for address in addresses:
            partitions.setdefault(self._partition(address), []).append(
                _Code(
                    address,
                    f"number:{self._hash('number', person(address)).hex()}",
                    self._hash("code", f"{send_id} {address}")[:8],
                )
            )
        at = (now - _EPOCH) // _MICROSECOND
        found = await every(
            *(
                self._group.run(partition, _FloodJob(tuple(some), at, gives_back))
                for partition, codes in partitions.items()
                for some in _in_parts(codes, _MOST_NUMBERS)
            )
        )
        return {address: reason for one in found for address, reason in one.items()}

    def _partition(self, address: str) -> str:
        limit = self._limits.range
        digits = _USUAL_DIGITS if limit is None else limit.digits or _USUAL_DIGITS
        return self._hash("range", person(address).removeprefix("+")[:digits]).hex()

    def _hash(self, kind: str, text: str) -> bytes:
        return keyed_digest(self._id_key, kind, text)[:16]

    async def _commit(
        self,
        partition: str,
        jobs: Sequence[_FloodJob],
        doubt: bool,  # noqa: ARG002, FBT001  # rows are read anew each time
    ) -> Sequence[dict[str, str]]:
        keys: dict[str, None] = {}
        if self._limits.number is not None:
            keys = dict.fromkeys(code.row for job in jobs for code in job.codes)
        if self._limits.range is not None:
            keys[_RANGE] = None
        found = await every(*(self._tables.get(TABLE, partition, key) for key in keys))
        plan = _FloodPlan(self._limits, dict(zip(keys, found, strict=True)))
        results = [plan.add_job(job) for job in jobs]
        if operations := plan.operations(partition):
            await self._tables.commit(TABLE, operations)
        return results


class _Times:
    """The codes that one row lists.

    Time only goes forward here: processes' clocks differ, and a repeat brings the time of its first
    attempt, but what is counted later leaves later.
    """

    def __init__(self, row: Entity | None, limit: FloodLimit) -> None:
        self.read = row
        self.changed = False
        self._limit = limit
        self._window = limit.window // _MICROSECOND
        self._times: dict[bytes, int] = dict(_ENTRY.iter_unpack(row["entries"])) if row else {}
        self._newest = max(self._times.values(), default=0)

    def has(self, mark: bytes) -> bool:
        return mark in self._times

    def has_room(self, at: int) -> bool:
        return len(self._counting(at)) < self._limit.codes

    def add_code(self, mark: bytes, at: int) -> None:
        self._times = self._counting(at)
        self._newest = self._times[mark] = max(at, self._newest)
        self.changed = True

    def remove(self, mark: bytes) -> None:
        if self._times.pop(mark, None) is not None:
            self.changed = True

    def entity(self, partition: str, row: str) -> Entity:
        return {
            "PartitionKey": partition,
            "RowKey": row,
            "entries": b"".join(_ENTRY.pack(mark, time) for mark, time in self._times.items()),
            "until": iso(_EPOCH + (self._newest + self._window) * _MICROSECOND),
        }

    def _counting(self, at: int) -> dict[bytes, int]:
        oldest = max(at, self._newest) - self._window
        return {mark: time for mark, time in self._times.items() if time > oldest}


class _FloodPlan:
    """What the jobs of one transaction make of the rows that were read."""

    def __init__(self, limits: FloodLimits, rows: Mapping[str, Entity | None]) -> None:
        self._limits = limits
        self._rows = {
            key: _Times(row, limit)
            for key, row in rows.items()
            if (limit := limits.range if key == _RANGE else limits.number) is not None
        }

    def add_job(self, job: _FloodJob) -> dict[str, str]:
        """Count the codes of a job, or count them no more; address to reason where refused."""
        refused = {}
        for code in job.codes:
            rows = [self._rows[key] for key in (code.row, _RANGE) if key in self._rows]
            if job.gives_back:
                for row in rows:
                    row.remove(code.mark)
                continue
            fresh = [row for row in rows if not row.has(code.mark)]
            if full := next((row for row in fresh if not row.has_room(job.at)), None):
                refused[code.address] = self._reason(is_range=full is self._rows.get(_RANGE))
                continue
            for row in fresh:
                row.add_code(code.mark, job.at)
        return refused

    def _reason(self, *, is_range: bool) -> str:
        limit = self._limits.range if is_range else self._limits.number
        codes, minutes = (limit.codes, limit.window // timedelta(minutes=1)) if limit else (0, 0)
        to = "this range of numbers" if is_range else "this number"
        return f"Too many one-time codes to {to}: at most {codes} in {minutes} minutes."

    def operations(self, partition: str) -> list[TableOperation]:
        """The transaction; nothing where nothing changes."""
        return [
            ("create", times.entity(partition, key))
            if times.read is None
            else (
                "update",
                times.entity(partition, key),
                {**_IF_SAME, "mode": UpdateMode.REPLACE, "etag": etag_of(times.read)},
            )
            for key, times in self._rows.items()
            if times.changed
        ]


def _in_parts(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
