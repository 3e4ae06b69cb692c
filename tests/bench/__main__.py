"""`make bench`: measure, print what was found, write `bench.json`.

Linux only, because the CPU clock of another process is read. It takes about four minutes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from local.child import ChildFailed
from local.node import InstallFailed
from local.stack import LOCAL
from tests.bench.analytics import day_figures
from tests.bench.campaigns import campaign_figures
from tests.bench.machine import Machine
from tests.bench.measure import ROUNDS, measured
from tests.bench.operations import counted_operations
from tests.bench.reader import reader_figures, reader_lines, reader_results
from tests.bench.result import (
    as_json,
    campaign_lines,
    campaign_results,
    day_lines,
    day_results,
    results,
    tables,
)
from tests.bench.stage import Stage
from tests.bench.traffic import Failed


def main(arguments: list[str]) -> int:
    """Run; 1 with the reason if a figure could not be taken."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often all is measured")
    parser.add_argument("--out", type=Path, default=Path("bench.json"), help="where figures go")
    options = parser.parse_args(arguments)
    machine = Machine.this()
    try:
        with Stage(LOCAL / "logs" / "bench") as stage:
            operations = counted_operations(stage)
            figures = measured(stage, options.rounds)
        # Another stage, so that no other host takes a campaign's messages.
        with Stage(LOCAL / "logs" / "bench-campaigns") as stage:
            campaigns = campaign_figures(stage, rounds=options.rounds)
        with Stage(LOCAL / "logs" / "bench-analytics") as stage:
            day = day_figures(stage, rounds=options.rounds)
        reader = reader_figures(options.rounds)
    except (Failed, ChildFailed, InstallFailed, OSError) as error:
        sys.stderr.write(f"There are no figures: {error}\n")
        return 1
    found = [
        *results(figures, operations),
        *campaign_results(figures, campaigns),
        *day_results(day),
        *reader_results(reader),
    ]
    lines = [
        *machine.lines(),
        "",
        *tables(figures, operations),
        "",
        *campaign_lines(figures, campaigns),
        "",
        *day_lines(day),
        "",
        *reader_lines(reader),
    ]
    options.out.write_text(as_json(found), encoding="utf-8")
    sys.stdout.write("\n".join([*lines, "", f"Written to {options.out}."]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
