"""Everything wired together, once a process.

`services()` is what the triggers call. Nothing is made at import; a client is made when it is
first used, so that a cold start pays for what its first request needs.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared import settings as settings_module
from shared.analytics.api import Analytics
from shared.analytics.late import Late
from shared.analytics.minute import Tariff
from shared.analytics.timer import Folding
from shared.azure.acs import AcsClient
from shared.azure.topic import Relay
from shared.base.clock import Clock, utc_now
from shared.campaigns.api import Desk
from shared.campaigns.chunks import Chunks
from shared.campaigns.counting import Counting
from shared.campaigns.dry_run import Plans
from shared.campaigns.engine import Engine
from shared.campaigns.retention import Retention
from shared.campaigns.store import Store
from shared.conversations import Conversations
from shared.conversations.index import ConversationIndex
from shared.conversations.listing import IndexedUpTo, Listing
from shared.conversations.reading import ConversationReading
from shared.health import Health
from shared.jobs.dispatch import Dispatch
from shared.jobs.poison import Poison
from shared.limits import Guards
from shared.limits.frequency_caps import Caps
from shared.limits.pacing import Pacing
from shared.limits.sender_status import Roster
from shared.messages.reading import Reading
from shared.messages.record import Record
from shared.optouts import Ledger
from shared.optouts.api import OptOuts
from shared.receiving.delivery_reports import HANDLER as REPORTS
from shared.receiving.delivery_reports import DeliveryReports
from shared.receiving.inbound import HANDLER as INBOUND
from shared.receiving.inbound import Inbound
from shared.receiving.quarantine import Quarantine, QuarantineDesk
from shared.rules.senders import Programs
from shared.sending.due import Due
from shared.sending.follow_up import FollowUp
from shared.sending.idempotency import IdempotencyKeys
from shared.sending.preview import Preview
from shared.sending.retries import Retries
from shared.sending.scheduled import Waiting
from shared.sending.send import Rules, Sending
from shared.sending.timetable import Timetable
from shared.settings import Settings
from shared.upkeep import Upkeep

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AsyncHttpTransport
    from azure.eventgrid.aio import EventGridPublisherClient

_TOPIC_RETRIES: Mapping[str, Any] = {"retry_total": 2, "retry_backoff_factor": 0.2}


@dataclass(frozen=True, slots=True)
class Services:
    """What the triggers use."""

    settings: Settings
    clock: Clock
    acs: AcsClient
    ledger: Ledger
    sending: Sending
    reading: Reading
    preview: Preview
    conversations: Conversations
    talks: ConversationReading
    listing: Listing
    optouts: OptOuts
    roster: Roster
    inbound: Inbound
    reports: DeliveryReports
    follow_up: FollowUp
    dispatch: Dispatch
    poison: Poison
    quarantine: QuarantineDesk
    campaigns: Desk
    folding: Folding
    analytics: Analytics
    health: Health
    upkeep: Upkeep


def build(
    settings: Settings,
    *,
    transport: AsyncHttpTransport[Any, Any],
    clock: Clock = utc_now,
    entropy: Callable[[int], bytes] = os.urandom,
) -> Services:
    """Wire everything.

    Args:
        settings: the app's.
        transport: azure-core's async transport, shared by all clients.
        clock: the time.
        entropy: random bytes.
    """
    credential = _identity(settings)
    storage = Storage(settings, transport=transport, credential=credential)
    record = Record(storage, settings.message_shards, Late(storage, clock))
    conversations = Conversations(storage)
    ledger = Ledger(storage, clock, entropy)
    relay = Relay(lambda: _topic(settings, transport, credential), storage)
    quarantine = Quarantine(storage, clock)
    programs = Programs(settings.senders)
    acs_timeout = timedelta(seconds=settings.acs_timeout_seconds)
    acs = AcsClient(
        settings.acs_endpoint,
        settings.acs_access_key or credential,
        api_version=settings.acs_api_version,
        transport=transport,
        clock=clock,
        new_credential=functools.partial(_identity, settings),
    )
    dispatch = Dispatch(storage, clock)
    guards = Guards(settings, storage)
    timetable = Timetable(settings.quiet_hours)
    pacing = Pacing(storage, clock, settings.senders)
    campaigns = Store(storage)
    keys = IdempotencyKeys(storage)
    caps = Caps(storage, clock)
    retries = Retries(
        clock=clock,
        id_key=settings.id_key,
        record=record,
        dispatch=dispatch,
        timetable=timetable,
        pauses=settings.retry_after,
    )
    waiting = Waiting(
        clock=clock,
        id_key=settings.id_key,
        record=record,
        dispatch=dispatch,
        timetable=timetable,
        standing=campaigns.standing,
        retries=retries,
    )
    sending = Sending(
        rules=Rules(
            id_key=settings.id_key,
            acs_timeout=acs_timeout,
            repeat_window=timedelta(seconds=settings.repeat_window_seconds),
            send_again=settings.send_again_when_uncertain,
        ),
        clock=clock,
        storage=storage,
        record=record,
        conversations=conversations,
        ledger=ledger,
        keys=keys,
        acs=acs,
        relay=relay,
        waiting=waiting,
        guards=guards,
        pacing=pacing,
    )
    due = Due(clock=clock, sending=sending, waiting=waiting, pacing=pacing, dispatch=dispatch)
    dispatch.register("scheduled", due.take)
    counting = Counting(
        clock=clock,
        store=campaigns,
        record=record,
        id_key=settings.id_key,
        acs_timeout=acs_timeout,
    )
    engine = Engine(
        clock=clock,
        storage=storage,
        store=campaigns,
        chunks=Chunks(
            clock=clock,
            storage=storage,
            store=campaigns,
            sending=sending,
            pacing=pacing,
            dispatch=dispatch,
            senders=settings.senders,
            caps=caps,
        ),
        counting=counting,
        pacing=pacing,
        dispatch=dispatch,
        timetable=timetable,
        senders=settings.senders,
    )
    for kind, work in engine.works().items():
        dispatch.register(kind, work)
    plans = Plans(
        clock=clock,
        engine=engine,
        ledger=ledger,
        timetable=timetable,
        senders=settings.senders,
        prices=settings.prices,
        quiet_hours=settings.quiet_hours,
    )
    reading = Reading(
        clock=clock,
        id_key=settings.id_key,
        acs_timeout=acs_timeout,
        record=record,
        ledger=ledger,
    )
    index = ConversationIndex(storage)
    folding = Folding(
        clock=clock,
        storage=storage,
        record=record,
        ledger=ledger,
        id_key=settings.id_key,
        tariff=functools.cache(functools.partial(_tariff, settings)),
        folders=[index],
    )
    inbound = Inbound(
        clock=clock,
        record=record,
        conversations=conversations,
        ledger=ledger,
        relay=relay,
        quarantine=quarantine,
        programs=programs,
    )
    reports = DeliveryReports(
        clock=clock,
        id_key=settings.id_key,
        record=record,
        ledger=ledger,
        relay=relay,
        quarantine=quarantine,
        programs=programs,
        pacing=pacing,
        retries=retries,
    )
    return Services(
        settings=settings,
        clock=clock,
        acs=acs,
        ledger=ledger,
        sending=sending,
        reading=reading,
        preview=Preview(
            clock=clock, settings=settings, ledger=ledger, guards=guards, timetable=timetable
        ),
        conversations=conversations,
        talks=ConversationReading(
            clock=clock, conversations=conversations, reading=reading, ledger=ledger
        ),
        listing=Listing(
            clock=clock,
            conversations=conversations,
            index=index,
            record=record,
            progress=functools.partial(_progress, folding),
            senders=settings.senders,
        ),
        optouts=OptOuts(clock=clock, ledger=ledger, relay=relay, senders=settings.senders),
        roster=Roster(clock=clock, pacing=pacing, senders=settings.senders),
        inbound=inbound,
        reports=reports,
        follow_up=FollowUp(
            storage=storage,
            id_key=settings.id_key,
            record=record,
            conversations=conversations,
            relay=relay,
            sending=sending,
        ),
        dispatch=dispatch,
        poison=Poison(storage, clock),
        quarantine=QuarantineDesk(
            storage,
            {INBOUND: inbound.understand, REPORTS: reports.understand},
        ),
        campaigns=Desk(
            clock=clock,
            storage=storage,
            store=campaigns,
            engine=engine,
            plans=plans,
            counting=counting,
            dispatch=dispatch,
            senders=settings.senders,
            keys=keys,
        ),
        folding=folding,
        analytics=Analytics(clock=clock, storage=storage, folding=folding, programs=programs),
        health=Health(
            settings=settings,
            clock=clock,
            storage=storage,
            ledger=ledger,
            acs=acs,
            transport=transport,
        ),
        upkeep=Upkeep(
            storage,
            clock,
            guards,
            Retention(
                storage=storage,
                store=campaigns,
                caps=caps,
                kept=timedelta(days=settings.campaign_retention_days),
            ),
            folding,
        ),
    )


_provided: list[Services] = []


def services() -> Services:
    """The process's services, made on first use unless they were provided."""
    if not _provided:
        _provided.append(build(settings_of_this_app(), transport=_transport()))
    return _provided[0]


