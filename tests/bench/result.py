"""What a run has found, as `bench.json` has it and as people read it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from tests.bench.analytics import DAY_OPS, DAY_VS_PAGES, DayFigures
from tests.bench.campaigns import CHUNK_CPU, CHUNK_OPS, MEMORY, ROWS, CampaignFigures
from tests.bench.measure import (
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

# The naked function that each figure is held against.
_BASELINES: Final = {
    SEND_ONE: SEND_ONE,
    SEND_HUNDRED: SEND_HUNDRED,
    SEND_HUNDRED_AFTER: SEND_HUNDRED,
    REPORT: REPORT,
    INBOUND: INBOUND,
}
_SHARES: Final = (HOST, RULES, STORAGE, PLATFORM)
_WHOLE: Final = (SEND_ONE, SEND_HUNDRED, REPORT, INBOUND)


@dataclass(frozen=True, slots=True)
class Result:
    """One figure. `ratio` is value to baseline, both null where there is nothing to compare."""

    name: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None


def results(figures: Figures, operations: Mapping[str, Sequence[object]]) -> list[Result]:
    """Everything that `bench.json` holds."""
    found = []
    for kind, baseline_kind in _BASELINES.items():
        value, baseline = figures.median(kind, PARLEY), figures.median(baseline_kind, NAKED)
        ratio = value / baseline
        found.append(
            Result(f"{kind}.cpu", round(value, 3), "ms", round(baseline, 3), round(ratio, 2))
        )
    return found + [
        Result(name, len(asked), "operations") for name, asked in sorted(operations.items())
    ]


def campaign_results(figures: Figures, found: CampaignFigures) -> list[Result]:
    """What `bench.json` holds of campaigns. A chunk is held against a naked send of a hundred."""
    value, baseline = statistics.median(found.chunk_cpu), figures.median(SEND_HUNDRED, NAKED)
    return [
        Result(CHUNK_CPU, round(value, 3), "ms", round(baseline, 3), round(value / baseline, 2)),
        Result(CHUNK_OPS, len(found.chunk_operations), "operations"),
        Result(ROWS, round(found.rows_per_second), "rows/s"),
        Result(MEMORY, round(found.memory, 1), "MB"),
    ]


def campaign_lines(figures: Figures, found: CampaignFigures) -> list[str]:
    """The lines that people read."""
    low, high = min(found.chunk_cpu), max(found.chunk_cpu)
    rows = [
        [
            result.name,
            f"{result.value:g}",
            result.unit,
            "" if result.ratio is None else f"{result.ratio:g} naked sends of a hundred",
        ]
        for result in campaign_results(figures, found)
    ]
    return [
        f"Campaigns (CPU of a chunk of a hundred from {low:.2f} to {high:.2f} ms):",
        "",
        *_columns(rows),
    ]


def day_results(found: DayFigures) -> list[Result]:
    """What `bench.json` holds of analytics: a day by the hour, against the rows it is made of."""
    value, baseline = (statistics.median(times["total"]) for times in (found.answered, found.read))
    ratio = round(found.ratio(), 2)
    return [
        Result(DAY_OPS, len(found.operations), "operations"),
        Result(DAY_VS_PAGES, round(value, 3), "ms", round(baseline, 3), ratio),
    ]


def day_lines(found: DayFigures) -> list[str]:
    """The lines that people read."""
    lines = [["a day by the hour", "answered", "rows alone", "ratio"]]
    for by in found.answered:
        answered, read = (statistics.median(times[by]) for times in (found.answered, found.read))
        lines.append([by, f"{answered:.2f} ms", f"{read:.2f} ms", f"{found.ratio(by):.2f}"])
    operations = len(found.operations)
    return [f"Analytics, {operations} storage operations a question:", "", *_columns(lines)]


def as_json(found: Sequence[Result]) -> str:
    """The file's content."""
    return json.dumps([asdict(result) for result in found], indent=2) + "\n"


def tables(figures: Figures, operations: Mapping[str, Sequence[object]]) -> list[str]:
    """The lines that people read."""
    return [
        "CPU of the functions process in ms a request (median of the rounds; lowest to highest):",
        "",
        *_columns([_CPU_HEAD, *(_cpu_row(figures, kind) for kind in _BASELINES)]),
        "",
        "What it goes to, in ms:",
        "",
        *_columns([_SHARE_HEAD, *(_share_row(figures, kind) for kind in _WHOLE)]),
        "",
        "The same send by the leanest code, without a client library: "
        + ", ".join(
            f"{kind} {figures.median(kind, LEAN):.2f} ms" for kind in (SEND_ONE, SEND_HUNDRED)
        )
        + ".",
        "",
        "Storage operations a request:",
        "",
        *_columns([[name, str(len(asked))] for name, asked in sorted(operations.items())]),
    ]


# The lowest rounds are the ones that the machine disturbed least.
_CPU_HEAD: Final = ["", "Parley", "spread", "naked", "spread", "ratio", "of lowest"]
_SHARE_HEAD: Final = ["", *_SHARES[:-1], "ACS or topic", "host", "rules", "storage", "ACS or topic"]


def _cpu_row(figures: Figures, kind: str) -> list[str]:
    baseline = _BASELINES[kind]
    value, naked = figures.median(kind, PARLEY), figures.median(baseline, NAKED)
    return [
        f"{kind}.cpu",
        f"{value:.2f}",
        _span(figures, kind, PARLEY),
        f"{naked:.2f}",
        _span(figures, baseline, NAKED),
        f"{value / naked:.1f}",
        f"{figures.spread(kind, PARLEY)[0] / figures.spread(baseline, NAKED)[0]:.1f}",
    ]


def _share_row(figures: Figures, kind: str) -> list[str]:
    parts = figures.parts(kind)
    whole = figures.median(kind, PARLEY)
    return [
        kind,
        *(f"{parts[part]:.2f}" for part in _SHARES),
        *(f"{parts[part] / whole:.0%}" for part in _SHARES),
    ]


def _span(figures: Figures, kind: str, part: str) -> str:
    low, high = figures.spread(kind, part)
    return f"{low:.2f} to {high:.2f}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  "
        + row[0].ljust(widths[0])
        + "".join("  " + cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]
