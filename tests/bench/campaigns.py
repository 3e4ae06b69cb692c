"""What campaigns cost: a chunk of a hundred in CPU and operations, a list in time and memory."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient

from local.stack import ROOT
from shared.base import ulid
from shared.base.clock import iso
from shared.campaigns.campaign import Campaign, Phase
from shared.campaigns.list_reader import HEAD, sniff
from shared.campaigns.order import Definition
from shared.campaigns.store import CONTAINER
from shared.jobs.dispatch import QUEUE
from tests.bench.counting import Operation, Tally, counted
from tests.bench.stage import WITHOUT_RECORD, Host, Stage, drained
from tests.support.client import SHORT_CODE
from tests.support.parts import parts_of

CHUNK_CPU: Final = "campaign.chunk.cpu"
CHUNK_OPS: Final = "campaign.chunk.ops"
ROWS: Final = "campaign.expand.rows_per_s"
MEMORY: Final = "campaign.expand.memory"
HUNDRED: Final = 100
_WARM_UP: Final = 5
_CHUNKS: Final = 20
_FEW_ROWS: Final = 1_000
_MILLION: Final = 1_000_000
# The queue of conversation entries, which are written off the path.
_ENTRIES: Final = "record"


@dataclass(frozen=True, slots=True)
class CampaignFigures:
    """What was found.

    Attributes:
        chunk_cpu: milliseconds of the functions process for each chunk, one figure a round.
        chunk_operations: of one chunk, without the queue message for its conversation entries.
        rows_per_second: of a list that is read and written down.
        memory: MB that a list of a million takes more than one of a thousand.
    """

    chunk_cpu: list[float]
    chunk_operations: list[Operation]
    rows_per_second: float
    memory: float


def campaign_figures(stage: Stage, *, rounds: int, rows: int = _MILLION) -> CampaignFigures:
    """Measure; a list of a million rows takes some minutes."""
    few, many = expanded(stage, _FEW_ROWS), expanded(stage, rows)
    return CampaignFigures(
        chunk_cpu=_chunk_cpu(stage, rounds),
        chunk_operations=chunk_operations(stage),
        rows_per_second=rows / many.seconds,
        memory=many.megabytes - few.megabytes,
    )


# Chunks -----------------------------------------------------------------------------------------


def chunk_operations(stage: Stage) -> list[Operation]:
    """What one chunk of a hundred asks of storage before its conversation entries."""
    tally = Tally()
    with counted(stage.storage, tally) as storage, _paused(stage, storage) as (host, queue):
        _sent(host, queue, asyncio.run(_chunks(stage, 1)))
        messages = asyncio.run(_chunks(stage, 1))
        tally.taken()
        _sent(host, queue, messages)
        return [
            operation for operation in tally.asked_by_functions() if _ENTRIES not in operation.path
        ]


def _chunk_cpu(stage: Stage, rounds: int) -> list[float]:
    with _paused(stage, stage.storage) as (host, queue):
        _sent(host, queue, asyncio.run(_chunks(stage, _WARM_UP)))
        found = []
        for _ in range(rounds):
            messages = asyncio.run(_chunks(stage, _CHUNKS))
            found.append(_sent(host, queue, messages) / len(messages) * 1000)
        return found


@contextmanager
def _paused(stage: Stage, storage: str) -> Iterator[tuple[Host, QueueClient]]:
    host = stage.host("campaigns", ROOT, {"PARLEY_STORAGE": storage, **WITHOUT_RECORD})
    host.pause()
    try:
        with QueueClient.from_connection_string(stage.storage, QUEUE) as queue:
            yield host, queue
    finally:
        host.stop()


def _sent(host: Host, queue: QueueClient, messages: list[str]) -> float:
    """CPU seconds of the host for all of them."""
    for message in messages:
        queue.send_message(message)
    before = host.cpu
    host.resume()
    drained(queue)
    host.pause()
    return host.cpu - before


async def _chunks(stage: Stage, count: int) -> list[str]:
    """Messages of so many chunks of a hundred, of a campaign of their own."""
    people = "".join(f"+1425{555_1000 + place:07d}\n" for place in range(count * HUNDRED))
    # A rate of which chunks are a whole hundred.
    senders = json.dumps([{"sender": SHORT_CODE, "ratePerMinute": 15_000}])
    async with parts_of(stage.stack, PARLEY_SENDERS=senders) as parts:
        desk = parts.campaigns.api
        attempt = ulid.new(parts.parts.clock(), hash_of(count))
        content = ("phone\n" + people).encode()
        etag = await desk._blobs.upload(CONTAINER, attempt, content, "text/csv")
        definition = Definition(
            (SHORT_CODE,), "Hello", blob=attempt, etag=etag, shape=sniff(content[:HEAD])
        )
        campaign = Campaign(attempt, definition, Phase.RUNNING, parts.parts.clock(), attempt)
        found = await parts.campaigns.expansion.expand(campaign)
        assert found is not None
        await desk._store.insert(replace(campaign, expanded=True, chunks=found[1]))
        pieces = await desk._store.pieces(attempt, 0, count)
        assert [piece.recipients for piece in pieces] == [HUNDRED] * count
        return [
            json.dumps(
                {
                    "kind": "campaign.chunk",
                    "v": 1,
                    "campaignId": attempt,
                    "at": iso(parts.parts.clock()),
                    **piece.to_json(),
                }
            )
            for piece in pieces
        ]


def hash_of(count: int) -> bytes:
    """Ten bytes for an id of a bench."""
    return count.to_bytes(ulid.RANDOM_BYTES)


# Lists ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expanded:
    """How long a list took, and how much memory its process had at the most."""

    seconds: float
    megabytes: float


def expanded(stage: Stage, rows: int) -> Expanded:
    """Read a list of so many rows, in a process of its own, and write its chunks down."""
    name = f"bench-{rows}.csv"
    with BlobServiceClient.from_connection_string(stage.storage) as blobs:
        blob = blobs.get_blob_client(CONTAINER, name)
        blob.upload_blob(_csv(rows), overwrite=True)
    done = subprocess.run(  # our own module
        [sys.executable, "-m", "tests.bench.expansion"],
        input=json.dumps({"settings": stage.stack.settings, "list": name}),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return Expanded(**json.loads(done.stdout.splitlines()[-1]))


def _csv(rows: int) -> bytes:
    # Seven digits after the area code: from 2000000 on, exchanges that exist.
    lines = (
        f"+1{(206, 425, 360)[place % 3]}{2_000_000 + place:07d},Name {place}\n"
        for place in range(rows)
    )
    return ("phone,name\n" + "".join(lines)).encode()
