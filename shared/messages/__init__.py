"""The record of messages: facts as they happened, and what a reader makes of them."""

from __future__ import annotations

from shared.messages.api import Reading
from shared.messages.parts import Parts

__all__ = ["Parts", "Reading", "wire"]


def wire(parts: Parts) -> Reading:
    """The room's interface, wired."""
    return Reading(
        clock=parts.clock,
        id_key=parts.id_key,
        acs_timeout=parts.acs_timeout,
        record=parts.record,
        ledger=parts.ledger,
    )
