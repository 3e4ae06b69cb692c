"""Guards against Azurite: each is a process of its own as far as the guards can tell."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import HttpRequest

from shared import settings as settings_module
from shared.azure.storage import StorageAccount
from shared.azure.tables import Entity, Tables
from shared.base import ids
from shared.base.randomness import SYSTEM
from shared.limits import Guards
from shared.messages.request import SendRequest
from shared.settings import Settings
from tests.support.settings import minimal
from tests.support.transports import Wrapper

Transport = AsyncHttpTransport[Any, Any]
SENDER = "+18005550100"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Counted(Wrapper):
    """Counts what is asked of tables."""

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self.asked: list[str] = []

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        self.asked.append(request.method)
        return await super().send(request, **named)


class Bench:
    """A program of its own, whose numbers nobody else counts.

    Args:
        tables: connection string.
        transport: the way there.
        limits: settings; a budget's program is `{program}`.
    """

    def __init__(self, tables: str, transport: Transport, **limits: str) -> None:
        self.program = f"p-{uuid.uuid4()}"
        # Keyed hashes of another key are other partitions.
        key = uuid.uuid4().hex + uuid.uuid4().hex
        self._settings = settings_module.load(
            {
                **minimal(tables),
                "PARLEY_SENDERS": json.dumps([{"sender": SENDER, "program": self.program}]),
                "PARLEY_ID_KEY": key,
                **{
                    f"PARLEY_{name.upper()}": value.replace("{program}", self.program)
                    for name, value in limits.items()
                },
            }
        )
        self.transport = transport
        self.storage = Tables(StorageAccount(self._settings, transport=transport))

    @property
    def settings(self) -> Settings:
        return self._settings

    def guards(self, transport: Transport | None = None) -> Guards:
        """One more process."""
        return Guards(
            self._settings,
            Tables(StorageAccount(self._settings, transport=transport or self.transport)),
        )

    async def rows(self, table: str) -> list[Entity]:
        """All rows of a table."""
        return [row async for row in self.storage.query(table, "PartitionKey ge @low", low="")]

    async def used(self, day: datetime = NOON) -> int:
        """Segments that the budget's row counts."""
        table, partition = f"budgets{day:%Y%m}", f"{day:%Y%m%d}|{self.program}"
        row = await self.storage.get(table, partition, "used")
        return 0 if row is None else int(row["segments"])


def request(category: str | None = None, sender: str = SENDER) -> SendRequest:
    """A send; guards look at its sender and category alone."""
    return SendRequest(
        sender=sender,
        message="Hello",
        asked=(),
        tag="",
        wants_report=False,
        report_timeout_seconds=None,
        category=category,
        digest="",
    )


CODE = request("oneTimeCode")


def send_id(now: datetime = NOON) -> str:
    """A fresh one."""
    return ids.drawn_send_id(now, SYSTEM)


def people(count: int, first: int = 0) -> list[str]:
    """Numbers of one range of a thousand."""
    return [f"+1425555{place:04d}" for place in range(first, first + count)]


def admitted(asked: Sequence[str], refused: dict[str, str]) -> list[str]:
    """Who may be texted."""
    assert refused.keys() <= set(asked)
    return [address for address in asked if address not in refused]
