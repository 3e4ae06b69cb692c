"""Every call that the product makes to the outside, by a name that stays the same from run to run.

A crash matters between two effects on the outside world, and every effect is a call through
azure-core's transport. `WitnessedTransport` stands there: it writes down what begins and what has
been carried out, and stops the process where it is told to.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any, Final, Literal, Self
from urllib.parse import unquote, urlsplit

from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline.transport import AsyncHttpTransport

_ACCOUNT: Final = "/devstoreaccount1/"
_OTHERS: Final = {"/sms": "acs", "/api/events": "topic"}
_ENTITY: Final = re.compile(r"(?P<table>\w+)\(PartitionKey='.*',RowKey='(?P<row>.*)'\)")
_TABLE: Final = re.compile(r"(?P<table>\w+)(?:\(\))?")
_QUEUE: Final = re.compile(r"(?P<queue>[a-z-]+)/messages")
_ULID: Final = "[0-9A-HJKMNP-TV-Z]{26}"
# The first that fits names the row.
_ROWS: Final = [
    (re.compile(pattern), kind)
    for pattern, kind in (
        (_ULID, "intent"),
        (rf"{_ULID}\.outcome", "outcome"),
        (rf"{_ULID}\.in", "inbound"),
        (rf"{_ULID}\.[0-9a-f]{{10}}\.[0-9a-f]{{8}}", "report"),
        (r"log:~(\w+)", r"\1"),
        (r"~pending~.*", "pending"),
        (r"(log|num|src):.*", r"\1"),
        (r".*", "row"),
    )
]


def name_of(method: str, url: str, body: object) -> str:
    """The name of a call: its method and what it is about, without anything that varies."""
    path = unquote(urlsplit(url).path)
    if not path.startswith(_ACCOUNT):
        return f"{method} {_OTHERS.get(path, path)}"
    place = path.removeprefix(_ACCOUNT)
    if queue := _QUEUE.fullmatch(place):
        return f"{method} queue {queue['queue']}"
    if entity := _ENTITY.fullmatch(place):
        return f"{method} {_kind_of_table(entity['table'])} {_kind_of_row(entity['row'])}"
    if (table := _TABLE.fullmatch(place)) is None:
        # A blob is known by its container.
        return f"{method} {place.partition('/')[0]}"
    if table["table"] == "Tables" or method != "POST":
        return f"{method} {_kind_of_table(table['table'])}"
    return f"{method} {_kind_of_table(table['table'])} {_kind_of_row(_row_in(body))}"


def _kind_of_table(table: str) -> str:
    return table.rstrip("0123456789")


def _kind_of_row(row: str) -> str:
    for pattern, kind in _ROWS:
        if found := pattern.fullmatch(row):
            return found.expand(kind)
    raise AssertionError("the last pattern fits everything")


def _row_in(body: object) -> str:
    content = json.loads(body) if isinstance(body, str | bytes) else body
    return str(content.get("RowKey", "")) if isinstance(content, dict) else ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a process stops.

    Attributes:
        point: the name of the call.
        when: before it is sent, or after it was carried out and before its answer is looked at.
        peers: the calls that are under way at the same time.
        beside: whether the peers have not been sent by then, or have all been carried out.
        how: by SIGKILL, or by SIGSTOP to go on later.
    """

    point: str
    when: Literal["before", "after"]
    peers: tuple[str, ...] = ()
    beside: Literal["unsent", "done"] = "unsent"
    how: Literal["kill", "pause"] = "kill"

    def __str__(self) -> str:
        beside = f", {', '.join(self.peers)} {self.beside}" if self.peers else ""
        return f"{self.when} {self.point}{beside}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was sent. `status` is None if its answer had not come."""

    name: str
    status: int | None


@dataclass(slots=True)
class Trace:
    """What a process left behind: calls in the order of their beginning, and its answers.

    Attributes:
        peers: for each call those that were under way with it.
    """

    calls: list[Call] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    peers: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def carried_out(self) -> set[str]:
        """Names of the calls that took effect, without the numbers of repetitions."""
        return {
            call.name.partition("#")[0]
            for call in self.calls
            if call.status is not None and call.status < 400
        }

    def plans(self) -> list[Plan]:
        """Every place where this run might have been stopped."""
        return [
            Plan(call.name, when, tuple(self.peers[call.name]), beside)
            for call in self.calls
            for when in ("before", "after")
            for beside in (("unsent", "done") if self.peers[call.name] else ("unsent",))
        ]


def read_trace(lines: Collection[str]) -> Trace:
    """The trace that `WitnessedTransport` and the process wrote."""
    trace = Trace()
    statuses: dict[str, int | None] = {}
    under_way: list[str] = []
    for line in lines:
        entry = json.loads(line)
        if name := entry.get("begin"):
            for other in under_way:
                trace.peers[other].append(name)
                trace.peers[name].append(other)
            under_way.append(name)
            statuses[name] = None
        elif name := entry.get("end"):
            under_way.remove(name)
            statuses[name] = entry["status"]
        else:
            trace.answers.append(entry["answer"])
    trace.calls = [Call(name, status) for name, status in statuses.items()]
    return trace


class WitnessedTransport(AsyncHttpTransport[Any, Any]):
    """Passes calls on, writes them down, and stops the process where the plan says.

    Args:
        inner: the real transport.
        trace: file descriptor; every line is written at once, so that it survives SIGKILL.
        plan: where to stop.
        unreachable: names of calls that fail as if there were no network.
    """

    def __init__(
        self,
        inner: AsyncHttpTransport[Any, Any],
        *,
        trace: int,
        plan: Plan | None = None,
        unreachable: Collection[str] = (),
    ) -> None:
        self._inner = inner
        self._trace = trace
        self._plan = plan
        self._unreachable = frozenset(unreachable)
        self._count: Counter[str] = Counter()
        self._done: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def send(self, request: Any, **options: Any) -> Any:
        body = getattr(request, "content", None) or getattr(request, "data", None)
        name = name_of(request.method, request.url, body)
        if name in self._unreachable:
            raise ServiceRequestError(f"{name} is out of reach")
        self._count[name] += 1
        if self._count[name] > 1:
            name = f"{name}#{self._count[name]}"
        await self._before(name)
        self.write({"begin": name})
        response = await self._inner.send(request, **options)
        self.write({"end": name, "status": response.status_code})
        self._done[name].set()
        if self._plan is not None and (self._plan.point, self._plan.when) == (name, "after"):
            self._stop(self._plan)
        return response

    async def _before(self, name: str) -> None:
        plan = self._plan
        if plan is None:
            return
        if name in plan.peers and plan.beside == "unsent":
            await asyncio.Event().wait()
        if name != plan.point:
            return
        if plan.beside == "done":
            for peer in plan.peers:
                await self._done[peer].wait()
        if plan.when == "before":
            self._stop(plan)

    def _stop(self, plan: Plan) -> None:
        os.kill(os.getpid(), signal.SIGKILL if plan.how == "kill" else signal.SIGSTOP)

    def write(self, entry: Mapping[str, Any]) -> None:
        """Add a line to the trace."""
        os.write(self._trace, json.dumps(entry).encode() + b"\n")

    async def sleep(self, duration: float) -> None:
        """Pauses between retries pass at once: what is out of reach stays so."""

    async def open(self) -> None:
        await self._inner.open()

    async def close(self) -> None:
        await self._inner.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()
