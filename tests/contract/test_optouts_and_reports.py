"""What ACS's interface has and Microsoft's Python library lacks, by signed requests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.client import SHORT_CODE, TOLL_FREE, Parley, Platform
from tests.support.people import People

BLOCKED = "Sender blocked for given recipient."


async def optouts(
    parley: Parley, operation: str, *to: str, sender: str = TOLL_FREE
) -> list[dict[str, Any]]:
    """One call of the opt-outs interface that must succeed."""
    body = {"from": sender, "recipients": [{"to": number} for number in to]}
    reply = await parley.signed("POST", f"/sms/optouts:{operation}", body, query=RECENT)
    assert reply.status == 200, reply.body
    return reply.items


RECENT = "api-version=2026-01-23"


async def test_add_check_remove(parley: Parley, platform: Platform, people: People) -> None:
    """Opt-outs can be added, asked for and removed; sends follow at once."""
    one, other = people.many(2)
    assert await optouts(parley, "check", one) == [
        {"to": one, "httpStatusCode": 200, "isOptedOut": False}
    ]
    assert await optouts(parley, "add", one) == [{"to": one, "httpStatusCode": 200}]
    assert await optouts(parley, "check", one, other) == [
        {"to": one, "httpStatusCode": 200, "isOptedOut": True},
        {"to": other, "httpStatusCode": 200, "isOptedOut": False},
    ]
    items = await parley.send(one, other)
    assert [item["errorMessage"] for item in items] == [BLOCKED, None]
    assert await optouts(parley, "remove", one) == [{"to": one, "httpStatusCode": 200}]
    assert await optouts(parley, "check", one) == [
        {"to": one, "httpStatusCode": 200, "isOptedOut": False}
    ]
    (item,) = await parley.send(one)
    await parley.message_in_state(item["messageId"], "delivered")
    changes = await platform.relayed("Parley.OptOutChanged", recipient=one)
    assert [change["data"]["isOptedOut"] for change in changes] == [True, False]
    assert {change["data"]["channel"] for change in changes} == {"api"}


async def test_an_opt_out_is_from_one_sender(parley: Parley, person: str) -> None:
    """As at ACS, an entry is for a sender and a recipient."""
    await optouts(parley, "add", person, sender=SHORT_CODE)
    (there,) = await optouts(parley, "check", person, sender=SHORT_CODE)
    (elsewhere,) = await optouts(parley, "check", person)
    assert (there["isOptedOut"], elsewhere["isOptedOut"]) == (True, False)


async def test_adding_twice_is_adding_once(parley: Parley, person: str) -> None:
    """Each operation may be repeated."""
    for _ in range(2):
        await optouts(parley, "add", person)
    (asked,) = await optouts(parley, "check", person)
    assert asked["isOptedOut"]
    await optouts(parley, "remove", person)
    (asked,) = await optouts(parley, "check", person)
    assert not asked["isOptedOut"]


async def test_a_bad_number_gets_its_own_item(parley: Parley, person: str) -> None:
    """A recipient that cannot exist is a 400 item and stops no other; spelling does not matter."""
    spelt = f"{person[:2]} ({person[2:5]}) {person[5:8]}-{person[8:]}"
    items = await optouts(parley, "add", "+1425", spelt)
    assert [item["httpStatusCode"] for item in items] == [400, 200]
    assert items[0]["errorMessage"].startswith("Invalid")
    (asked,) = await optouts(parley, "check", person)
    assert asked["isOptedOut"]


async def test_a_hundred_at_once(parley: Parley, people: People) -> None:
    """A full request is answered in its order, one whom it names twice included."""
    numbers = people.many(99)
    everyone = [*numbers, numbers[0]]
    assert [item["to"] for item in await optouts(parley, "add", *everyone)] == everyone
    asked = await optouts(parley, "check", *everyone)
    assert [item["to"] for item in asked] == everyone
    assert all(item["isOptedOut"] for item in asked)


SENSELESS: list[tuple[Any, str]] = [
    (b"not JSON", ""),
    (b"[]", ""),
    ({"recipients": [{"to": "+14255550123"}]}, "From"),
    ({"from": TOLL_FREE}, "Recipients"),
    ({"from": TOLL_FREE, "recipients": []}, "Recipients"),
    ({"from": TOLL_FREE, "recipients": [{"to": "+14255550123"}] * 101}, "Recipients"),
    ({"from": TOLL_FREE, "recipients": [{"to": ""}]}, "Recipients[0]"),
    ({"from": TOLL_FREE, "recipients": ["+14255550123"]}, "Recipients[0]"),
    ({"from": TOLL_FREE, "recipients": [{"to": "+14255550123"}], "wish": 1}, "Wish"),
]


@pytest.mark.parametrize("operation", ["add", "remove", "check"])
@pytest.mark.parametrize(("body", "member"), SENSELESS, ids=str)
async def test_senseless_requests(operation: str, body: Any, member: str, parley: Parley) -> None:
    """What makes no sense as a whole is refused as a whole, in ACS's shape, with the member."""
    reply = await parley.signed("POST", f"/sms/optouts:{operation}", body)
    assert reply.status == 400
    assert reply.headers["Content-Type"].startswith("application/problem+json")
    assert list(reply.json["errors"]) == [member]


