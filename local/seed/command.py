"""`make run SEED=1`: a month's past for the running stack, once for a data folder."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

from local.seed.month import DAYS, month
from local.seed.rows import Written, write_month
from local.stack import Stack
from shared.base.clock import from_iso, iso

_FILE: Final = "seed.json"
_REBUILD_SECONDS: Final = 60


def seed_once(
    stack: Stack, data: Path, seed: int, now: datetime, *, later: timedelta = timedelta()
) -> Written | None:
    """Give the stack a past, unless its data has one already; how much, or None.

    A seeding that was interrupted is completed: its end, from which everything follows, is noted
    before the first row is written.

    Args:
        stack: running.
        data: its data folder.
        seed: of the month.
        now: the end of the month.
        later: see `month`; the same each time.

    Raises:
        StorageDown, OSError: it could not be written; the next start tries again.
    """
    file = data / _FILE
    noted = _noted(file)
    if noted.get("written"):
        return None
    until = from_iso(noted["until"]) if noted else now.astimezone(UTC).replace(microsecond=0)
    seed = noted.get("seed", seed)
    _note(file, seed, until, written=False)
    written = write_month(stack.settings, month(until, seed, later=later))
    _fold(stack, until)
    _note(file, seed, until, written=True)
    return written


def _fold(stack: Stack, until: datetime) -> None:
    """Have the analytics take in what was written into minutes that they had passed."""
    span = {"startTime": iso(until - timedelta(days=DAYS)), "endTime": iso(until)}
    request = Request(  # noqa: S310  # a loopback address of our own
        f"{stack.endpoint}/analytics:rebuild",
        data=json.dumps(span).encode(),
        headers={"content-type": "application/json", "x-functions-key": stack.function_key},
        method="POST",
    )
    with urlopen(request, timeout=_REBUILD_SECONDS) as answer:  # noqa: S310
        answer.read()


def _noted(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return found


def _note(file: Path, seed: int, until: datetime, *, written: bool) -> None:
    text = json.dumps({"seed": seed, "until": iso(until), "written": written})
    file.write_text(text + "\n", encoding="utf-8")
