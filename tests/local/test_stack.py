"""The local stack and its parts: ports, child processes, Azurite, the wiring."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient, QueueServiceClient

from local import azurite
from local.child import Child, ChildFailed
from local.ports import Ports, ReservedPorts
from local.stack import (
    CONTAINERS,
    QUEUES,
    TABLES,
    DevelopmentKeys,
    Stack,
    StackBusy,
    StackOptions,
    write_secret,
)
from shared.rules.senders import SenderKind
from shared.settings import describe, load

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[2]
APP = Path(__file__).parent / "apps" / "wired"
PERSON = "+14255550123"


def call(url: str, body: Any = None, **headers: str) -> Any:
    """POST a JSON body, or GET without one; the JSON answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json", **headers})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.loads(answer.read() or b"null")


def came_in(stack: Stack) -> Any:
    """What reaches the app's functions next."""
    return call(f"{stack.endpoint}/next", **{"x-functions-key": stack.function_key})


def speak(stack: Stack, text: str) -> None:
    """Have a person text the toll-free number."""
    body = {"to": "+18005550100", "message": text}
    call(f"{stack.platform}/simulator/handsets/{PERSON.replace('+', '%2B')}/messages", body)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    options = StackOptions(
        app=APP,
        ports=Ports.any_free(),
        logs=tmp_path_factory.mktemp("logs"),
        retry_scale=0.01,
    )
    with Stack(options) as running:
        yield running


def test_the_settings_are_parleys(stack: Stack) -> None:
    """The stack's settings satisfy Parley, are all known to it, and offer every kind of sender."""
    settings = load(stack.settings)
    known = {description.name for description in describe()}
    assert {name for name in stack.settings if name.startswith("PARLEY_")} <= known
    assert {sender.kind for sender in settings.senders.values()} == set(SenderKind)
    assert settings.acs_endpoint == stack.platform


def test_storage_holds_what_bicep_makes(stack: Stack) -> None:
    """Queues, container and tables are there before the first function runs."""
    with QueueServiceClient.from_connection_string(stack.storage) as queues:
        assert {queue.name for queue in queues.list_queues()} >= set(QUEUES)
    with BlobServiceClient.from_connection_string(stack.storage) as blobs:
        assert {container.name for container in blobs.list_containers()} >= set(CONTAINERS)
    with TableServiceClient.from_connection_string(stack.storage) as tables:
        assert {table.name for table in tables.list_tables()} >= set(TABLES)


def test_a_text_comes_through_event_grid(stack: Stack) -> None:
    """What a handset sends reaches the function that Event Grid is subscribed for."""
    speak(stack, "hello")
    assert came_in(stack)["inbound"] == "hello"


def test_a_queue_message_comes_through(stack: Stack) -> None:
    """The host polls the queues of the stack's storage."""
    with QueueClient.from_connection_string(stack.storage, "record") as queue:
        queue.send_message("row")
    assert came_in(stack) == {"record": "row"}


def test_a_killed_host_comes_back(stack: Stack) -> None:
    """A host that was killed is started again in its place, and Event Grid finds it there."""
    endpoint = stack.endpoint
    speak(stack, "before")
    first = came_in(stack)
    stack.kill_host()
    speak(stack, "meanwhile")
    stack.check()
    stack.start_host()
    assert stack.endpoint == endpoint
    # The kill may have come before the first text was acknowledged; it is delivered again then.
    while (second := came_in(stack))["inbound"] == first["inbound"]:
        continue
    assert second["inbound"] == "meanwhile"
    assert first["pid"] != second["pid"]


def test_a_dead_child_is_named(stack: Stack) -> None:
    """When a process of the stack dies, the error names it and shows its last lines."""
    stack.check()
    host = stack._host
    assert host is not None
    os.killpg(host.pid, signal.SIGKILL)
    host._process.wait()
    with pytest.raises(ChildFailed, match=r"The functions host has ended with code -9.\n.*log"):
        stack.check()
    stack.kill_host()
    stack.start_host()
    stack.check()


def test_an_app_that_does_not_start_stops_the_stack(tmp_path: Path) -> None:
    """If the app is refused, its own message is told and everything else is stopped again."""
    shutil.copy(APP / "host.json", tmp_path)
    (tmp_path / "function_app.py").write_text("raise ValueError('missing: everything')")
    stack = Stack(StackOptions(app=tmp_path, ports=Ports.any_free(), logs=tmp_path / "logs"))
    with pytest.raises(ChildFailed, match="missing: everything"):
        stack.start()
    assert stack._azurite is not None
    assert not stack._azurite.child.running


@pytest.mark.slow
def test_the_command(tmp_path: Path) -> None:
    """`python -m local` says where everything is, in print and in files, and cleans up after."""
    app = tmp_path / "app"
    shutil.copytree(APP, app)
    (app / "local.settings.json").write_text('{"Values": {"MINE": "kept", "PARLEY_STORAGE": ""}}')
    ports = [f"--{name}-port=0" for name in asdict(Ports())]
    said: list[str] = []

    def runs(line: str) -> bool:
        said.append(line)
        return "azure-communication-sms" in line

    child = Child(
        "stack",
        [sys.executable, "-m", "local", "--app", str(app), "--home", str(tmp_path), *ports],
        log=tmp_path / "stack.log",
        ready=runs,
        directory=ROOT,
    )
    child.wait_until_ready(90)
    try:
        file = tmp_path / "endpoint.json"
        found = json.loads(file.read_text())
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert found.keys() == {
            *("endpoint", "accessKeys", "functionKey"),
            *("platform", "handsets", "both", "storage"),
        }
        assert any(found["handsets"] in line for line in said)
        values = json.loads((app / "local.settings.json").read_text())["Values"]
        assert (values["MINE"], values["FUNCTIONS_WORKER_RUNTIME"]) == ("kept", "python")
        assert values["AzureWebJobsStorage"] == values["PARLEY_STORAGE"] == found["storage"]
        with pytest.raises(StackBusy):
            Stack(StackOptions(data=tmp_path / "data", logs=tmp_path / "other")).start()
    finally:
        child.stop(20)
    assert "has ended with code 0" in child.epitaph()
    assert not file.exists()
    assert (tmp_path / "data" / "keys.json").is_file()


