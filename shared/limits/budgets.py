"""The daily budget of a program: segments are reserved before they are sent, and never too many.

Table `budgets{yyyymm}`, partition `{yyyymmdd}|{program}`:

- `used`: the segments reserved, and the threshold that has been warned of.
- `send:{sendId}`: for whom this send holds a reservation, by the digits of their message ids.

A reservation is one transaction over both, guarded by the ETag of `used`. It is found by its send
id, so that a repeat counts nothing twice; one that a crash leaves behind stays counted, because its
texts may have left. What certainly was not sent is given back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from azure.core import MatchConditions
from azure.data.tables import UpdateMode

from shared.azure import telemetry
from shared.azure.table_keys import key_part
from shared.azure.tables import Entity, TableOperation, Tables, etag_of
from shared.base import ids, log
from shared.base.tasks import every
from shared.limits.group_commit import GroupCommit
from shared.messages.request import SendRequest
from shared.rules.limit_settings import Budget
from shared.rules.senders import Programs

PREFIX: Final = "budgets"
_USED: Final = "used"
# A transaction holds 100 entities, one of which is the counter.
_MOST_JOBS: Final = 99
_IF_SAME: Final = {"mode": UpdateMode.REPLACE, "match_condition": MatchConditions.IfNotModified}


@dataclass(frozen=True, slots=True)
class _BudgetJob:
    program: str
    send_id: str
    marks: tuple[str, ...]
    segments: int
    gives_back: bool = False


class Budgets:
    """Holds the budgets of programs.

    Args:
        programs: which program a sender belongs to.
        budgets: by program; others have none.
    """

    def __init__(
        self, tables: Tables, id_key: bytes, programs: Programs, budgets: Mapping[str, Budget]
    ) -> None:
        self._tables = tables
        self._id_key = id_key
        self._programs = programs
        self._budgets = budgets
        self._group = GroupCommit[_BudgetJob, frozenset[str]](
            self._commit, most=_MOST_JOBS, pause=tables.pause
        )
        self._said: set[str] = set()

    def applies(self, request: SendRequest) -> bool:
        """Whether the sender's program has a budget."""
        return self._programs.of(request.sender) in self._budgets

    async def reserve(
        self,
        request: SendRequest,
        send_id: str,
        addresses: Sequence[str],
        segments: int,
        now: datetime,
    ) -> dict[str, str]:
        """Reserve the text for as many as the day's budget still holds, the first first.

        Returns:
            address to reason, for those whom it does not hold.
        """
        program = self._programs.of(request.sender)
        marks = self._marks(send_id, addresses)
        held = await self._group.run(
            _partition(program, now), _BudgetJob(program, send_id, tuple(marks.values()), segments)
        )
        reason = (
            f"The daily budget of program {program!r} is used up:"
            f" {self._budgets[program].segments} segments a UTC day."
        )
        return {address: reason for address, mark in marks.items() if mark not in held}

    async def give_back(
        self, request: SendRequest, send_id: str, addresses: Iterable[str], now: datetime
    ) -> None:
        """Give back what is reserved for texts that were certainly not sent."""
        program = self._programs.of(request.sender)
        marks = tuple(self._marks(send_id, addresses).values())
        job = _BudgetJob(program, send_id, marks, 0, gives_back=True)
        await self._group.run(_partition(program, now), job)

    async def left(self, request: SendRequest, now: datetime) -> int:
        """Segments that the day's budget still holds; nothing is reserved."""
        program = self._programs.of(request.sender)
        partition = _partition(program, now)
        row = await self._tables.get(_table(partition), partition, _USED)
        return max(0, self._budgets[program].segments - (row["segments"] if row else 0))

    def _marks(self, send_id: str, addresses: Iterable[str]) -> dict[str, str]:
        return {
            address: ids.message_id(self._id_key, send_id, address).rpartition(".")[2]
            for address in addresses
        }

    async def _commit(
        self,
        partition: str,
        jobs: Sequence[_BudgetJob],
        doubt: bool,  # noqa: FBT001  # as the group commit calls it
    ) -> Sequence[frozenset[str]]:
        table = _table(partition)
        # The counter first: a row that changes after this read moves the counter's ETag, too.
        used = await self._tables.get(table, partition, _USED)
        known = {job.send_id: None for job in jobs if doubt or job.gives_back}
        plan = _BudgetPlan(partition, used, await self._rows(table, partition, known))
        held = [plan.add_job(job, self._budgets.get(job.program)) for job in jobs]
        if not doubt and any(
            not job.gives_back and not got.issuperset(job.marks)
            for job, got in zip(jobs, held, strict=True)
        ):
            # Whoever seems to be over may hold a reservation of an earlier attempt.
            return await self._commit(partition, jobs, True)
        if operations := plan.operations():
            await self._tables.commit(table, operations)
        self._say(partition, plan, jobs, held, doubt=doubt)
        return held

    async def _rows(
        self, table: str, partition: str, send_ids: Collection[str]
    ) -> dict[str, Entity]:
        found = await every(
            *(self._tables.get(table, partition, _row_key(send_id)) for send_id in send_ids)
        )
        return {
            send_id: row for send_id, row in zip(send_ids, found, strict=True) if row is not None
        }

    def _say(
        self,
        partition: str,
        plan: _BudgetPlan,
        jobs: Sequence[_BudgetJob],
        held: Sequence[frozenset[str]],
        *,
        doubt: bool,
    ) -> None:
        program, day = jobs[0].program, partition[:8]
        budget = self._budgets.get(program)
        if budget is None:
            return
        # If the answer to the transaction that crossed the threshold was lost, it is said now.
        ours = doubt and plan.warned_by in {job.send_id for job in jobs}
        if plan.warns or ours:
            telemetry.BUDGET_WARNINGS.add(1, {"program": program})
            log.trouble(
                "budget.warning",
                program=program,
                day=day,
                used=plan.segments,
                budget=budget.segments,
            )
        over = any(
            not job.gives_back and not got.issuperset(job.marks)
            for job, got in zip(jobs, held, strict=True)
        )
        if over and partition not in self._said:
            self._said.add(partition)
            log.trouble("budget.used_up", program=program, day=day, budget=budget.segments)


