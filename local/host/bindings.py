"""What a function's bindings say, checked as the real host checks them.

The real host skips a function whose bindings it does not understand and logs the reason; this one
does not start, because a function that silently is not there is the worse surprise on a desk.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from local.host.config import resolve
from local.host.errors import HostError
from local.host.runtime import LoadedFunction
from local.host.schedule import Schedule

_NAME: Final = re.compile(r"(?!host$)[a-z][a-z0-9_-]{0,127}", re.IGNORECASE)
_QUEUE_NAME: Final = re.compile(r"(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*")
_DEFAULT_CONNECTION: Final = "AzureWebJobsStorage"


class AuthLevel(StrEnum):
    """Which key an HTTP trigger asks for."""

    ANONYMOUS = "anonymous"
    FUNCTION = "function"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class HttpTrigger:
    """Called by an HTTP request. `methods` None means all."""

    parameter: str
    route: str
    methods: frozenset[str] | None
    level: AuthLevel


@dataclass(frozen=True, slots=True)
class EventGridTrigger:
    """Called by an event that Event Grid delivers to the webhook."""

    parameter: str


@dataclass(frozen=True, slots=True)
class QueueTrigger:
    """Called by a message of a storage queue; `connection` is the name or prefix of settings."""

    parameter: str
    queue: str
    connection: str


@dataclass(frozen=True, slots=True)
class TimerTrigger:
    """Called when its schedule is due."""

    parameter: str
    schedule: Schedule
    run_on_startup: bool


Trigger = HttpTrigger | EventGridTrigger | QueueTrigger | TimerTrigger


@dataclass(frozen=True, slots=True)
class Function:
    """A function with its trigger; `code` runs it."""

    name: str
    trigger: Trigger
    code: LoadedFunction


def read_functions(
    loaded: list[LoadedFunction], settings: Mapping[str, str]
) -> dict[str, Function]:
    """The functions by name, without those that `AzureWebJobs.<name>.Disabled` turns off.

    Raises:
        HostError: with the function and what the host does not accept in it.
    """
    functions: dict[str, Function] = {}
    for code in loaded:
        if not _NAME.fullmatch(code.name):
            raise HostError(f"{code.name!r} cannot be the name of a function.")
        if code.name.lower() in (name.lower() for name in functions):
            raise HostError(f"There are two functions named {code.name}.")
        if settings.get(f"AzureWebJobs.{code.name}.Disabled", "").lower() in {"true", "1"}:
            continue
        try:
            functions[code.name] = Function(code.name, _trigger(code, settings), code)
        except (HostError, ValueError) as error:
            raise HostError(f"Function {code.name}: {error}") from None
    return functions


def _trigger(code: LoadedFunction, settings: Mapping[str, str]) -> Trigger:
    triggers = [entry for entry in code.bindings if _type(entry).endswith("trigger")]
    if len(triggers) != 1:
        raise ValueError(f"has {len(triggers)} triggers; exactly one is allowed.")
    trigger = triggers[0]
    kind = _type(trigger)
    for entry in code.bindings:
        answers = kind == "httptrigger" and _type(entry) == "http" and entry["name"] == "$return"
        if entry is not trigger and not answers:
            raise ValueError(f"binding type {entry['type']!r} is not served by this host.")
    if kind == "httptrigger":
        return _http(code.name, trigger)
    if kind == "eventgridtrigger":
        return EventGridTrigger(trigger["name"])
    if kind == "queuetrigger":
        return _queue(trigger, settings)
    if kind == "timertrigger":
        return _timer(trigger, settings)
    raise ValueError(f"trigger type {trigger['type']!r} is not served by this host.")


def _type(entry: Mapping[str, Any]) -> str:
    return str(entry["type"]).lower()


def _http(name: str, entry: Mapping[str, Any]) -> HttpTrigger:
    methods = entry.get("methods")
    return HttpTrigger(
        parameter=entry["name"],
        route=entry.get("route", name),
        methods=frozenset(str(method).upper() for method in methods) if methods else None,
        level=AuthLevel(str(entry.get("authLevel") or AuthLevel.FUNCTION).lower()),
    )


def _queue(entry: Mapping[str, Any], settings: Mapping[str, str]) -> QueueTrigger:
    queue = resolve(entry["queueName"], settings)
    if not _QUEUE_NAME.fullmatch(queue):
        raise ValueError(f"{queue!r} cannot be the name of a queue.")
    return QueueTrigger(entry["name"], queue, entry.get("connection") or _DEFAULT_CONNECTION)


def _timer(entry: Mapping[str, Any], settings: Mapping[str, str]) -> TimerTrigger:
    return TimerTrigger(
        entry["name"],
        Schedule.parse(resolve(entry["schedule"], settings)),
        run_on_startup=bool(entry.get("runOnStartup")),
    )
