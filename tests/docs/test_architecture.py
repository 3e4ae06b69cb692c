"""docs/architecture.md is a map of this very tree."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.docs import documents

ROOT = documents.ROOT
SHARED = ROOT / "shared"
TEXT = documents.named("architecture")
PLAN = documents.section(TEXT, "The floor plan")
LIVES = ("The life of a send", "The life of a reply", "The life of a delivery report")
STEP = re.compile(r"^[0-9]+\. .*(?:\n {2,}.*)*", re.MULTILINE)


def floors_of_the_plan() -> list[list[str]]:
    """The rooms of each floor as the document has them, from the top; each floor has its number."""
    found = [row for row in documents.rows(PLAN) if row[0].isdigit()]
    assert [int(row[0]) for row in found] == list(range(len(found), 0, -1))
    return [[room.strip("`") for room in row[1].split(", ")] for row in found]


def floors_of_the_contract() -> list[list[str]]:
    """The rooms of each floor as the import contract has them, from the top."""
    settings = tomllib.loads(documents.read(ROOT / "pyproject.toml"))["tool"]["importlinter"]
    (contract,) = [one for one in settings["contracts"] if one.get("containers") == ["shared"]]
    return [layer.split(" | ") for layer in contract["layers"]]


def test_the_floors_are_those_of_the_import_contract() -> None:
    """The plan has the floors that `make lint` holds, in their order, with the same rooms."""
    written = [[re.sub(r"/$|\.py$", "", room) for room in floor] for floor in floors_of_the_plan()]
    assert [sorted(floor) for floor in written] == [sorted(f) for f in floors_of_the_contract()]


def test_every_room_is_in_the_plan() -> None:
    """Each package and each loose file of `shared/` has its place, and nothing else has one."""
    rooms = {f"{path.parent.name}/" for path in SHARED.glob("*/__init__.py")}
    files = {path.name for path in SHARED.glob("*.py")} - {"__init__.py"}
    assert {room for floor in floors_of_the_plan() for room in floor} == rooms | files


def test_rooms_within_rooms_are_named() -> None:
    """A package inside a room is named where the room is described."""
    for path in SHARED.glob("*/*/__init__.py"):
        inner, room = path.parent.name, path.parent.parent.name
        (about,) = [row[2] for row in documents.rows(PLAN) if f"`{room}/`" in row[1]]
        assert f"`{inner}/`" in about


def test_everything_beside_the_product_is_in_the_plan() -> None:
    """Each package at the root, the app and the infrastructure have a row."""
    packages = {f"{path.parent.name}/" for path in ROOT.glob("*/__init__.py")} - {"shared/"}
    named = {row[0].strip("`") for row in documents.rows(PLAN) if not row[0].isdigit()}
    assert named == packages | {"function_app.py", "infra/"}


@pytest.mark.parametrize("life", LIVES)
def test_each_step_names_the_files_that_do_it(life: str) -> None:
    """Whoever follows a text through Parley is told at each step which file to open."""
    steps = STEP.findall(documents.section(TEXT, life))
    assert len(steps) > 2
    for step in steps:
        files = {span for span in documents.code_spans(step) if span.endswith(".py")}
        assert files, step
        assert all((ROOT / file).is_file() for file in files), step


def test_every_table_is_described() -> None:
    """A table that a module names has its rows in the document."""
    stored = {
        row[0].strip("`") for row in documents.rows(documents.section(TEXT, "What is stored"))
    }
    described = {name for names in stored for name in re.split(r"`, `", names)}
    named = {
        table
        for path in SHARED.rglob("*.py")
        for table in re.findall(r'^_?TABLE: Final = "(\w+)"', documents.read(path), re.MULTILINE)
    }
    assert named
    assert named <= described