async def test_a_foreign_sender(parley: Parley, person: str) -> None:
    """The opt-outs of a sender that is not configured are nobody's business."""
    body = {"from": "+18005550199", "recipients": [{"to": person}]}
    reply = await parley.signed("POST", "/sms/optouts:check", body)
    assert reply.status == 401
    assert reply.json["error"]["code"] == "Unauthorized"


@pytest.mark.parametrize("path", ["/sms/optouts:list", "/sms/optouts", "/sms/anything"])
async def test_an_unknown_operation(path: str, parley: Parley) -> None:
    """ACS has three operations; everything else is not there."""
    reply = await parley.signed("POST", path, {})
    assert reply.status == 404


async def test_the_report_of_a_message(parley: Parley, people: People) -> None:
    """`GET /deliveryReports/{id}`: 404 until there is a report, then ACS's members."""
    fate, person = "+15005550007", people.one()
    lost, sent = await parley.send(fate, person, tag="order-17")
    await parley.message_in_state(sent["messageId"], "delivered")
    reply = await parley.signed("GET", f"/deliveryReports/{sent['messageId']}", query=RECENT)
    assert reply.status == 200
    report = reply.json
    assert report["deliveryStatus"] == "Delivered"
    assert (report["messageId"], report["tag"]) == (sent["messageId"], "order-17")
    assert (report["from"], report["to"]) == (TOLL_FREE, person)
    assert report["deliveryAttempts"][0]["segmentsSucceeded"] == 1
    assert report["receivedTimestamp"]
    none = await parley.signed("GET", f"/deliveryReports/{lost['messageId']}", query=RECENT)
    assert none.status == 404
    assert (none.json["title"], none.json["status"]) == ("Not Found", 404)


async def test_the_report_of_a_blocked_message(parley: Parley, person: str) -> None:
    """What Parley itself blocked has the report that ACS would have made."""
    await optouts(parley, "add", person)
    (item,) = await parley.send(person)
    reply = await parley.signed("GET", f"/deliveryReports/{item['messageId']}", query=RECENT)
    assert reply.json["deliveryStatus"] == "Failed"
    assert "4007" in reply.json["deliveryStatusDetails"]
    assert reply.json["deliveryAttempts"] == []


@pytest.mark.parametrize(
    "message_id",
    ["nonsense", "01JD8Z0W0Q4T9V6X2Y3N5M7K8P.0123456789", "01JD8Z0W0Q4T9V6X2Y3N5M7K8P.in", "%2F"],
)
async def test_the_report_of_no_message(message_id: str, parley: Parley) -> None:
    """An id that is none of ours is 404 in the problem shape, not an error."""
    reply = await parley.signed("GET", f"/deliveryReports/{message_id}", query=RECENT)
    assert reply.status == 404
    assert reply.json["status"] == 404
