"""A campaign of 5,000 over a host that is killed twice: everybody once, the opted-out never."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from local.ports import Ports
from local.stack import Stack, StackOptions
from tests.campaigns.support import campaign, campaign_in_state, order, ordered
from tests.support.client import SHORT_CODE, Parley, Platform
from tests.support.polling import eventually

COUNT = 5000
PEOPLE = [f"+1{206 + place // 2500}55{10000 + place % 2500}" for place in range(COUNT)]
OUT_BEFORE, OUT_MIDWAY = PEOPLE[100:4900:240], PEOPLE[-3:]
SENDERS = ({"sender": SHORT_CODE, "program": "offers", "ratePerMinute": 15_000},)


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One whose host may be killed, and whose leases and attempts end soon after."""
    options = StackOptions(
        ports=Ports.any_free(),
        logs=tmp_path_factory.mktemp("logs"),
        senders=SENDERS,
        queue_lease_seconds=3,
        # No reports: the account alone is compared with.
        delivery_seconds=86_400,
        settings={"PARLEY_ACS_TIMEOUT_SECONDS": "3"},
    )
    with Stack(options) as running:
        yield running


@pytest.fixture(scope="module")
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


async def says_stop(platform: Platform, parley: Parley, people: list[str]) -> None:
    for person in people:
        await platform.speak(person, "STOP", to=SHORT_CODE)
    for person in people:

        async def look(who: str = person) -> bool:
            return bool(await parley.optouts(who))

        await eventually(look, "the ledger knows of the STOP")


@pytest.mark.slow
async def test_everybody_once_though_the_host_is_killed_twice(
    own_stack: Stack, session: aiohttp.ClientSession
) -> None:
    """Each is texted exactly once, those who said STOP before or midway never, and all counts of
    the campaign agree with the platform's account."""
    parley, platform = Parley(own_stack, session), Platform(own_stack, session)
    await says_stop(platform, parley, OUT_BEFORE)
    made = await ordered(parley, order(*PEOPLE))
    campaign_id = made["campaignId"]
    for killed_at in (500, 2000):

        async def sent(least: int = killed_at) -> bool:
            account = await platform.control("GET", "/account")
            return len(account["messages"]) >= least

        await eventually(sent, f"{killed_at} are sent")
        own_stack.kill_host()
        own_stack.start_host()
        if killed_at == 500:
            await says_stop(platform, parley, OUT_MIDWAY)

    async def done() -> bool:
        return bool((await campaign(parley, campaign_id))["state"] == "done")

    # What a killed process leaves is queued again within two minutes, and its chunks after that.
    await eventually(done, "the campaign is done", seconds=600)
    found = await campaign_in_state(parley, campaign_id, "done")
    account = await platform.control("GET", "/account")
    texted = Counter(message["to"] for message in account["messages"])
    out = {*OUT_BEFORE, *OUT_MIDWAY}
    assert set(texted.values()) == {1}
    assert texted.keys() == set(PEOPLE) - out
    assert found["totals"]["recipients"] == COUNT
    counts = found["counts"]
    assert counts["sent"] == COUNT - len(out)
    # Whoever said STOP within a minute before an attempt that was cut off reads uncertain, by the
    # clocks' margin, and is not texted either.
    assert counts["blocked"] + counts.get("uncertain", 0) == len(out)
    assert counts.keys() <= {"sent", "blocked", "uncertain"}
