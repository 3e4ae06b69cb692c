"""The checker finds what a compiler would: templates are seeded with faults, and none is missed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from tests.infra.bicep import INFRA, parse, template, templates
from tests.infra.checker import check, facts

Path = tuple[str | int, ...]


@pytest.mark.parametrize("name", templates())
def test_templates_are_right(name: str) -> None:
    """The checker finds nothing wrong with any template."""
    assert check(template(name)) == []


@pytest.mark.parametrize("name", templates())
def test_names_are_declared_once(name: str) -> None:
    """Bicep has one space of names; the parser keeps the last of two, and says nothing."""
    text = (INFRA / name).read_text(encoding="utf-8")
    kinds = "param|var|resource|module|type|func"
    declared = re.findall(rf"^(?:{kinds}) (\w+)", text, re.MULTILINE)
    assert len(declared) == len(set(declared))


def test_facts_are_needed() -> None:
    """The checker knows the types that the templates use, and none beside them."""
    used = {
        f"{resource['type']}@{resource['api_version']}"
        for name in templates()
        for resource in template(name).get("resources", {}).values()
    }
    assert set(facts()) == used


def objects(node: Any, path: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every plain object below a node with its path, expressions left out."""
    if isinstance(node, dict) and list(node) not in (["operator"], ["function"]):
        yield path, node
        for name, value in node.items():
            yield from objects(value, (*path, name))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from objects(value, (*path, index))


def inside(node: Any, path: Path) -> Any:
    for step in path:
        node = node[step]
    return node


def seeds() -> Iterator[Any]:
    """Every property of every resource that the templates make, by where it stands."""
    for name in templates():
        for symbol, resource in template(name).get("resources", {}).items():
            if resource["existing"]:
                continue
            steps: Path = ("config",)
            while isinstance(inside(resource, steps), dict) and "config" in inside(resource, steps):
                steps = (*steps, "config")
            for path, found in objects(inside(resource, steps), steps):
                for key in found:
                    label = ".".join(str(step) for step in (*path[1:], key))
                    yield pytest.param(name, symbol, path, key, id=f"{name}-{symbol}-{label}")


def is_free(symbol: str, path: Path, key: str) -> bool:
    # Names of tags, settings and identities are anybody's choice.
    free = {"tags", "userAssignedIdentities"}
    return bool(free & set(path)) or (symbol == "settings" and path[-1:] == ("properties",))


@pytest.mark.parametrize(("name", "symbol", "path", "key"), list(seeds()))
def test_misspelt_property_is_found(name: str, symbol: str, path: Path, key: str) -> None:
    """A misspelt property is found wherever it stands; names of one's own choice are not faults."""
    seeded = deepcopy(template(name))
    parent = inside(seeded["resources"][symbol], path)
    value = parent.pop(key)
    parent[key.strip("'") + "s"] = value
    assert bool(check(seeded)) is not is_free(symbol, path, key)


FAULTS = {
    "missing, required": (
        "app.bicep",
        "  location: location\n  tags: tags\n  kind: 'StorageV2'",
        "  kind: 'StorageV2'",
        "storage: location is missing",
    ),
    "word": (
        "app.bicep",
        "'CloudEventSchemaV1_0'",
        "'CloudEventSchema'",
        "topic.properties.inputSchema: 'CloudEventSchema' is none of",
    ),
    "text for a truth": (
        "record.bicep",
        "allowSharedKeyAccess: false",
        "allowSharedKeyAccess: 'false'",
        "storage.properties.allowSharedKeyAccess: 'false' is no bool",
    ),
    "text for a number": (
        "events.bicep",
        "maxDeliveryAttempts: 30",
        "maxDeliveryAttempts: '30'",
        "inbound.properties.retryPolicy.maxDeliveryAttempts: '30' is no int",
    ),
    "one for many": (
        "events.bicep",
        "includedEventTypes: [\n        'Microsoft.Communication.SMSReceived'\n      ]",
        "includedEventTypes: 'Microsoft.Communication.SMSReceived'",
        "inbound.properties.filter.includedEventTypes: must be a list",
    ),
    "text for an object": (
        "record.bicep",
        "sku: {\n    name: redundancy\n  }",
        "sku: redundancy",
        "storage.sku: the parameter redundancy is no object",
    ),
    "parameter of another type": (
        "app.bicep",
        "param instanceMemoryMB int",
        "param instanceMemoryMB string",
        "scaleAndConcurrency.instanceMemoryMB: the parameter instanceMemoryMB is no int",
    ),
    "word in a list that a loop goes over": (
        "alerts.bicep",
        "aggregation: 'Total'",
        "aggregation: 'Sum'",
        "timeAggregation: 'Sum' is none of",
    ),
    "property in a list that is filtered": (
        "app.bicep",
        "name: 'http', instanceCount",
        "name: 'http', instances",
        "alwaysReady[0]: there is no property instances",
    ),
    "property in a choice": (
        "alerts.bicep",
        "emailAddress: email",
        "address: email",
        "emailReceivers[0]: emailAddress is missing",
    ),
    "version": (
        "watch.bicep",
        "Microsoft.Insights/components@2020-02-02",
        "Microsoft.Insights/components@2020-02-20",
        "the type Microsoft.Insights/components@2020-02-20 is unknown",
    ),
    "symbol": (
        "app.bicep",
        "serverFarmId: plan.id",
        "serverFarmId: plans.id",
        "app: nothing is called plans",
    ),
    "symbol in a text": (
        "events.bicep",
        "'${functionAppId}/functions/inbound'",
        "'${functionId}/functions/inbound'",
        "inbound: nothing is called functionId",
    ),
    "output of a module": (
        "main.bicep",
        "record.outputs.vaultUri",
        "record.outputs.vaultUrl",
        "app: record has no output vaultUrl",
    ),
    "parameter of a module": (
        "main.bicep",
        "    retentionDays: logRetentionDays",
        "    retention: logRetentionDays",
        "watch: watch.bicep has no parameter retention",
    ),
    "parameter of a module, left out": (
        "main.bicep",
        "    retentionDays: logRetentionDays\n",
        "",
        "watch: watch.bicep wants the parameter retentionDays",
    ),
    "parameter that nothing reads": (
        "watch.bicep",
        "retentionInDays: retentionDays",
        "retentionInDays: 30",
        "retentionDays: is declared and never used",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_seeded_fault_is_found(fault: str) -> None:
    """Faults of other kinds are found, and the sentence says where."""
    name, right, wrong, sentence = FAULTS[fault]
    text = (INFRA / name).read_text(encoding="utf-8")
    assert right in text, "the seed has nowhere to fall"
    found = check(parse(text.replace(right, wrong, 1)))
    assert any(sentence in problem for problem in found), found
