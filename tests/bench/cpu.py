"""The CPU time that another process has used, to the nanosecond.

`/proc/{pid}/stat` counts in ticks of ten milliseconds, which is as much as one request costs; the
process's own POSIX clock is exact.
"""

from __future__ import annotations

import ctypes
import os
import time


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a running process, in seconds.

    Raises:
        OSError: there is no such process, or the system has no such clocks (Linux has them).
    """
    library = ctypes.CDLL(None, use_errno=True)
    clock = ctypes.c_int()
    try:
        error = library.clock_getcpuclockid(pid, ctypes.byref(clock))
    except AttributeError:
        raise OSError("This system has no CPU clocks for other processes; use Linux.") from None
    if error:
        raise OSError(error, os.strerror(error))
    return time.clock_gettime(clock.value)
