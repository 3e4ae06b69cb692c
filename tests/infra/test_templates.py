"""What the Bicep files promise, read with a parser of their own language."""

from __future__ import annotations

from pathlib import Path

import pytest
from pycep import BicepParser

INFRA = Path(__file__).parent.parent.parent / "infra"
TEMPLATES = sorted(INFRA.rglob("*.bicep"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_parses(template: Path) -> None:
    """Every template is Bicep."""
    assert BicepParser().parse(file_path=template)


def test_both_stages_are_there() -> None:
    """Stage one and stage two keep the names that azure.yaml, the hooks and the docs use."""
    assert {"main.bicep", "events.bicep"} <= {template.name for template in TEMPLATES}
