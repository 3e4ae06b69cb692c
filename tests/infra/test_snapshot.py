"""What a deployment makes, evaluated by Azure's own template engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.infra.bicep import template, templates
from tests.infra.compiler import compiler, snapshot
from tests.infra.test_templates import STAGE_TWO

pytestmark = pytest.mark.skipif(
    compiler() is None,
    reason="no Bicep compiler that knows snapshots (in BICEP, PATH, azd, az, ../shared/tools)",
)

STAGE_ONE_TYPES = {
    resource["type"]
    for name in templates()
    if name not in STAGE_TWO
    for resource in template(name).get("resources", {}).values()
    if not resource["existing"]
}


def resources(folder: Path, location: str) -> list[dict[str, Any]]:
    answer = snapshot(folder, {"environmentName": "demo", "location": location})
    assert not answer["diagnostics"], answer["diagnostics"]
    made: list[dict[str, Any]] = answer["predictedResources"]
    return made


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """An environment of which nothing is said but its name and its region."""
    return resources(tmp_path_factory.mktemp("demo"), "eastus")


def test_a_name_and_a_region_are_enough(demo: list[dict[str, Any]]) -> None:
    """With nothing but a name and a region, every kind of resource of stage one is made."""
    assert {resource["type"] for resource in demo} == STAGE_ONE_TYPES


@pytest.mark.parametrize("spelling", ["EastUS", "East US"])
def test_a_region_makes_one_deployment_however_it_is_spelt(
    demo: list[dict[str, Any]], tmp_path: Path, spelling: str
) -> None:
    """Azure takes a region's code and its display name for one; another name would be another,
    empty ledger."""
    assert resources(tmp_path, spelling) == demo


def test_another_region_is_another_deployment(demo: list[dict[str, Any]], tmp_path: Path) -> None:
    """An environment of the same name elsewhere shares no storage account with the first."""
    here, there = (
        {each["name"] for each in made if each["type"].endswith("/storageAccounts")}
        for made in (demo, resources(tmp_path, "eastus2"))
    )
    assert len(here) == len(there) == 2
    assert not here & there
