"""Randomness as a parameter: whoever draws is handed a source, so that a run can be replayed.

The one module of the product that knows the system's source; a lint rule says so.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable

Randomness = Callable[[int], bytes]
"""So many random bytes; `os.urandom` in the app, something seeded where a run is replayed."""

SYSTEM: Randomness = os.urandom  # noqa: TID251  # the one place that knows the system's source
_BYTES: int = 7
_WHOLE: float = float(1 << 53)


def fraction(randomness: Randomness) -> float:
    """A number from 0 up to, and without, 1."""
    return (int.from_bytes(randomness(_BYTES)) >> 3) / _WHOLE


def between(randomness: Randomness, low: float, high: float) -> float:
    """A number from `low` to `high`: a jitter."""
    return low + (high - low) * fraction(randomness)


def drawn_uuid(randomness: Randomness) -> str:
    """A UUID of version 4 (RFC 9562, section 5.4)."""
    return str(uuid.UUID(bytes=randomness(16), version=4))
