"""Campaigns on the running stack: ordered, expanded, paced, sent once, counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from local.stack import Stack
from shared.base.clock import iso
from shared.campaigns.campaign import Chunk, Fate
from shared.services import Services
from tests.campaigns.support import (
    campaign,
    campaign_in_state,
    campaign_with_counts,
    chunks_of,
    order,
    ordered,
    steered,
    uploaded,
)
from tests.support.client import LONG_CODE, SHORT_CODE, TEN_DLC, Parley, Platform
from tests.support.due import run_due
from tests.support.parts import parts_of
from tests.support.people import People
from tests.support.polling import eventually

# Where it is always UTC.
ACCRA = "Africa/Accra"


async def test_everybody_is_texted_once(parley: Parley, platform: Platform, people: People) -> None:
    """Each recipient gets their own text once; a number that comes twice is texted once."""
    persons = people.many(5)
    recipients: list[dict[str, Any]] = [
        {"to": person, "name": f"N{i}"} for i, person in enumerate(persons)
    ]
    nameless = people.one()
    recipients += [{"to": persons[0], "name": "Again"}, {"to": "12"}, {"to": nameless}]
    made = await ordered(
        parley, order(recipients=recipients, message="Hello {name}", enableDeliveryReport=True)
    )
    done = await campaign_in_state(parley, made["campaignId"], "done")
    assert done["totals"] == {
        "rows": 8,
        "recipients": 5,
        "refused": 2,
        "duplicates": 1,
        "segments": 5,
    }
    for number, person in enumerate(persons):
        assert await platform.text_with(person, f"Hello N{number}")
        (message,) = await platform.accepted(person)
        assert message["from"] == SHORT_CODE
    assert await platform.accepted(nameless) == []
    await campaign_with_counts(parley, made["campaignId"], delivered=5)
    refused = await parley.own("GET", f"/campaigns/{made['campaignId']}/refused?maxpagesize=2")
    assert [line["line"] for line in refused.items] == [6, 7]
    following = refused.json["nextLink"].removeprefix(parley.endpoint)
    (last,) = (await parley.own("GET", following)).items
    assert last == {"line": 8, "reason": "There is no value for {name}."}


async def parked(parts: Services, campaign_id: str, fate: Fate) -> list[Chunk]:
    """The campaign's chunks, once the second one has this fate."""

    async def look() -> list[Chunk]:
        found = await chunks_of(parts, campaign_id)
        return found if len(found) > 1 and found[1].fate is fate else []

    return await eventually(look, f"the second chunk is {fate}")


