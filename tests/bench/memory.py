"""How much memory this process has had at the most.

`getrusage` does not say that: its maximum outlives `exec`, so that a process starts with the most
that the one which started it had ever had. `/proc/self/status` counts from the program's beginning.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_STATUS: Final = Path("/proc/self/status")
_PEAK: Final = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
_KB_PER_MB: Final = 1024


def peak_megabytes() -> float:
    """The most megabytes in memory since this program began.

    Raises:
        OSError: the system does not say (Linux does).
    """
    found = _PEAK.search(_STATUS.read_text(encoding="ascii"))
    if found is None:
        raise OSError("This system does not say how much memory a process has had; use Linux.")
    return int(found[1]) / _KB_PER_MB
