"""People opt out in whatever words, and only then."""

from __future__ import annotations

import pytest

from tests.support.client import TOLL_FREE, Parley, Platform


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Please stop texting me", "en/stop-texting"),
        ("leave me alone", "en/take-me-off"),
        ("stpo", "keyword/STOP"),
        ("문자 그만 보내주세요", "ko/stop-texting"),
    ],
)
async def test_a_revocation_opts_out(
    text: str, rule: str, parley: Parley, platform: Platform, person: str
) -> None:
    """The ledger keeps the rule that understood it; the application is told."""
    await platform.speak(person, text)
    event = await platform.relayed_event("Parley.OptOutChanged", recipient=person)
    assert event["data"]["rule"] == rule
    account = (await parley.own("GET", f"/optouts?recipient=%2B{person[1:]}")).body.decode()
    assert rule in account
    check = await parley.signed(
        "POST", "/sms/optouts:check", {"from": TOLL_FREE, "recipients": [{"to": person}]}
    )
    assert check.json["value"][0]["isOptedOut"] is True


@pytest.mark.parametrize(
    "text",
    ["can you cancel my 3pm?", "wrong number", "STOP 12345", "put me back on the list", "shop"],
)
async def test_anything_else_blocks_nothing(
    text: str, parley: Parley, platform: Platform, person: str
) -> None:
    """It reaches the application; nobody is opted out or in."""
    await platform.speak(person, text)
    await platform.relayed_event("Parley.SMSReceived", **{"from": person})
    check = await parley.signed(
        "POST", "/sms/optouts:check", {"from": TOLL_FREE, "recipients": [{"to": person}]}
    )
    assert check.json["value"][0]["isOptedOut"] is False
