"""All parts of the simulated platform, put together.

Nothing here knows HTTP's server side; `routes.py` and `control.py` do.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from local.platform.acs import Acs
from local.platform.behaviour import Behaviour
from local.platform.caller import HttpCaller
from local.platform.carriers import Carriers, Outgoing, as_message_json
from local.platform.clock import LoopTimeline, NewId, Now, Timeline
from local.platform.eventgrid import Caller, Delivery, EventGrid, Subscription
from local.platform.faults import Faults, numbers_in
from local.platform.handsets import Account, Text
from local.platform.hub import Hub
from local.platform.payloads import SMS_RECEIVED, SMS_REPORT, Received, Reported, event_of
from local.platform.senders import Sender
from local.platform.state import StateFile
from local.platform.topic import Topic

# Event type to the function that is subscribed to it; function and subscription share a name.
SUBSCRIPTIONS: Final = {SMS_RECEIVED: "inbound", SMS_REPORT: "delivery_report"}


@dataclass(slots=True)
class Wiring:
    """Where the other processes are; empty where unknown yet."""

    functions_url: str = ""
    eventgrid_key: str = ""
    parley_url: str = ""
    parley_function_key: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """What a platform is started with; `__main__` documents each."""

    senders: Mapping[str, Sender]
    acs_key: bytes
    topic_key: str
    data: Path | None = None
    wiring: Wiring = field(default_factory=Wiring)
    behaviour: Mapping[str, Any] = field(default_factory=dict)


class Simulator:
    """Everything, wired."""

    def __init__(
        self,
        options: Options,
        *,
        now: Now,
        new_id: NewId,
        timeline: Timeline | None = None,
        caller: Caller | None = None,
    ) -> None:
        self.options = options
        self.wiring = options.wiring
        self.now = now
        self._calls: Counter[str] = Counter()
        self._calls_about: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._letters = itertools.count(1)
        self.hub = Hub()
        self.faults = Faults()
        self.behaviour = Behaviour(options.behaviour)
        self._timeline = timeline or LoopTimeline()
        self._own_caller = None if caller else HttpCaller()
        self.caller = caller or self._own_caller or HttpCaller()
        self.account = Account(self._handset_changed)
        self.carriers = Carriers(
            senders=options.senders,
            account=self.account,
            behaviour=self.behaviour,
            emit=self._emit,
            changed=self._message_changed,
            timeline=self._timeline,
            now=now,
            new_id=new_id,
        )
        self.acs = Acs(
            senders=options.senders,
            carriers=self.carriers,
            behaviour=self.behaviour,
            now=now,
            new_id=new_id,
        )
        self.system = self._event_grid(new_id, self._delivery_changed)
        self._fan_out = self._event_grid(new_id, self._delivery_changed)
        self.topic = Topic(
            key=options.topic_key, grid=self._fan_out, now=now, changed=self._topic_changed
        )
        path = options.data / "platform.json" if options.data else None
        # Its own timeline: a reset cancels texts on their way, never a write.
        self._state = StateFile(path, snapshot=self._snapshot, timeline=LoopTimeline())

    def start(self) -> None:
        """Take up the last run's state and shake hands with the functions."""
        if self.options.data is not None:
            self.options.data.mkdir(parents=True, exist_ok=True)
        self.wire()
        stored = self._state.load()
        if stored is None:
            return
        self.account.load(stored["handsets"])
        self.carriers.load(stored["carriers"])
        self.acs.load(stored["repeatability"])
        for waiting in stored["undelivered"]:
            self.system.publish(waiting["subscription"], waiting["events"])

    def wire(self) -> None:
        """(Re)make the subscriptions of the system topic from the wiring."""
        for function in SUBSCRIPTIONS.values():
            query = {"functionName": function, "code": self.wiring.eventgrid_key}
            url = f"{self.wiring.functions_url}/runtime/webhooks/eventgrid?{urlencode(query)}"
            self.system.subscribe(Subscription(function, url if self.wiring.functions_url else ""))

    def reset(self) -> None:
        """Back to the first moment; the functions stay subscribed, webhooks do not."""
        self._timeline.clear()
        self.faults.clear()
        self.behaviour.restore()
        self.account.clear()
        self.carriers.clear()
        self.acs.clear()
        self.system.clear()
        self.topic.clear()
        self._calls.clear()
        self._calls_about.clear()
        self._state.touch()
        self.hub.publish("reset", {})

    def count_call(self, operation: str, body: bytes) -> None:
        """Note a call of Parley's, for each phone number that it is about as well."""
        self._calls[operation] += 1
        for number in numbers_in(body):
            self._calls_about[number][operation] += 1

    def calls(self, number: str | None = None) -> dict[str, int]:
        """How often each operation was called; with a number, only calls about it."""
        return dict(self._calls if number is None else self._calls_about[number])

    def hang_up(self) -> None:
        """Let go of every caller that waits, so that the server can stop."""
        self.hub.close()
        self.faults.clear()

    async def stop(self) -> None:
        """Write the state and stop everything."""
        self._state.write()
        self._timeline.clear()
        await self.system.close()
        await self._fan_out.close()
        if self._own_caller is not None:
            await self._own_caller.close()

    def _event_grid(self, new_id: NewId, changed: Any) -> EventGrid:
        return EventGrid(
            behaviour=self.behaviour,
            faults=self.faults,
            caller=self.caller,
            sleep=asyncio.sleep,
            now=self.now,
            new_id=new_id,
            changed=changed,
            dead=self._keep_dead_letter,
        )

    def _emit(self, fact: Received | Reported) -> None:
        kind = SMS_RECEIVED if isinstance(fact, Received) else SMS_REPORT
        event = event_of(fact, self.behaviour, self.now())
        self.system.publish(SUBSCRIPTIONS[kind], [event])

    def _handset_changed(self, text: Text | None, number: str) -> None:
        self.hub.publish("handset", {"number": number, "text": text and text.as_json()})
        self._state.touch()

    def _message_changed(self, message: Outgoing) -> None:
        self.hub.publish("message", as_message_json(message))
        self._state.touch()

    def _delivery_changed(self, delivery: Delivery) -> None:
        self.hub.publish("delivery", delivery.as_json())
        self._state.touch()

    def _topic_changed(self, entry: dict[str, Any]) -> None:
        self.hub.publish("topic", entry)

    def _keep_dead_letter(self, letter: dict[str, Any]) -> None:
        if self.options.data is None:
            return
        folder = self.options.data / "deadletters" / str(letter["subscription"])
        folder.mkdir(parents=True, exist_ok=True)
        # Two letters may share a moment, never a number.
        name = f"{self.now():%Y%m%dT%H%M%S}-{next(self._letters):06d}.json"
        (folder / name).write_text(json.dumps([letter["event"]], indent=2), encoding="utf-8")

    def _snapshot(self) -> dict[str, Any]:
        return {
            "handsets": self.account.as_json(),
            "carriers": self.carriers.as_json(),
            "repeatability": self.acs.as_json(),
            "undelivered": self.system.undelivered(),
        }
