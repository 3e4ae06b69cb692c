"""Whether everything that Parley depends on answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import tzdata
from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest

from shared.azure.clients import Clients
from shared.azure.topic import QUEUE
from shared.base.clock import Clock, iso
from shared.base.errors import LedgerHalted, ParleyError
from shared.base.version import VERSION
from shared.jobs.due_table import DueTable
from shared.optouts import Ledger
from shared.receiving.quarantine import CONTAINER
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AsyncHttpTransport

_PATIENCE_SECONDS: Final = 10
_KEPT: Final = timedelta(seconds=10)
# The timer of what is due runs each minute.
_LATE: Final = timedelta(minutes=5)
_REFUSALS: Final = frozenset({401, 403})
HEALTHY: Final = "Healthy"
UNHEALTHY: Final = "Unhealthy"

_Check = dict[str, Any]


class Health:
    """Asks each dependency, at most once in ten seconds, however many want to know.

    Args:
        settings: where they are.
        azure: the clients; tables are asked by way of the ledger.
        ledger: whose log must be readable before anything is sent.
        due: what is due later, whose timer must run.
        transport: for the topic, which is only asked whether it answers at all.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        azure: Clients,
        *,
        ledger: Ledger,
        due: DueTable,
        transport: AsyncHttpTransport[Any, Any],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._azure = azure
        self._ledger = ledger
        self._due = due
        self._since = clock()
        self._transport = transport
        self._look: asyncio.Task[dict[str, Any]] | None = None
        self._looked_at: datetime | None = None

    async def report(self) -> dict[str, Any]:
        """`status`, `checkedAt`, the checks with their kinds of failure, and the versions.

        Nothing in it is secret: no address, no key, no text of an error from outside.
        """
        now = self._clock()
        if self._look is None or (self._look.done() and not self._is_fresh(now)):
            self._looked_at = now
            self._look = asyncio.create_task(self._ask_all(now))
        # Shielded: a caller who goes away does not end the look that others wait for.
        return await asyncio.shield(self._look)

    def _is_fresh(self, now: datetime) -> bool:
        if self._looked_at is None or self._look is None or self._look.cancelled():
            return False
        return self._look.exception() is None and timedelta(0) <= now - self._looked_at < _KEPT

    async def _ask_all(self, now: datetime) -> dict[str, Any]:
        probes: Mapping[str, Callable[[], Awaitable[_Check | None]]] = {
            "tables": self._ledger_readable,
            "queues": self._queue_there,
            "blobs": self._quarantine_there,
            "dueTimer": self._timer_runs,
            "communicationServices": self._acs_lets_us_in,
            "outgoingTopic": self._topic_reachable,
        }
        found = await asyncio.gather(*(_ask(probe) for probe in probes.values()))
        checks = dict(zip(probes, found, strict=True))
        healthy = all(check["status"] == HEALTHY for check in checks.values())
        return {
            "status": HEALTHY if healthy else UNHEALTHY,
            "checkedAt": iso(now),
            "checks": checks,
            "versions": {"parley": VERSION, "zones": tzdata.IANA_VERSION},
        }

    async def _ledger_readable(self) -> None:
        await self._ledger.news()

    async def _queue_there(self) -> None:
        await self._azure.queues.length(QUEUE)

    async def _quarantine_there(self) -> None:
        if not await self._azure.blobs.container_exists(CONTAINER):
            raise LookupError

    async def _timer_runs(self) -> _Check:
        # Before its first run ever, a process waits as long as after one.
        beat = await self._due.last_beat()
        last = beat.at if beat is not None else self._since
        healthy = self._clock() - last <= _LATE
        return {
            "status": HEALTHY if healthy else UNHEALTHY,
            **({} if healthy else {"error": "TimerLate"}),
            "lastRunAt": iso(beat.at) if beat is not None else None,
        }

    async def _acs_lets_us_in(self) -> _Check:
        # Sporadic 401s happen to good requests, and a role that is missing has been seen as 500:
        # the status is shown whatever it is.
        answer = await self._azure.acs.status_of_no_report()
        if answer not in _REFUSALS:
            return {"status": HEALTHY, "answer": answer}
        by_key = self._settings.acs_access_key is not None
        refused = "AccessKeyRefused" if by_key else "RoleMissing"
        return {"status": UNHEALTHY, "error": refused, "answer": answer}

    async def _topic_reachable(self) -> None:
        # Any answer will do, 401 and 404 among them: it proves name, network and TLS.
        answer = await self._transport.send(
            HttpRequest("GET", self._settings.topic_endpoint),
            connection_timeout=5,
            read_timeout=5,
        )
        await answer.close()


async def _ask(probe: Callable[[], Awaitable[_Check | None]]) -> _Check:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await probe() or {"status": HEALTHY}
    except LedgerHalted as error:
        return {"status": UNHEALTHY, "error": error.code, "since": error.since, "why": error.why}
    except ParleyError as error:
        return {"status": UNHEALTHY, "error": error.code}
    except (AzureError, LookupError, OSError, TimeoutError) as error:
        return {"status": UNHEALTHY, "error": type(error).__name__}
