"""A person with two numbers for one telephone: what is said under one holds for the other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.client import Parley, Platform
from tests.support.golden import golden_event

# Each pair ends with the digits of a number that nobody else uses.
SPELLINGS = [
    ("+54112{}", "+549112{}"),
    ("+549112{}", "+54112{}"),
    ("+5411152{}", "+549112{}"),
]


@pytest.mark.parametrize(("said", "texted"), SPELLINGS)
async def test_a_stop_closes_the_telephone(
    said: str, texted: str, parley: Parley, platform: Platform, person: str
) -> None:
    """STOP from Argentina's mobile with, without and behind 15: nothing goes to the other number,
    a check says so, and the account is one."""
    said, texted = (number.format(person[-7:]) for number in (said, texted))
    stop: dict[str, Any] = golden_event("received", person=person)
    stop["data"] |= {"from": said.removeprefix("+"), "message": "STOP"}
    assert await parley.deliver("inbound", [stop]) == 202

    (item,) = await parley.send(texted)
    assert (item["to"], item["successful"]) == (texted, False)
    assert await platform.accepted(texted) == []
    (decision,) = await parley.optouts(texted)
    assert decision["isOptedOut"]
    assert decision["entry"]["address"] == said
