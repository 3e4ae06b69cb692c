"""The package is the app, the whole app and nothing but the app."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from tests.infra.bicep import at, body, template
from tests.infra.indexing import ROOT, index
from tests.support.source import parsed
from tools.package import NothingToShip, build, files
from tools.requirements import GUARD, OLDER, RUNTIME, SHIPPED, file_for

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
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


@pytest.mark.parametrize("name", [SHIPPED, OLDER])
def test_requirements_are_pinned(name: str) -> None:
    """What is installed is what was tested; no registry is named, so any serves."""
    text = (ROOT / name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    pins = [line for line in lines if not line.startswith(" ")]
    assert all(re.match(r"[a-z0-9-]+==[0-9][^ ]*", pin) for pin in pins), pins
    assert "://" not in text
    assert not re.search(r"^\s*-", text.replace("--hash=", ""), re.MULTILINE)


def entries(name: str) -> list[str]:
    """Each library of a requirements file with its hashes."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return [entry for entry in re.split(r"^(?=[a-z])", text, flags=re.MULTILINE) if "==" in entry]


@pytest.mark.parametrize("name", [SHIPPED, OLDER])
def test_requirements_are_hashed(name: str) -> None:
    """Every pin has its hashes, and every library that is asked for is pinned."""
    assert all("--hash=sha256:" in entry for entry in entries(name))
    library = re.compile(r"^[a-z][a-z0-9-]*", re.MULTILINE)
    asked = set(library.findall(SOURCE.read_text("utf-8")))
    assert asked <= set(library.findall("".join(entries(name))))


def imported(path: Path) -> Iterator[set[str]]:
    """Where each thing may stand that a file of the app imports, at once or later, without the
    standard library's and the app's own."""
    for node in ast.walk(parsed(path.read_text(encoding="utf-8"))):
        names: list[tuple[str, ...]] = []
        if isinstance(node, ast.ImportFrom):
            # A member of the module, or a module of the package.
            module = node.module or ""
            names = [(module, f"{module}.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [(alias.name,) for alias in node.names]
        for places in names:
            top = places[0].partition(".")[0]
            if top not in sys.stdlib_module_names and not (ROOT / top).is_dir():
                yield {
                    place.replace(".", "/") + end
                    for place in places
                    for end in (".py", "/__init__.py")
                }


def test_what_the_app_imports_is_asked_for() -> None:
    """A library that is there only because another one, or a test, wants it is missing one day."""
    asked = re.findall(r"^[a-z][a-z0-9-]*", SOURCE.read_text("utf-8"), re.MULTILINE)
    brought = {str(file) for name in asked for file in distribution(name).files or ()}
    for name in files(ROOT):
        if name.suffix == ".py":
            for places in imported(ROOT / name):
                assert places & brought, f"{name} imports {min(places)}"


def test_requirements_are_for_the_python_that_bicep_sets() -> None:
    """The app runs on the Python that its libraries were chosen for."""
    site = body(template("app.bicep")["resources"]["app"])
    runtime = at(site, "properties", "functionAppConfig", "runtime")
    assert runtime == {"name": "python", "version": RUNTIME}


@pytest.mark.parametrize("python", ["3.8", "3.10", "3.11", "3.12", RUNTIME, "3.14", "3.15"])
def test_requirements_ask_every_other_python_for_what_there_is_not(python: str) -> None:
    """On any Python but the app's, what Azure installs holds an entry that nothing can satisfy."""
    asked = [Requirement(entry.split("\\")[0].strip()) for entry in entries(SHIPPED)]
    guards = [each for each in asked if "+" in str(each.specifier)]
    assert [f"{each.name}{each.specifier}" for each in guards] == [GUARD]
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    for each in asked:
        applies = each.marker is None or each.marker.evaluate(environment)
        assert applies is (each not in guards or python != RUNTIME)


@pytest.mark.skipif(HERE == RUNTIME, reason="this Python is the app's")
@pytest.mark.timeout(0)  # the time that a registry takes is not ours
def test_a_build_on_another_python_fails_and_says_why() -> None:
    """An app that was built on another Python than it runs on starts nowhere: nothing is built."""
    install = [sys.executable, "-m", "pip", "install", "--dry-run", "--disable-pip-version-check"]
    done = subprocess.run(  # noqa: S603  # this interpreter
        [*install, "-r", str(ROOT / SHIPPED)], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert f"No matching distribution found for {GUARD}" in done.stderr


@pytest.mark.parametrize(
    ("python", "name"), [("3.11", OLDER), ("3.12", OLDER), ("3.13", SHIPPED)], ids=str
)
def test_each_python_has_its_file(python: str, name: str) -> None:
    """A desk installs what was pinned for its Python, and the app's own where it has the app's."""
    assert file_for(python) == name


def test_make_installs_the_file_for_the_python_at_hand() -> None:
    """The environment's own interpreter says which file it takes, and make watches both."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "-r $$($(BIN)/python -m tools.requirements --file)\n" in makefile
    assert f"$(READY): {SHIPPED} {OLDER} " in makefile
    done = subprocess.run(  # this interpreter
        [sys.executable, "-m", "tools.requirements", "--file"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{file_for(HERE)}\n"


def test_files_differ_where_they_must() -> None:
    """A desk with an older Python tests the versions that are shipped, but for Microsoft's own
    library, which has a line of versions for each."""
    shipped, older = (
        {entry.split(" ")[0] for entry in entries(name)} - {GUARD} for name in (SHIPPED, OLDER)
    )
    assert {pin.split("==")[0] for pin in shipped ^ older} == {"azure-functions"}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with what is pinned for this Python, and nothing else: on the app's own,
    what the package's requirements.txt says."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run(  # noqa: S603  # this interpreter
        [sys.executable, "-m", "venv", str(folder / "venv")], check=True
    )
    python = folder / "venv" / "bin" / "python"
    with ZipFile(build(target=folder / "parley.zip")) as package:
        package.extractall(folder / "app")
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    requirements = folder / "app" / SHIPPED if HERE == RUNTIME else ROOT / file_for(HERE)
    subprocess.run(  # noqa: S603  # the new environment's own interpreter
        [*install, "-r", str(requirements)], check=True
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


@pytest.mark.slow
@pytest.mark.timeout(0)  # the time that a registry takes is not ours
def test_is_indexed_elsewhere(fresh: Path) -> None:
    """Unpacked elsewhere, with its own requirements alone, the runtime finds the same functions."""
    python = str(fresh / "venv" / "bin" / "python")
    assert index(fresh / "app", python, [host_only(fresh)]) == index()
