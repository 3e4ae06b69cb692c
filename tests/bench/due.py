"""What a crowd that is due in one minute costs the timer, and how late the minute after is.

    python -m tests.bench.due --works 20000

Rows lie in Azurite, as orders have left them; the timer runs once in this process. Its CPU is that
of one core: there is one event loop. Azurite works beside it and takes most of the time.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueClient

from local.azurite import Azurite
from shared.azure.queues import Queues
from shared.azure.storage import StorageAccount
from shared.azure.tables import Tables
from shared.base import ulid
from shared.base.clock import iso
from shared.jobs import wire
from shared.jobs.dispatch import QUEUE
from shared.jobs.due import VERSION, Due
from shared.jobs.due_table import TABLE
from shared.settings import load
from tests.support.bulk import Row, put_rows
from tests.support.settings import minimal

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class CrowdFigures:
    """What was found.

    Attributes:
        works: due in one minute.
        messages: that named them.
        cpu: seconds of this process.
        seconds: from the run's beginning to its end.
        early: seconds before their moment at which the works of the minute after were queued,
            by the run that came next.
    """

    works: int
    messages: int
    cpu: float
    seconds: float
    early: float


def main(arguments: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.due", description=__doc__)
    parser.add_argument("--works", type=int, default=20_000, help="due in one minute")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        azurite = Azurite(log=Path(folder) / "azurite.log")
        try:
            found = asyncio.run(crowd_figures(azurite.connection_string, options.works))
        finally:
            azurite.stop()
    per_work = found.cpu / found.works * 1000
    sys.stdout.write(
        f"{found.works} works due in one minute, named by {found.messages} messages:\n"
        f"  {found.cpu:.1f} s of CPU ({per_work:.2f} ms a work), {found.seconds:.1f} s in all\n"
        f"  the minute after was queued {found.early:.0f} s before its moment\n"
    )
    return 0


async def crowd_figures(connection_string: str, works: int) -> CrowdFigures:
    """One run of the timer over so many works, and the next run."""
    started = datetime.now(UTC)
    # The run comes as late as it may: two minutes before the crowd's moment is a minute ago.
    moment = started + _MINUTE
    shift = timedelta(0)

    def clock() -> datetime:
        return datetime.now(UTC) + shift

    async with (
        AioHttpTransport() as transport,
        TableServiceClient.from_connection_string(connection_string) as service,
        QueueClient.from_connection_string(connection_string, QUEUE) as queue,
    ):
        await service.create_table_if_not_exists(TABLE)
        await queue.create_queue()
        after = moment + 2 * _MINUTE
        await put_rows(connection_string, TABLE, _rows(works, moment))
        await put_rows(connection_string, TABLE, _rows(100, after))
        account = StorageAccount(load(minimal(connection_string)), transport=transport)
        timer = wire(Tables(account), Queues(account), clock).timer
        shift = started - datetime.now(UTC)
        cpu, begun = time.process_time(), time.perf_counter()
        await timer.run()
        cpu, seconds = time.process_time() - cpu, time.perf_counter() - begun
        properties = await queue.get_queue_properties()
        messages = int(properties.approximate_message_count or 0)
        # The host begins the next run a minute after this one, or at once where this took longer.
        shift += max(_MINUTE - timedelta(seconds=seconds), timedelta(0))
        await timer.run()
        early = (after - clock()).total_seconds()
    return CrowdFigures(works, messages, cpu, seconds, early)


def _rows(works: int, moment: datetime) -> Iterator[Row]:
    """Rows as orders leave them, in the order of their partitions."""
    dues = [
        Due("scheduled", ulid.new(moment, number.to_bytes(ulid.RANDOM_BYTES)), moment)
        for number in range(works)
    ]
    for due in sorted(dues, key=lambda due: (due.place, due.row)):
        yield {
            "PartitionKey": due.place,
            "RowKey": due.row,
            "v": VERSION,
            "moment": iso(due.moment),
            "queued": 0,
            "queuedAt": "",
            "tries": 0,
            "why": "sendAt",
        }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
