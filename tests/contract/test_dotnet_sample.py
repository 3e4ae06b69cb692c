"""The request of Microsoft's .NET sample, byte for byte but for whom it texts, and when.

`requests/dotnet-group.json` is what Azure.Communication.Sms for .NET writes for its sample "Send
SMS to multiple recipients with options" (Azure/azure-sdk-for-net,
sdk/communication/Azure.Communication.Sms/samples/Sample1_SendSms.md); its JSON writer escapes the
plus signs. It is sent with the library's own api-version.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.stack import Stack
from shared.azure.acs import knows_report_timeout
from shared.base.clock import http_date
from tests.support.client import Parley, Platform
from tests.support.due import run_due
from tests.support.parts import parts_of, send_request
from tests.support.people import People

SAMPLE = (Path(__file__).parent / "requests" / "dotnet-group.json").read_bytes()
WHEN, PEOPLE = b"Sun, 22 Nov 2026 12:20:59 GMT", (b"14255550123", b"14255550124")
TIMEOUT = "smsSendOptions.deliveryReportTimeoutInSeconds"


def today(persons: list[str]) -> bytes:
    """The sample to these persons, as if it were sent now."""
    body = SAMPLE.replace(WHEN, http_date(datetime.now(UTC)).encode())
    for old, person in zip(PEOPLE, persons, strict=True):
        body = body.replace(old, person.removeprefix("+").encode())
    for recipient in json.loads(SAMPLE)["smsRecipients"]:
        body = body.replace(
            recipient["repeatabilityRequestId"].encode(), str(uuid.uuid4()).encode()
        )
    return body


async def test_the_sample_is_accepted_under_any_setting(
    parley: Parley, platform: Platform, people: People
) -> None:
    """An option that ACS, as it is spoken to, does not know is left out; the message says so."""
    persons = people.many(2)
    reply = await parley.signed("POST", "/sms", today(persons), query="api-version=2026-01-23")
    assert reply.status == 202, reply.body
    assert [(i["to"], i["httpStatusCode"]) for i in reply.items] == [(p, 202) for p in persons]
    for item in reply.items:
        message = await parley.message_in_state(item["messageId"], "delivered")
        assert (message["tag"], message["ignored"]) == ("marketing", [TIMEOUT])
        (asked,) = await platform.accepted(item["to"])
        assert asked["deliveryReportTimeoutInSeconds"] is None


async def test_the_option_goes_on_where_acs_knows_it(
    stack: Stack, platform: Platform, people: People
) -> None:
    """With an api-version that has the option ACS is told, and nothing is ignored."""
    persons = people.many(2)
    async with parts_of(stack, PARLEY_ACS_API_VERSION="2025-09-17") as parts:
        answer = await parts.sending.api.send(send_request(parts, json.loads(today(persons))))
        for item in answer.items:
            message = await parts.messages.get_message(str(item.message_id))
            assert message["ignored"] == []
    for person in persons:
        (asked,) = await platform.accepted(person)
        assert asked["deliveryReportTimeoutInSeconds"] == 90


async def test_a_version_that_has_changed_since_does_not_fail_the_send(
    stack: Stack, platform: Platform, people: People
) -> None:
    """What waited under a newer api-version is sent without the option under an older one."""
    persons = people.many(2)
    body = {**json.loads(today(persons)), "sendAt": datetime.now(UTC).isoformat()}
    async with parts_of(stack, PARLEY_ACS_API_VERSION="2026-01-23") as newer:
        request = send_request(newer, body)
    async with parts_of(stack) as older:
        await run_due(older, (await older.sending.api.send(request)).send_id)
    for person in persons:
        (asked,) = await platform.accepted(person)
        assert asked["deliveryReportTimeoutInSeconds"] is None


@pytest.mark.parametrize(
    ("version", "known"),
    [
        ("2021-03-07", False),
        ("2022-07-07", False),
        ("2024-01-14-preview", False),
        ("2024-02-05", False),
        ("2024-02-05-preview", True),
        ("2024-12-10-preview", True),
        ("2025-08-01-preview", True),
        ("2025-09-17", True),
        ("2026-01-23", True),
    ],
)
def test_which_api_versions_know_the_option(version: str, *, known: bool) -> None:
    """As the published specifications have it; a preview is not the stable version of its day."""
    assert knows_report_timeout(version) is known


async def test_a_null_option_is_none(parley: Parley, person: str) -> None:
    """A client that writes what it does not use as null asks for nothing."""
    options = {"enableDeliveryReport": True, "messagingConnect": None, "tag": None}
    body = {
        "from": "+18005550100",
        "smsRecipients": [{"to": person}],
        "message": "Hello",
        "smsSendOptions": {**options, "deliveryReportTimeoutInSeconds": None},
    }
    reply = await parley.signed("POST", "/sms", body)
    assert reply.status == 202, reply.body
    assert (await parley.message(reply.items[0]["messageId"]))["ignored"] == []
