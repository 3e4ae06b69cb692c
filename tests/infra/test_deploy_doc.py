"""docs/deploy.md tells of everything that the templates have, and of nothing that they have not."""

from __future__ import annotations

import json
import re

import pytest

from local.bicep_settings import template_names
from tests.infra.bicep import INFRA, template
from tests.infra.test_templates import METRICS

ROOT = INFRA.parent
TEXT = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
GIVEN = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]


def documented(word: str) -> bool:
    return f"`{word}`" in TEXT


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_parameters(name: str) -> None:
    """Each parameter stands beside the variable that sets it."""
    variable = re.fullmatch(r"\$\{([A-Z_]+)(?:=.*)?\}", GIVEN[name]["value"])
    assert variable is not None
    assert documented(name)
    assert documented(variable[1])


def test_defaults() -> None:
    """A default that the document states is the template's."""
    for name, declared in template("main.bicep")["parameters"].items():
        row = re.search(rf"^\| `[A-Z_]+` \| `{name}` \| ([^|]*) \|", TEXT, re.MULTILINE)
        default = declared["default"]
        if row is None or default is None:
            continue
        said = row[1].strip("` ")
        shown = default if isinstance(default, str) else json.dumps(default)
        assert said == (shown or "none"), name


@pytest.mark.parametrize("name", sorted(template_names()))
def test_settings(name: str) -> None:
    """Each setting of the app is there with where it comes from."""
    assert documented(name)


def test_alerts() -> None:
    """Each alert is there with what to do, and no other."""
    variables = template("alerts.bicep")["variables"]
    names = {
        alert["name"]
        for group in ("metricAlertsOn", "queryAlertsOn")
        for alert in variables[group]["value"]
    }
    section = TEXT.split("## Alerts, and what to do")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)) == names


def test_metrics() -> None:
    """Each metric is named."""
    assert all(documented(name) for name in METRICS)


def test_outputs() -> None:
    """A variable of azd that a command here reads is an output of the template."""
    read = set(re.findall(r"\$((?:PARLEY|AZURE)_[A-Z_]+)", TEXT))
    assert read <= template("main.bicep")["outputs"].keys()


def test_files() -> None:
    """Each file that is named is there, but for the one that says what may be installed."""
    named = set(re.findall(r"`((?:infra|shared|\.github)/[\w./-]+\.\w+)`", TEXT))
    assert named
    assert all((ROOT / name).exists() for name in named)
