"""Outgoing events: what Parley tells the application, by way of an Event Grid custom topic.

Delivery to applications, retries and dead-lettering are Event Grid's work. An event's id derives
from the fact it tells of, so that a repeated handler tells it under the same id and the receiver
can drop the second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from azure.core.exceptions import AzureError

from shared import ids, log, telemetry
from shared.clock import from_iso, iso
from shared.codes import Code
from shared.errors import Unavailable
from shared.events import Received
from shared.keywords import Keyword
from shared.ledger import Change, Direction, Made
from shared.lifecycle import State
from shared.packing import message_text
from shared.storage import Storage

if TYPE_CHECKING:
    from azure.eventgrid.aio import EventGridPublisherClient

SMS_RECEIVED: Final = "Parley.SMSReceived"
DELIVERY_REPORT_RECEIVED: Final = "Parley.SMSDeliveryReportReceived"
OPT_OUT_CHANGED: Final = "Parley.OptOutChanged"
QUEUE: Final = "record"
# Of the topic, all tries together. Event Grid waits thirty seconds for whoever takes its events.
_PATIENCE_SECONDS: Final = 8
_TIME_OUTS: Final[dict[str, Any]] = {"connection_timeout": 5, "read_timeout": 5}
BLOCKED_DETAILS: Final = "ErrorCode: 4007. ErrorMessage: Sender blocked for given recipient."


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


class Relay:
    """Publishes events; what the topic does not take at once goes through the `record` queue.

    Args:
        make_client: makes the topic's client, on first use.
        storage: for the queue.
    """

    def __init__(
        self, make_client: Callable[[], EventGridPublisherClient], storage: Storage
    ) -> None:
        self._make_client = make_client
        self._client: EventGridPublisherClient | None = None
        self._storage = storage

    async def publish(self, events: Sequence[OutgoingEvent]) -> None:
        """Publish now.

        Raises:
            TopicDown: the topic did not take them; repeating is safe.
        """
        if not events:
            return
        from azure.core.messaging import CloudEvent  # noqa: PLC0415  # paid on first use

        if self._client is None:
            self._client = self._make_client()
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
            raise TopicDown(f"The outgoing topic failed ({type(error).__name__}).") from None

    async def publish_or_queue(self, events: Sequence[OutgoingEvent]) -> None:
        """Publish now, or let the `record` queue try until it works.

        For callers whose own work is done and must not fail for it.

        Raises:
            StorageDown: neither took them; repeating is safe.
        """
        try:
            await self.publish(events)
        except TopicDown:
            log.trouble("relay.deferred", events=len(events))
            for event in events:
                await self._storage.enqueue(
                    QUEUE, message_text({"kind": "relay", "event": _to_json(event)})
                )


def _to_json(event: OutgoingEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in OutgoingEvent.__slots__}


def event_from_json(value: Mapping[str, Any]) -> OutgoingEvent:
    """An event from a queue message."""
    return OutgoingEvent(**{name: value[name] for name in OutgoingEvent.__slots__})


def sms_received(message_id: str, received: Received, keyword: Keyword | None) -> OutgoingEvent:
    """A person's text, with ACS's data members and ours."""
    answered = received.in_reply_to
    return OutgoingEvent(
        id=ids.derived(SMS_RECEIVED, message_id),
        type=SMS_RECEIVED,
        subject=f"/phonenumber/{received.ours.lstrip('+')}",
        time=iso(received.received),
        data={
            "messageId": message_id,
            "from": received.theirs,
            "to": received.ours,
            "message": received.text,
            "receivedTimestamp": iso(received.received),
            "segmentCount": received.segments,
            "platformMessageId": received.platform_id,
            "keyword": {"intent": keyword.intent, "word": keyword.word} if keyword else None,
            "inReplyTo": (
                {"messageId": answered.message_id, "tag": answered.tag} if answered else None
            ),
        },
    )


def delivery_report(
    *,
    message_id: str,
    ours: str,
    theirs: str,
    status: str,
    details: str,
    received: datetime,
    attempts: list[Any],
    tag: str,
    state: State,
    code: Code | None,
    platform_id: str | None,
    retry_of: str | None = None,
    retried_by: str | None = None,
) -> OutgoingEvent:
    """A delivery report, with ACS's data members and ours."""
    return OutgoingEvent(
        id=ids.derived(DELIVERY_REPORT_RECEIVED, message_id, status, details, iso(received)),
        type=DELIVERY_REPORT_RECEIVED,
        subject=f"/phonenumber/{theirs.lstrip('+')}",
        time=iso(received),
        data={
            "messageId": message_id,
            "from": ours,
            "to": theirs,
            "deliveryStatus": status,
            "deliveryStatusDetails": details,
            "deliveryAttempts": attempts,
            "receivedTimestamp": iso(received),
            "tag": tag,
            "state": str(state),
            "code": code.code if code else None,
            "meaning": code.meaning if code else None,
            "nextStep": (code.next_step or None) if code else None,
            "retryable": code.retryable if code else None,
            "platformMessageId": platform_id,
            "retryOf": retry_of,
            "retriedBy": retried_by,
        },
    )


def opt_out_changed(change: Change, made: Made) -> OutgoingEvent:
    """Somebody opted out or in."""
    return OutgoingEvent(
        id=ids.derived(OPT_OUT_CHANGED, change.change_id),
        type=OPT_OUT_CHANGED,
        subject=f"/phonenumber/{change.address.lstrip('+')}",
        time=iso(change.said_at),
        data={
            "recipient": change.address,
            "sender": change.sender,
            "program": change.program,
            "isOptedOut": change.direction is Direction.OUT,
            "saidAt": iso(change.said_at),
            "channel": str(change.channel),
            "rule": change.rule,
            "sequence": made.sequence,
        },
    )
