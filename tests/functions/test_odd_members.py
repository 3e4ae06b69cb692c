"""Whatever stands where a member is read, the answer is never that we made a mistake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.base.clock import iso
from tests.campaigns.support import uploaded
from tests.support.client import TOLL_FREE, Parley, Reply, send_body, with_ids
from tests.support.people import People

LIST = "odd.csv"
ODD: list[Any] = [
    *(None, True, 0, -1, 0.5, 1e308, float("nan"), float("inf"), 10**400),
    *("", " ", "\ud83d", "x\udc00y", "\x00", "x" * 70_000, "\N{GRINNING FACE}" * 64, "\u0661"),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00+23:59"),
    *([], {}, [[]], [None], [{}], {"": {}}, {"\ud83d": "\ud83d"}, ["\ud83d"]),
]


def bodies(person: str) -> dict[str, Any]:
    """A sound body for each operation that reads one, with every member that it knows."""
    now = datetime.now(UTC)
    soon = f"{now + timedelta(days=300):%Y-%m-%d}T12:00:00"
    before, earlier = (iso(now - timedelta(minutes=minutes)) for minutes in (2, 60))
    send = with_ids(send_body(person, tag="odd", category="transactional", sendAt=soon))
    send |= {"timeZone": "America/New_York", "timeToLiveInSeconds": 3600}
    campaign = {
        "from": TOLL_FREE,
        "senders": [TOLL_FREE],
        "message": "Hi {name}",
        "recipients": [{"to": person, "name": "Ann"}],
        "list": {"name": LIST, "numberColumn": "phone"},
        "category": "marketing",
        "tag": "odd",
        "enableDeliveryReport": True,
        "startAt": soon,
        "timeZone": "America/New_York",
        "timeToLiveInSeconds": 3600,
        "spreadOverSeconds": 60,
        "window": {"from": "10:00", "to": "18:00", "days": {"sunday": None}, "closedOn": ["12-25"]},
        "atMostOncePerHours": 1,
    }
    inline = {k: v for k, v in campaign.items() if k not in {"senders", "list"}}
    listed = {k: v for k, v in campaign.items() if k not in {"from", "recipients"}}
    return {
        "POST /sms": send,
        "POST /messages": send,
        "POST /messages:preview": send,
        "POST /sms/optouts:add": {"from": TOLL_FREE, "recipients": [{"to": person}]},
        "POST /sms/optouts:check": {"from": TOLL_FREE, "recipients": [{"to": person}]},
        "POST /optouts:add": {
            "recipient": person,
            "from": TOLL_FREE,
            "reason": "Asked.",
            "changeId": "odd",
        },
        "POST /replies:read": {"text": "Stop texting me.", "language": "en"},
        "POST /campaigns": inline,
        "POST /campaigns?dryRun=true": inline,
        "POST /campaigns?dryRun=true&list": listed,
        "POST /conversations/{conversation}:markRead": {"readUpTo": before},
        "POST /analytics:rebuild": {"startTime": earlier, "endTime": before},
    }


def changed(body: Any, odd: Any) -> Iterator[Any]:
    """The body with the odd value in place of each member in turn, at any depth; and as a name."""
    if isinstance(body, dict):
        for name, value in body.items():
            yield {**body, name: odd}
            for inner in changed(value, odd):
                yield {**body, name: inner}
        if isinstance(odd, str):
            yield {**body, odd: odd}
    elif isinstance(body, list):
        for inner in changed(body[0], odd):
            yield [inner, *body[1:]]


async def called(parley: Parley, call: str, body: Any) -> Reply:
    method, _, target = call.partition(" ")
    content = json.dumps(body).encode()
    if target.startswith("/sms"):
        return await parley.signed(method, target, content)
    return await parley.own(method, target, content)


@pytest.mark.parametrize("place", range(len(bodies("PERSON"))), ids=list(bodies("PERSON")))
async def test_odd_members(place: int, parley: Parley, people: People) -> None:
    """Each is taken or refused with a reason; none is a mistake of ours."""
    await uploaded(parley, LIST, "phone,name\n+14255550123,Ann\n")
    person = people.one()
    call, body = list(bodies(person).items())[place]
    if "{conversation}" in call:
        await parley.send(person)
        call = call.format(conversation=parley.conversation_id(TOLL_FREE, person))
    sound = await called(parley, call, body)
    assert sound.status < 300, sound.body
    failed = []
    for odd in ODD:
        for wrong in (odd, *changed(body, odd)):
            reply = await called(parley, call, wrong)
            if reply.status == 500:
                failed.append((wrong, reply.body))
    assert not failed, failed[:3]
