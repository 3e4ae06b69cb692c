"""ACS's REST interface answers as docs/platform.md 1.3 to 1.7 says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.local.platform_support import OTHER, PERSON, TOLL_FREE, Country, send_body

FIRST_SENT = "Sun, 22 Nov 2026 13:00:00 GMT"
REQUEST_ID = "6a0f4e0e-9a5b-4f0e-8a8e-2f9f6f1d3c11"
REPEATABLE = {"repeatabilityRequestId": REQUEST_ID, "repeatabilityFirstSent": FIRST_SENT}


def test_results_come_in_the_order_of_the_request() -> None:
    """202 as a whole; one item a recipient, in order, refused or not."""
    country = Country()
    numbers = [PERSON, "+1425555012345", "14255550123", OTHER]
    answer = country.acs.send(send_body(*numbers))
    items = answer.body["value"]
    assert answer.status == 202
    assert [item["to"] for item in items] == numbers
    assert [item["httpStatusCode"] for item in items] == [202, 400, 400, 202]
    assert items[1]["messageId"] is None
    assert items[1]["errorMessage"] == "Invalid To phone number format."


def altered(**members: Any) -> bytes:
    body = json.loads(send_body(PERSON))
    for name, value in members.items():
        if value is ...:
            del body[name]
        else:
            body[name] = value
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("body", "member"),
    [
        (b"no json", "$"),
        (b"[]", "$"),
        (altered(**{"from": ...}), "From"),
        (altered(**{"from": ""}), "From"),
        (altered(message=...), "Message"),
        (altered(message="x" * 2049), "Message"),
        (altered(smsRecipients=...), "SmsRecipients"),
        (altered(smsRecipients=[]), "SmsRecipients"),
        (altered(smsRecipients=[{"to": PERSON}] * 101), "SmsRecipients"),
        (altered(smsRecipients=[{}]), "SmsRecipients[0].To"),
        (altered(smsSendOptions={"tag": "t"}), "SmsSendOptions.EnableDeliveryReport"),
        (
            altered(smsSendOptions={"enableDeliveryReport": True, "tag": 7}),
            "SmsSendOptions.Tag",
        ),
        (
            altered(
                smsSendOptions={"enableDeliveryReport": True, "deliveryReportTimeoutInSeconds": 59}
            ),
            "SmsSendOptions.DeliveryReportTimeoutInSeconds",
        ),
    ],
)
def test_whole_request_is_refused(body: bytes, member: str) -> None:
    """A malformed request gets the problem shape, naming the member, and texts nobody."""
    country = Country()
    answer = country.acs.send(body)
    assert answer.status == answer.body["status"] == 400
    assert member in answer.body["errors"]
    assert answer.body["traceId"].startswith("00-")
    assert not country.carriers.outgoing


@pytest.mark.parametrize("body", [altered(message=""), altered(message="x" * 2048)])
def test_limits_of_the_message(body: bytes) -> None:
    """0 and 2,048 characters are both allowed."""
    assert Country().acs.send(body).status == 202


def test_hundred_recipients() -> None:
    """A hundred recipients are one request."""
    country = Country()
    numbers = [f"+142555501{n:02d}" for n in range(100)]
    assert len(country.acs.send(send_body(*numbers)).body["value"]) == 100


@pytest.mark.parametrize("operation", ["send", "add"])
def test_unowned_sender(operation: str) -> None:
    """A sender that the resource does not own is a 401 of the other error shape."""
    country = Country()
    body = json.dumps(
        {
            "from": "+18885550111",
            "smsRecipients": [{"to": PERSON}],
            "recipients": [{"to": PERSON}],
            "message": "Hello",
        }
    ).encode()
    answer = country.acs.send(body) if operation == "send" else country.acs.opt_outs("add", body)
    assert (answer.status, answer.body["error"]["code"]) == (401, "Unauthorized")


def test_repeat_is_not_texted_again() -> None:
    """A remembered id gives the same message id, accepted, and no second text."""
    country = Country()
    first = country.send(**REPEATABLE)
    again = country.send(
        repeatabilityRequestId=REQUEST_ID.upper(), repeatabilityFirstSent=FIRST_SENT
    )
    country.timeline.advance(1)
    assert first["messageId"] == again["messageId"]
    assert again["repeatabilityResult"] == "accepted"
    assert country.texts() == ["Hello"]


def test_memory_is_per_recipient() -> None:
    """The same id for another recipient is another message."""
    country = Country()
    assert (
        country.send(PERSON, **REPEATABLE)["messageId"]
        != (country.send(OTHER, **REPEATABLE)["messageId"])
    )


@pytest.mark.parametrize(("seconds", "texts"), [(0, 2), (5, 2), (60, 1)])
def test_memory_ends(seconds: int, texts: int) -> None:
    """An id is remembered for as long as the setting says, 0 being not at all."""
    country = Country(repeatabilitySeconds=seconds)
    country.send(**REPEATABLE)
    country.timeline.advance(10)
    country.send(**REPEATABLE)
    country.timeline.advance(10)
    assert len(country.texts()) == texts


def test_memory_survives() -> None:
    """Repeatability ids live on in what is stored."""
    before, after = Country(), Country()
    first = before.send(**REPEATABLE)
    after.acs.load(before.acs.as_json())
    assert after.send(**REPEATABLE)["messageId"] == first["messageId"]


@pytest.mark.parametrize(
    "item",
    [
        {"repeatabilityRequestId": REQUEST_ID},
        {**REPEATABLE, "repeatabilityFirstSent": "2026-11-22T13:00:00Z"},
        {**REPEATABLE, "repeatabilityFirstSent": "Sun, 99 Nov 2026 13:00:00 GMT"},
        {**REPEATABLE, "repeatabilityRequestId": "order-17"},
    ],
)
def test_malformed_repeatability(item: dict[str, str]) -> None:
    """An id without a valid first-sent is refused for that recipient alone."""
    country = Country()
    got = country.send(**item)
    assert (got["httpStatusCode"], got["repeatabilityResult"]) == (400, "rejected")
    assert not country.carriers.outgoing


def test_no_report_unless_asked() -> None:
    """Without enableDeliveryReport no event says what became of the text, even of a blocked one."""
    country = Country()
    country.carriers.block(TOLL_FREE, PERSON)
    item = country.send(report=False)
    country.timeline.advance(1)
    assert item["httpStatusCode"] == 202
    assert country.facts == []


@pytest.mark.parametrize(("digits", "status"), [("0008", 503), ("0009", 400)])
def test_magic_refusals(digits: str, status: int) -> None:
    """Two magic numbers are refused in ACS's own answer."""
    assert Country().send(f"+1500555{digits}")["httpStatusCode"] == status


