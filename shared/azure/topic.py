"""Outgoing events: what Parley tells the application, by way of an Event Grid custom topic.

Delivery to applications, retries and dead-lettering are Event Grid's work. An event's id derives
from the fact it tells of, so that a repeated handler tells it under the same id and the receiver
can drop the second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from azure.core.exceptions import AzureError, HttpResponseError

from shared.azure import telemetry
from shared.azure.packing import message_text
from shared.azure.queues import Queues
from shared.base import log
from shared.base.clock import from_iso
from shared.base.errors import Unavailable, Unintelligible
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AsyncHttpTransport
    from azure.eventgrid.aio import EventGridPublisherClient

QUEUE: Final = "record"
# Of the topic, all tries together. Event Grid waits thirty seconds for whoever takes its events.
_PATIENCE_SECONDS: Final = 8
_TIME_OUTS: Final[dict[str, Any]] = {"connection_timeout": 5, "read_timeout": 5}
_RETRIES: Final[dict[str, Any]] = {"retry_total": 2, "retry_backoff_factor": 0.2}
# What it answers for an event that is malformed or too long, whoever asks and however often.
_REFUSALS: Final = frozenset({400, 413})


class TopicDown(Unavailable):
    """The outgoing topic did not take an event."""

    code = "TopicUnavailable"


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """An event as it will be published, CloudEvents 1.0."""

    id: str
    type: str
    subject: str
    time: str
    data: dict[str, Any]


class Topic:
    """Publishes events; what the topic does not take at once goes through the `record` queue.

    Args:
        settings: where the topic is and how to get in.
        queues: for what it does not take.
        transport: azure-core's async transport, shared by all clients.
        credential: a token credential where no key is set.
    """

    def __init__(
        self,
        settings: Settings,
        queues: Queues,
        *,
        transport: AsyncHttpTransport[Any, Any],
        credential: Any = None,
    ) -> None:
        self._settings = settings
        self._queues = queues
        self._transport = transport
        self._credential = credential
        self._client: EventGridPublisherClient | None = None

    async def publish(self, events: Sequence[OutgoingEvent]) -> None:
        """Publish now.

        Raises:
            TopicDown: the topic did not take them; repeating is safe.
            Unintelligible: it refuses what is in them, and would again.
        """
        if not events:
            return
        from azure.core.messaging import CloudEvent  # noqa: PLC0415  # paid on first use

        if self._client is None:
            self._client = self._made()
        trace = telemetry.traceparent()
        cloud_events = [
            CloudEvent(
                id=event.id,
                source="parley",
                type=event.type,
                subject=event.subject,
                time=from_iso(event.time),
                data=event.data,
                # CloudEvents' distributed tracing extension.
                extensions={"traceparent": trace} if trace else None,
            )
            for event in events
        ]
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._client.send(cloud_events, **_TIME_OUTS)
        except (AzureError, TimeoutError) as error:
            if isinstance(error, HttpResponseError) and error.status_code in _REFUSALS:
                raise Unintelligible(
                    f"the outgoing topic refuses an event with {error.status_code}"
                ) from None
            raise TopicDown(f"The outgoing topic failed ({type(error).__name__}).") from None

    async def publish_or_queue(self, events: Sequence[OutgoingEvent]) -> None:
        """Publish now, or let the `record` queue try until it works.

        For callers whose own work is done and must not fail for it.

        Raises:
            StorageDown: neither took them; repeating is safe.
        """
        try:
            await self.publish(events)
        except (TopicDown, Unintelligible):
            # Each by itself: where one of them is refused, the others are not.
            log.trouble("relay.deferred", events=len(events))
            for event in events:
                await self._queues.enqueue(
                    QUEUE, message_text({"kind": "relay", "event": _to_json(event)})
                )

    def _made(self) -> EventGridPublisherClient:
        from azure.core.credentials import AzureKeyCredential  # noqa: PLC0415  # paid on first use
        from azure.eventgrid.aio import EventGridPublisherClient  # noqa: PLC0415

        key = self._settings.topic_key
        return EventGridPublisherClient(
            self._settings.topic_endpoint,
            AzureKeyCredential(key) if key else self._credential,
            transport=self._transport,
            **_RETRIES,
        )


def _to_json(event: OutgoingEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in OutgoingEvent.__slots__}


def event_from_json(value: Mapping[str, Any]) -> OutgoingEvent:
    """An event from a queue message."""
    return OutgoingEvent(**{name: value[name] for name in OutgoingEvent.__slots__})
