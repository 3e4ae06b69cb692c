"""Opting people out and in by hand: a reason, once, told, and the account of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from local.stack import Stack
from shared.base import ids
from tests.support.client import SHORT_CODE, TOLL_FREE, Parley, Platform, Reply
from tests.support.parts import parts_of

OPT_OUT = "Parley.OptOutChanged"
REASON = "Asked by telephone."


async def change(parley: Parley, person: str, operation: str, **members: Any) -> Reply:
    """One change by an operator."""
    body = {"recipient": person, "from": TOLL_FREE, "reason": REASON, **members}
    return await parley.own("POST", f"/optouts:{operation}", body)


async def test_out_and_in_again(
    stack: Stack, parley: Parley, platform: Platform, person: str
) -> None:
    """The text is blocked between the two; both are told, with the reason kept as evidence."""
    out = await change(parley, person, "add", changeId="call-1")
    assert out.status == 200, out.body
    (decided,) = out.json["value"]
    assert (decided["isOptedOut"], decided["entry"]["channel"]) == (True, "operator")
    (item,) = (await parley.own("POST", "/messages", send_to(person))).items
    assert item["httpStatusCode"] == 403
    back = await change(parley, person, "remove")
    assert back.json["value"][0]["isOptedOut"] is False
    assert [entry["direction"] for entry in back.json["history"]] == ["in", "out"]
    assert (await parley.own("GET", f"/optouts?recipient={quote(person)}")).json == back.json
    told = await platform.relayed(OPT_OUT, recipient=person)
    assert [(e["data"]["isOptedOut"], e["data"]["channel"]) for e in told] == [
        (True, "operator"),
        (False, "operator"),
    ]
    async with parts_of(stack) as parts:
        change_id = ids.derived("operator", person, TOLL_FREE, "out", "call-1")
        evidence = await parts.parts.ledger.evidence(change_id)
    assert evidence == {"cause": {"changeId": "call-1"}, "words": REASON}


@pytest.mark.parametrize("member", ["from", "reason", "changeId"])
async def test_half_a_surrogate_pair(member: str, parley: Parley, person: str) -> None:
    """It is no text that could be kept: the member is named, or the sender is not known."""
    reply = await change(parley, person, "add", **{member: "call \ud83d"})
    if member == "from":
        assert (reply.status, reply.json["code"]) == (403, "SenderNotConfigured")
    else:
        assert (reply.status, list(reply.json["errors"])) == (400, [member])


async def test_the_same_change_twice_is_once(
    parley: Parley, platform: Platform, person: str
) -> None:
    """A repeat with its id makes no second entry and tells the same event."""
    first = await change(parley, person, "add", changeId="call-7")
    again = await change(parley, person, "add", changeId="call-7")
    assert again.json == first.json
    assert len(first.json["history"]) == 1
    told = await platform.relayed(OPT_OUT, recipient=person)
    assert len({event["id"] for event in told}) == 1
    assert all(event["data"] == told[0]["data"] for event in told)
    # Another sender, another change.
    other = await change(parley, person, "add", changeId="call-7", **{"from": SHORT_CODE})
    assert len(other.json["history"]) == 2


async def test_the_latest_fifty_changes(parley: Parley, person: str) -> None:
    """History is newest first and ends after fifty; what decides is always in it."""
    await change(parley, person, "add", **{"from": SHORT_CODE})
    for operation in ["add", "remove"] * 25:
        assert (await change(parley, person, operation)).status == 200
    reply = await change(parley, person, "add")
    history = reply.json["history"]
    sequences = [entry["sequence"] for entry in history]
    assert sequences == sorted(sequences, reverse=True)
    assert len(history) == 51
    assert {entry["sender"] for entry in history[:50]} == {TOLL_FREE}
    assert history[50]["sender"] == SHORT_CODE
    assert {entry["sequence"] for entry in (d["entry"] for d in reply.json["value"])} <= {
        *sequences
    }


@pytest.mark.parametrize(
    ("members", "status", "at_fault"),
    [
        ({"from": "+18005550999"}, 403, None),
        ({"from": ""}, 400, ["from"]),
        ({"reason": " "}, 400, ["reason"]),
        ({"reason": "x" * 501}, 400, ["reason"]),
        ({"reason": None}, 400, ["reason"]),
        ({"changeId": ""}, 400, ["changeId"]),
        ({"changeId": "x" * 65}, 400, ["changeId"]),
        ({"changeId": 5}, 400, ["changeId"]),
        ({"why": "because"}, 400, ["why"]),
        ({"recipient": None}, 400, ["recipient"]),
        ({"recipient": "24680"}, 400, ["recipient"]),
        ({"recipient": 14255550123}, 400, ["recipient"]),
    ],
)
async def test_bad_changes(
    members: dict[str, Any], status: int, at_fault: list[str] | None, parley: Parley, person: str
) -> None:
    """What makes no sense changes nothing and is named."""
    reply = await change(parley, person, "add", **members)
    assert reply.status == status, reply.body
    if at_fault is not None:
        assert list(reply.json["errors"]) == at_fault
    assert await parley.optouts(person) == []


@pytest.mark.parametrize("target", ["/optouts/+14255550123:add", "/optouts:forget", "/optouts/add"])
async def test_bad_targets(target: str, parley: Parley, person: str) -> None:
    """Nobody is opted out by a wrong route; a number in a path is none."""
    body = {"recipient": person, "from": TOLL_FREE, "reason": REASON}
    assert (await parley.own("POST", target, body)).status == 404
    assert await parley.optouts(person) == []


@pytest.mark.parametrize("plus", ["%2B", "+", "%20"])
async def test_a_plus_that_was_not_encoded(plus: str, parley: Parley, person: str) -> None:
    """In a query it arrives as a space, and is understood."""
    await change(parley, person, "add")
    reply = await parley.own("GET", f"/optouts?recipient={plus}{person[1:]}")
    assert reply.json["recipient"] == person
    assert [entry["isOptedOut"] for entry in reply.items] == [True]


def send_to(person: str) -> dict[str, Any]:
    """A text to one."""
    return {"from": TOLL_FREE, "smsRecipients": [{"to": person}], "message": "Hello"}
