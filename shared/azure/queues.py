"""Queues: messages that become visible in time, and never expire."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from azure.core.exceptions import AzureError

from shared.azure.storage import BACKOFF, StorageAccount, StorageDown, said

if TYPE_CHECKING:
    from azure.storage.queue.aio import QueueClient, QueueServiceClient

# Of a queue message; without it the service drops one after seven days.
_FOR_EVER: Final = -1


class Queues:
    """The queues of a storage account.

    Args:
        account: which.
    """

    def __init__(self, account: StorageAccount) -> None:
        self._account = account
        self._client: QueueServiceClient | None = None
        self._clients: dict[str, QueueClient] = {}

    async def enqueue(self, queue: str, text: str, *, delay_seconds: int = 0) -> None:
        """Put a message on a queue. It does not expire, however long nobody works on it."""
        try:
            await self._queue(queue).send_message(
                text, visibility_timeout=delay_seconds, time_to_live=_FOR_EVER
            )
        except AzureError as error:
            raise StorageDown(said(error)) from None

    async def first(self, queue: str) -> tuple[str, datetime | None] | None:
        """The first message that can be seen, and when it was put there; it stays as it is."""
        try:
            found = await self._queue(queue).peek_messages()
        except AzureError as error:
            raise StorageDown(said(error)) from None
        return (str(found[0].content), found[0].inserted_on) if found else None

    async def length(self, queue: str) -> int:
        """About how many messages wait."""
        try:
            properties = await self._queue(queue).get_queue_properties()
        except AzureError as error:
            raise StorageDown(said(error)) from None
        return int(properties.approximate_message_count or 0)

    def _queue(self, name: str) -> QueueClient:
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = self._service().get_queue_client(name)
        return client

    def _service(self) -> QueueServiceClient:
        if self._client is None:
            from azure.storage.queue.aio import QueueServiceClient  # noqa: PLC0415  # brings aiohttp

            self._client = self._account.service(
                QueueServiceClient, self._account.settings.queues_url, **BACKOFF
            )
        return self._client
