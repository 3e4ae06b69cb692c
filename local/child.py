"""A server in a process of its own: started, waited for, stopped, and heard when it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

_KEEPER: Final = Path(__file__).with_name("keeper.py")
# For a process to end by itself, once it has been asked to.
_GRACE_SECONDS: Final = 8.0
_LAST_LINES: Final = 15
_READ_AT_MOST: Final = 64 * 1024
# Those of this process. A copy of it that a fork makes is no parent of theirs.
_CHILDREN: Final[weakref.WeakSet[Child]] = weakref.WeakSet()


class ChildFailed(Exception):
    """A process did not become ready, or ended by itself. The message shows its last lines."""


class Child:
    """One process with a log file, which ends when this process does, however that ends.

    Everything it prints goes to the log; each line of its standard output is shown to `ready`,
    until that says True.

    Args:
        name: what people call it.
        command: program and arguments.
        log: the file that its output is appended to.
        ready: whether a line says that it can be used.
        environ: its whole environment; this process's own where None.
        keeps: descriptors that stay open as long as the process runs, such as a lock's.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        ready: Callable[[str], bool],
        environ: Mapping[str, str] | None = None,
        directory: Path | None = None,
        keeps: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log = log
        self._ready = ready
        self._heard = threading.Event()
        self._is_ready = False
        log.parent.mkdir(parents=True, exist_ok=True)
        self._start_of_log = log.stat().st_size if log.exists() else 0
        # As long as this end of the pipe is open, this process lives: see keeper.py.
        watched, self._alive = os.pipe()
        _CHILDREN.add(self)
        keeper = [sys.executable, "-I", "-S", str(_KEEPER), str(_GRACE_SECONDS)]
        try:
            with log.open("ab") as output:
                # A session of its own: Ctrl-C reaches the stack alone, which then stops its
                # children in order.
                self._process = subprocess.Popen(  # noqa: S603  # the commands are ours
                    [*keeper, ",".join(map(str, keeps)), *command],
                    stdin=watched,
                    stdout=subprocess.PIPE,
                    stderr=output,
                    env=None if environ is None else dict(environ),
                    cwd=directory,
                    start_new_session=True,
                    pass_fds=keeps,
                )
        except BaseException:
            os.close(self._alive)
            raise
        finally:
            os.close(watched)
        self._reader = threading.Thread(target=self._read, name=f"{name} output", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def wait_until_ready(self, seconds: float) -> None:
        """Wait for the readiness line.

        Raises:
            ChildFailed: the process ended first, or the time is over; it is stopped then.
        """
        in_time = self._heard.wait(seconds)
        if self._is_ready:
            return
        if in_time:
            self._process.wait()
            self._close()
            raise ChildFailed(self.epitaph())
        self.stop()
        raise ChildFailed(f"{self.name} was not ready after {seconds:g} s.\n{self._tail()}")

    def epitaph(self) -> str:
        """What to tell about a process that has ended by itself."""
        return f"{self.name} has ended with code {self._process.poll()}.\n{self._tail()}"

    def stop(self, grace: float = _GRACE_SECONDS) -> None:
        """End the process with SIGTERM, after `grace` seconds with SIGKILL. Once is enough."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(grace)
            except subprocess.TimeoutExpired:
                self.kill()
        self._close()

    def kill(self) -> None:
        """End the process as a crash would, with all that it started."""
        if self.running:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._close()

    def leave_to_parent(self) -> None:
        """In a fork of the parent: let go of the pipe, which would outlive the parent here."""
        alive, self._alive = self._alive, -1
        if alive >= 0:
            os.close(alive)

    def _close(self) -> None:
        alive, self._alive = self._alive, -1
        if alive >= 0:
            # The keeper ends what the process may have left behind.
            os.close(alive)
        # Which may still hold its output open; the reader then ends with it.
        self._reader.join(1)

    def _read(self) -> None:
        output = self._process.stdout
        assert output is not None  # noqa: S101  # asked for above
        try:
            with output, self.log.open("ab", buffering=0) as log:
                self._copy(output, log)
        finally:
            self._heard.set()

    def _copy(self, output: IO[bytes], log: IO[bytes]) -> None:
        for line in output:
            log.write(line)
            if not self._is_ready and self._ready(line.decode(errors="replace")):
                self._is_ready = True
                self._heard.set()

    def _tail(self) -> str:
        with self.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._start_of_log, size - _READ_AT_MOST))
            lines = log.read().decode(errors="replace").splitlines()
        shown = "\n".join(f"  {line}" for line in lines[-_LAST_LINES:])
        return f"{self.log}:\n{shown}" if shown else f"{self.log} is empty."


def _leave_all_to_parent() -> None:
    for child in list(_CHILDREN):
        child.leave_to_parent()


os.register_at_fork(after_in_child=_leave_all_to_parent)
