"""What is forgotten of people: what is old, by the clock, and everything, at their request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from shared.campaigns.kept_lists import ListErasing
from shared.campaigns.store import CampaignStore
from shared.conversations import ConversationRoom
from shared.conversations.erasing import ConversationErasing
from shared.erasure.erasures import SETTLES_IN, Erasures
from shared.erasure.places import Places
from shared.erasure.receipts import Receipts
from shared.erasure.retention import FEWEST_DAYS, MessageRetention
from shared.jobs.poison import Poison
from shared.messages.erasing import MessageErasing
from shared.messages.parts import Parts
from shared.receiving.quarantine import QuarantineApi

__all__ = ["ErasureRoom", "wire"]


@dataclass(frozen=True, slots=True)
class ErasureRoom:
    """What is forgotten.

    Attributes:
        erasures: at a person's request.
        retention: by the clock.
    """

    erasures: Erasures
    retention: MessageRetention


def wire(
    parts: Parts,
    conversations: ConversationRoom,
    campaigns: CampaignStore,
    quarantine: QuarantineApi,
    poison: Poison,
) -> ErasureRoom:
    """The room, wired.

    Args:
        parts: shared ones.
        conversations: the way from a person to their messages.
        campaigns: which say how lists are written.
        quarantine: what was not understood.
        poison: what failed too often.
    """
    days = parts.settings.keep_messages_days
    talked = ConversationErasing(parts.tables, conversations.entries.ids, conversations.pending)
    places = Places(
        senders=parts.senders,
        lists=ListErasing(parts.blobs, campaigns),
        conversations=talked,
        messages=MessageErasing(
            parts.tables,
            shards=parts.settings.message_shards,
            id_key=parts.id_key,
            country_of=_country_of,
            settles_in=SETTLES_IN,
        ),
        quarantine=quarantine,
        poison=poison,
    )
    return ErasureRoom(
        erasures=Erasures(
            clock=parts.clock,
            ledger=parts.ledger,
            receipts=Receipts(parts.tables, parts.id_key),
            places=places,
        ),
        retention=MessageRetention(
            parts.tables,
            parts.blobs,
            talked,
            timedelta(days=max(days, FEWEST_DAYS)) if days else None,
        ),
    )


def _country_of(address: str) -> str | None:
    # Brings numbering data, which no cold start should pay for.
    from shared.rules.cost.countries import country_of  # noqa: PLC0415

    return country_of(address)
