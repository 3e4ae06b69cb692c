"""From the host's event to ours."""

from __future__ import annotations

import azure.functions as func

from shared.events import Envelope


def envelope(event: func.EventGridEvent | func.CloudEvent) -> Envelope:
    """The event as `shared` reads it, whichever schema the subscription delivers."""
    if isinstance(event, func.EventGridEvent):
        return Envelope(event.id, event.event_type, event.event_time, event.get_json())
    return Envelope(event.id, event.type, event.time, event.get_json())
