"""What the platform remembers between two runs, in one JSON file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from local.platform.clock import Timeline

_FORMAT: Final = 1
_PAUSE_SECONDS: Final = 0.5


class StateFile:
    """Writes the state a moment after it changed, atomically; without a path it keeps nothing."""

    def __init__(
        self, path: Path | None, *, snapshot: Callable[[], dict[str, Any]], timeline: Timeline
    ) -> None:
        self._path = path
        self._snapshot = snapshot
        self._timeline = timeline
        self._due = False

    def load(self) -> dict[str, Any] | None:
        """What the last run left, or None.

        Raises:
            ValueError: the file is damaged or of another format.
        """
        if self._path is None or not self._path.exists():
            return None
        stored = json.loads(self._path.read_text(encoding="utf-8"))
        if not isinstance(stored, dict) or stored.get("format") != _FORMAT:
            raise ValueError(f"{self._path} is not of format {_FORMAT}; move it away to start anew")
        return stored

    def touch(self) -> None:
        """The state has changed; changes that come together are written together."""
        if self._path is None or self._due:
            return
        self._due = True
        self._timeline.after(_PAUSE_SECONDS, self.write)

    def write(self) -> None:
        """Write now."""
        self._due = False
        if self._path is None:
            return
        text = json.dumps({"format": _FORMAT, **self._snapshot()}, ensure_ascii=False)
        beside = self._path.with_suffix(".new")
        # No fsync: it would stop the event loop, and outliving a power cut is not asked of a toy.
        beside.write_text(text, encoding="utf-8")
        beside.replace(self._path)
