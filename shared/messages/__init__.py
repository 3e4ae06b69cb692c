"""The record of messages: facts as they happened, and what a reader makes of them."""

from __future__ import annotations

from shared.messages.api import MessageApi
from shared.messages.parts import Parts
from shared.messages.waiting import WaitingMessages

__all__ = ["Parts", "wire"]


def wire(parts: Parts) -> tuple[MessageApi, WaitingMessages]:
    """The room's interfaces, wired."""
    api = MessageApi(
        clock=parts.clock,
        id_key=parts.id_key,
        acs_timeout=parts.acs_timeout,
        record=parts.record,
        ledger=parts.ledger,
    )
    waiting = WaitingMessages(
        clock=parts.clock,
        id_key=parts.id_key,
        acs_timeout=parts.acs_timeout,
        record=parts.record,
        due=parts.jobs.due,
    )
    return api, waiting
