"""All clients of Azure, made with one transport and one identity. Slow imports wait in here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shared.azure.acs import AcsClient
from shared.azure.blobs import Blobs
from shared.azure.identity import Identity
from shared.azure.queues import Queues
from shared.azure.storage import RETRIES, InTime, StorageAccount
from shared.azure.tables import Tables
from shared.azure.topic import Topic
from shared.base.clock import Clock
from shared.base.randomness import Randomness
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AsyncHttpTransport


@dataclass(frozen=True, slots=True)
class Clients:
    """One client for each thing in Azure.

    Attributes:
        tables, queues, blobs: of the record's storage account.
        host_blobs: of the host's storage account.
        acs: the platform.
        topic: the way to the application.
    """

    tables: Tables
    queues: Queues
    blobs: Blobs
    host_blobs: Blobs
    acs: AcsClient
    topic: Topic


def connect(
    settings: Settings,
    *,
    transport: AsyncHttpTransport[Any, Any],
    clock: Clock,
    randomness: Randomness,
) -> Clients:
    """All clients; each connects when it is first used."""
    identity = managed_identity(settings, transport=transport, clock=clock)
    account = StorageAccount(
        settings, transport=transport, credential=identity, randomness=randomness
    )
    host = StorageAccount(
        replace(settings, storage=settings.host_storage, blobs_url=settings.host_blobs_url),
        transport=transport,
        credential=identity,
        randomness=randomness,
    )
    queues = Queues(account)
    return Clients(
        tables=Tables(account),
        queues=queues,
        blobs=Blobs(account),
        host_blobs=Blobs(host),
        acs=AcsClient(
            settings.acs_endpoint,
            settings.acs_access_key or identity,
            api_version=settings.acs_api_version,
            transport=transport,
            clock=clock,
        ),
        topic=Topic(settings, queues, transport=transport, credential=identity),
    )


def shared_transport() -> AsyncHttpTransport[Any, Any]:
    """The transport that all clients share."""
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


def managed_identity(
    settings: Settings, *, transport: AsyncHttpTransport[Any, Any], clock: Clock
) -> Identity:
    """The managed identity; its library is not imported where no client asks for a token."""

    def credential() -> Any:
        from azure.identity.aio import ManagedIdentityCredential  # noqa: PLC0415  # brings msal

        # A transport of its own making would wait for five minutes.
        return ManagedIdentityCredential(
            client_id=settings.identity_client_id, transport=InTime(transport), **RETRIES
        )

    return Identity(credential, clock=clock)
