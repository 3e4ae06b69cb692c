"""Many facts in one property: compressed JSON, checked against what Table Storage holds.

A storage operation costs more than a hundred small members, so a whole request is one property
of one entity (docs/platform.md 7).
"""

from __future__ import annotations

import json
import zlib
from typing import Any, Final

# A binary property holds 64 KiB; Azurite does not check, so this does.
MAX_BYTES: Final = 65_536


def pack(value: Any) -> bytes:
    """Compressed JSON of `value`.

    Raises:
        ValueError: if it would not fit into one property.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    data = zlib.compress(text.encode("utf-8", "surrogatepass"), level=1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"{len(data)} bytes do not fit into one property of {MAX_BYTES}")
    return data


def unpack(data: bytes) -> Any:
    """What was packed."""
    return json.loads(zlib.decompress(data).decode("utf-8", "surrogatepass"))
