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
    """Each queue that a function reads is made in the record, with its poison queue beside it."""
    made = set(template("record.bicep")["variables"]["queueNames"]["value"])
    for binding in of_kind(functions, "queuetrigger").values():
        name = binding["queueName"].removesuffix("-poison")
        assert {name, f"{name}-poison"} <= made
        assert binding["connection"] == "PARLEY_STORAGE"


def test_the_app_starts_with_what_bicep_sets(
    functions: dict[str, list[dict[str, Any]]],
) -> None:
    """With the settings that Bicep sets and no key, the app is indexed."""
    assert {"send_sms", "inbound", "delivery_report", "record"} <= functions.keys()
