"""What is deployed knows its version."""

from __future__ import annotations

import tomllib
from pathlib import Path

from shared.base.version import VERSION


def test_the_version_is_the_projects() -> None:
    """pyproject.toml is not deployed; the version that is says the same."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["version"] == VERSION
