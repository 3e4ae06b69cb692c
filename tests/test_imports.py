"""Who may import whom is held by `make lint`: contracts in pyproject.toml, and one banned name.

The rules themselves stand there as tables. These tests show that each of them bites.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("shared", "functions", "local", "cli", "tools", "tests")
# The module that imports, and the one that it must not.
FORBIDDEN = {
    "a floor above": ("shared.base.ids", "shared.rules.categories"),
    "a file above": ("shared.azure.acs", "shared.health"),
    "a sibling": ("shared.limits.reasons", "shared.conversations.oldest"),
    "a trigger": ("shared.campaigns.order", "functions.http"),
    "the local stack": ("shared.rules.senders", "local.ports"),
    "the local stack, from a trigger": ("functions.senders", "local.ports"),
    "the command": ("shared.jobs.poison", "cli.client"),
    "a tool": ("local.ports", "tools.package"),
    "a test": ("functions.health", "tests.support.settings"),
    "the product, from the host": ("local.host.errors", "shared.base.errors"),
    "the product, from the platform": ("local.platform.segments", "shared.rules.segments"),
    "the product, from the command": ("cli.client", "shared.base.ids"),
}
UNPLANNED = "shared.attic"
TRIGGERS = "azure.functions"


def path_of(root: Path, module: str) -> Path:
    return root.joinpath(*module.split(".")).with_suffix(".py")


def run(program: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # the environment's own
        [Path(sys.executable).with_name(program), *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "500"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is said of a copy of all modules in which every rule is broken once."""
    root = tmp_path_factory.mktemp("spoilt")
    shutil.copy(ROOT / "pyproject.toml", root)
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            target = root / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    for importer, imported in FORBIDDEN.values():
        assert path_of(root, imported).exists(), imported
        with path_of(root, importer).open("a", encoding="utf-8") as source:
            source.write(f"\nimport {imported}\n")
    path_of(root, UNPLANNED).write_text("", encoding="utf-8")
    done = run("lint-imports", "--no-logo", "--no-cache", folder=root)
    assert done.returncode == 1, done.stderr
    return done.stdout


@pytest.mark.parametrize("rule", FORBIDDEN)
def test_a_forbidden_import_is_found(rule: str, complaints: str) -> None:
    """An import against the floors, or of what stands beside the product, breaks its contract."""
    importer, imported = FORBIDDEN[rule]
    assert f"{importer} -> {imported} " in complaints


def test_a_new_room_needs_a_floor(complaints: str) -> None:
    """A room or a file of `shared/` that the contract does not know breaks it."""
    assert f"- {UNPLANNED}\n" in complaints


def test_no_file_of_the_product_may_import_triggers(tmp_path: Path) -> None:
    """`azure.functions` is refused in every file of `shared/`: none is let off the lint rule."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "shared", tmp_path / "shared")
    files = sorted((tmp_path / "shared").rglob("*.py"))
    for path in files:
        with path.open("a", encoding="utf-8") as source:
            source.write(f"\nfrom azure import functions\nimport {TRIGGERS}.decorators\n")
    found = run("ruff", "check", "--select=TID251", "--output-format=json", ".", folder=tmp_path)
    refused = [Path(one["filename"]) for one in json.loads(found.stdout)]
    assert sorted(refused) == sorted(files * 2)
