"""A function app with everything that calls its functions, in this process."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from azure.storage.queue.aio import QueueClient

from local.host import event_json
from local.host.bindings import (
    EventGridTrigger,
    Function,
    HttpTrigger,
    QueueTrigger,
    TimerTrigger,
    read_functions,
)
from local.host.config import HostConfig, body_limit
from local.host.errors import InvocationFailed
from local.host.http import HttpAnswer, HttpCall, HttpFront, Keys
from local.host.queues import (
    DEFAULT_LEASE,
    POISON_SUFFIX,
    Delivery,
    QueueListener,
    open_queue,
)
from local.host.runtime import Datum, load
from local.host.timers import follow, timer_value

_log = logging.getLogger(__name__)
_GRACE: Final = timedelta(seconds=5)
_QUEUE_LIFE: Final = timedelta(days=7)


class FunctionsHost:
    """Serves one app.

    `load` starts nothing: no thread, no event loop, no connection, so a process may fork after it.
    `invoke_*` call functions directly; `start` begins to poll queues and to follow timers.

    Example:
        host = FunctionsHost.load(Path("app"), settings=os.environ)
        answer = await host.invoke_http("POST", "/sms", headers={}, body=b"{}")
    """

    def __init__(
        self,
        functions: Mapping[str, Function],
        config: HostConfig,
        *,
        settings: Mapping[str, str],
        keys: Keys,
        lease: timedelta,
    ) -> None:
        self.functions = functions
        self.keys = keys
        self.max_body = body_limit(settings)
        self._config = config
        self._settings = settings
        self._lease = lease
        self._front = HttpFront(
            functions, prefix=config.route_prefix, keys=keys, start=self._start_now
        )
        self._open = AsyncExitStack()
        self._listeners: list[QueueListener] = []
        self._pollers: list[asyncio.Task[None]] = []
        self._timers: list[asyncio.Task[None]] = []
        self._runs: set[asyncio.Task[None]] = set()

    @classmethod
    def load(
        cls,
        directory: Path,
        *,
        settings: Mapping[str, str],
        keys: Keys | None = None,
        lease: timedelta = DEFAULT_LEASE,
    ) -> FunctionsHost:
        """Load the app of a directory that holds function_app.py and host.json.

        Args:
            directory: the app's root.
            settings: where connections and `%NAME%` are looked up, usually os.environ; the app
                itself reads the environment.
            keys: the host's keys; random where not given.
            lease: how long a queue message stays hidden when this process dies.

        Raises:
            HostError: the app, its bindings or its host.json are refused.
        """
        directory = directory.resolve()
        config = HostConfig.read(directory / "host.json")
        functions = read_functions(load(directory), settings)
        return cls(functions, config, settings=settings, keys=keys or Keys(), lease=lease)

    async def answer(self, call: HttpCall) -> HttpAnswer:
        """The answer to one HTTP request, as the socket would give it."""
        return await self._front.answer(call)

    async def invoke_http(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> HttpAnswer:
        """Send a request past the socket. `target` is path and query as they would be sent.

        A body's length is said, as by most clients, unless a header says that it comes in chunks.
        """
        path, _, query = target.partition("?")
        named = {"host": "localhost"}
        named.update((name.lower(), value) for name, value in (headers or {}).items())
        if body and "transfer-encoding" not in named:
            named["content-length"] = str(len(body))
        call = HttpCall(
            method.upper(), path, query, named, body, oversized=len(body) > self.max_body
        )
        return await self._front.answer(call)

    async def invoke_event(self, name: str, event: Mapping[str, Any]) -> None:
        """Hand one event to an Event Grid function.

        Raises:
            InvocationFailed: the function raised, or the event cannot be decoded.
        """
        function = self._function(name, EventGridTrigger)
        value = Datum(json.dumps(event_json.parse(json.dumps(event))), "json")
        await function.code.invoke(function.trigger.parameter, value, {})

    async def invoke_queue(
        self,
        name: str,
        body: str | bytes,
        *,
        dequeue_count: int = 1,
        message_id: str | None = None,
        now: datetime | None = None,
    ) -> None:
        """Hand one message to a queue function.

        Raises:
            InvocationFailed: the function raised.
        """
        now = now or datetime.now(UTC)
        fields = {
            "Id": message_id or str(uuid4()),
            "DequeueCount": dequeue_count,
            "InsertionTime": now.isoformat(),
            "ExpirationTime": (now + _QUEUE_LIFE).isoformat(),
            "NextVisibleTime": (now + self._lease).isoformat(),
            "PopReceipt": "local",
        }
        await self._deliver(self._function(name, QueueTrigger), Delivery.of(body, fields))

    async def invoke_timer(self, name: str, *, past_due: bool = False) -> None:
        """Call a timer function now.

        Raises:
            InvocationFailed: the function raised.
        """
        function = self._function(name, TimerTrigger)
        await function.code.invoke(function.trigger.parameter, timer_value(past_due=past_due), {})

    async def start(self) -> None:
        """Begin to poll queues and to follow timers.

        Raises:
            HostError: a queue's connection is not configured.
        """
        for function in self.functions.values():
            if isinstance(function.trigger, QueueTrigger):
                await self._listen(function, function.trigger)
        self._pollers = [asyncio.create_task(listener.listen()) for listener in self._listeners]
        self._timers = [
            asyncio.create_task(self._follow(function, function.trigger))
            for function in self.functions.values()
            if isinstance(function.trigger, TimerTrigger)
        ]

    async def stop(self, grace: timedelta = _GRACE) -> None:
        """Take nothing new, let running invocations end within `grace`, cancel the rest."""
        for listener in self._listeners:
            listener.stop()
        for timer in self._timers:
            timer.cancel()
        ending = {*self._pollers, *self._runs}
        if ending:
            _, late = await asyncio.wait(ending, timeout=grace.total_seconds())
            for task in late:
                task.cancel()
        await asyncio.gather(*ending, *self._timers, return_exceptions=True)
        await self._open.aclose()

    async def _listen(self, function: Function, trigger: QueueTrigger) -> None:
        queue = await self._open_queue(trigger, trigger.queue)
        poison = (
            None
            if trigger.queue.endswith(POISON_SUFFIX)
            else await self._open_queue(trigger, trigger.queue + POISON_SUFFIX)
        )

        async def run(delivery: Delivery) -> bool:
            try:
                await self._deliver(function, delivery)
            except InvocationFailed:
                return False
            return True

        self._listeners.append(
            QueueListener(
                queue=queue, poison=poison, config=self._config.queues, lease=self._lease, run=run
            )
        )

    async def _open_queue(self, trigger: QueueTrigger, name: str) -> QueueClient:
        return await self._open.enter_async_context(
            open_queue(trigger.connection, name, self._settings)
        )

    async def _follow(self, function: Function, trigger: TimerTrigger) -> None:
        async def run() -> None:
            # A task of its own, so that stopping the timer leaves a running call its grace.
            await asyncio.shield(self._begin(self._run_timer(function.name)))

        await follow(trigger.schedule, run, run_on_startup=trigger.run_on_startup)

    async def _run_timer(self, name: str) -> None:
        try:
            await self.invoke_timer(name)
        except InvocationFailed:
            _log.exception("timer %s failed; it is called again when it is next due", name)

    def _start_now(self, function: Function, text: str) -> None:
        if isinstance(function.trigger, HttpTrigger):
            raise ValueError("an HTTP function is called by its route")  # noqa: TRY004
        self._begin(self._run_now(function, text))

    async def _run_now(self, function: Function, text: str) -> None:
        try:
            if isinstance(function.trigger, TimerTrigger):
                await self.invoke_timer(function.name)
            elif isinstance(function.trigger, QueueTrigger):
                await self.invoke_queue(function.name, text)
            else:
                value = Datum(text, "json")
                await function.code.invoke(function.trigger.parameter, value, {})
        except InvocationFailed:
            _log.exception("function %s, started by hand, failed", function.name)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._runs.add(task)
        task.add_done_callback(self._runs.discard)
        return task

    async def _deliver(self, function: Function, delivery: Delivery) -> None:
        await function.code.invoke(function.trigger.parameter, delivery.value, delivery.metadata)

    def _function(self, name: str, trigger: type) -> Function:
        function = self.functions.get(name)
        if function is None or not isinstance(function.trigger, trigger):
            raise LookupError(f"there is no {trigger.__name__} named {name}")
        return function
