"""Runs one command that ends when whoever started it does: `keeper.py GRACE CLOSE COMMAND...`.

The process becomes the command, so that its id and its exit code are the command's own. Before that
it leaves a keeper behind, in the same process group, who reads standard input: a pipe that nobody
writes to and whose other end the parent holds. The pipe ends with the parent, however that ends, on
every Unix; the keeper then ends the group, by SIGTERM and after GRACE seconds by SIGKILL.

Started with `-I -S` as a file, because it is on the way of every start of a server: nothing of ours
is imported. CLOSE lists descriptors, with commas, that only the command keeps.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

_GLANCE_SECONDS = 0.02
_NOT_FOUND = 127


def main(grace: float, close: list[int], command: list[str]) -> None:
    """Become the command, or end with 127 if that cannot be."""
    of_command = os.getpid()
    if os.fork() == 0:
        # Else the log's reader would wait for the keeper too.
        for descriptor in (1, 2, *close):
            os.close(descriptor)
        _keep(of_command, grace)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        os.execvp(command[0], command)  # noqa: S606  # the commands are the stack's own
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be run: {error.strerror}\n")
        os._exit(_NOT_FOUND)


def _keep(of_command: int, grace: float) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while os.read(0, 1):
        continue
    # A process whose parent has ended gets another one.
    end = time.monotonic() + grace
    if os.getppid() == of_command:
        os.killpg(0, signal.SIGTERM)
    while os.getppid() == of_command and time.monotonic() < end:
        # `time.sleep` fails in so bare a process where `make test-at` fakes the clock.
        select.select([], [], [], _GLANCE_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(
        float(sys.argv[1]),
        [int(descriptor) for descriptor in sys.argv[2].split(",") if descriptor],
        sys.argv[3:],
    )
