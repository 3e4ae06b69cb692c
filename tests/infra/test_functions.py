"""What Bicep says of functions, and what the runtime indexes, are one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.bicep import template
from tests.infra.indexing import index
from tests.infra.test_templates import subscribed


@pytest.fixture(scope="module")
def functions() -> dict[str, list[dict[str, Any]]]:
    return index()


def of_kind(functions: dict[str, list[dict[str, Any]]], kind: str) -> dict[str, dict[str, Any]]:
    return {
        name: binding
        for name, bindings in functions.items()
        for binding in bindings
        if binding["type"].lower() == kind
    }


def test_subscriptions_and_event_triggers(functions: dict[str, list[dict[str, Any]]]) -> None:
    """Each function that a subscription names takes events, and each that takes them has one."""
    assert of_kind(functions, "eventgridtrigger").keys() == subscribed().keys()


def test_queues_are_made(functions: dict[str, list[dict[str, Any]]]) -> None:
    """Each queue that a function reads is made in the record, and a function reads its poison
    queue, which is made as well."""
    made = set(template("record.bicep")["variables"]["queueNames"]["value"])
    triggers = of_kind(functions, "queuetrigger").values()
    read = {binding["queueName"] for binding in triggers}
    assert read <= made
    assert {name for name in read if not name.endswith("-poison")} == {
        name.removesuffix("-poison") for name in read if name.endswith("-poison")
    }
    assert {binding["connection"] for binding in triggers} == {"PARLEY_STORAGE"}


def group_of(name: str, bindings: list[dict[str, Any]]) -> str:
    """The group that Flex Consumption scales a function in, by the host's own rule.

    Imitates GetFunctionGroup of Azure/azure-functions-host,
    src/WebJobs.Script/Extensions/FunctionMetadataExtensions.cs, as far as Parley has triggers.
    """
    kinds = {binding["type"].lower() for binding in bindings}
    assert kinds & {"httptrigger", "eventgridtrigger", "queuetrigger", "timertrigger"}, kinds
    # The host answers Event Grid at an address of its own: such a trigger is a web hook.
    return "http" if kinds & {"httptrigger", "eventgridtrigger"} else f"function:{name}"


def test_instances_wait_only_for_groups_that_there_are(
    functions: dict[str, list[dict[str, Any]]],
) -> None:
    """An instance that waits for a group that the host does not form costs money and warms
    nothing; `function:NAME` is the group of a queue or timer trigger alone."""
    waited = [group["name"] for group in template("app.bicep")["variables"]["alwaysReady"]["value"]]
    formed = {group_of(name, bindings) for name, bindings in functions.items()}
    assert set(waited) <= formed
    assert len(set(waited)) == len(waited)


def test_instances_can_wait_wherever_a_text_waits(
    functions: dict[str, list[dict[str, Any]]],
) -> None:
    """Requests, events and both queues of work can be kept warm."""
    waited = {group["name"] for group in template("app.bicep")["variables"]["alwaysReady"]["value"]}
    queues = of_kind(functions, "queuetrigger")
    at_work = {n for n, b in queues.items() if not b["queueName"].endswith("-poison")}
    assert waited == {"http", *(group_of(name, functions[name]) for name in at_work)}


def test_the_app_starts_with_what_bicep_sets(
    functions: dict[str, list[dict[str, Any]]],
) -> None:
    """With the settings that Bicep sets and no key, the app is indexed."""
    assert {"send_sms", "inbound", "delivery_report", "record"} <= functions.keys()
