"""How much CPU each kind of request costs, Parley's beside the naked function's.

Sequential requests, one process after the other, round after round: whatever the machine does
meanwhile meets all of them alike. A figure is the median over the rounds.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from azure.storage.queue import QueueClient

from local.stack import ROOT
from tests.bench.stage import APPS, WITHOUT_RECORD, Host, Stage, drained, waiting
from tests.bench.traffic import SMS, Request, Sent, Traffic, sent_in

HUNDRED: Final = 100
SEND_ONE: Final = "send.one"
SEND_HUNDRED: Final = "send.hundred"
SEND_HUNDRED_AFTER: Final = "send.hundred.after"
REPORT: Final = "report"
INBOUND: Final = "inbound"
PARLEY: Final = "parley"
NAKED: Final = "naked"
LEAN: Final = "lean"
HOST: Final = "host"
STORAGE: Final = "storage"
PLATFORM: Final = "platform"
# What Parley itself adds to these.
RULES: Final = "rules"
# What a part's own function costs without its part.
EMPTY: Final = "empty"
# Many short rounds rather than few long ones: a busy second then spoils one round of each load.
ROUNDS: Final = 20
_WARM_UP: Final = 10
_FEW: Final = 4
_MANY: Final = 12
# Enough for the warm-up and for a round: three functions are told of each.
_TEXTS: Final = 100


@dataclass(frozen=True, slots=True)
class Load:
    """Requests of one kind to one host.

    Attributes:
        kind: what is asked for, such as `send.one`.
        part: who does it, or which part of it.
        host: the process whose CPU counts.
        make: makes one request, anew each time.
        count: requests in a round.
    """

    kind: str
    part: str
    host: Host
    make: Callable[[], Request]
    count: int


@dataclass(slots=True)
class Figures:
    """CPU milliseconds a request, one figure a round, by kind and part."""

    rounds: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, kind: str, part: str, milliseconds: float) -> None:
        """Note a round's figure."""
        self.rounds.setdefault((kind, part), []).append(milliseconds)

    def median(self, kind: str, part: str) -> float:
        """The figure."""
        return statistics.median(self.rounds[kind, part])

    def spread(self, kind: str, part: str) -> tuple[float, float]:
        """The lowest and the highest round."""
        return min(self.rounds[kind, part]), max(self.rounds[kind, part])

    def parts(self, kind: str) -> dict[str, float]:
        """What the whole consists of; `rules` is what is left of it."""
        whole = self.median(kind, PARLEY)
        host = self.median(kind, HOST)
        asked = {
            part: self.median(kind, part) - self.median(kind, EMPTY) for part in (STORAGE, PLATFORM)
        }
        return {HOST: host, RULES: whole - host - sum(asked.values()), **asked}


def measured(stage: Stage, rounds: int = ROUNDS) -> Figures:
    """Run everything."""
    figures = Figures()
    with stage.record_queue() as queue:
        traffic, hosts = stage.traffic(), _Hosts(stage)
        # Reports are about these: each about a text of its own.
        texts: deque[Sent] = deque()
        loads = _loads(traffic, hosts, texts)
        _refill(texts, traffic, hosts.parley)
        for load in loads:
            _run(load, _WARM_UP)
        _run_after(hosts.after, queue)
        for _ in range(rounds):
            _refill(texts, traffic, hosts.parley)
            for load in loads:
                figures.add(load.kind, load.part, _run(load, load.count))
            figures.add(SEND_HUNDRED_AFTER, PARLEY, _run_after(hosts.after, queue))
    return figures


class _Hosts:
    """The processes. Parley has two: what follows a send through the queue has its own."""

    def __init__(self, stage: Stage) -> None:
        self.parley = stage.host("parley", ROOT, WITHOUT_RECORD)
        self.after = stage.host("parley-after", ROOT)
        self.after.pause()
        self.naked = stage.host("naked", APPS / "naked")
        self.parts = stage.host("parts", APPS / "parts")


def _loads(traffic: Traffic, hosts: _Hosts, texts: deque[Sent]) -> list[Load]:
    def report(function: str) -> Request:
        return traffic.report(texts.popleft(), function=function)

    def inbound(function: str) -> Request:
        return traffic.inbound(function=function)

    def part(target: str) -> Request:
        return traffic.plain(target, {"messageId": texts[0].message_id}, 202)

    return [
        *_sends(SEND_ONE, 1, _MANY, traffic, hosts),
        *_sends(SEND_HUNDRED, HUNDRED, _FEW, traffic, hosts),
        *_events(REPORT, "delivery_report", report, part, hosts),
        *_events(INBOUND, "inbound", inbound, part, hosts),
    ]


def _sends(kind: str, recipients: int, count: int, traffic: Traffic, hosts: _Hosts) -> list[Load]:
    def send(host: Host, target: str = SMS) -> Callable[[], Request]:
        return lambda: traffic.send(recipients, host=host.address, target=target)

    def part(target: str) -> Callable[[], Request]:
        return lambda: traffic.plain(target, {"recipients": recipients}, 202)

    parts = hosts.parts
    nothing = f"/nothing?recipients={recipients}"
    return [
        Load(kind, PARLEY, hosts.parley, send(hosts.parley), count),
        Load(kind, NAKED, hosts.naked, send(hosts.naked), count),
        Load(kind, LEAN, hosts.naked, send(hosts.naked, "/lean"), count),
        Load(kind, HOST, parts, send(parts, nothing), count),
        Load(kind, EMPTY, parts, part("/nothing"), count),
        Load(kind, STORAGE, parts, part("/storage/send"), count),
        Load(kind, PLATFORM, parts, part("/platform"), count),
    ]


def _events(
    kind: str,
    function: str,
    event: Callable[[str], Request],
    part: Callable[[str], Request],
    hosts: _Hosts,
) -> list[Load]:
    parts = hosts.parts
    return [
        Load(kind, PARLEY, hosts.parley, lambda: event(function), _MANY),
        Load(kind, NAKED, hosts.naked, lambda: event(function), _MANY),
        Load(kind, HOST, parts, lambda: event("nothing_event"), _MANY),
        Load(kind, EMPTY, parts, lambda: part("/nothing"), _MANY),
        Load(kind, STORAGE, parts, lambda: part(f"/storage/{kind}"), _MANY),
        Load(kind, PLATFORM, parts, lambda: part("/topic"), _MANY),
    ]


def _refill(texts: deque[Sent], traffic: Traffic, host: Host) -> None:
    texts.clear()
    while len(texts) < _TEXTS:
        texts += sent_in(host.client.call(traffic.send(HUNDRED, host=host.address)))


def _run(load: Load, count: int) -> float:
    """CPU milliseconds of the host for each of `count` requests."""
    requests = [load.make() for _ in range(count)]
    before = load.host.cpu
    for request in requests:
        load.host.client.call(request)
    return (load.host.cpu - before) / count * 1000


def _run_after(host: Host, queue: QueueClient) -> float:
    """CPU milliseconds for each send whose entries wait in the queue; it is empty then."""
    count, before = waiting(queue), host.cpu
    host.resume()
    drained(queue)
    host.pause()
    return (host.cpu - before) / count * 1000