class _BudgetPlan:
    """What the jobs of one transaction make of the rows that were read."""

    def __init__(self, partition: str, used: Entity | None, rows: Mapping[str, Entity]) -> None:
        self._partition = partition
        self._used = used
        self._rows = rows
        self._held = {send_id: set(str(row["held"]).split()) for send_id, row in rows.items()}
        self._sizes = {send_id: int(row["segments"]) for send_id, row in rows.items()}
        self._changed: dict[str, None] = {}
        self._warned_from = int(used["warnedFrom"]) if used else 0
        self.segments = int(used["segments"]) if used else 0
        self.warned_by = str(used["warnedBy"]) if used else ""
        self.warns = False

    def add_job(self, job: _BudgetJob, budget: Budget | None) -> frozenset[str]:
        """Count a job; the marks that its send holds then."""
        held = self._held.setdefault(job.send_id, set())
        before = len(held)
        if job.gives_back:
            held.difference_update(job.marks)
        elif budget is not None:
            size = self._sizes.setdefault(job.send_id, job.segments)
            room = max(0, budget.segments - self.segments) // size
            held.update([mark for mark in job.marks if mark not in held][:room])
        if len(held) != before:
            self.segments += (len(held) - before) * self._sizes[job.send_id]
            self._changed[job.send_id] = None
            self._watch(job, budget)
        return frozenset(held)

    def _watch(self, job: _BudgetJob, budget: Budget | None) -> None:
        if budget is None or not self._warned_from < budget.warn_from <= self.segments:
            return
        self._warned_from, self.warned_by, self.warns = budget.warn_from, job.send_id, True

    def operations(self) -> list[TableOperation]:
        """The transaction; nothing where nothing changes."""
        if not self._changed:
            return []
        counter = {
            "segments": self.segments,
            "warnedFrom": self._warned_from,
            "warnedBy": self.warned_by,
        }
        return [
            self._written(_USED, self._used, counter),
            *(
                self._written(
                    _row_key(send_id),
                    self._rows.get(send_id),
                    {
                        "segments": self._sizes[send_id],
                        "held": " ".join(sorted(self._held[send_id])),
                    },
                )
                for send_id in self._changed
            ),
        ]

    def _written(self, row: str, read: Entity | None, members: Mapping[str, Any]) -> TableOperation:
        entity = {"PartitionKey": self._partition, "RowKey": row, **members}
        if read is None:
            return ("create", entity)
        return ("update", entity, {**_IF_SAME, "etag": etag_of(read)})


def forgotten(tables: Iterable[str], now: datetime) -> list[str]:
    """Those of the budgets' tables that are older than last month."""
    oldest = PREFIX + (now.replace(day=1) - timedelta(days=1)).strftime("%Y%m")
    return [table for table in tables if table < oldest]


def _partition(program: str, now: datetime) -> str:
    return f"{now.astimezone(UTC):%Y%m%d}|{key_part(program)}"


def _table(partition: str) -> str:
    return PREFIX + partition[:6]


def _row_key(send_id: str) -> str:
    return f"send:{send_id}"
