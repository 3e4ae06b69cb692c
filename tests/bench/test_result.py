"""How figures become ratios, shares and `bench.json`."""

from __future__ import annotations

import json
import os
import time

import pytest

from local.stack import ROOT
from tests.bench.campaigns import CampaignFigures
from tests.bench.counting import Operation
from tests.bench.cpu import cpu_seconds
from tests.bench.measure import (
    EMPTY,
    HOST,
    INBOUND,
    LEAN,
    NAKED,
    PARLEY,
    PLATFORM,
    REPORT,
    RULES,
    SEND_HUNDRED,
    SEND_HUNDRED_AFTER,
    SEND_ONE,
    STORAGE,
    Figures,
)
from tests.bench.operations import NAMES
from tests.bench.result import as_json, campaign_lines, campaign_results, results, tables

_PARTS = {
    PARLEY: 12.0,
    NAKED: 3.0,
    LEAN: 1.0,
    HOST: 0.5,
    EMPTY: 0.25,
    STORAGE: 8.25,
    PLATFORM: 2.25,
}
_CAMPAIGNS = CampaignFigures(
    chunk_cpu=[5.0, 6.0, 60.0],
    chunk_operations=[Operation("table", "GET", "/campaigns")] * 6,
    rows_per_second=20_000.4,
    memory=23.78,
)


@pytest.fixture
def figures() -> Figures:
    figures = Figures()
    for milliseconds in (0.9, 1.0, 30.0):
        for kind in (SEND_ONE, SEND_HUNDRED, REPORT, INBOUND):
            for part, whole in _PARTS.items():
                figures.add(kind, part, whole * milliseconds)
        figures.add(SEND_HUNDRED_AFTER, PARLEY, 120.0)
    return figures


def test_the_file_has_the_agreed_names(figures: Figures) -> None:
    """Whoever reads `bench.json` finds every figure by its name, with the same members."""
    found = json.loads(as_json(results(figures, {name: [1, 2] for name in NAMES})))
    assert {entry["name"] for entry in found} == {
        "send.one.cpu",
        "send.hundred.cpu",
        "send.hundred.after.cpu",
        "report.cpu",
        "inbound.cpu",
        "send.one.ops",
        "send.hundred.ops",
        "send.hundred.after.ops",
        "check.hundred.ops",
        "report.ops",
        "inbound.ops",
    }
    assert all(entry.keys() == {"name", "value", "unit", "baseline", "ratio"} for entry in found)
    assert all(
        (entry["ratio"] is None) == (entry["unit"] == "operations") and entry["value"] > 0
        for entry in found
    )


def test_the_document_explains_every_figure(figures: Figures) -> None:
    """docs/performance.md has each name of `bench.json`."""
    document = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    found = results(figures, {name: [1] for name in NAMES})
    for result in [*found, *campaign_results(figures, _CAMPAIGNS)]:
        assert f"`{result.name}`" in document


def test_ratios_are_of_medians(figures: Figures) -> None:
    """One round that the machine spoilt moves no figure; what follows a send is held against it."""
    found = {result.name: result for result in results(figures, {})}
    assert (found["send.one.cpu"].value, found["send.one.cpu"].ratio) == (12.0, 4.0)
    after = found["send.hundred.after.cpu"]
    assert (after.baseline, after.ratio) == (3.0, 40.0)


def test_a_chunk_is_held_against_a_naked_send_of_a_hundred(figures: Figures) -> None:
    """Both are measured in one run, and the lines for people have the ratio, too."""
    assert [
        (found.name, found.value, found.baseline, found.ratio)
        for found in campaign_results(figures, _CAMPAIGNS)
    ] == [
        ("campaign.chunk.cpu", 6.0, 3.0, 2.0),
        ("campaign.chunk.ops", 6, None, None),
        ("campaign.expand.rows_per_s", 20_000, None, None),
        ("campaign.expand.memory", 23.8, None, None),
    ]
    assert "2 naked sends of a hundred" in "\n".join(campaign_lines(figures, _CAMPAIGNS))


def test_shares_make_the_whole(figures: Figures) -> None:
    """Host, rules, storage and platform add up to what the request costs."""
    parts = figures.parts(SEND_ONE)
    assert parts == {HOST: 0.5, RULES: 1.5, STORAGE: 8.0, PLATFORM: 2.0}
    assert sum(parts.values()) == figures.median(SEND_ONE, PARLEY)


def test_the_table_shows_every_kind(figures: Figures) -> None:
    """People see each figure that the file has."""
    shown = "\n".join(tables(figures, {"report.ops": [1, 2]}))
    assert all(f"{kind}.cpu" in shown for kind in (SEND_ONE, SEND_HUNDRED_AFTER, REPORT, INBOUND))
    assert "report.ops  2" in shown


def test_the_clock_is_the_processs_own() -> None:
    """CPU time is that of the process asked for, all of it."""
    before = time.process_time()
    read = cpu_seconds(os.getpid())
    assert before <= read <= time.process_time()
