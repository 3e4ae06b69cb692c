"""What is due: its rows, its messages, and its work done without waiting for either."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shared.azure.table_keys import key_part
from shared.azure.tables import ANY
from shared.jobs.due import Due
from shared.jobs.due_table import DueTable
from shared.limits.pacing import TABLE as PACING
from shared.messages.waiting import SCHEDULED
from shared.sending.scheduled_job import PACE
from shared.services import Services


async def run_due(parts: Services, send_id: str) -> datetime | None:
    """Do the work of a send whose place in time has come; when to try again, or None."""
    job = parts.sending.job
    met = await job.meet(send_id)
    assert met is not None
    later = await job.run(met.found, Due(SCHEDULED, send_id, parts.parts.clock(), why=PACE))
    return None if later is None else later.moment


async def due_of(table: DueTable, work_id: str) -> list[Due]:
    """The rows of one work, the oldest place first."""
    return [due async for due in table.after("", "", 1000) if due.work_id == work_id]


async def brought(parts: Services, dues: Sequence[Due], *, queued: int = 1) -> None:
    """Have the worker do works as a message names them that was queued for the so-manieth time."""
    works = [[d.kind, d.work_id, d.moment.isoformat(), queued, d.tries, d.why] for d in dues]
    await parts.parts.jobs.worker.run_message({"in": dues[0].place, "works": works})


async def free(parts: Services, sender: str) -> None:
    """Have a sender's place in time be free: it is as far ahead as a clock that was put forward."""
    await parts.parts.tables.remove(PACING, PACING, key_part(sender), etag=ANY)
