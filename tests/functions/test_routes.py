"""Each documented call reaches its function on the host, which takes the first route that fits."""

from __future__ import annotations

import itertools
import re

import pytest

from local.host.bindings import HttpTrigger, read_functions
from local.host.routes import RouteTable
from tests.docs import documents
from tests.docs.calls import Call, documented, front, loaded

CALLS = documented()


def http_triggers() -> dict[str, HttpTrigger]:
    functions = read_functions(list(loaded()), {}).values()
    return {f.name: f.trigger for f in functions if isinstance(f.trigger, HttpTrigger)}


def forms(path: str) -> list[str]:
    """Ways in which clients and the web spell one path."""
    return [path, f"{path}/", path.replace(":", "%3A"), path.replace(":", "%3a"), path.upper()]


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_documented_call_reaches_its_function(call: Call) -> None:
    """The function whose own route is the documented one serves it, however the path is spelt."""
    (function,) = [
        name
        for name, trigger in http_triggers().items()
        if f"/{trigger.route}" == call.path and call.method in (trigger.methods or ())
    ]
    for path in forms(call.sample):
        assert front().served_by(call.method, path) == function, path


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/"),
        ("POST", "/unknown"),
        ("POST", "/messages:explode"),
        ("POST", "/sms/optouts:explode"),
        ("GET", "/sms"),
        ("PATCH", "/messages"),
    ],
)
def test_what_is_not_documented_reaches_nothing(method: str, path: str) -> None:
    """A path or a method that no document speaks of is the host's own 404."""
    assert front().served_by(method, path) is None


def test_no_two_routes_fit_one_request() -> None:
    """Whatever a function is renamed to, each route keeps its requests: no order hides one."""
    for (one, first), (other, second) in itertools.permutations(http_triggers().items(), 2):
        routes: RouteTable[str] = RouteTable("")
        routes.add(first.route, first.methods, one)
        routes.add(second.route, second.methods, other)


def test_every_file_of_triggers_is_registered() -> None:
    """The app registers each module of `functions/` that has triggers; else they never run."""
    app = documents.read(documents.ROOT / "function_app.py")
    with_triggers = {
        path.stem if path.stem != "__init__" else path.parent.name
        for path in (documents.ROOT / "functions").rglob("*.py")
        if "blueprint = func.Blueprint()" in documents.read(path)
    }
    (registered,) = re.findall(r"^for module in \(\n((?: {4}\w+,\n)+)\):", app, re.MULTILINE)
    assert set(registered.replace(",", "").split()) == with_triggers
