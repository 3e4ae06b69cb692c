"""How many storage operations each kind of request costs. Exact: the same in every run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableClient
from azure.storage.queue import QueueClient

from local.stack import ROOT
from shared.limits.pacing import TABLE as PACING
from tests.bench.counting import Operation, Tally, counted
from tests.bench.stage import WITHOUT_RECORD, Host, Stage, drained
from tests.bench.traffic import Request, Sent, Traffic, sent_in

HUNDRED: Final = 100
_GLANCE_SECONDS: Final = 0.05
SEND_ONE: Final = "send.one.ops"
SEND_HUNDRED: Final = "send.hundred.ops"
SEND_HUNDRED_AFTER: Final = "send.hundred.after.ops"
CHECK_HUNDRED: Final = "check.hundred.ops"
REPORT: Final = "report.ops"
INBOUND: Final = "inbound.ops"
NAMES: Final = (SEND_ONE, SEND_HUNDRED, SEND_HUNDRED_AFTER, CHECK_HUNDRED, REPORT, INBOUND)


def counted_operations(stage: Stage) -> dict[str, list[Operation]]:
    """What each kind of request asks of storage, by the names of `bench.json`."""
    tally = Tally()
    with counted(stage.storage, tally) as storage, stage.record_queue() as queue:
        settings = {"PARLEY_STORAGE": storage}
        path = stage.host("counted", ROOT, {**settings, **WITHOUT_RECORD})
        after = stage.host("counted-after", ROOT, settings)
        after.pause()
        try:
            return _counted(stage, path, after, queue, tally)
        finally:
            after.stop()
            path.stop()


def _counted(
    stage: Stage, path: Host, after: Host, queue: QueueClient, tally: Tally
) -> dict[str, list[Operation]]:
    # The first of each kind also makes tables and reads the ledger from its beginning.
    _run(stage.traffic(), path, tally)
    with _working(after):
        drained(queue)
    _until_paid(stage)
    tally.taken()
    # Texts of now: a fact of a minute that is over costs a mark.
    found = _run(stage.traffic(), path, tally)
    with _working(after):
        drained(queue)
    found[SEND_HUNDRED_AFTER] = _asked(tally)
    return found


def _until_paid(stage: Stage) -> None:
    """Wait until what has left has been deducted for the first time, which also makes the table."""
    with TableClient.from_connection_string(stage.storage, PACING) as table:
        while True:
            try:
                if next(iter(table.list_entities()), None) is not None:
                    return
            except ResourceNotFoundError:
                pass
            time.sleep(_GLANCE_SECONDS)


def _asked(tally: Tally) -> list[Operation]:
    # What has left is deducted from its sender's time once for many sends, a moment later, beside
    # whatever request is then under way.
    return [asked for asked in tally.asked_by_functions() if not asked.path.startswith(PACING)]


def _run(traffic: Traffic, path: Host, tally: Tally) -> dict[str, list[Operation]]:
    found: dict[str, list[Operation]] = {}
    sent: list[Sent] = []

    def count(name: str, request: Request) -> bytes:
        tally.taken()
        answer = path.client.call(request)
        found[name] = _asked(tally)
        return answer

    count(SEND_ONE, traffic.send(1, host=path.address))
    sent += sent_in(count(SEND_HUNDRED, traffic.send(HUNDRED, host=path.address)))
    count(CHECK_HUNDRED, traffic.check(HUNDRED, host=path.address))
    count(REPORT, traffic.report(sent[0]))
    count(INBOUND, traffic.inbound())
    return found


@contextmanager
def _working(host: Host) -> Iterator[None]:
    host.resume()
    try:
        yield
    finally:
        host.pause()
