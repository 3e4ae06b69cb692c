"""The console's files: which there are, of what kind, read and compressed once each."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

PAGE: Final = "index.html"
_HOME: Final = Path(__file__).parent / "static"
_KINDS: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent; `etag` is weak, because one tag serves both encodings."""

    media_type: str
    content: bytes
    compressed: bytes
    etag: str


# What lies in the folder when the app starts, and nothing else, whatever a path says.
FILES: Final = MappingProxyType(
    {path.name: _KINDS[path.suffix] for path in sorted(_HOME.iterdir()) if path.suffix in _KINDS}
)


@cache
def read(name: str) -> File:
    """One of `FILES`."""
    content = (_HOME / name).read_bytes()
    return File(
        media_type=FILES[name],
        content=content,
        compressed=gzip.compress(content, mtime=0),
        etag=f'W/"{hashlib.sha256(content).hexdigest()[:20]}"',
    )
