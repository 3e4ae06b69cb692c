"""Event Grid: delivers events to webhooks at least once, in no promised order.

The rules are those of docs/platform.md 2.4 and 2.5: a handshake before the first event, a ladder of
retries, a time to live, a list of answers that end the attempts. `EventGrid` serves
both the system topic (ACS's events to Parley's functions) and the outgoing topic (Parley's events
to applications); a `Subscription` says which manners a webhook has.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from local.platform.behaviour import Behaviour
from local.platform.clock import NewId, Now, stamp
from local.platform.faults import Fault, Faults

LADDER: Final = (10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600)
_LAST_RUNG: Final = 43_200
TIME_TO_LIVE_SECONDS: Final = 1440 * 60
_SUCCESS: Final = range(200, 205)
_AT_ONCE: Final = 32
_HANDSHAKE_PAUSES: Final = (0.1, 0.2, 0.4, 0.8, 1.6)
_OUTCOMES: Final[dict[int, str]] = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    408: "TimedOut",
    413: "PayloadTooLarge",
    429: "Busy",
    503: "Busy",
    504: "TimedOut",
}
# What Event Grid calls itself; an Azure Function answers it fixed, whoever asks.
_ORIGIN: Final = "eventgrid.azure.net"
# Fault to what Event Grid believes about the attempt; a number is an HTTP status.
_FAULT_OUTCOMES: Final[dict[str, int | str]] = {
    "throttle": 429,
    "throttleWithoutRetryAfter": 429,
    "unauthorized": 401,
    "badRequest": 400,
    "timeout": "TimedOut",
    "acceptThenTimeout": "TimedOut",
    "closeConnection": "SocketError",
    "acceptThenClose": "SocketError",
}
logger = logging.getLogger(__name__)

State = Literal["waiting", "held", "delivering", "retrying", "delivered", "deadLettered"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a webhook answered. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Caller(Protocol):
    """Makes one HTTP request.

    Raises:
        TimeoutError: no answer within `seconds`.
        ConnectionError: no connection, or it broke.
    """

    async def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, seconds: float
    ) -> Reply:
        """One request, no retries."""


@dataclass(slots=True)
class Subscription:
    """A webhook that gets events.

    Attributes:
        handshake: how it proves that it wants them: `eventGrid` (validation code) or
            `cloudEvents` (OPTIONS).
        final: statuses after which an event is not tried again.
    """

    name: str
    url: str
    handshake: Literal["eventGrid", "cloudEvents"] = "eventGrid"
    final: frozenset[int] = frozenset({400, 403, 413})
    ready: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Delivery:
    """Events on their way to one subscription, in one request.

    Attributes:
        attempts: one object per attempt: `{"at", "outcome", "status"}`.
        most: how many attempts there are; None: as many as the setting says.
    """

    sequence: int
    subscription: str
    events: list[Any]
    published: datetime
    raw: bytes | None = None
    most: int | None = None
    state: State = "waiting"
    attempts: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """As the control interface shows it."""
        return {
            "sequence": self.sequence,
            "subscription": self.subscription,
            "published": stamp(self.published),
            "state": self.state,
            "attempts": self.attempts,
            "events": self.events,
        }


class EventGrid:
    """All subscriptions and deliveries of one topic."""

    def __init__(
        self,
        *,
        behaviour: Behaviour,
        faults: Faults,
        caller: Caller,
        sleep: Callable[[float], Awaitable[None]],
        now: Now,
        new_id: NewId,
        changed: Callable[[Delivery], None],
        dead: Callable[[dict[str, Any]], None],
    ) -> None:
        self._behaviour = behaviour
        self._faults = faults
        self._caller = caller
        self._sleep = sleep
        self._now = now
        self._new_id = new_id
        self._changed = changed
        self._dead = dead
        self._subscriptions: dict[str, Subscription] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self.deliveries: list[Delivery] = []
        self.dead_letters: list[dict[str, Any]] = []
        self.paused = False

    @property
    def subscriptions(self) -> Sequence[Subscription]:
        """All, in the order of their making."""
        return list(self._subscriptions.values())

    def subscribe(self, subscription: Subscription) -> None:
        """Add or replace a subscription; events wait until its handshake has succeeded.

        One without a URL keeps its events until it is replaced by one that has it.
        """
        replaced = self._subscriptions.get(subscription.name)
        if replaced is not None:
            # Deliveries that wait for the old one look at the new one when they wake.
            replaced.ready.set()
        self._subscriptions[subscription.name] = subscription
        if subscription.url:
            self._spawn(self._shake_hands(subscription), "handshake")

    def publish(
        self,
        subscription: str,
        events: list[Any],
        *,
        raw: bytes | None = None,
        most: int | None = None,
    ) -> int:
        """Send events to a subscription in one request; `raw` replaces its body.

        With `most`, so many attempts are made, whatever the setting says.

        Returns:
            The delivery's sequence number.

        Raises:
            KeyError: there is no such subscription.
        """
        if subscription not in self._subscriptions:
            raise KeyError(subscription)
        delivery = Delivery(
            len(self.deliveries) + 1, subscription, events, self._now(), raw=raw, most=most
        )
        self.deliveries.append(delivery)
        if self.paused:
            self._move(delivery, "held")
        else:
            self._move(delivery, "waiting")
            self._spawn(self._deliver(delivery))
        return delivery.sequence

    def pause(self) -> None:
        """Hold what is published from now on."""
        self.paused = True

    def resume(self) -> None:
        """Let everything held go, in the order of publication."""
        self.paused = False
        for delivery in self.held():
            self._move(delivery, "waiting")
            self._spawn(self._deliver(delivery))

    def held(self) -> list[Delivery]:
        """What is being held."""
        return [delivery for delivery in self.deliveries if delivery.state == "held"]

    async def release(self, order: Sequence[int]) -> list[Delivery]:
        """Deliver held events in the given order, each after the first attempt of the one before.

        Raises:
            ValueError: a number that names no held delivery.
        """
        held = {delivery.sequence: delivery for delivery in self.held()}
        if missing := [number for number in order if number not in held]:
            raise ValueError(f"{missing[0]} is not held")
        released = [held[number] for number in order]
        for delivery in released:
            self._move(delivery, "waiting")
        for delivery in released:
            if not await self._attempt(delivery):
                self._spawn(self._retry(delivery))
        return released

    def undelivered(self) -> list[dict[str, Any]]:
        """What is still on its way, for the time between two runs."""
        return [
            {"subscription": delivery.subscription, "events": delivery.events}
            for delivery in self.deliveries
            if delivery.state not in {"delivered", "deadLettered"} and delivery.raw is None
        ]

    def clear(self) -> None:
        """Forget all deliveries and dead letters; subscriptions stay."""
        for task in self._tasks:
            if task.get_name() == "delivery":
                task.cancel()
        self.deliveries.clear()
        self.dead_letters.clear()
        self.paused = False

    def unsubscribe_all(self) -> None:
        """Forget every subscription; what is on its way to one stops."""
        for task in self._tasks:
            task.cancel()
        self._subscriptions.clear()

    async def close(self) -> None:
        """Stop every delivery."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str = "delivery") -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            logger.error("event-grid-task-failed", exc_info=failure)

    async def _deliver(self, delivery: Delivery) -> None:
        if not await self._attempt(delivery):
            await self._retry(delivery)

    async def _retry(self, delivery: Delivery) -> None:
        while True:
            await self._sleep(_rung(len(delivery.attempts)) * self._behaviour["retryScale"])
            if await self._attempt(delivery):
                return

    async def _attempt(self, delivery: Delivery) -> bool:
        """One attempt; True when there is nothing left to try."""
        subscription = await self._ready(delivery.subscription)
        # Age is what the unscaled ladder would have taken, so that no scale changes the outcome.
        age = sum(_rung(tried) for tried in range(1, len(delivery.attempts) + 1))
        if age > TIME_TO_LIVE_SECONDS:
            return self._give_up(delivery, "TimeToLiveExceeded")
        self._move(delivery, "delivering")
        status, outcome = await self._post(subscription, delivery)
        delivery.attempts.append({"at": stamp(self._now()), "outcome": outcome, "status": status})
        if status in _SUCCESS:
            self._move(delivery, "delivered")
            return True
        if status in subscription.final:
            return self._give_up(delivery, outcome)
        if len(delivery.attempts) >= (delivery.most or self._behaviour["maxAttempts"]):
            return self._give_up(delivery, "MaxDeliveryAttemptsExceeded")
        self._move(delivery, "retrying")
        return False

    async def _ready(self, name: str) -> Subscription:
        while True:
            subscription = self._subscriptions[name]
            await subscription.ready.wait()
            if self._subscriptions[name] is subscription:
                return subscription

    async def _post(self, subscription: Subscription, delivery: Delivery) -> tuple[int | None, str]:
        headers, body = self._request_of(subscription, delivery)
        fault = self._faults.take("delivery", body)
        if fault is not None and not fault.works_all_the_same:
            return _faulty(fault)
        try:
            async with self._at_once:
                reply = await self._caller(
                    "POST",
                    subscription.url,
                    headers=headers,
                    body=body,
                    seconds=self._behaviour["responseSeconds"],
                )
        except TimeoutError:
            return None, "TimedOut"
        except ConnectionError:
            return None, "SocketError"
        if fault is not None:
            return _faulty(fault)
        return reply.status, _outcome(reply.status)

    def _request_of(
        self, subscription: Subscription, delivery: Delivery
    ) -> tuple[dict[str, str], bytes]:
        headers = {
            "aeg-event-type": "Notification",
            "aeg-subscription-name": subscription.name.upper(),
            "aeg-delivery-count": str(len(delivery.attempts)),
            "aeg-output-event-id": str(uuid.UUID(self._new_id())),
        }
        events = delivery.events
        if delivery.raw is not None:
            return headers | {"Content-Type": "application/json; charset=utf-8"}, delivery.raw
        if _is_cloud_event(events):
            single = len(events) == 1
            kind = "cloudevents" if single else "cloudevents-batch"
            headers["Content-Type"] = f"application/{kind}+json; charset=utf-8"
            return headers, json.dumps(events[0] if single else events).encode()
        headers |= {
            "Content-Type": "application/json; charset=utf-8",
            "aeg-metadata-version": "1",
            "aeg-data-version": "1.0",
        }
        return headers, json.dumps(events).encode()

    def _give_up(self, delivery: Delivery, reason: str) -> bool:
        last = delivery.attempts[-1]
        logger.warning(
            "event-dead-lettered %s %s %s", delivery.subscription, reason, last["outcome"]
        )
        for event in delivery.events:
            letter = {
                **(event if isinstance(event, dict) else {"event": event}),
                "deadLetterReason": reason,
                "deliveryAttempts": len(delivery.attempts),
                "lastDeliveryOutcome": last["outcome"],
                "publishTime": stamp(delivery.published),
                "lastDeliveryAttemptTime": last["at"],
            }
            # CloudEvents attributes are lower case by their standard.
            if _is_cloud_event([event]):
                letter = {name if name in event else name.lower(): v for name, v in letter.items()}
            self.dead_letters.append({"subscription": delivery.subscription, "event": letter})
            self._dead(self.dead_letters[-1])
        self._move(delivery, "deadLettered")
        return True

    def _move(self, delivery: Delivery, state: State) -> None:
        delivery.state = state
        self._changed(delivery)

    async def _shake_hands(self, subscription: Subscription) -> None:
        shake = self._validate if subscription.handshake == "eventGrid" else self._ask_permission
        tried = 0
        # The webhook may start later than the platform does.
        while not await shake(subscription):
            await self._sleep(_HANDSHAKE_PAUSES[min(tried, len(_HANDSHAKE_PAUSES) - 1)])
            tried += 1
        subscription.ready.set()
        logger.info("event-grid-subscribed", extra={"subscription": subscription.name})

    async def _validate(self, subscription: Subscription) -> bool:
        code = self._new_id()
        event = {
            "id": self._new_id(),
            "topic": subscription.name,
            "subject": "",
            "data": {"validationCode": code},
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": stamp(self._now()),
            "metadataVersion": "1",
            "dataVersion": "2",
        }
        headers = {
            "aeg-event-type": "SubscriptionValidation",
            "aeg-subscription-name": subscription.name.upper(),
            "Content-Type": "application/json; charset=utf-8",
        }
        reply = await self._try_handshake(
            "POST", subscription, headers, json.dumps([event]).encode()
        )
        # 202 is not enough here (docs/platform.md 2.5).
        if reply is None or reply.status != 200:  # noqa: PLR2004  # HTTP's own number
            return False
        with contextlib.suppress(ValueError, AttributeError):
            return bool(json.loads(reply.body).get("validationResponse") == code)
        return False

    async def _ask_permission(self, subscription: Subscription) -> bool:
        headers = {"WebHook-Request-Origin": _ORIGIN}
        reply = await self._try_handshake("OPTIONS", subscription, headers, b"")
        if reply is None or reply.status not in _SUCCESS:
            return False
        return reply.headers.get("webhook-allowed-origin") in {"*", _ORIGIN}

    async def _try_handshake(
        self, method: str, subscription: Subscription, headers: Mapping[str, str], body: bytes
    ) -> Reply | None:
        try:
            return await self._caller(
                method,
                subscription.url,
                headers=headers,
                body=body,
                seconds=self._behaviour["responseSeconds"],
            )
        except (TimeoutError, ConnectionError):
            return None


def _rung(tried: int) -> int:
    """Seconds until the next attempt after `tried` of them."""
    return LADDER[tried - 1] if tried <= len(LADDER) else _LAST_RUNG


def _is_cloud_event(events: Sequence[Any]) -> bool:
    first = events[0] if events else None
    return isinstance(first, dict) and any(name.lower() == "specversion" for name in first)


def _outcome(status: int) -> str:
    return "Delivered" if status in _SUCCESS else _OUTCOMES.get(status, "GenericError")


def _faulty(fault: Fault) -> tuple[int | None, str]:
    outcome = _FAULT_OUTCOMES.get(fault.behaviour, 500)
    if fault.status is not None:
        outcome = fault.status
    if isinstance(outcome, int):
        return outcome, _outcome(outcome)
    return None, outcome
