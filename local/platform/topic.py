"""The outgoing topic: what Parley tells applications.

It keeps what it received, in order, and passes each event on to the webhooks subscribed to it, as
Event Grid passes on events of a CloudEvents topic.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from local.platform.acs import Answer, error
from local.platform.clock import Now, stamp
from local.platform.eventgrid import Delivery, EventGrid, Subscription

_REQUIRED: Final = ("id", "source", "type")
_BATCH: Final = "application/cloudevents-batch+json"
_SINGLE: Final = "application/cloudevents+json"
# A webhook's 401 is final too; a function's is not (docs/platform.md 2.4).
_FINAL: Final = frozenset({400, 401, 403, 413})


class Topic:
    """A custom topic with input schema CloudEvents 1.0."""

    def __init__(
        self, *, key: str, grid: EventGrid, now: Now, changed: Callable[[dict[str, Any]], None]
    ) -> None:
        self._key = key
        self._grid = grid
        self._now = now
        self._changed = changed
        self.received: list[dict[str, Any]] = []

    def is_authorized(self, headers: Mapping[str, str]) -> bool:
        """Whether the request carries the topic's key."""
        given = headers.get("aeg-sas-key", "")
        return hmac.compare_digest(given.encode(), self._key.encode())

    def accept(self, content_type: str, body: bytes) -> Answer:
        """`POST /api/events`: a batch of CloudEvents, all or none."""
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type not in {_BATCH, _SINGLE}:
            return error(415, "UnsupportedMediaType", "This topic takes CloudEvents 1.0.")
        events = _parse(body, single=media_type == _SINGLE)
        if events is None:
            return error(400, "BadRequest", "The events are no CloudEvents 1.0.")
        for event in events:
            self._keep(event)
        return Answer(200, {})

    def subscribe(self, url: str) -> str:
        """Add a webhook; events from now on go there once it has answered the handshake."""
        name = f"webhook-{len(self._grid.subscriptions) + 1}"
        self._grid.subscribe(Subscription(name, url, handshake="cloudEvents", final=_FINAL))
        return name

    def after(self, cursor: int) -> list[dict[str, Any]]:
        """What came after the entry numbered `cursor`: `{"sequence", "receivedAt", "event"}`."""
        return self.received[max(0, cursor) :]

    @property
    def subscriptions(self) -> Sequence[Subscription]:
        """The webhooks, in the order of their making."""
        return self._grid.subscriptions

    @property
    def deliveries(self) -> Sequence[Delivery]:
        """Everything on its way to webhooks, or there."""
        return self._grid.deliveries

    @property
    def dead_letters(self) -> list[dict[str, Any]]:
        """What webhooks did not take."""
        return self._grid.dead_letters

    def clear(self) -> None:
        """Forget what was received, and the webhooks."""
        self.received.clear()
        self._grid.unsubscribe_all()
        self._grid.clear()

    def _keep(self, event: dict[str, Any]) -> None:
        entry = {
            "sequence": len(self.received) + 1,
            "receivedAt": stamp(self._now()),
            "event": event,
        }
        self.received.append(entry)
        self._changed(entry)
        for subscription in self._grid.subscriptions:
            self._grid.publish(subscription.name, [event])


def _parse(body: bytes, *, single: bool) -> list[dict[str, Any]] | None:
    try:
        parsed = json.loads(body)
    except ValueError:
        return None
    events = [parsed] if single else parsed
    if not isinstance(events, list) or not all(_is_cloud_event(event) for event in events):
        return None
    return events


def _is_cloud_event(event: object) -> bool:
    return (
        isinstance(event, dict)
        and event.get("specversion") == "1.0"
        and all(isinstance(event.get(name), str) and event[name] for name in _REQUIRED)
    )