def provide(made: Services) -> None:
    """Make `made` the process's services: for whoever builds them with a clock or transport."""
    _provided[:] = [made]


@functools.cache
def settings_of_this_app() -> Settings:
    """The app's settings, read once.

    Raises:
        SettingsError: naming every setting that is missing or malformed.
    """
    return settings_module.load(os.environ)


async def _progress(folding: Folding) -> IndexedUpTo | None:
    state = await folding.state()
    return IndexedUpTo(state.folded_up_to, state.marks_up_to) if state is not None else None


def _tariff(settings: Settings) -> Tariff:
    # Made with the first fold: no send needs them.
    from shared.rules.cost.countries import country_of  # noqa: PLC0415
    from shared.rules.cost.prices import own_prices  # noqa: PLC0415

    return Tariff(settings.senders, settings.prices or own_prices(), country_of)


def _transport() -> AsyncHttpTransport[Any, Any]:
    from urllib.request import getproxies  # noqa: PLC0415  # slow to import; aiohttp needs it too

    from azure.core.pipeline.transport import AioHttpTransport  # noqa: PLC0415  # brings aiohttp

    # Where the environment names proxies they are used. Where it names none, aiohttp would look
    # for them, and for a netrc file, in two other threads before every single request.
    # Patience belongs here: clients that are given a transport leave it to that, which would wait
    # for five minutes, whatever time-outs the clients themselves are made with.
    made: AsyncHttpTransport[Any, Any] = AioHttpTransport(
        use_env_settings=bool(getproxies()), connection_timeout=5, read_timeout=10
    )
    return made


def _identity(settings: Settings) -> Any:
    """A managed identity, where any client needs one; it is not imported where none does."""
    if settings.storage and settings.acs_access_key and settings.topic_key:
        return None
    from azure.identity.aio import ManagedIdentityCredential  # noqa: PLC0415  # brings msal

    return ManagedIdentityCredential(client_id=settings.identity_client_id)


def _topic(
    settings: Settings, transport: AsyncHttpTransport[Any, Any], credential: Any
) -> EventGridPublisherClient:
    from azure.core.credentials import AzureKeyCredential  # noqa: PLC0415  # paid on first use
    from azure.eventgrid.aio import EventGridPublisherClient  # noqa: PLC0415

    return EventGridPublisherClient(
        settings.topic_endpoint,
        AzureKeyCredential(settings.topic_key) if settings.topic_key else credential,
        transport=transport,
        **_TOPIC_RETRIES,
    )
