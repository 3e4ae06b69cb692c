"""The examples of docs/configuration.md are settings that the app would take."""

from __future__ import annotations

from shared.rules.cost.prices import parse_prices
from shared.rules.limit_settings import parse_budgets, parse_countries, parse_flood_limits
from tests.docs import documents

SECTION = documents.section(documents.named("configuration"), "Limits and prices")


def test_examples_are_settings() -> None:
    """Each example can be copied; that of the flood limits shows what is meant by leaving out."""
    budgets, floods, prices = (block.text for block in documents.blocks(SECTION))
    assert parse_budgets(budgets)["reminders"].warn_from == 4500
    assert parse_flood_limits(floods) == parse_flood_limits('{"number": {}, "range": {}}')
    assert parse_prices(prices).rows
    assert parse_countries("US,CA,PR")
