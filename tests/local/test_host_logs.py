"""The log as it is in Azure: what the worker would send, and what the host would keep of it."""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.child import Child
from tests.support.polling import eventually
from tests.support.wire import numbers_in, records, silent_port

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[2]
APP = Path(__file__).parent / "apps" / "leaky"
AT_IMPORT = "+14255550100"
# The ways of the app, with what the real host would do with each record.
KEPT = (
    "by_the_client_library",
    "by_a_cause",
    "by_a_context",
    "by_exc_info",
    "by_arguments",
    "by_a_task_that_nobody_awaits",
)
DROPPED = ("by_a_thread", "by_a_task_that_outlives_it")


class Leaky:
    """The running app, its log and its wire."""

    def __init__(self, folder: Path, silent: int) -> None:
        self.log, self.wire, self._mark = (folder / name for name in ("log", "wire", "mark"))
        self._port = 0
        tables = f"http://127.0.0.1:{silent}/devstoreaccount1"
        self.child = Child(
            "host",
            [
                *(sys.executable, "-m", "local.host", "--port", "0", "--app", str(APP)),
                *("--eventgrid-key", "key", "--wire", str(self.wire)),
            ],
            log=self.log,
            ready=self._is_ready,
            environ={
                **os.environ,
                "TEST_NUMBER": AT_IMPORT,
                "TEST_MARK": str(self._mark),
                "TEST_TABLES": f"AccountName=a;AccountKey=AAAA;TableEndpoint={tables};",
            },
            directory=ROOT,
        )
        self.child.wait_until_ready(60)

    def _is_ready(self, line: str) -> bool:
        self._port = json.loads(line)["port"]
        return True

    def post(self, path: str, body: str = "", **headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", path, body=body, headers=named)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    def leak(self, way: str, number: str) -> None:
        self.post(f"/leak/{way}/{number.replace('+', '%2B')}")
        self._mark.touch()

    def leak_from_an_event(self, way: str, number: str) -> None:
        event = {
            "id": "1",
            "topic": "t",
            "subject": "s",
            "eventType": "T",
            "eventTime": "2026-01-01T00:00:00Z",
            "dataVersion": "1.0",
            "data": {"way": way, "number": number},
        }
        path = "/runtime/webhooks/eventgrid?functionName=on_event&code=key"
        self.post(path, json.dumps(event), aeg_event_type="Notification")

    async def sent(self, number: str) -> list[dict[str, Any]]:
        async def look() -> list[dict[str, Any]]:
            return [r for r in records(self.wire) if number in numbers_in(r["message"])]

        return await eventually(look, f"{number} is on the wire")

    def kept(self, number: str) -> bool:
        return number in numbers_in(self.log.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leaky]:
    with silent_port() as port:
        running = Leaky(tmp_path_factory.mktemp("leaky"), port)
        yield running
        running.child.stop()


@pytest.mark.parametrize("way", KEPT)
async def test_a_number_is_found_on_every_way(leaky: Leaky, way: str) -> None:
    """What an app lets slip is on the wire and in the log: this host silences nothing."""
    number = f"+142555510{KEPT.index(way):02d}"
    leaky.leak(way, number)
    assert await leaky.sent(number)
    assert leaky.kept(number)


@pytest.mark.parametrize("way", KEPT)
async def test_a_number_is_found_on_every_way_from_an_event(leaky: Leaky, way: str) -> None:
    """As above, where the trigger is an event and its failure goes to the host alone."""
    number = f"+142555511{KEPT.index(way):02d}"
    leaky.leak_from_an_event(way, number)
    assert await leaky.sent(number)
    assert leaky.kept(number)


@pytest.mark.parametrize("way", DROPPED)
async def test_records_outside_an_invocation_are_dropped(leaky: Leaky, way: str) -> None:
    """The worker sends them, the host has no invocation to keep them under."""
    number = f"+142555512{DROPPED.index(way):02d}"
    leaky.leak(way, number)
    assert await leaky.sent(number)
    assert not leaky.kept(number)


async def test_records_of_the_import_are_dropped(leaky: Leaky) -> None:
    """While an app is loaded no invocation runs."""
    (record,) = await leaky.sent(AT_IMPORT)
    assert (record["level"], record["category"], record["invocation"]) == ("INFO", "app", None)
    assert not leaky.kept(AT_IMPORT)


async def test_levels_are_the_workers(leaky: Leaky) -> None:
    """INFO and above is sent, of whatever logger; nothing else."""
    leaky.leak("by_arguments", "+14255551300")
    (record,) = await leaky.sent("+14255551300")
    assert (record["level"], record["category"]) == ("WARNING", "app.deeper")
    assert record["invocation"] is not None
    assert "DEBUG" not in {r["level"] for r in records(leaky.wire)}
