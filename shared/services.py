"""Everything wired together, once a process.

`services()` is what the triggers call. Nothing is made at import; a client is made when it is
first used, so that a cold start pays for what its first request needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared import (
    analytics,
    campaigns,
    conversations,
    erasure,
    jobs,
    limits,
    messages,
    receiving,
    sending,
)
from shared.analytics.late import LateMarks
from shared.azure.clients import connect, shared_transport
from shared.base.clock import Clock, utc_now
from shared.base.randomness import SYSTEM, Randomness
from shared.campaigns.store import CampaignStore
from shared.conversations.looks import IndexedUpTo
from shared.health import Health
from shared.jobs.poison import Poison
from shared.messages.api import MessageApi
from shared.messages.one_time_codes import CodeBlanking, CodeMarks, CodeRules
from shared.messages.parts import Parts
from shared.messages.record import Record
from shared.messages.waiting import WaitingMessages
from shared.optouts import Ledger
from shared.optouts.api import OptOutApi
from shared.rules.categories import ONE_TIME_CODE
from shared.settings import Settings, settings_of_this_app
from shared.upkeep import Upkeep

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AsyncHttpTransport


@dataclass(frozen=True, slots=True)
class Services:
    """What the triggers use: the parts that rooms share, the rooms, and what stands above them."""

    parts: Parts
    messages: MessageApi
    waiting: WaitingMessages
    optouts: OptOutApi
    poison: Poison
    limits: limits.Limits
    conversations: conversations.ConversationRoom
    analytics: analytics.AnalyticsRoom
    sending: sending.SendingRoom
    receiving: receiving.ReceivingRoom
    campaigns: campaigns.CampaignRoom
    erasure: erasure.ErasureRoom
    health: Health
    upkeep: Upkeep


def build(
    settings: Settings,
    *,
    transport: AsyncHttpTransport[Any, Any],
    clock: Clock = utc_now,
    randomness: Randomness = SYSTEM,
) -> Services:
    """Wire everything; all clients share the transport."""
    azure = connect(settings, transport=transport, clock=clock, randomness=randomness)
    tables = azure.tables
    rules = CodeRules(
        timedelta(seconds=settings.repeat_window_seconds),
        send_again=ONE_TIME_CODE in settings.send_again_when_uncertain,
    )
    record = Record(
        tables,
        settings.message_shards,
        late=LateMarks(tables, clock),
        codes=CodeMarks(tables, clock, rules),
    )
    parts = Parts(
        settings=settings,
        clock=clock,
        randomness=randomness,
        azure=azure,
        jobs=jobs.wire(tables, azure.queues, clock),
        record=record,
        ledger=Ledger(tables, azure.blobs, azure.host_blobs, clock, randomness),
    )
    store, limited = CampaignStore(tables), limits.wire(parts)
    read, waiting = messages.wire(parts)

    async def indexed() -> IndexedUpTo | None:
        return await counted.timer.indexed_up_to()

    talked = conversations.wire(parts, read, indexed)
    counted = analytics.wire(parts, indexes=[talked.index])
    sent = sending.wire(parts, talked, limited, standing=store.standing)
    bulk = campaigns.wire(parts, store, sent, limited)
    received = receiving.wire(parts, talked, limited.pacing, sent.retries)
    poison = Poison(tables, azure.queues, clock, settings.id_key)
    forgetting = erasure.wire(parts, talked, store, received.quarantine, poison)
    return Services(
        parts=parts,
        messages=read,
        waiting=waiting,
        optouts=OptOutApi(
            clock=clock,
            randomness=randomness,
            ledger=parts.ledger,
            topic=azure.topic,
            senders=parts.senders,
        ),
        poison=poison,
        limits=limited,
        conversations=talked,
        analytics=counted,
        sending=sent,
        receiving=received,
        campaigns=bulk,
        erasure=forgetting,
        health=Health(
            settings,
            clock,
            azure,
            ledger=parts.ledger,
            due=parts.jobs.due,
            transport=transport,
        ),
        upkeep=Upkeep(
            tables,
            clock,
            guards=limited.guards,
            retention=bulk.retention,
            timer=counted.timer,
            keys=sent.keys,
            halts=parts.ledger.halts,
            codes=CodeBlanking(tables, record, rules),
            follow_up=sent.follow_up,
            erasure=forgetting,
        ),
    )


_provided: list[Services] = []


def services() -> Services:
    """The process's services, made on first use unless they were provided."""
    if not _provided:
        _provided.append(build(settings_of_this_app(), transport=shared_transport()))
    return _provided[0]


def provide(made: Services) -> None:
    """Make `made` the process's services: for whoever builds them with a clock or transport."""
    _provided[:] = [made]
