"""The operator's limits on a send: countries, budgets, one-time codes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from azure.core.pipeline.transport import AioHttpTransport

from local.stack import Stack
from shared.base.clock import utc_now
from shared.sending.answers import Answer
from shared.sending.request_body import read_send
from shared.services import Services, build
from shared.settings import load
from tests.support.client import TEN_DLC, TOLL_FREE, Parley, Platform
from tests.support.people import People

Build = Callable[[dict[str, Any]], Services]


@pytest.fixture
async def limited(stack: Stack) -> AsyncIterator[Build]:
    transport = AioHttpTransport()

    def with_limits(limits: dict[str, Any]) -> Services:
        texts = {n: v if isinstance(v, str) else json.dumps(v) for n, v in limits.items()}
        return build(load({**stack.settings, **texts}), transport=transport)

    yield with_limits
    await transport.close()


async def send(
    services: Services, *to: str, sender: str = TOLL_FREE, key: str | None = None, **members: Any
) -> Answer:
    body = {"from": sender, "smsRecipients": [{"to": t} for t in to], "message": "Hello", **members}
    request = read_send(
        json.dumps(body).encode(),
        senders=services.parts.settings.senders,
        now=utc_now(),
        knows_report_timeout=False,
        id_key=services.parts.id_key,
    )
    return await services.sending.api.send(request, key=key)


async def test_a_country_that_is_not_allowed_is_refused(
    limited: Build, platform: Platform, person: str
) -> None:
    """Its item says why; the others are texted."""
    services = limited({"PARLEY_ALLOWED_COUNTRIES": "US,CA"})
    answer = await send(services, person, "+821012345679")
    here, there = answer.items
    assert here.successful
    assert there.status == 403
    assert "KR" in str(there.error)
    assert await platform.accepted("+821012345679") == []
    message = await services.messages.get_message(str(there.message_id))
    assert (message["state"], message["code"]) == ("blocked", None)


async def test_a_budget_is_held_and_counts_a_repeat_once(
    limited: Build, platform: Platform, people: People
) -> None:
    """Two segments are left for three people: two are texted; the repeat says the same."""
    services = limited({"PARLEY_DAILY_BUDGETS": {"service": 2}})
    three = people.many(3)
    first, second = [
        await send(services, *three, sender=TEN_DLC, key=f"budget-{three[0]}") for _ in range(2)
    ]
    assert [item.status for item in first.items] == [202, 202, 403]
    assert first.items == second.items
    assert [len(await platform.accepted(person)) for person in three] == [1, 1, 0]

    later = await send(services, people.one(), sender=TEN_DLC)
    assert "budget" in str(later.items[0].error)


async def test_what_acs_refuses_is_given_back(
    limited: Build, platform: Platform, people: People
) -> None:
    """A refused item was not sent, so it uses no budget."""
    services = limited({"PARLEY_DAILY_BUDGETS": {"service-uk": 1}})
    uk = "+447400123456"
    person = people.one()
    await platform.order_fault("send", "itemErrors", number=person)
    refused = await send(services, person, sender=uk)
    assert not refused.items[0].successful
    again = await send(services, people.one(), sender=uk)
    assert again.items[0].successful


async def test_codes_to_one_number_are_limited(
    limited: Build, platform: Platform, person: str
) -> None:
    """The third code within the hour is refused; a reminder is not."""
    limit = {"number": {"codes": 2, "minutes": 60}}
    services = limited({"PARLEY_FLOOD_LIMITS": limit})
    codes = [await send(services, person, category="oneTimeCode") for _ in range(3)]
    assert [code.items[0].successful for code in codes] == [True, True, False]
    reminder = await send(services, person, category="transactional")
    assert reminder.items[0].successful


async def test_the_preview_says_what_it_would_cost_and_who_may_not_be_texted(
    limited: Build, person: str
) -> None:
    """Cost from the price table, warnings, and refusals with their reasons; nothing is sent."""
    services = limited({"PARLEY_ALLOWED_COUNTRIES": "US"})
    body = {
        "from": TOLL_FREE,
        "smsRecipients": [{"to": person}, {"to": "+821012345680"}],
        "message": "Look: bit.ly/offer",
        "category": "marketing",
    }
    request = read_send(
        json.dumps(body).encode(),
        senders=services.parts.settings.senders,
        now=utc_now(),
        knows_report_timeout=False,
        id_key=services.parts.id_key,
    )
    preview = await services.sending.preview.preview_of(request)
    assert [r["wouldSend"] for r in preview["recipients"]] == [True, False]
    assert preview["cost"]["cost"] == "USD 0.0100"
    codes = {warning["code"] for warning in preview["warnings"]}
    assert codes >= {"publicShortener", "noBrand", "noWayOut"}


async def test_whom_a_sender_cannot_reach_is_refused_where_that_is_set(
    limited: Build, platform: Platform, person: str
) -> None:
    """A toll-free number does not reach Korea: with `refuse` ACS is not asked, and others are."""
    services = limited({"PARLEY_OUT_OF_REACH": "refuse"})
    here, there = (await send(services, person, "+821012345681")).items
    assert (here.successful, there.status) == (True, 403)
    assert "CA, PR, US" in str(there.error)
    assert await platform.accepted("+821012345681") == []


async def test_whom_a_sender_cannot_reach_gets_nothing(parley: Parley) -> None:
    """Without the setting the preview warns, ACS takes the text, and it fails with 4003."""
    body = {
        "from": TOLL_FREE,
        "smsRecipients": [{"to": "+821012345682"}, {"to": "+33612345682"}],
        "message": "Hello",
    }
    found = (await parley.own("POST", "/messages:preview", body)).json
    assert [(one["code"], one["count"]) for one in found["warnings"]] == [("outOfReach", 2)]
    item, _ = await parley.send("+821012345682", "+33612345682")
    message = await parley.message_in_state(item["messageId"], "failed")
    assert message["code"] == 4003
