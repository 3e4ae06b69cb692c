"""`python -m local.host`: the host on a port, as a process."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.child import Child
from local.host import HttpAnswer, HttpCall
from local.host.asgi import asgi_app

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[2]
APP = Path(__file__).parent / "apps" / "all_triggers"
SETTINGS = {"TEST_QUEUE": "messages", "TEST_STORAGE": "UseDevelopmentStorage=true"}


class Host:
    """The running process and its port."""

    def __init__(self, folder: Path, arguments: list[str], settings: dict[str, str]) -> None:
        self.ready: dict[str, Any] = {}
        self.child = Child(
            "host",
            [sys.executable, "-W", "error", "-m", "local.host", "--port", "0", *arguments],
            log=folder / "host.log",
            ready=self._is_ready,
            environ=os.environ | settings,
            directory=ROOT,
        )
        self.child.wait_until_ready(60)

    def _is_ready(self, line: str) -> bool:
        self.ready = json.loads(line)
        return True

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.ready["port"], timeout=30)


def run_to_its_end(arguments: list[str], settings: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "local.host", *arguments],
        env={name: value for name, value in os.environ.items() if name not in SETTINGS} | settings,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stderr


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("host")
    # The queue is nobody's: a closed port of this machine, as while storage is away.
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        storage = f"http://127.0.0.1:{closed.getsockname()[1]}/devstoreaccount1"
        connection = f"AccountName=devstoreaccount1;AccountKey=AAAA;QueueEndpoint={storage};"
        running = Host(folder, ["--app", str(APP)], {**SETTINGS, "TEST_STORAGE": connection})
        yield running
        running.child.stop()


def test_says_when_it_is_ready(host: Host) -> None:
    """The one line on standard output names the port and the functions."""
    assert host.ready.keys() == {"port", "functions"}
    assert {"echo", "on_event", "on_message", "nightly"} <= set(host.ready["functions"])


@pytest.mark.parametrize("chunked", [False, True])
def test_bytes_over_the_socket(host: Host, chunked: bool) -> None:  # noqa: FBT001
    """A body that says its length arrives as sent; of one that comes in chunks nothing does."""
    body = bytes(range(256)) * 1000
    connection = host.connect()
    parts = iter([body[:1000], body[1000:]])
    connection.request(
        "POST",
        "/echo/%2B1?status=202&a=%2f",
        body=parts if chunked else body,
        encode_chunked=chunked,
    )
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (202, b"" if chunked else body)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-url"] == (
        f"http://127.0.0.1:{host.ready['port']}/echo/+1?status=202&a=%2f"
    )
    connection.close()


def test_connections_are_kept(host: Host) -> None:
    """One connection carries many requests, answers without a body among them."""
    connection = host.connect()
    for path, status in (("/none", 404), ("/broken", 500), ("/cookies", 200)):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()


def test_a_running_call_ends_before_the_host(tmp_path: Path) -> None:
    """SIGTERM lets a running invocation finish, and the process ends with 0."""
    values = tmp_path / "local.settings.json"
    values.write_text(json.dumps({"Values": SETTINGS}))
    arguments = tmp_path / "arguments"
    arguments.write_text(f"--app={APP}\n--settings={values}\n--function-key=secret")
    running = Host(tmp_path, [f"@{arguments}"], {})
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    connection = running.connect()
    with ThreadPoolExecutor() as pool:
        connection.request("POST", "/slow", body=str(pipe))
        answer = pool.submit(connection.getresponse)
        assert pipe.read_text() == "running"
        os.kill(running.child.pid, signal.SIGTERM)
        assert answer.result().read() == b"done"
    connection.close()
    running.child.stop()
    assert "has ended with code 0" in running.child.epitaph()


def test_an_app_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The app's own message is printed, and the exit code is not 0."""
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    (tmp_path / "function_app.py").write_text("raise ValueError('PARLEY_SENDERS: is missing')")
    code, said = run_to_its_end(["--app", str(tmp_path)], {})
    assert code == 1
    assert said.endswith("ValueError: PARLEY_SENDERS: is missing\n")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({}, "%TEST_QUEUE%"), ({"TEST_QUEUE": "messages"}, "TEST_STORAGE")],
)
def test_missing_settings_stop_the_start(settings: dict[str, str], reason: str) -> None:
    """A binding's missing setting is named, and the exit code is not 0."""
    code, said = run_to_its_end(["--app", str(APP), "--port", "0"], settings)
    assert (code, reason in said) == (1, True)


def test_a_taken_port_is_told(host: Host) -> None:
    """A taken port ends the process with a sentence."""
    port = str(host.ready["port"])
    code, said = run_to_its_end(["--app", str(APP), "--port", port], SETTINGS)
    assert code == 1
    assert f"Port {port} cannot be served" in said


async def speak(
    messages: list[dict[str, Any]], *, headers: list[tuple[bytes, bytes]] | None = None
) -> list[MutableMapping[str, Any]]:
    """What the ASGI application sends when it is told these messages."""
    sent: list[MutableMapping[str, Any]] = []
    waiting = iter(messages)

    async def answer(call: HttpCall) -> HttpAnswer:
        return HttpAnswer(500 if call.oversized else 200, body=call.body)

    async def receive() -> MutableMapping[str, Any]:
        return next(waiting)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "raw_path": b"/",
        "query_string": b"",
        "scheme": "http",
        "headers": headers or [],
    }
    await asgi_app(answer, max_body=4)(scope, receive, send)
    return sent


async def test_too_large_a_body() -> None:
    """A body over the limit is read to its end and dropped: the caller hears the answer."""
    part = {"type": "http.request", "body": b"abc", "more_body": True}
    last = part | {"more_body": False}
    assert [m["body"] for m in await speak([last]) if "body" in m] == [b"abc"]
    start, body = await speak([part, part, part, last])
    assert (start["status"], body["body"]) == (500, b"")


async def test_a_caller_that_leaves() -> None:
    """A caller that breaks off in its body is not answered, and no function runs."""
    part = {"type": "http.request", "body": b"a", "more_body": True}
    assert await speak([part, {"type": "http.disconnect"}]) == []
