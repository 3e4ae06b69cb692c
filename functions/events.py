"""From the host's event to ours.

The functions take their event as text: azure-functions' own decoder (azure/functions/eventgrid.py)
parses the event's time before any code of ours runs, and an event whose time it cannot read would
end as a dead letter, whatever a person said in it.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Final

from shared.azure.event_grid import Envelope
from shared.base.json_body import DEEPEST, is_deep

_TOO_DEEP: Final = f"the event is nested deeper than {DEEPEST}"


def envelope(event: str) -> Envelope:
    """The event as `shared` reads it, whichever schema the subscription delivers.

    Args:
        event: one event's JSON, as the host hands it to the worker.

    Raises:
        ValueError: it is no JSON object. The host delivers nothing else.
    """
    try:
        content = json.loads(event)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        return _unreadable(event, _TOO_DEEP)
    except ValueError:
        # Python's own limit on the digits of a number.
        return _unreadable(event, "the event has a number that is too long")
    if not isinstance(content, dict):
        raise ValueError("the host delivered an event that is no JSON object")  # noqa: TRY004  # as for what is no JSON
    if is_deep(content):
        return _unreadable(event, _TOO_DEEP)
    # Microsoft's own samples do not agree on the case (specVersion).
    members: dict[str, Any] = {name.lower(): value for name, value in content.items()}
    kind, time = ("type", "time") if "specversion" in members else ("eventtype", "eventtime")
    return Envelope(members.get("id"), members.get(kind), members.get(time), _data(members))


def _unreadable(event: str, why: str) -> Envelope:
    """The event as it is, for somebody to look at: no repeat makes it clearer."""
    return Envelope(None, None, None, event, why)


def _data(members: dict[str, Any]) -> Any:
    """`data`, or what a CloudEvent carries as base64 in its place."""
    packed = members.get("data_base64")
    if members.get("data") is not None or not isinstance(packed, str):
        return members.get("data")
    try:
        return base64.b64decode(packed, validate=True).decode()
    except (binascii.Error, ValueError):
        return packed
