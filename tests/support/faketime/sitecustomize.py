"""Python's own `sleep` under libfaketime, for `make test-at`; imported by every Python there.

libfaketime 0.9.10 (Debian 12) answers EINVAL where a program sleeps until a moment of the monotonic
clock that it was told to leave alone, and since 3.11 that is how Python sleeps. Waiting for no
event at all takes a span instead of a moment.
"""

from __future__ import annotations

import select
import time
from typing import SupportsIndex


def sleep(seconds: float | SupportsIndex, /) -> None:
    """Wait so many seconds."""
    select.select([], [], [], float(seconds))


time.sleep = sleep
