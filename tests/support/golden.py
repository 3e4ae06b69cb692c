"""The golden files of ACS's events, made out to somebody else without touching their form."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "events"
PERSON, SECOND_PERSON = "4255550123", "4255550124"
TAGGED_SEND = "01JD8Z0W0Q4T9V6X2Y3N5M7K8P"
_PLATFORM_ID = re.compile(r"(?<=[a-z]_2026112213010)\d[0-9a-f-]{36}")


def names(prefix: str) -> list[str]:
    """The files whose names begin so, in order."""
    return sorted(path.stem for path in FOLDER.glob(f"{prefix}*.json"))


def golden(
    name: str, *, person: str, second: str | None = None, send_id: str = TAGGED_SEND
) -> bytes:
    """A file's bytes with another person, other platform ids and another send in the tag.

    Args:
        name: of the file, without its ending.
        person: E.164, North American.
        second: who takes the place of the second person, where there is one.
        send_id: what the tag shall lead to.
    """
    text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    fresh: dict[str, str] = {}
    text = _PLATFORM_ID.sub(lambda m: m[0][0] + fresh.setdefault(m[0], str(uuid.uuid4())), text)
    text = text.replace(PERSON, person[2:]).replace(TAGGED_SEND, send_id)
    if second is not None:
        text = text.replace(SECOND_PERSON, second[2:])
    return text.encode()


def golden_event(name: str, **made_out: Any) -> dict[str, Any]:
    """The one event of a file."""
    found = json.loads(golden(name, **made_out))
    event: dict[str, Any] = found[0] if isinstance(found, list) else found
    return event
