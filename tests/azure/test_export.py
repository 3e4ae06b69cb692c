"""What leaves for Application Insights, read at an ingestion endpoint of this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from azure.monitor.opentelemetry._constants import _ALL_SUPPORTED_INSTRUMENTED_LIBRARIES

from local.stack import Stack
from shared.azure import telemetry
from tests.support.client import TOLL_FREE, send_body
from tests.support.golden import golden_event
from tests.support.host import second_host
from tests.support.ingestion import ROLE, Ingestion, exporting_to
from tests.support.polling import eventually
from tests.support.settings import minimal
from tests.support.wire import closed_port, numbers_in, records

ROOT = Path(__file__).parents[2]
# Of each reader of the app's metrics. It ends without a last export, which nobody would take.
INTERVAL = """
import os, function_app
from opentelemetry.metrics import get_meter_provider
readers = get_meter_provider()._metric_readers
print([int(reader._export_interval_millis) for reader in readers], flush=True)
os._exit(0)
"""


@pytest.fixture
async def ingestion(unused_tcp_port: int) -> AsyncIterator[Ingestion]:
    async with Ingestion.running(unused_tcp_port) as made:
        yield made


async def test_what_an_instance_counted_arrives_while_it_lives(
    stack: Stack, ingestion: Ingestion, person: str, tmp_path: Path
) -> None:
    """Metric and log of one bad event arrive without an orderly end, under the app's own name.

    A record leaves once: the exporter's copy, not the worker's as well. None holds a number.
    """
    with second_host(stack, tmp_path, **exporting_to(ingestion, tmp_path)) as host:
        async with host.client() as parley:
            await parley.send(person)
            strange = golden_event("received", person=person)
            strange["data"]["to"] = "?"
            assert await parley.deliver("inbound", [strange]) == 202
            await parley.own("GET", f"/conversations/{parley.conversation_id(TOLL_FREE, person)}")
            await parley.signed("POST", "/sms", send_body(person, sender="NOBODY"))

        async def arrived() -> bool:
            return (
                "parley.quarantined" in ingestion.metrics()
                and bool(ingestion.messages("event.quarantined"))
                and bool(ingestion.messages("send.done"))
            )

        await eventually(arrived, "the metric and the log lines arrive")
        host.child.kill()

    assert [len(ingestion.messages(name)) for name in ("event.quarantined", "send.done")] == [1, 1]
    assert not [r for r in records(host.wire) if r["category"].startswith("parley")]
    # `_OTELRESOURCE_` is the exporter's own envelope, which says what the app is, beside spans.
    assert {n for n in ingestion.metrics() if not n.startswith("parley.")} <= {"_OTELRESOURCE_"}
    assert {e["tags"]["ai.cloud.role"] for e in ingestion.envelopes} == {ROLE}
    everything = json.dumps(ingestion.envelopes)
    assert numbers_in(everything) | numbers_in(host.everything) == set()
    assert person.lstrip("+") not in everything


def test_no_instrumentation_is_on() -> None:
    """Each that the distribution has would record URLs: the list knows all of them."""
    assert set(telemetry.INSTRUMENTATIONS) == set(_ALL_SUPPORTED_INSTRUMENTED_LIBRARIES)


@pytest.mark.parametrize(("given", "used"), [(None, 5000), ("20000", 20000)])
def test_metrics_leave_every_five_seconds(tmp_path: Path, given: str | None, used: int) -> None:
    """An instance may live for thirty seconds, and nothing is exported at its end."""
    settings = {**minimal(), **exporting_to(Ingestion(closed_port()), tmp_path)}
    if given is not None:
        settings["OTEL_METRIC_EXPORT_INTERVAL"] = given
    done = subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, "-c", INTERVAL],
        cwd=ROOT,
        env=settings,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"[{used}]\n"
