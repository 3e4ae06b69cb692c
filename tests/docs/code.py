"""What the code has, and the documents must therefore speak of."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import shared.services  # noqa: F401  # brings every module that defines an error
from shared.base.errors import ParleyError
from tests.docs.documents import ROOT
from tests.infra.indexing import index
from tests.support.source import parsed

_OPEN = {"console", "console/{file}", "health"}


@dataclass(frozen=True)
class Route:
    """One route as the documents name it."""

    method: str
    path: str
    caller: str


@functools.cache
def functions() -> dict[str, list[dict[str, Any]]]:
    """Every function with its bindings, as Microsoft's runtime indexes them."""
    return index()


def routes() -> list[Route]:
    """Every route of the app."""
    return [
        Route(
            method.upper(), f"/{trigger['route']}", _caller(trigger["route"], trigger["authLevel"])
        )
        for bindings in functions().values()
        for trigger in bindings
        if trigger["type"] == "httpTrigger"
        for method in trigger["methods"]
    ]


def _caller(path: str, level: str) -> str:
    if path in _OPEN:
        return "open"
    return {"FUNCTION": "function key", "ANONYMOUS": "signature"}[level.upper()]


def error_classes() -> list[type[ParleyError]]:
    """Every class of error, the root included."""
    found: list[type[ParleyError]] = [ParleyError]
    for known in found:
        found += known.__subclasses__()
    return found


@dataclass(frozen=True)
class LogEvent:
    """One call of `log.event` or `log.trouble`.

    Attributes:
        name: the event's.
        level: `event` or `trouble`.
        members: the names that are written out.
        more: whether others are added by `**`.
    """

    name: str
    level: str
    members: frozenset[str]
    more: bool


def log_events() -> Iterator[LogEvent]:
    """Every log event that the product code writes."""
    for folder in ("functions", "shared"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(parsed(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and _is_log(node.func):
                    yield _log_event(node)


def _is_log(called: ast.expr) -> bool:
    return (
        isinstance(called, ast.Attribute)
        and isinstance(called.value, ast.Name)
        and called.value.id == "log"
        and called.attr in {"event", "trouble"}
    )


def _log_event(call: ast.Call) -> LogEvent:
    name = call.args[0]
    assert isinstance(name, ast.Constant), ast.unparse(call)
    assert isinstance(call.func, ast.Attribute)
    members = [keyword.arg for keyword in call.keywords]
    return LogEvent(
        str(name.value),
        call.func.attr,
        frozenset(member for member in members if member is not None),
        more=None in members,
    )