async def test_a_pause_holds_up_what_has_its_place_and_a_stop_meanwhile_counts(
    stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """After a pause nothing leaves, after a resume the rest does, save who said STOP."""
    persons = people.many(10)
    made = await ordered(parley, order(*persons, **{"from": TEN_DLC}))
    campaign_id = made["campaignId"]
    await campaign_with_counts(parley, campaign_id, delivered=5, queued=5)
    assert (await steered(parley, campaign_id, "pause"))["state"] == "paused"
    async with parts_of(stack) as parts:
        await parked(parts, campaign_id, Fate.PARKED)
    for person in persons[5:]:
        assert await platform.accepted(person) == []

    stopped = persons[7]
    await platform.speak(stopped, "STOP", to=TEN_DLC)
    await platform.relayed_event("Parley.OptOutChanged", recipient=stopped)
    await steered(parley, campaign_id, "resume")
    await campaign_in_state(parley, campaign_id, "done")
    found = await campaign_with_counts(parley, campaign_id, delivered=9, blocked=1)
    assert found["errors"] == [{"reason": "Sender blocked for given recipient.", "count": 1}]
    for person in persons:
        assert len(await platform.accepted(person)) == (person != stopped)


async def test_a_canceled_campaign_leaves_nobody_else_texted(
    stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """What had left is counted so, the rest is canceled; canceling twice is once."""
    persons = people.many(10)
    made = await ordered(parley, order(*persons, **{"from": LONG_CODE}))
    campaign_id = made["campaignId"]
    await campaign_with_counts(parley, campaign_id, delivered=5, queued=5)
    for _ in range(2):
        canceled = await steered(parley, campaign_id, "cancel")
        assert canceled["state"] == "canceled"
        assert canceled["counts"] == {"canceled": 5, "delivered": 5}
    async with parts_of(stack) as parts:
        await parked(parts, campaign_id, Fate.CANCELED)
    for person in persons[5:]:
        assert await platform.accepted(person) == []
    for operation in ("pause", "resume"):
        reply = await parley.own("POST", f"/campaigns/{campaign_id}:{operation}")
        assert (reply.status, reply.json["code"]) == (409, "CampaignEnded")


def in_half_a_day() -> datetime:
    """A moment of the hour that is twelve hours ahead."""
    return (datetime.now(UTC) + timedelta(hours=12)).replace(minute=30, second=0, microsecond=0)


def closed_now() -> dict[str, str]:
    """A window of that hour."""
    hour = in_half_a_day().hour
    return {"from": f"{hour:02}:00", "to": f"{hour + 1:02}:00"}


async def test_a_pause_and_a_cancel_reach_those_who_wait_for_their_hours(
    stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """Whoever waits for a window is held up while paused, and not texted once canceled."""
    persons = people.many(2)
    made = await ordered(parley, order(*persons, window=closed_now(), timeZone=ACCRA))
    campaign_id = made["campaignId"]
    await campaign_with_counts(parley, campaign_id, scheduled=2)
    opened = in_half_a_day()
    async with parts_of(stack, clock=lambda: opened) as later:
        ((send_id,),) = [chunk.sends for chunk in await chunks_of(later, campaign_id)]
        await steered(parley, campaign_id, "pause")
        assert await run_due(later, send_id) == opened + timedelta(seconds=30)
        await steered(parley, campaign_id, "resume")
        await steered(parley, campaign_id, "cancel")
        assert await run_due(later, send_id) is None
    await campaign_with_counts(parley, campaign_id, canceled=2)
    for person in persons:
        assert await platform.accepted(person) == []


async def test_a_replaced_list_stops_the_campaign(
    parley: Parley, platform: Platform, people: People
) -> None:
    """Nobody of the new list is texted by the old order, and the reason is said."""
    before, after = people.one(), people.one()
    await uploaded(parley, "replaced.csv", f"phone\n{before}\n")
    start = iso(datetime.now(UTC) + timedelta(seconds=4))
    made = await ordered(parley, order(list={"name": "replaced.csv"}, startAt=start))
    await campaign_in_state(parley, made["campaignId"], "scheduled")
    await uploaded(parley, "replaced.csv", f"phone\n{after}\n")
    failed = await campaign_in_state(parley, made["campaignId"], "failed")
    assert "replaced" in failed["reason"]
    for person in (before, after):
        assert await platform.accepted(person) == []


async def test_a_refusal_by_the_platform_pauses_the_campaign(
    parley: Parley, platform: Platform, people: People
) -> None:
    """What ACS refuses as a whole is not tried again by itself; a resume tries it again."""
    person = people.one()
    await platform.order_fault("send", "badRequest", number=person)
    made = await ordered(parley, order(person))
    paused = await campaign_in_state(parley, made["campaignId"], "paused")
    assert "PlatformRefused" in paused["reason"]
    await steered(parley, made["campaignId"], "resume")
    await campaign_in_state(parley, made["campaignId"], "done")
    assert len(await platform.accepted(person)) == 1


async def test_a_429_slows_down_and_is_tried_again(
    parley: Parley, platform: Platform, people: People
) -> None:
    """The chunk leaves later, once."""
    person = people.one()
    await platform.order_fault("send", "throttle", number=person)
    made = await ordered(parley, order(person))
    await campaign_in_state(parley, made["campaignId"], "done")
    assert len(await platform.accepted(person)) == 1


async def test_at_most_one_text_a_person_in_so_many_hours(
    parley: Parley, platform: Platform, people: People
) -> None:
    """The second campaign of the same hours passes over whom the first has texted."""
    first, second = people.many(2)
    one = await ordered(parley, order(first, atMostOncePerHours=2))
    await campaign_in_state(parley, one["campaignId"], "done")
    other = await ordered(parley, order(first, second, atMostOncePerHours=2))
    await campaign_in_state(parley, other["campaignId"], "done")
    await campaign_with_counts(parley, other["campaignId"], capped=1, delivered=1)
    assert len(await platform.accepted(first)) == 1
    assert len(await platform.accepted(second)) == 1


async def test_past_its_time_to_live_nothing_leaves(
    stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """The time to live counts from the campaign's start, also for those who wait."""
    person = people.one()
    made = await ordered(
        parley, order(person, window=closed_now(), timeZone=ACCRA, timeToLiveInSeconds=60)
    )
    await campaign_with_counts(parley, made["campaignId"], scheduled=1)
    opened = in_half_a_day()
    async with parts_of(stack, clock=lambda: opened) as parts:
        ((send_id,),) = [chunk.sends for chunk in await chunks_of(parts, made["campaignId"])]
        await run_due(parts, send_id)
    await campaign_with_counts(parley, made["campaignId"], expired=1)
    assert await platform.accepted(person) == []


async def test_campaigns_are_listed_newest_first(parley: Parley, people: People) -> None:
    """A page at a time, each campaign once."""
    made = [
        (await ordered(parley, order(people.one(), campaignId=f"listed-{number}")))["campaignId"]
        for number in range(3)
    ]
    found: list[str] = []
    target: str | None = "/campaigns?maxpagesize=2"
    while target is not None and len(found) < len(made):
        page = await parley.own("GET", target)
        found += [item["campaignId"] for item in page.items]
        target = page.json.get("nextLink", "").removeprefix(parley.endpoint) or None
    assert found[:3] == made[::-1]
    assert len(set(found)) == len(found)
    for campaign_id in made:
        assert (await campaign(parley, campaign_id))["campaignId"] == campaign_id
