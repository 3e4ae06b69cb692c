"""Bulk sends: recipient lists and texts with placeholders, read and filled without surprises."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from shared.campaigns.api import CampaignApi
from shared.campaigns.chunk_sender import ChunkSender
from shared.campaigns.counting import Counting
from shared.campaigns.dry_run import DryRun
from shared.campaigns.engine import CAMPAIGN, Engine
from shared.campaigns.eta import EtaEstimator
from shared.campaigns.expansion import Expansion
from shared.campaigns.pump import CHUNK, Pump
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
        store: the rows.
        expansion: reads lists.
        engine: does the work that is due.
        chunks: sends chunks.
        counting: what became of chunks.
        retention: forgets old ones.
    """

    api: CampaignApi
    store: CampaignStore
    expansion: Expansion
    engine: Engine
    chunks: ChunkSender
    counting: Counting
    retention: Retention


def wire(parts: Parts, store: CampaignStore, sending: SendingRoom, limits: Limits) -> CampaignRoom:
    """The room, wired; it does the work of campaigns.

    Args:
        parts: shared ones.
        store: the campaigns' rows, which sends that wait ask, too.
        sending: what sends.
        limits: what holds texts back.
    """
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
    eta = EtaEstimator(parts.clock, parts.senders, limits.pacing)
    expansion = Expansion(parts, store=store, timetable=sending.timetable)
    engine = Engine(
        parts,
        store=store,
        expansion=expansion,
        eta=eta,
        counting=counting,
        pump=Pump(parts, store=store, pacing=limits.pacing, lease=chunks.lease),
    )
    parts.jobs.worker.register(CAMPAIGN, engine)
    # What a process that died has left undone, the pump places again.
    parts.dispatch.register(CHUNK, chunks.send_chunk, once=True)
    api = CampaignApi(
        parts,
        store=store,
        engine=engine,
        eta=eta,
        dry_run=DryRun(parts, eta=eta, timetable=sending.timetable),
        counting=counting,
        keys=sending.keys,
    )
    retention = Retention(
        blobs=parts.blobs,
        store=store,
        caps=limits.caps,
        kept=timedelta(days=parts.settings.campaign_retention_days),
    )
    return CampaignRoom(api, store, expansion, engine, chunks, counting, retention)
