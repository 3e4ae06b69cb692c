"""Guards: what an operator does not want sent, whatever an application asks for.

Three of them, each off unless its setting says something (`shared.rules.limit_settings`): countries
that may be texted, a daily budget for each program, and a brake on one-time codes. A guard that is
off costs no storage operation. Those that count do so before anything is sent, exactly, however
many processes count at once, and once for each send, however often it is repeated.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.limits.frequency_caps import FrequencyCaps
from shared.limits.guards import Guards
from shared.limits.pacing import Pacing
from shared.limits.sender_status import SenderStatus
from shared.messages.parts import Parts

__all__ = ["Guards", "Limits", "wire"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds texts back.

    Attributes:
        guards: countries, budgets, floods.
        pacing: how fast a sender may be.
        caps: how often a person is texted by campaigns.
        sender_status: the senders with their pace, as the interface shows them.
    """

    guards: Guards
    pacing: Pacing
    caps: FrequencyCaps
    sender_status: SenderStatus


def wire(parts: Parts) -> Limits:
    """The room, wired."""
    pacing = Pacing(parts.tables, parts.clock, parts.senders)
    return Limits(
        guards=Guards(parts.settings, parts.tables),
        pacing=pacing,
        caps=FrequencyCaps(parts.tables, parts.clock, parts.id_key),
        sender_status=SenderStatus(clock=parts.clock, pacing=pacing, senders=parts.senders),
    )
