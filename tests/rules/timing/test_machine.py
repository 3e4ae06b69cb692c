"""The same moment on every machine: neither its zone files nor its zone nor its language decide."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from shared.rules.timing.local_time import zone
from tests.support.source import parsed

ROOT = Path(__file__).parents[3]
# Everything that Azure runs, and the command line.
PACKAGES = ("shared", "functions", "cli")
ZONE_MODULE = ROOT / "shared" / "rules" / "timing" / "local_time.py"
ASKS = """
from zoneinfo import ZoneInfo
{before}
from shared.rules.timing.local_time import zone
from datetime import datetime
print(datetime(2026, 12, 1, tzinfo=zone("America/Vancouver")).utcoffset())
"""


@pytest.fixture
def stale_machine(tmp_path: Path) -> dict[str, str]:
    """The surroundings of a process whose machine has wrong zone files and another zone."""
    folder = tmp_path / "zoneinfo" / "America"
    folder.mkdir(parents=True)
    with as_file(files("tzdata.zoneinfo").joinpath("Asia", "Tokyo")) as tokyo:
        shutil.copy(tokyo, folder / "Vancouver")
        shutil.copy(tokyo, folder.parent / "localtime")
    return {
        **os.environ,
        "PYTHONTZPATH": str(folder.parent),
        "TZ": "Asia/Tokyo",
    }


def ran(source: str, surroundings: dict[str, str]) -> str:
    done = subprocess.run(  # noqa: S603  # our own source
        [sys.executable, "-c", source],
        cwd=ROOT,
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr


@pytest.mark.parametrize("before", ["", 'ZoneInfo("America/Vancouver")'])
def test_the_machines_zone_files_are_not_read(stale_machine: dict[str, str], before: str) -> None:
    """The pinned zone data decides, even for a zone that somebody has asked the machine for before.

    British Columbia stopped changing its clocks in 2026; many machines do not know it yet.
    """
    assert ran(ASKS.format(before=before), stale_machine) == "-1 day, 17:00:00"


@pytest.mark.parametrize(
    "name", ["localtime", "posixrules", "right/UTC", "posix/UTC", "america/new_york", "Etc/Unknown"]
)
def test_names_that_only_a_machine_has_are_refused(
    stale_machine: dict[str, str], name: str
) -> None:
    """A zone is one of IANA's names, letter by letter, on every machine alike."""
    with pytest.raises(ValueError, match="is no IANA time zone"):
        zone(name)
    source = f"from shared.rules.timing.local_time import zone; print(zone({name!r}))"
    assert "is no IANA time zone" in ran(source, stale_machine)


def test_no_code_asks_the_machine() -> None:
    """No product code makes a zone past the pinned data, or reads the machine's zone or words."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, what in asked(parsed(path.read_text(encoding="utf-8")))
        if not (path == ZONE_MODULE and what == "ZoneInfo()")
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        'ZoneInfo("Europe/Paris")',
        'zoneinfo.ZoneInfo("Europe/Paris")',
        "moment.astimezone()",
        "datetime.now()",
        "datetime.now(None)",
        "datetime.fromtimestamp(0)",
        "date.today()",
        "time.localtime()",
        "time.strftime('%H')",
        "import locale",
        "from locale import setlocale",
        "import pytz",
        'moment.strftime("%A")',
        'f"{moment:%d %b}"',
    ],
)
def test_what_asks_the_machine_is_found(source: str) -> None:
    """The test above would see each of these."""
    assert list(asked(parsed(source)))


MODULES = {"locale", "pytz", "dateutil", "tzlocal"}
OF_TIME = {"localtime", "mktime", "ctime", "asctime", "strftime", "tzset", "tzname", "timezone"}
IN_THE_MACHINES_WORDS = re.compile(r"%-?[aAbBcpxXZ]")


def asked(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Where source asks the machine, and what it calls."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            module = node.module if isinstance(node, ast.ImportFrom) else None
            for name in [module] if module else names:
                if name.partition(".")[0] in MODULES:
                    yield node.lineno, name
        elif isinstance(node, ast.Call):
            yield from _called(node)
        elif isinstance(node, ast.FormattedValue) and IN_THE_MACHINES_WORDS.search(
            ast.unparse(node)
        ):
            yield node.lineno, ast.unparse(node)


def _called(node: ast.Call) -> Iterator[tuple[int, str]]:
    function = node.func
    owner = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
    name = function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)
    given = [arg for arg in node.args if ast.unparse(arg) != "None"] + list(node.keywords)
    if name == "ZoneInfo":
        yield node.lineno, "ZoneInfo()"
    elif (
        (name in {"astimezone", "now"} and owner and not given)
        or name in {"today", "utcnow", "utcfromtimestamp"}
        or (name == "fromtimestamp" and len(given) < 2)  # the moment and its zone
        or (owner == "time" and name in OF_TIME)
        or (name == "strftime" and IN_THE_MACHINES_WORDS.search(ast.unparse(node)))
    ):
        yield node.lineno, f"{owner}.{name}()"
