"""The version of what is deployed, which has neither pyproject.toml nor a package's metadata."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