def opt_out(country: Country, operation: str, *numbers: str) -> list[dict[str, Any]]:
    body = {"from": TOLL_FREE, "recipients": [{"to": number} for number in numbers]}
    answer = country.acs.opt_outs(operation, json.dumps(body).encode())
    assert answer.status == 200
    value: list[dict[str, Any]] = answer.body["value"]
    return value


def test_opt_out_entries() -> None:
    """Add, check and remove; only check tells the state, and a bad number fails alone."""
    country = Country()
    added = opt_out(country, "add", PERSON, "nobody")
    assert added[0] == {"to": PERSON, "httpStatusCode": 200}
    assert added[1]["httpStatusCode"] == 400
    checked = opt_out(country, "check", PERSON, OTHER)
    assert [item["isOptedOut"] for item in checked] == [True, False]
    opt_out(country, "remove", PERSON)
    assert opt_out(country, "check", PERSON)[0]["isOptedOut"] is False


def test_removing_leaves_the_carriers_block() -> None:
    """Only the handset itself lifts a toll-free carrier's block."""
    country = Country()
    country.carriers.hear(PERSON, TOLL_FREE, "STOP")
    opt_out(country, "remove", PERSON)
    country.send()
    country.timeline.advance(1)
    assert country.texts() == []


def test_delivery_report_appears() -> None:
    """404 in the problem shape until there is a report, then the latest one."""
    country = Country()
    message_id = country.send()["messageId"]
    missing = country.acs.delivery_report(message_id)
    assert (missing.status, missing.body["title"]) == (404, "Not Found")
    country.timeline.advance(1)
    assert country.acs.delivery_report(message_id).body["deliveryStatus"] == "Delivered"


def test_rates_when_enforced() -> None:
    """Over the sender's messages a minute, a request is a 429 whole; a minute later it is not."""
    country = Country(enforceRates=True)
    hundred = [f"+142555501{n:02d}" for n in range(100)]
    statuses = [country.acs.send(send_body(*hundred)).status for _ in range(3)]
    country.timeline.advance(61)
    statuses.append(country.acs.send(send_body(*hundred)).status)
    assert statuses == [202, 202, 429, 202]
    assert len(country.carriers.outgoing) == 300
