"""How the app starts: what it loads, and what stops it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from shared.settings import describe
from tests.support.settings import KEY, minimal

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 100
# What only some paths need, and every cold start would pay for.
EXPENSIVE = ("msal", "msrest", "aiohttp", "azure.identity", "azure.storage", "azure.eventgrid")
IMPORT = (
    "import sys, function_app;"
    "print(*(name for name in sys.argv[1:] if name in sys.modules));"
    "print(len(function_app.app.get_functions()))"
)


def environ(**changes: str) -> dict[str, str]:
    """This process's environment without any setting of Parley's, but with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    return {**kept, **changes}


def run(*command: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, *command],
        cwd=ROOT,
        env=environ(**settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def host(settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A functions host that must end by itself."""
    return run("-m", "local.host", "--app", str(ROOT), "--port", "0", settings=settings)


def test_importing_the_app_is_cheap() -> None:
    """A cold start loads no library that only some requests need."""
    done = run("-c", IMPORT, *EXPENSIVE, settings=minimal())
    assert done.returncode == 0, done.stderr
    loaded, functions = done.stdout.splitlines()
    assert loaded == ""
    assert int(functions) >= 10


def test_no_dependency_takes_our_names() -> None:
    """In Azure the app's folder comes last on the path: a package of the same name would win."""
    ours = {"function_app", "functions", "shared", "local", "cli", "tests", "infra"}
    found = {name: packages_distributions()[name] for name in ours & set(packages_distributions())}
    assert found == {}


def test_missing_settings_stop_the_start() -> None:
    """The host ends with one message that names every setting that is missing."""
    done = host({})
    assert done.returncode == 1
    assert "Parley cannot start" in done.stderr
    for setting in describe():
        if setting.required:
            assert f"{setting.name}: is missing" in done.stderr


def test_no_storage_at_all_stops_the_start() -> None:
    """Where neither a connection string nor endpoints are set, each endpoint is named."""
    settings = minimal()
    del settings["PARLEY_STORAGE"]
    done = host(settings)
    assert done.returncode == 1
    for service in ("table", "queue", "blob"):
        assert f"PARLEY_STORAGE__{service}ServiceUri" in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARLEY_SENDERS", "no JSON"),
        ("PARLEY_SENDERS", '[{"sender": "?"}]'),
        ("PARLEY_ACCESS_KEY_PRIMARY", "c2hvcnQ="),
        ("PARLEY_ACS_ENDPOINT", "contoso.communication.azure.com"),
        ("PARLEY_MESSAGE_SHARDS", "17"),
    ],
)
def test_a_malformed_setting_stops_the_start(name: str, value: str) -> None:
    """The message names the setting; no other setting's value, and no secret, is in it."""
    done = host({**minimal(), name: value})
    assert done.returncode == 1
    assert f"{name}: " in done.stderr
    assert KEY not in done.stderr
    if name.endswith("PRIMARY"):
        assert value not in done.stderr
