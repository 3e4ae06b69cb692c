"""Feeds queue triggers from Azure Storage queues, by the rules of the real host's listener.

A message is taken under a lease, which is renewed while its function runs; it is deleted when the
function returns, shown again after `visibilityTimeout` when it raises, and moved to
`<queue>-poison` when it has been tried often enough. A poison queue has none of its own: what fails
there stays leased. A process that dies leaves its messages leased; they come back when the lease
ends.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from local.host.config import QueueConfig
from local.host.errors import HostError
from local.host.runtime import Datum

_log = logging.getLogger(__name__)
POISON_SUFFIX: Final = "-poison"
_SHORTEST_PAUSE: Final = 0.1
# The real listener's lease; it renews after half of it.
DEFAULT_LEASE: Final = timedelta(minutes=10)
_CLIENT_OPTIONS: Final[dict[str, Any]] = {
    "connection_timeout": 10,
    "read_timeout": 20,
    # One quick second try: the listener goes on anyway, and what is not settled comes back.
    "retry_total": 1,
    "initial_backoff": 0.5,
    "random_jitter_range": 0,
}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as a function gets it: the trigger's value and its metadata."""

    value: Any
    metadata: Mapping[str, Any]

    @classmethod
    def of(cls, body: str | bytes, fields: Mapping[str, Any]) -> Delivery:
        """Wrap a body and the fields that `azure.functions.QueueMessage` reads."""
        kind = "bytes" if isinstance(body, bytes) else "string"
        metadata = {name: Datum(json.dumps(value), "json") for name, value in fields.items()}
        return cls(Datum(body, kind), metadata)


def trigger_fields(message: QueueMessage) -> dict[str, Any]:
    """The trigger metadata that the real host sends along with a message."""
    return {
        "Id": message.id,
        "DequeueCount": message.dequeue_count,
        "InsertionTime": _stamp(message.inserted_on),
        "ExpirationTime": _stamp(message.expires_on),
        "NextVisibleTime": _stamp(message.next_visible_on),
        "PopReceipt": message.pop_receipt,
    }


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


@asynccontextmanager
async def open_queue(
    connection: str, queue: str, settings: Mapping[str, str]
) -> AsyncIterator[QueueClient]:
    """A client for a queue whose account the settings of that name or prefix give.

    Raises:
        HostError: neither a connection string nor `<connection>__queueServiceUri` is set.
    """
    text = settings.get(f"AzureWebJobs{connection}") or settings.get(connection)
    if text:
        try:
            client = QueueClient.from_connection_string(text, queue, **_CLIENT_OPTIONS)
        except ValueError:
            raise HostError(f"Setting {connection} is not a storage connection string.") from None
        async with client:
            yield client
        return
    url = settings.get(f"{connection}__queueServiceUri")
    if not url:
        raise HostError(
            f"Queue {queue}: neither {connection} nor {connection}__queueServiceUri is set."
        )
    # Imported here because locally there is a key, and azure-identity is slow to import.
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415

    async with (
        DefaultAzureCredential() as credential,
        QueueClient(url, queue, credential=credential, **_CLIENT_OPTIONS) as client,
    ):
        yield client


class QueueListener:
    """Polls one queue and hands its messages to a function until stopped.

    Args:
        queue: the queue.
        poison: where messages go that failed too often; created when first needed. None for a
            poison queue.
        config: host.json's rules.
        lease: how long a message stays hidden if this process dies.
        run: runs the function; True if it returned, False if it raised.
    """

    def __init__(
        self,
        *,
        queue: QueueClient,
        poison: QueueClient | None,
        config: QueueConfig,
        lease: timedelta,
        run: Callable[[Delivery], Awaitable[bool]],
    ) -> None:
        self._queue = queue
        self._poison = poison
        self._config = config
        self._lease = lease
        self._run = run
        self._stopping = asyncio.Event()
        self._at_work: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Ask for no more messages; what has been taken is still worked on."""
        self._stopping.set()

    async def listen(self) -> None:
        """Poll until `stop`, then wait for what is still at work."""
        pause = _SHORTEST_PAUSE
        while not self._stopping.is_set():
            if len(self._at_work) > self._config.new_batch_threshold:
                await asyncio.wait(self._at_work, return_when=asyncio.FIRST_COMPLETED)
                continue
            messages = await self._receive()
            for message in messages:
                task = asyncio.create_task(self._work_on(message))
                self._at_work.add(task)
                task.add_done_callback(self._at_work.discard)
            if messages:
                pause = _SHORTEST_PAUSE
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(pause * 2, self._config.max_polling_interval.total_seconds())
        if self._at_work:
            await asyncio.wait(self._at_work)

    async def _receive(self) -> list[QueueMessage]:
        # One page is one request; iterating the messages themselves would ask once more.
        pages = self._queue.receive_messages(
            messages_per_page=self._config.batch_size,
            visibility_timeout=int(self._lease.total_seconds()),
        ).by_page()
        try:
            async for page in pages:
                return [message async for message in page]
        except ResourceNotFoundError:
            return []  # nobody has made the queue yet; the real host waits for it as well
        except AzureError as error:
            _log.warning(
                "queue %s cannot be read: %s", self._queue.queue_name, type(error).__name__
            )
        return []

    async def _work_on(self, message: QueueMessage) -> None:
        try:
            await self._settle(message)
        except ResourceNotFoundError:
            _log.warning("message %s of %s had gone", message.id, self._queue.queue_name)
        except AzureError as error:
            # The lease ends and the message comes back: nothing is lost.
            _log.warning("message %s cannot be settled: %s", message.id, type(error).__name__)

    async def _settle(self, message: QueueMessage) -> None:
        limit = self._config.max_dequeue_count
        tried = message.dequeue_count or 0
        body = self._decode(message)
        if body is None or tried > limit:
            await self._poison_with(message)
        elif await self._run_under_lease(message, body):
            await self._queue.delete_message(message)
        elif self._poison is None:
            _log.error("message %s of %s failed", message.id, self._queue.queue_name)
        elif tried >= limit:
            await self._poison_with(message)
        else:
            await self._queue.update_message(
                message, visibility_timeout=int(self._config.visibility_timeout.total_seconds())
            )

    def _decode(self, message: QueueMessage) -> str | bytes | None:
        if not self._config.base64:
            return str(message.content)
        try:
            body = base64.b64decode(message.content, validate=True)
        except (binascii.Error, ValueError):
            return None
        try:
            return body.decode()
        except UnicodeDecodeError:
            return body

    async def _run_under_lease(self, message: QueueMessage, body: str | bytes) -> bool:
        run = asyncio.ensure_future(self._run(Delivery.of(body, trigger_fields(message))))
        try:
            while not (await asyncio.wait({run}, timeout=self._lease.total_seconds() / 2))[0]:
                renewed = await self._queue.update_message(
                    message, visibility_timeout=int(self._lease.total_seconds())
                )
                message.pop_receipt = renewed.pop_receipt
            return run.result()
        finally:
            run.cancel()

    async def _poison_with(self, message: QueueMessage) -> None:
        if self._poison is None:
            # The real host neither works on it again nor removes it: it expires one day.
            _log.error("message %s of %s is given up", message.id, self._queue.queue_name)
            return
        _log.error("message %s goes to %s", message.id, self._poison.queue_name)
        try:
            await self._poison.send_message(message.content)
        except ResourceNotFoundError:
            with suppress(ResourceExistsError):
                await self._poison.create_queue()
            await self._poison.send_message(message.content)
        await self._queue.delete_message(message)
