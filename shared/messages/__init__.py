"""The record of messages: facts as they happened, and what a reader makes of them."""

from __future__ import annotations

from shared.messages.api import MessageApi
from shared.messages.parts import Parts

__all__ = ["Parts", "Reading", "wire"]


def wire(parts: Parts) -> MessageApi:
    """The room's interface, wired."""
    return MessageApi(
        clock=parts.clock,
        id_key=parts.id_key,
        acs_timeout=parts.acs_timeout,
        record=parts.record,
        ledger=parts.ledger,
    )
