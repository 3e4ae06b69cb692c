"""A one-time code is shown to the person it goes to, and to nobody else."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime, timedelta

from local.stack import Stack
from shared.base import ids
from tests.campaigns.support import campaign_in_state, order
from tests.cli.test_cli import Command
from tests.e2e.test_logs import _log_of, _wire_of
from tests.support.client import TOLL_FREE, Parley, Platform
from tests.support.people import People
from tests.support.storage import everything

CATEGORY = "oneTimeCode"
INTENT = re.compile(rf"messages[0-9]{{6}}/[^/]+/[0-9A-Z]{{{ids.ULID_LENGTH}}}")


async def test_its_text_is_shown_nowhere(
    stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """To one person and to many, now and later: in no view, no list, no conversation, no event, no
    log and on no terminal; in storage in its send's row alone, where the search does find it."""
    secret = f"K{uuid.uuid4().hex}"
    alone, *some = people.many(3)
    later = (datetime.now(UTC) + timedelta(days=20)).isoformat()
    words = f"Your code is {secret}."
    (one,) = await parley.send(alone, message=words, category=CATEGORY, tag="sign-in")
    both = await parley.send(*some, message=words, category=CATEGORY)
    (waits,) = await parley.send(alone, message=words, category=CATEGORY, sendAt=later)
    for item in (one, *both):
        await parley.message_in_state(item["messageId"], "delivered")
        await platform.relayed_event(
            "Parley.SMSDeliveryReportReceived", messageId=item["messageId"]
        )
    # An answer to it is the person's own text.
    spoken = await platform.speak(alone, "Thanks")
    await platform.relayed_event("Parley.SMSReceived", platformMessageId=spoken)
    for person in (alone, *some):
        assert await platform.texts(person) == [words]

    shown = [await parley.message(item["messageId"]) for item in (one, *both, waits)]
    assert [view["message"] for view in shown] == [None] * 4
    assert [view["category"] for view in shown] == [CATEGORY] * 4
    said = [item["message"] for item in await parley.conversation(TOLL_FREE, alone)]
    assert None in said
    assert "Thanks" in said
    seen = [
        json.dumps(shown),
        json.dumps(said),
        (await parley.own("GET", "/messages?maxpagesize=500")).body.decode(),
        (await parley.own("GET", "/conversations?maxpagesize=100")).body.decode(),
        json.dumps(await platform.relayed("Parley.SMSDeliveryReportReceived")),
        _log_of(stack),
        _wire_of(stack).read_text(encoding="utf-8"),
    ]
    cli = Command(stack)
    for arguments in (
        ("message", one["messageId"]),
        ("messages",),
        ("conversation", TOLL_FREE, alone),
        ("--json", "conversation", TOLL_FREE, alone),
        ("conversations", "--from", TOLL_FREE),
    ):
        run = await cli(*arguments)
        assert run.code == 0, run.err
        seen.append(run.out + run.err)
    assert "(one-time code, not shown)" in "".join(seen)
    assert not [text for text in seen if secret in text]

    places = {place async for place, text in everything(stack.storage) if secret in text}
    sends = {str(item["messageId"]).partition(".")[0] for item in (one, *both, waits)}
    assert {place.rpartition("/")[2] for place in places} == sends
    assert all(INTENT.fullmatch(place) for place in places)
    await parley.own("DELETE", f"/messages/{waits['messageId']}")


async def test_those_of_a_campaign_are_shown_nowhere_either(
    parley: Parley, platform: Platform, people: People
) -> None:
    """Neither its template, which may hold a code, nor its texts."""
    template, pin = f"K{uuid.uuid4().hex}", f"P{uuid.uuid4().hex}"
    person = people.one()
    body = order(
        message=f"{template} {{pin}}", category=CATEGORY, recipients=[{"to": person, "pin": pin}]
    )
    tried = await parley.own("POST", "/campaigns?dryRun=true", body)
    made = await parley.own("POST", "/campaigns", body)
    assert (tried.status, made.status) == (200, 202)
    campaign_id = made.json["campaignId"]
    found = await campaign_in_state(parley, campaign_id, "done")
    assert found["message"] is None
    await platform.text_with(person, f"{template} {pin}")
    seen = [tried.body, made.body]
    for target in (
        "/campaigns",
        f"/campaigns/{campaign_id}",
        f"/campaigns/{campaign_id}/refused",
        "/messages?maxpagesize=500",
    ):
        reply = await parley.own("GET", target)
        assert reply.status == 200
        seen.append(reply.body)
    assert not [text for text in seen if template.encode() in text or pin.encode() in text]
