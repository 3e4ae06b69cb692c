"""Work that is due later: the table and the queue it waits on, and what became of what failed."""

from __future__ import annotations

from dataclasses import dataclass

from shared.azure.queues import Queues
from shared.azure.tables import Tables
from shared.base.clock import Clock
from shared.jobs.dispatch import Dispatch
from shared.jobs.due_table import KIND, DueTable
from shared.jobs.due_timer import DueTimer
from shared.jobs.due_worker import DueWorker

__all__ = ["Jobs", "wire"]


@dataclass(frozen=True, slots=True)
class Jobs:
    """What is due later.

    Attributes:
        dispatch: the queue that what is due soon waits on.
        due: the rows of what is due later.
        worker: does what is due.
        timer: queues it in time.
    """

    dispatch: Dispatch
    due: DueTable
    worker: DueWorker
    timer: DueTimer


def wire(tables: Tables, queues: Queues, clock: Clock) -> Jobs:
    """The room, wired; it does the work of due messages."""
    dispatch = Dispatch(queues, clock)
    table = DueTable(tables, dispatch, clock)
    worker = DueWorker(table, clock)
    # What a process that died has left of a message, the timer queues again.
    dispatch.register(KIND, worker.run_message, once=True)
    return Jobs(dispatch, table, worker, DueTimer(table, dispatch, clock))
