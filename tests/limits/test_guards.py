"""All guards together: the cheapest first, and nothing counted for whom another refuses."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from shared.limits.reasons import OTHER, reason_of
from tests.limits.bench import CODE, NOON, Bench, Counted, people, request, send_id

Make = Callable[..., Bench]
TEXT = request("marketing")
AMERICAN, PUERTO_RICAN, BRITISH, NOWHERE = (
    "+14255550123",
    "+17875550123",
    "+447400123456",
    "+80012345678",
)


async def test_without_settings_nothing_is_asked(bench: Make) -> None:
    """A deployment without limits pays nothing for them, whatever it sends."""
    made = bench()
    counted = Counted(made.transport)
    guards = made.guards(counted)
    for asked in (TEXT, CODE, request()):
        assert not guards.applies(asked)
        assert await guards.admit(asked, send_id(), [AMERICAN, BRITISH], 1, NOON) == {}
        await guards.release(asked, send_id(), [AMERICAN], NOON)
        assert await guards.budget_left(asked, NOON) is None
    assert guards.refusal(BRITISH, TEXT.sender) is None
    assert counted.asked == []


@pytest.mark.parametrize(
    ("allowed", "address", "words"),
    [
        ("US", AMERICAN, None),
        ("US,PR", PUERTO_RICAN, None),
        ("US", PUERTO_RICAN, "(PR)"),
        ("US,CA,PR", BRITISH, "(GB)"),
        ("GB", AMERICAN, "(US)"),
        ("US", NOWHERE, "is not known"),
    ],
)
async def test_countries(bench: Make, allowed: str, address: str, words: str | None) -> None:
    """A number of another country, or of none, is refused with the country and without the
    number; that costs no storage operation."""
    made = bench(allowed_countries=allowed)
    counted = Counted(made.transport)
    guards = made.guards(counted)
    assert guards.applies(TEXT)
    refused = await guards.admit(TEXT, send_id(), [address], 1, NOON)
    assert refused.get(address) == guards.refusal(address, TEXT.sender)
    if words is None:
        assert not refused
    else:
        assert words in refused[address]
        assert address not in refused[address]
    assert counted.asked == []


async def test_each_has_its_own_reason(bench: Make) -> None:
    """One send can meet all three guards; each recipient hears the first that refuses."""
    made = bench(
        allowed_countries="US",
        flood_limits=json.dumps({"number": {"codes": 1}}),
        daily_budgets='{"{program}": 2}',
    )
    guards, flooded = made.guards(), people(1)
    await guards.admit(CODE, send_id(), flooded, 1, NOON)
    asked = [BRITISH, *flooded, *people(2, first=1)]
    refused = await guards.admit(CODE, send_id(), asked, 1, NOON)
    assert [refused.get(address, "")[:8] for address in asked] == [
        "The coun",
        "Too many",
        "",
        "The dail",
    ]
    # Whoever counts them is told by a word.
    assert [reason_of(refused.get(address)) for address in asked] == [
        "country",
        "flood",
        OTHER,
        "budget",
    ]
    assert await made.used() == 2


async def test_a_code_beyond_the_budget_is_no_code(bench: Make) -> None:
    """Whom the budget refuses has got no code: with room in the budget the next one passes."""
    made = bench(
        flood_limits=json.dumps({"number": {"codes": 1}}), daily_budgets='{"{program}": 1}'
    )
    guards, [first, second] = made.guards(), people(2)
    ours = send_id()
    assert list(await guards.admit(CODE, ours, [first, second], 1, NOON)) == [second]
    await guards.release(CODE, ours, [first], NOON)
    assert await guards.admit(CODE, send_id(), [second], 1, NOON) == {}


async def test_nobody_asked_for_is_nothing(bench: Make) -> None:
    """If the ledger lets nobody through, no limit is asked."""
    made = bench(flood_limits='{"number": {}}', daily_budgets='{"{program}": 1}')
    counted = Counted(made.transport)
    assert await made.guards(counted).admit(CODE, send_id(), [], 1, NOON) == {}
    assert counted.asked == []
