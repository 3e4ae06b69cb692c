"""docs/local.md has what the local stack has, and what it prints works."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.routing import Route

from local.__main__ import endpoint
from local.platform.behaviour import SETTINGS
from local.platform.faults import BEHAVIOURS, PLACES
from local.platform.recipients import MAGIC
from local.platform.server import build_app
from local.platform.simulator import Simulator
from local.ports import Ports
from local.stack import DEFAULT_SENDERS, Stack
from tests.docs import documents, examples
from tests.local.platform_support import CountedIds, options_for
from tests.support.client import Platform

TEXT = documents.named("local")
BLOCKS = documents.blocks(TEXT)
# The page and what it is made of.
PAGE = {"/", "/style.css", "/page.js", "/both", "/both.css", "/both.js"}


async def test_every_route_of_the_platform_is_there() -> None:
    """Each route of the simulated platform is listed, and none that it lacks."""
    platform = Simulator(options_for(), now=lambda: datetime.now(UTC), new_id=CountedIds())
    served = {
        f"{method} {route.path}"
        for route in build_app(platform).routes
        if isinstance(route, Route) and route.path not in PAGE
        for method in (route.methods or set()) - {"HEAD"}
    }
    await platform.stop()
    written = documents.section(TEXT, "The simulator's control interface")
    named = {
        span
        for span in documents.code_spans(written)
        if re.fullmatch(r"(?:GET|PUT|POST|PATCH|DELETE) /\S+", span)
    }
    assert named == served


def test_magic_numbers_are_there() -> None:
    """Each magic number has a row with the sentence that the page shows."""
    table = documents.section(TEXT, "Magic numbers")
    listed = {row[0].strip("`"): row[1] for row in documents.rows(table)}
    assert listed == {number: fate.about for number, fate in MAGIC.items()}


def test_settings_of_the_simulation_are_there() -> None:
    """Each setting has a row with its default."""
    table = documents.section(TEXT, "Settings of the simulation")
    listed = {row[0].strip("`"): _value(row[1]) for row in documents.rows(table)}
    assert listed == {name: default for name, (_, default) in SETTINGS.items()}


def _value(cell: str) -> object:
    return cell.strip("`") if cell.startswith("`") else json.loads(cell)


def test_faults_are_there() -> None:
    """Each behaviour has a row that says whether the work is done; each place is named."""
    text = documents.section(TEXT, "Faults")
    listed = {row[0].strip("`"): row[2] == "yes" for row in documents.rows(text)}
    assert listed == BEHAVIOURS
    assert set(PLACES) <= documents.code_spans(text)


def test_targets_are_there() -> None:
    """Each target of the Makefile that one types is in the table, and no other."""
    makefile = documents.read(documents.ROOT / "Makefile")
    targets = {f"make {name}" for name in re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)}
    listed = re.findall(r"`(make [a-z-]+)(?: AT=23:30)?`", documents.section(TEXT, "Commands"))
    assert set(listed) == targets


def test_options_and_ports_are_there() -> None:
    """Each option of the stack is listed; ports with their defaults and variables."""
    text = documents.section(TEXT, "What runs")
    spans = documents.code_spans(text)
    for name, port in ((name, getattr(Ports(), name)) for name in Ports.__slots__):
        assert {f"--{name}-port", f"LOCAL_PORT_{name.upper()}"} <= spans
        assert f"| {port} |" in text
    source = documents.read(documents.ROOT / "local" / "__main__.py")
    for option in re.findall(r'"(--[a-z-]+)"', source):
        assert option in spans, option


def test_senders_are_there() -> None:
    """Each sender of the stack is named."""
    spans = documents.code_spans(TEXT)
    assert {str(sender["sender"]) for sender in DEFAULT_SENDERS} <= spans


@pytest.mark.parametrize(
    "place", examples.runnable(BLOCKS), ids=lambda place: f"{place}-{BLOCKS[place].heading}"
)
async def test_examples_work(place: int, stack: Stack, platform: Platform, tmp_path: Path) -> None:
    """Each example runs where `make run` is up, and its answer has the shape that is printed."""
    (tmp_path / ".local").mkdir()
    file = tmp_path / ".local" / "endpoint.json"
    file.write_text(json.dumps(endpoint(stack)), encoding="utf-8")
    output = await examples.run(BLOCKS[place], {**os.environ, "PLATFORM": stack.platform}, tmp_path)
    examples.compare_with_next(BLOCKS, place, output)
