"""Campaigns on the running stack: ordered, expanded, paced, sent once, counted."""

from __future__ import annotations

from typing import Any

from tests.campaigns.support import campaign_in_state, order, ordered
from tests.support.client import SHORT_CODE, Parley, Platform
from tests.support.people import People


async def test_everybody_is_texted_once(parley: Parley, platform: Platform, people: People) -> None:
    """Each recipient gets their own text once; a number that comes twice is texted once."""
    persons = people.many(5)
    recipients: list[dict[str, Any]] = [
        {"to": person, "name": f"N{i}"} for i, person in enumerate(persons)
    ]
    recipients += [{"to": persons[0], "name": "Again"}, {"to": "12"}, {"to": people.one()}]
    campaign = await ordered(
        parley, order(recipients=recipients, message="Hello {name}", enableDeliveryReport=True)
    )
    done = await campaign_in_state(parley, campaign["campaignId"], "done")
    assert done["totals"] == {
        "rows": 8,
        "recipients": 5,
        "refused": 2,
        "duplicates": 1,
        "segments": 5,
    }
    for number, person in enumerate(persons):
        (message,) = await platform.accepted(person)
        assert message["message"] == f"Hello N{number}"
        assert message["from"] == SHORT_CODE
