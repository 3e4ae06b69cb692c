"""The real Bicep compiler, where this machine has one.

`bicep snapshot` evaluates a deployment by Azure's own template engine without Azure: what it prints
is what would be made. Where there is no compiler, `tests/infra/bicep.py` runs the same expressions.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.infra.bicep import INFRA

_SUBSCRIPTION: Final = "00000000-0000-0000-0000-000000000001"


def _candidates() -> Iterator[str]:
    yield os.environ.get("BICEP", "")
    yield shutil.which("bicep") or ""
    # azd's own and that of `az bicep install`.
    yield str(Path.home() / ".azd" / "bin" / "bicep")
    yield str(Path.home() / ".azure" / "bin" / "bicep")
    # A copy that lies beside the clone.
    yield str(INFRA.parent.parent / "shared" / "tools" / "bicep")


@cache
def compiler() -> str | None:
    """The path of a compiler that knows snapshots; None where there is none."""
    for candidate in _candidates():
        if candidate and os.access(candidate, os.X_OK):
            done = subprocess.run(  # noqa: S603  # a compiler that the machine's owner put there
                [candidate, "--help"], capture_output=True, text=True, check=False
            )
            if "snapshot" in done.stdout:
                return candidate
    return None


def snapshot(
    folder: Path, parameters: Mapping[str, Any], *, name: str = "main.bicep"
) -> dict[str, Any]:
    """What Azure's engine makes of a template with these parameters and its own defaults.

    Args:
        folder: where the parameter file and the answer are written.
        parameters: values by name; texts, numbers, truth values and lists of them.
        name: the template, in `infra/`.

    Raises:
        AssertionError: the compiler refuses the template or the parameters, and says why.
    """
    found = compiler()
    assert found is not None
    written = folder / "deployment.bicepparam"
    using = os.path.relpath(INFRA / name, folder)
    lines = [f"using '{using}'"] + [
        f"param {parameter} = json('{json.dumps(value)}')"
        for parameter, value in parameters.items()
    ]
    written.write_text("\n".join(lines) + "\n", encoding="utf-8")
    place = ["--subscription-id", _SUBSCRIPTION, "--location", "westeurope"]
    done = subprocess.run(  # noqa: S603  # the same compiler
        [found, "snapshot", str(written), "--mode", "overwrite", *place],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(
        written.with_suffix(".snapshot.json").read_text(encoding="utf-8")
    )
    return answer
