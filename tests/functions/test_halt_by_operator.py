"""`GET /optouts:halt` and `POST /optouts:lift`, where nothing is halted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.client import Parley


async def test_looking(parley: Parley) -> None:
    """Whether sending is halted, and where the ledger stands."""
    answer = await parley.own("GET", "/optouts:halt")
    assert answer.status == 200
    assert (answer.json["isHalted"], answer.json["why"], answer.json["kept"]) == (False, None, [])
    assert answer.json["head"].keys() == {"sequence", "chain"}


@pytest.mark.parametrize("body", [{}, {"reason": " "}, {"reason": "x" * 501}, {"because": "x"}])
async def test_a_lift_needs_a_reason(parley: Parley, body: dict[str, Any]) -> None:
    """What an operator decided is kept with why."""
    answer = await parley.own("POST", "/optouts:lift", body)
    assert answer.status == 400
    assert answer.json["code"] == "InvalidRequest"


async def test_a_lift_of_nothing_changes_nothing(parley: Parley) -> None:
    """A repeat of one that is done, or a mistake, leaves the ledger as it is."""
    before = await parley.own("GET", "/optouts:halt")
    answer = await parley.own("POST", "/optouts:lift", {"reason": "By mistake."})
    assert (answer.status, answer.json["lifts"]) == (200, before.json["lifts"])
