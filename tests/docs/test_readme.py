"""README.md begins with what is true, and its first commands are those that do all."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib

from tests.docs import documents

ROOT = documents.ROOT
TEXT = documents.read(ROOT / "README.md")


LEFT_OUT = ' -m "not slow"'


def commands_of(*targets: str) -> list[str]:
    """What `make` would run."""
    make = shutil.which("make")
    assert make is not None
    # None of what the make that runs these tests hands down.
    environ = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    done = subprocess.run(  # noqa: S603
        [make, "--dry-run", "--no-print-directory", *targets],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_it_begins_with_the_two_commands_that_set_up() -> None:
    """The first block is `make demo` and `make test`, and each makes what it needs."""
    first = documents.blocks(TEXT)[0]
    assert [line.partition("#")[0].strip() for line in first.text.splitlines()] == [
        "make demo",
        "make test",
    ]
    for target in ("demo", "test"):
        made = commands_of("--always-make", target)
        assert any("venv" in line for line in made)
        assert any("local.azurite --install" in line for line in made)
    assert any("tools.browser --install" in line for line in commands_of("-B", "test"))


def test_the_status_is_true() -> None:
    """The status line has the version, the tests, and what has not been done yet."""
    status = re.search(r"^\*\*Status:\*\* (.+?)\n\n", TEXT, re.MULTILINE | re.DOTALL)
    assert status is not None
    line = " ".join(status[1].split())
    version = tomllib.loads(documents.read(ROOT / "pyproject.toml"))["project"]["version"]
    assert f"version {version}," in line
    assert "`make test`" in line
    assert "Not yet run against live ACS." in line


def test_ci_runs_what_make_test_runs() -> None:
    """`.ci/run` calls a target that does what `make test` does, slow tests included."""
    called = re.findall(r"^exec make ([\w-]+)$", documents.read(ROOT / ".ci" / "run"), re.MULTILINE)
    tested = commands_of("test")
    assert any(line.endswith(LEFT_OUT) for line in tested)
    run = iter(commands_of(*called))
    assert all(line.removesuffix(LEFT_OUT) in run for line in tested)
