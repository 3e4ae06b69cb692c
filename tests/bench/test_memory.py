"""What a list costs in memory, and that the figure is of the process that reads it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from local.stack import ROOT
from tests.bench.campaigns import expanded
from tests.bench.stage import Stage

# As promised: 30 MB for a million.
_MOST_BYTES_A_ROW = 30
_FEW, _MANY = 30_000, 160_000
_A_MB = 1024 * 1024


@pytest.mark.servers
@pytest.mark.slow
def test_a_list_takes_few_bytes_a_row(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Reading a list keeps nothing of its rows but the set of their numbers."""
    with Stage(tmp_path_factory.mktemp("logs-of-memory")) as stage:
        few, many = expanded(stage, _FEW), expanded(stage, _MANY)
    taken = (many.megabytes - few.megabytes) * _A_MB
    assert taken / (_MANY - _FEW) <= _MOST_BYTES_A_ROW, (few, many)


def test_a_parents_memory_is_not_counted() -> None:
    """A process's figure does not depend on what the one that started it has had in memory."""
    look = "from tests.bench.memory import peak_megabytes; print(peak_megabytes())"
    start = (
        "import subprocess, sys; ballast = bytes(b'x' * 200 * 1024 * 1024);"
        f" subprocess.run([sys.executable, '-c', {look!r}], check=True)"
    )
    done = subprocess.run(  # noqa: S603  # our own module
        [sys.executable, "-c", start], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert float(done.stdout) < 100
