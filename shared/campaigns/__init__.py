"""Bulk sends: recipient lists and texts with placeholders, read and filled without surprises."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from shared.campaigns.api import CampaignApi
from shared.campaigns.chunk_sender import ChunkSender
from shared.campaigns.counting import Counting
from shared.campaigns.dry_run import DryRun
from shared.campaigns.engine import Engine
from shared.campaigns.retention import Retention
from shared.campaigns.store import CampaignStore
from shared.limits import Limits
from shared.messages.parts import Parts
from shared.sending import SendingRoom

__all__ = ["CampaignRoom", "wire"]


@dataclass(frozen=True, slots=True)
class CampaignRoom:
    """Bulk sends.

    Attributes:
        api: for the interface.
        retention: forgets old ones.
    """

    api: CampaignApi
    retention: Retention


def wire(parts: Parts, store: CampaignStore, sending: SendingRoom, limits: Limits) -> CampaignRoom:
    """The room, wired; it does the work of campaigns.

    Args:
        parts: shared ones.
        store: the campaigns' rows, which sends that wait ask, too.
        sending: what sends.
        limits: what holds texts back.
    """
    settings = parts.settings
    counting = Counting(
        clock=parts.clock,
        store=store,
        record=parts.record,
        id_key=parts.id_key,
        acs_timeout=parts.acs_timeout,
    )
    chunks = ChunkSender(
        parts, store=store, sending=sending.api, pacing=limits.pacing, caps=limits.caps
    )
    engine = Engine(
        parts,
        store=store,
        chunks=chunks,
        counting=counting,
        pacing=limits.pacing,
        timetable=sending.timetable,
    )
    for kind, work in engine.works().items():
        parts.dispatch.register(kind, work)
    plans = DryRun(
        clock=parts.clock,
        engine=engine,
        ledger=parts.ledger,
        timetable=sending.timetable,
        senders=parts.senders,
        prices=settings.prices,
        quiet_hours=settings.quiet_hours,
    )
    return CampaignRoom(
        api=CampaignApi(
            parts, store=store, engine=engine, plans=plans, counting=counting, keys=sending.keys
        ),
        retention=Retention(
            blobs=parts.blobs,
            store=store,
            caps=limits.caps,
            kept=timedelta(days=settings.campaign_retention_days),
        ),
    )
