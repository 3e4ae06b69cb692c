"""How the local stack ends when nobody ends it: with the window, with the process, at once."""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from local.child import Child, ChildFailed
from local.ports import Ports
from local.stack import Stack, StackBusy, StackOptions

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[2]
APP = Path(__file__).parent / "apps" / "wired"

# Starts a child, says so, and waits: what is done to it is done to whoever runs a stack.
PARENT = """
import sys, time
from pathlib import Path
from local.child import Child

command, log = sys.argv[2:], Path(sys.argv[1])
child = Child("it", command, log=log, ready=lambda line: "ready" in line)
child.wait_until_ready(60)
print("ready", flush=True)
time.sleep(3600)
"""
# Holds a pipe open as long as it runs, and starts another one that does so too.
POLITE = "exec 3> {pipe}; sleep 3600 & echo ready; wait"
DEAF = "trap '' TERM; " + POLITE


def all_have_ended(pipe: int) -> bool:
    """Waits until nobody holds the pipe open for writing any more."""
    return os.read(pipe, 1) == b""


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    ("script", "end"),
    [
        (POLITE, signal.SIGKILL),
        (POLITE, signal.SIGHUP),
        (POLITE, signal.SIGTERM),
        (DEAF, signal.SIGKILL),
    ],
)
def test_a_child_ends_when_its_parent_does(
    tmp_path: Path, pipe: Path, script: str, end: signal.Signals
) -> None:
    """However the parent ends, its children end, with what they started; deaf ones too."""
    held = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(held, True)
    shell = ["sh", "-c", script.format(pipe=pipe)]
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", PARENT, str(tmp_path / "it.log"), *shell],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        parent.send_signal(end)
        assert all_have_ended(held)
        assert parent.wait() == -end
    os.close(held)


FORKING = """
import os, sys, time
from pathlib import Path
from local.child import Child

command, log = sys.argv[2:], Path(sys.argv[1])
child = Child("it", command, log=log, ready=lambda line: "ready" in line)
child.wait_until_ready(60)
copy = os.fork()
if copy == 0:
    time.sleep(30)
    os._exit(0)
print(copy, flush=True)
time.sleep(3600)
"""


def test_a_child_ends_when_its_parent_does_whatever_the_parent_forked(
    tmp_path: Path, pipe: Path
) -> None:
    """A copy of the parent that lives on, as a fork server's do, keeps no server alive."""
    held = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(held, True)
    shell = ["sh", "-c", POLITE.format(pipe=pipe)]
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", FORKING, str(tmp_path / "it.log"), *shell],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        copy = int(parent.stdout.readline())
        parent.kill()
        assert all_have_ended(held)
        # Its output is open as long as the copy lives.
        ended, _, _ = select.select([parent.stdout], [], [], 0)
        assert not ended
        os.kill(copy, signal.SIGKILL)
    os.close(held)


def test_a_fork_leaves_its_parents_children_alone(tmp_path: Path, pipe: Path) -> None:
    """A copy that goes out by the same door as the parent stops nothing that is the parent's."""
    shell = ["sh", "-c", POLITE.format(pipe=pipe)]
    held = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(held, True)
    script = FORKING.replace("time.sleep(30)", "child.stop()").replace(
        "print(copy", "os.waitpid(copy, 0); print(child.running"
    )
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", script, str(tmp_path / "it.log"), *shell],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"True\n"
        parent.kill()
        assert all_have_ended(held)
    os.close(held)


def test_what_a_child_started_ends_with_it(tmp_path: Path, pipe: Path) -> None:
    """Nothing that a child left behind outlives its being stopped."""
    held = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(held, True)
    shell = ["sh", "-c", POLITE.format(pipe=pipe)]
    child = Child("it", shell, log=tmp_path / "it.log", ready=lambda line: "ready" in line)
    child.wait_until_ready(60)
    child.stop()
    assert all_have_ended(held)
    os.close(held)


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    """A program that cannot be run is named."""
    child = Child("it", ["no-such-program"], log=tmp_path / "it.log", ready=lambda _: False)
    with pytest.raises(ChildFailed, match=r"(?s)code 127.*no-such-program cannot be run"):
        child.wait_until_ready(60)


def test_closing_the_window_ends_the_stack(tmp_path: Path) -> None:
    """A terminal that is closed ends the stack in order, as Ctrl-C does; nothing stays behind."""
    app = tmp_path / "app"
    shutil.copytree(APP, app)
    ports = [f"--{name}-port=0" for name in asdict(Ports())]
    command = [sys.executable, "-m", "local", "--app", str(app), "--home", str(tmp_path), *ports]
    # A terminal of its own around the stack; when this process is killed, that window closes.
    window = Child(
        "window",
        [sys.executable, "-c", f"import pty; pty.spawn({command!r})"],
        log=tmp_path / "window.log",
        ready=lambda line: "azure-communication-sms" in line,
        directory=ROOT,
    )
    window.wait_until_ready(90)
    file = tmp_path / "endpoint.json"
    assert file.exists()
    window.kill()
    lock = tmp_path / "data" / "lock"
    # Whoever holds the lock of the data is gone when this returns: the stack and its servers.
    with lock.open("w") as mine:
        fcntl.flock(mine, fcntl.LOCK_EX)
    assert not file.exists()


def test_the_data_is_taken_as_long_as_a_server_works_on_it(tmp_path: Path) -> None:
    """Servers that outlive their stack, be it for a moment, keep the next one from their data."""
    options = StackOptions(app=APP, ports=Ports.any_free(), data=tmp_path / "data", logs=tmp_path)
    with Stack(options) as stack:
        # As the system does it when the stack's own process ends.
        assert stack._lock is not None
        stack._lock.close()
        with pytest.raises(StackBusy):
            Stack(options).start()
    with (tmp_path / "data" / "lock").open("w") as free:
        fcntl.flock(free, fcntl.LOCK_EX | fcntl.LOCK_NB)
