"""An ingestion endpoint of this machine, in the place of Application Insights."""

from __future__ import annotations

import gzip
import json
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

ROLE = "func-parley-test"


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

    @classmethod
    @asynccontextmanager
    async def running(cls, port: int) -> AsyncIterator[Ingestion]:
        """One that listens until the block ends."""
        made = cls(port)
        server = web.Application()
        server.router.add_route("*", "/{path:.*}", made.take)
        runner = web.AppRunner(server)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield made
        finally:
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
