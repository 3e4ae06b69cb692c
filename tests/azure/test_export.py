"""What leaves for Application Insights, read at an ingestion endpoint of this machine."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from azure.monitor.opentelemetry._constants import _ALL_SUPPORTED_INSTRUMENTED_LIBRARIES

from local.stack import Stack
from shared.azure import telemetry
from tests.support.client import TOLL_FREE, send_body
from tests.support.golden import golden_event
from tests.support.host import second_host
from tests.support.polling import eventually
from tests.support.settings import minimal
from tests.support.wire import closed_port, numbers_in, records

ROOT = Path(__file__).parents[2]
ROLE = "func-parley-test"
# Of each reader of the app's metrics. It ends without a last export, which nobody would take.
INTERVAL = """
import os, function_app
from opentelemetry.metrics import get_meter_provider
readers = get_meter_provider()._metric_readers
print([int(reader._export_interval_millis) for reader in readers], flush=True)
os._exit(0)
"""


class Ingestion:
    """Takes envelopes as Application Insights does, and keeps them."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/"
        self.envelopes: list[dict[str, Any]] = []

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not request.path.endswith("/track"):
            return web.Response(status=404)
        # aiohttp has unpacked it already where the request says that it is packed.
        text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        found = [json.loads(line) for line in text.splitlines() if line.strip()]
        taken = [e for part in found for e in (part if isinstance(part, list) else [part])]
        self.envelopes += taken
        count = len(taken)
        return web.json_response({"itemsReceived": count, "itemsAccepted": count, "errors": []})

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The data of one kind, e.g. `MessageData`."""
        return [
            envelope["data"]["baseData"]
            for envelope in self.envelopes
            if envelope["data"]["baseType"] == kind
        ]

    def messages(self, event: str) -> list[str]:
        """The log lines that begin with an event's name."""
        lines = [str(data["message"]) for data in self.of("MessageData")]
        return [line for line in lines if line.startswith(f"{event} ")]

    def metrics(self) -> set[str]:
        """The names of the metrics that have arrived."""
        return {m["name"] for data in self.of("MetricData") for m in data["metrics"]}


@pytest.fixture
async def ingestion(unused_tcp_port: int) -> AsyncIterator[Ingestion]:
    made = Ingestion(unused_tcp_port)
    server = web.Application()
    server.router.add_route("*", "/{path:.*}", made.take)
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    yield made
    await runner.cleanup()


def exporting_to(ingestion: Ingestion, folder: Path) -> dict[str, str]:
    """What a deployed app has, and what keeps the exporter from calling anybody else."""
    return {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": (
            f"InstrumentationKey={uuid.uuid4()};IngestionEndpoint={ingestion.url};"
            f"LiveEndpoint={ingestion.url}"
        ),
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
        "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
        "OTEL_SERVICE_NAME": ROLE,
        "TMPDIR": str(folder),
        "HOME": os.environ.get("HOME", str(folder)),
    }


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
            await parley.own("GET", f"/conversations/{TOLL_FREE}/{person}".replace("+", "%2B"))
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
