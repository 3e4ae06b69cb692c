"""Whether everything that Parley depends on answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest

from shared.errors import ParleyError
from shared.ledger import Ledger
from shared.quarantine import CONTAINER
from shared.relay import QUEUE
from shared.settings import Settings
from shared.storage import Storage

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AsyncHttpTransport

_PATIENCE_SECONDS: Final = 10
HEALTHY: Final = "Healthy"
UNHEALTHY: Final = "Unhealthy"


class Health:
    """Asks each dependency.

    Args:
        settings: where they are.
        storage: tables, queues, blobs.
        ledger: whose log must be readable before anything is sent.
        transport: for ACS and the topic, which are only asked whether they answer at all.
    """

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        ledger: Ledger,
        transport: AsyncHttpTransport[Any, Any],
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._ledger = ledger
        self._transport = transport

    async def report(self) -> dict[str, Any]:
        """`status`, and for each dependency its own status and, if it fails, the kind of failure.

        Nothing in it is secret: no address, no key, no text of an error from outside.
        """
        probes: dict[str, Callable[[], Awaitable[Any]]] = {
            "tables": self._ledger.news,
            "queues": lambda: self._storage.queue_length(QUEUE),
            "blobs": self._quarantine_there,
            "communicationServices": lambda: self._reachable(self._settings.acs_endpoint),
            "outgoingTopic": lambda: self._reachable(self._settings.topic_endpoint),
        }
        found = await asyncio.gather(*(_ask(probe) for probe in probes.values()))
        checks = dict(zip(probes, found, strict=True))
        healthy = all(check["status"] == HEALTHY for check in checks.values())
        return {"status": HEALTHY if healthy else UNHEALTHY, "checks": checks}

    async def _quarantine_there(self) -> None:
        if not await self._storage.container_exists(CONTAINER):
            raise LookupError

    async def _reachable(self, endpoint: str) -> None:
        # Any answer will do, 401 and 404 among them: it proves name, network and TLS.
        answer = await self._transport.send(
            HttpRequest("GET", endpoint), connection_timeout=5, read_timeout=5
        )
        await answer.close()


async def _ask(probe: Callable[[], Awaitable[Any]]) -> dict[str, str]:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await probe()
    except ParleyError as error:
        return {"status": UNHEALTHY, "error": error.code}
    except (AzureError, LookupError, OSError, TimeoutError) as error:
        return {"status": UNHEALTHY, "error": type(error).__name__}
    return {"status": HEALTHY}
