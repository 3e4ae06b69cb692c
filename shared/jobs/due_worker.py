"""The worker of what is due: it does the works that a message names, whatever becomes of each.

A work ends, is put off, or stays for the timer (`shared.jobs.due` decides). So a message never
fails, and one work of it never holds up another. What goes wrong in a work that nobody foresaw
counts as a death of its process: it stays, is queued again, and is given up at the fifth time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from shared.azure import telemetry
from shared.azure.storage import Changed
from shared.base import log
from shared.base.clock import Clock
from shared.base.errors import ParleyError, Unavailable
from shared.base.tasks import few_at_once
from shared.jobs.due import HORIZON, Due, Standing, Verdict, decide, pause_of
from shared.jobs.due_table import DueTable, read_works
from shared.jobs.poison import reason_of

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PutOff:
    """What becomes of a work that cannot be done now.

    Attributes:
        moment: when to try again.
        why: what it waits for, for an operator.
        tries: how often in a row trouble has put it off.
    """

    moment: datetime
    why: str
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Met(Generic[_T]):
    """A work as the worker met it.

    Attributes:
        standing: what its own row says.
        found: the work itself.
    """

    standing: Standing
    found: _T


class DueJob(Protocol[_T]):
    """Whoever does one kind of work that is due."""

    async def meet(self, work_id: str) -> Met[_T] | None:
        """The work as its own row has it; None if there is no such row."""
        ...

    async def run(self, found: _T, due: Due) -> PutOff | None:
        """Do it; None once there is nothing left to do.

        Raises:
            ParleyError: it is put off where the error is retryable, and over where it is not.
        """
        ...

    async def name(self, due: Due, later: Due) -> None:
        """Have the work's own row, which names `due`, name `later` in its place.

        Raises:
            Changed: it names another one, or others were always faster.
        """
        ...

    async def give_up(self, found: _T, due: Due) -> None:
        """End a work that has killed its process time and again."""
        ...


class DueWorker:
    """Does what is due.

    Args:
        table: the rows.
    """

    def __init__(self, table: DueTable, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._jobs: dict[str, DueJob[Any]] = {}

    def register(self, kind: str, job: DueJob[Any]) -> None:
        """Say who does one kind of work."""
        self._jobs[kind] = job

    async def run_message(self, message: Mapping[str, Any]) -> None:
        """Do the works that a message names.

        Raises:
            Unintelligible: it names none.
        """
        dues = read_works(message)
        over = await few_at_once(self._run_one, dues)
        done = [due for due, ended in zip(dues, over, strict=True) if ended]
        try:
            await self._table.remove(done)
        except Unavailable as error:
            # They are met again, and seen to be over.
            log.trouble("due.not_removed", works=len(done), code=error.code)

    async def _run_one(self, due: Due) -> bool:
        """Whether its row is to go."""
        try:
            return await self._work(due)
        except ParleyError as error:
            if error.retryable or isinstance(error, Unavailable):
                await self._put_off_for(due, error)
                return False
            log.trouble("due.refused", kind=due.kind, work=due.work_id, code=error.code)
            return True
        except Exception as error:  # noqa: BLE001  # what nobody foresaw is told, and counts as a death
            log.trouble("due.failed", kind=due.kind, work=due.work_id, reason=reason_of(error))
            return False

    async def _work(self, due: Due) -> bool:
        job = self._jobs[due.kind]
        met = await job.meet(due.work_id)
        verdict = decide(due, met.standing if met is not None else None)
        if verdict is Verdict.SET_BACK:
            await self._table.set_back(due)
            return False
        if met is None or verdict not in {Verdict.RUN, Verdict.GIVE_UP}:
            log.event("due.passed_over", kind=due.kind, work=due.work_id, why=verdict.name.lower())
            return verdict is Verdict.DROP_ROW
        if verdict is Verdict.GIVE_UP:
            await job.give_up(met.found, due)
            telemetry.GIVEN_UP.add(1, {"kind": due.kind})
            log.trouble("due.given_up", kind=due.kind, work=due.work_id)
            return True
        late = (self._clock() - due.moment).total_seconds()
        telemetry.DUE_LAG.record(max(late, 0.0), {"kind": due.kind})
        later = await job.run(met.found, due)
        if later is None:
            return True
        await self._put_off(job, due, later)
        return False

    async def _put_off(self, job: DueJob[Any], due: Due, later: PutOff) -> None:
        moved = Due(due.kind, due.work_id, later.moment, tries=later.tries, why=later.why)
        try:
            await self._table.put_off(due, moved, job.name)
        except Changed:
            # It is at both places now; whoever meets it sees which one its own row names.
            log.trouble("due.not_named", kind=due.kind, work=due.work_id)

    async def _put_off_for(self, due: Due, error: ParleyError) -> None:
        """Put a work off for trouble; by the queue alone where the table does not take it."""
        log.trouble("due.put_off", kind=due.kind, work=due.work_id, code=error.code)
        pause = pause_of(due.tries, error.retry_after)
        later = PutOff(self._clock() + pause, error.code, due.tries + 1)
        try:
            await self._put_off(self._jobs[due.kind], due, later)
            return
        except Unavailable:
            soon = self._clock() + min(pause, HORIZON)
        try:
            await self._table.announce([replace(due, tries=due.tries + 1)], at=soon)
        except Unavailable as failed:
            # The timer queues it again once storage answers.
            log.trouble("due.not_announced", kind=due.kind, code=failed.code)