def test_keys_are_kept(tmp_path: Path) -> None:
    """A data folder keeps its keys, readable by their owner alone; new kinds are added."""
    path = tmp_path / "keys.json"
    keys = DevelopmentKeys.kept_in(path)
    assert DevelopmentKeys.kept_in(path) == keys
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    partial = asdict(keys)
    del partial["topic"]
    write_secret(path, json.dumps(partial))
    repaired = DevelopmentKeys.kept_in(path)
    assert repaired.access_primary == keys.access_primary
    assert DevelopmentKeys.kept_in(path) == repaired


def test_keys_do_not_show() -> None:
    """Printing the keys by accident shows none of them."""
    assert repr(DevelopmentKeys()) == "DevelopmentKeys()"


def wishing(port: int) -> Ports:
    """The same wish for every server."""
    return Ports(*[port] * len(asdict(Ports())))


def test_a_taken_port_moves_on() -> None:
    """A wished port that somebody listens on is left to them."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with ReservedPorts(wishing(port)) as reserved:
            assert min(asdict(reserved.ports).values()) > port


def test_all_ports_differ() -> None:
    """Two servers that wish for one port get two."""
    with ReservedPorts(Ports(0, 20_000, 20_000, 20_000, 20_000)) as reserved:
        assert len(set(asdict(reserved.ports).values())) == len(asdict(Ports()))


@pytest.mark.parametrize("wish", [0, 20_100])
def test_stacks_that_start_together_get_different_ports(wish: int) -> None:
    """A port that a stack has chosen is its own before anybody listens there, and free after it."""
    with ReservedPorts(wishing(wish)) as first, ReservedPorts(wishing(wish)) as second:
        chosen = [*asdict(first.ports).values(), *asdict(second.ports).values()]
        assert len(set(chosen)) == len(chosen)
        with socket.socket() as server:
            server.bind(("127.0.0.1", chosen[0]))
            server.listen()
    with ReservedPorts(Ports(functions=chosen[0])) as third:
        assert third.ports.functions == chosen[0]


@pytest.mark.parametrize(
    ("environ", "options", "port"),
    [
        ({}, {}, 7071),
        ({"LOCAL_PORT_FUNCTIONS": "7100"}, {}, 7100),
        ({"LOCAL_PORT_FUNCTIONS": "7100"}, {"functions": 7200}, 7200),
        ({}, {"functions": 0}, 0),
    ],
)
def test_wishes(environ: dict[str, str], options: dict[str, int | None], port: int) -> None:
    """An option counts before the environment, that before the default."""
    assert Ports.wished(environ, options).functions == port


def test_a_bad_wish_is_refused() -> None:
    """A variable that holds no port is named."""
    with pytest.raises(ValueError, match="LOCAL_PORT_BLOB"):
        Ports.wished({"LOCAL_PORT_BLOB": "70000"}, {})


def test_a_child_that_ends_early_is_quoted(tmp_path: Path) -> None:
    """A process that ends before it is ready is told with its code and its last lines."""
    script = "import sys; print('out'); sys.exit('the reason')"
    child = Child(
        "it", [sys.executable, "-c", script], log=tmp_path / "it.log", ready=lambda _: False
    )
    with pytest.raises(ChildFailed, match=r"(?s)it has ended with code 1.*the reason"):
        child.wait_until_ready(30)


def test_a_child_that_is_never_ready_is_stopped(tmp_path: Path) -> None:
    """A process that does not become ready in time does not stay behind."""
    child = Child(
        "it",
        [sys.executable, "-c", "import time; time.sleep(60)"],
        log=tmp_path / "it.log",
        ready=lambda _: False,
    )
    with pytest.raises(ChildFailed, match="not ready after 0 s"):
        child.wait_until_ready(0)
    assert not child.running
    child.stop()


def test_azurite_keeps_its_data(tmp_path: Path) -> None:
    """With a folder, what was stored is there in the next run."""
    for times in (1, 2):
        running = azurite.Azurite(log=tmp_path / "azurite.log", data=tmp_path / "data")
        with TableServiceClient.from_connection_string(running.connection_string) as tables:
            tables.create_table(f"run{times}")
            assert len(list(tables.list_tables())) == times
        running.stop()


@pytest.mark.parametrize("folder", ["local/npm", "tools/console", "tools/chromium"])
def test_the_lock_file_names_no_registry(folder: str) -> None:
    """The pinned versions hold wherever packages come from."""
    lock = json.loads((ROOT / folder / "package-lock.json").read_text())
    entries = lock["packages"].items()
    assert not [name for name, entry in entries if "resolved" in entry]
    assert not [name for name, entry in entries if name and "integrity" not in entry]
