"""The package is the app, the whole app and nothing but the app."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest

from local.package import NothingToShip, build, files
from tests.infra.indexing import ROOT, index

REQUIREMENTS = ROOT / "requirements.txt"
SOURCE = ROOT / "requirements.in"


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")


def test_rules_are_gits(tmp_path: Path) -> None:
    """A line of .funcignore means what it means in .gitignore: folders, stars, anchors, not."""
    write(
        tmp_path,
        "function_app.py",
        "docs/deploy.md",
        "deep/docs/page.html",
        "kept/notes.md",
        "kept/important.md",
        "rooted.txt",
        "kept/rooted.txt",
        "build",
        "kept/build/made.py",
        ".env",
    )
    rules = "# a remark\n\n.*\ndocs/\n*.md\n!important.md\n/rooted.txt\nbuild/\n"
    (tmp_path / ".funcignore").write_text(rules, encoding="utf-8")
    assert [path.as_posix() for path in files(tmp_path)] == [
        "build",
        "function_app.py",
        "kept/important.md",
        "kept/rooted.txt",
    ]


def test_azds_own_rules(tmp_path: Path) -> None:
    """azd leaves out its folder, the rules and local settings, whatever the rules say."""
    write(tmp_path, "function_app.py", "local.settings.json", ".azure/demo/.env")
    (tmp_path / ".funcignore").write_text("nothing\n", encoding="utf-8")
    assert files(tmp_path) == [Path("function_app.py")]


@pytest.mark.parametrize("names", [["function_app.py"], [".funcignore", "other.py"]], ids=str)
def test_refuses_what_is_no_app(tmp_path: Path, names: list[str]) -> None:
    """Without rules everything would go along, and without an app nothing would run."""
    write(tmp_path, *names)
    with pytest.raises(NothingToShip):
        build(tmp_path)


def test_same_tree_same_bytes(tmp_path: Path) -> None:
    """The package of a commit can be compared with the one that was shipped."""
    first, second = (build(target=tmp_path / f"{name}.zip") for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def test_holds_the_app_and_nothing_else(tmp_path: Path) -> None:
    """Tests, local parts, infrastructure, documents and commands stay at home."""
    with ZipFile(build(target=tmp_path / "parley.zip")) as package:
        names = package.namelist()
    assert {name.split("/")[0] for name in names} == {
        "function_app.py",
        "functions",
        "host.json",
        "requirements.txt",
        "shared",
    }
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_requirements_are_pinned() -> None:
    """What is installed in Azure is what was tested; no registry is named, so any serves."""
    text = REQUIREMENTS.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    pins = [line for line in lines if not line.startswith(" ")]
    assert all(re.match(r"[a-z0-9-]+==[0-9][^ ]*", pin) for pin in pins), pins
    assert "://" not in text
    assert not re.search(r"^\s*-", text.replace("--hash=", ""), re.MULTILINE)


@pytest.mark.skipif(not SOURCE.exists(), reason="requirements.txt is still written by hand")
def test_requirements_are_hashed() -> None:
    """Every pin has its hashes, and every library that is asked for is pinned."""
    entries = re.split(r"^(?=[a-z])", REQUIREMENTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    pinned = [entry for entry in entries if "==" in entry]
    assert all("--hash=sha256:" in entry for entry in pinned)
    name = re.compile(r"^[a-z][a-z0-9-]*", re.MULTILINE)
    assert set(name.findall(SOURCE.read_text("utf-8"))) <= set(name.findall("".join(pinned)))


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with what the package's own requirements.txt says, and nothing else."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run(  # noqa: S603  # this interpreter
        [sys.executable, "-m", "venv", str(folder / "venv")], check=True
    )
    python = folder / "venv" / "bin" / "python"
    with ZipFile(build(target=folder / "parley.zip")) as package:
        package.extractall(folder / "app")
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run(  # noqa: S603  # the new environment's own interpreter
        [*install, "-r", "requirements.txt"], cwd=folder / "app", check=True
    )
    return folder


def host_only(folder: Path) -> Path:
    """A folder with the runtime library and the local host alone, as the worker brings its own."""
    target = folder / "host"
    spec = find_spec("azure_functions_runtime")
    assert spec is not None
    assert spec.origin is not None
    shutil.copytree(Path(spec.origin).parent, target / "azure_functions_runtime")
    shutil.copytree(ROOT / "local", target / "local", ignore=shutil.ignore_patterns("npm"))
    return target


@pytest.mark.timeout(0)  # the time that a registry takes is not ours
def test_is_indexed_elsewhere(fresh: Path) -> None:
    """Unpacked elsewhere, with its own requirements alone, the runtime finds the same functions."""
    python = str(fresh / "venv" / "bin" / "python")
    assert index(fresh / "app", python, [host_only(fresh)]) == index()
