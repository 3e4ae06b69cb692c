"""What arrives: people's texts, delivery reports, and what could not be understood."""

from __future__ import annotations

from dataclasses import dataclass

from shared.conversations import ConversationRoom
from shared.limits.pacing import Pacing
from shared.messages.parts import Parts
from shared.receiving.delivery_reports import HANDLER as REPORTS
from shared.receiving.delivery_reports import DeliveryReports
from shared.receiving.inbound import HANDLER as INBOUND
from shared.receiving.inbound import Inbound
from shared.receiving.quarantine import Quarantine, QuarantineApi
from shared.sending.retries import Retries

__all__ = ["ReceivingRoom", "wire"]


@dataclass(frozen=True, slots=True)
class ReceivingRoom:
    """What arrives.

    Attributes:
        inbound: people's texts.
        delivery_reports: what became of ours.
        quarantine: what could not be understood, for the interface.
    """

    inbound: Inbound
    delivery_reports: DeliveryReports
    quarantine: QuarantineApi


def wire(
    parts: Parts, conversations: ConversationRoom, pacing: Pacing, retries: Retries
) -> ReceivingRoom:
    """The room, wired.

    Args:
        parts: shared ones.
        conversations: where entries go, and what texts answer.
        pacing: told when a report says that a sender is too fast.
        retries: sends again what failed for a passing reason.
    """
    quarantine = Quarantine(parts.blobs, parts.clock, parts.id_key)
    inbound = Inbound(
        clock=parts.clock,
        record=parts.record,
        conversations=conversations.entries,
        replies=conversations.replies,
        ledger=parts.ledger,
        topic=parts.topic,
        quarantine=quarantine,
        programs=parts.programs,
    )
    reports = DeliveryReports(
        parts,
        quarantine=quarantine,
        pacing=pacing,
        retries=retries,
    )
    return ReceivingRoom(
        inbound=inbound,
        delivery_reports=reports,
        quarantine=QuarantineApi(
            parts.blobs, {INBOUND: inbound.record_or_refuse, REPORTS: reports.record_or_refuse}
        ),
    )
