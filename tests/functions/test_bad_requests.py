"""Requests that make no sense, on both faces: what the caller is told, and that nothing is sent."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha512
from typing import Any

import pytest

from shared.azure.signatures import content_hash
from shared.base.clock import http_date
from tests.support.client import (
    LONG_CODE,
    TOLL_FREE,
    Parley,
    Platform,
    Reply,
    encoded,
    send_body,
    with_ids,
)
from tests.support.people import People

TALK = "cv_" + "0" * 22
PERSON = "+14255550123"
LONE = "\ud83d"


def changed(**members: Any) -> dict[str, Any]:
    """A good send with other members."""
    return {**send_body(PERSON), **members}


def without(member: str) -> dict[str, Any]:
    return {name: value for name, value in send_body(PERSON).items() if name != member}


def options(**members: Any) -> dict[str, Any]:
    return changed(smsSendOptions={"enableDeliveryReport": True, **members})


def recipients(*entries: Any) -> dict[str, Any]:
    return changed(smsRecipients=list(entries))


@dataclass(frozen=True)
class Bad:
    """A body, the member at fault as the caller wrote it, and a part of the reason."""

    name: str
    body: Any
    member: str
    reason: str


CONNECT = {"partner": "infobip", "partnerParams": {"apiKey": "key"}}
BODIES = [
    Bad("empty", b"", "", "not JSON"),
    Bad("not JSON", b"from=+18005550100", "", "line 1, column 1"),
    Bad("cut off", encoded(send_body(PERSON))[:-1], "", "not JSON"),
    Bad("not UTF-8", b'{"from": "\xff"}', "", "UTF-8"),
    Bad("too deep", b"[" * 100_000, "", "deep"),
    Bad("65 deep", changed(wish=json.loads("[" * 64 + "]" * 64)), "", "deep"),
    Bad("endless number", b'{"from": ' + b"1" * 5000 + b"}", "", "number"),
    Bad("a list", [send_body(PERSON)], "", "JSON object"),
    Bad("a text", b'"Hello"', "", "JSON object"),
    Bad("null", b"null", "", "JSON object"),
    Bad("no sender", without("from"), "from", "required"),
    Bad("sender null", changed(**{"from": None}), "from", "required"),
    Bad("sender blank", changed(**{"from": " "}), "from", "required"),
    Bad("sender a number", changed(**{"from": 18005550100}), "from", "required"),
    Bad("no recipients", without("smsRecipients"), "smsRecipients", "At least one"),
    Bad("0 recipients", recipients(), "smsRecipients", "At least one"),
    Bad("101 recipients", recipients(*[{"to": PERSON}] * 101), "smsRecipients", "Max of 100"),
    Bad("recipients an object", changed(smsRecipients={"to": PERSON}), "smsRecipients", "list"),
    Bad("recipients a text", changed(smsRecipients=PERSON), "smsRecipients", "list"),
    Bad("recipient a text", recipients(PERSON), "smsRecipients[0]", "object"),
    Bad("recipient without to", recipients({}), "smsRecipients[0].to", "required"),
    Bad("to a number", recipients({"to": 14255550123}), "smsRecipients[0].to", "text"),
    Bad("to null", recipients({"to": PERSON}, {"to": None}), "smsRecipients[1].to", "required"),
    Bad(
        "id a number",
        recipients({"to": PERSON, "repeatabilityRequestId": 7}),
        "smsRecipients[0].repeatabilityRequestId",
        "text",
    ),
    Bad("to too long", recipients({"to": "+1" + "4" * 63}), "smsRecipients[0].to", "64"),
    Bad(
        "100 recipients too long",
        recipients(
            *[
                {"to": "".join(sha512(bytes([i, j])).hexdigest() for j in range(16))}
                for i in range(100)
            ]
        ),
        "smsRecipients[99].to",
        "64",
    ),
    Bad(
        "id too long",
        recipients({"to": PERSON, "repeatabilityRequestId": "7" * 65}),
        "smsRecipients[0].repeatabilityRequestId",
        "64",
    ),
    Bad(
        "first-sent too long",
        recipients({"to": PERSON, "repeatabilityFirstSent": "7" * 65}),
        "smsRecipients[0].repeatabilityFirstSent",
        "64",
    ),
    Bad("no message", without("message"), "message", "required"),
    Bad("message a number", changed(message=7), "message", "text"),
    Bad("empty message", changed(message=""), "message", "empty"),
    Bad("2,049 characters", changed(message="x" * 2049), "message", "2049"),
    Bad("1,025 emoji", changed(message="\N{GRINNING FACE}" * 1025), "message", "2050"),
    Bad("a NUL", changed(message="a\x00b"), "message", "U+0000"),
    Bad("an escape", changed(message="\x1b[31m"), "message", "U+001B"),
    Bad("a C1 control", changed(message="a\x85b"), "message", "U+0085"),
    Bad("a lone surrogate", changed(message=f"Hi {LONE}"), "message", "surrogate"),
    Bad("options a list", changed(smsSendOptions=[]), "smsSendOptions", "object"),
    Bad(
        "no report option",
        changed(smsSendOptions={}),
        "smsSendOptions.enableDeliveryReport",
        "required",
    ),
    Bad(
        "report a text",
        options(enableDeliveryReport="true"),
        "smsSendOptions.enableDeliveryReport",
        "true or false",
    ),
    Bad("tag a number", options(tag=17), "smsSendOptions.tag", "text"),
    Bad("tag too long", options(tag="x" * 257), "smsSendOptions.tag", "256"),
    Bad("tag with a control", options(tag="a\nb\x00"), "smsSendOptions.tag", "control"),
    Bad("tag with half a pair", options(tag=LONE), "smsSendOptions.tag", "text"),
    *(
        Bad(
            f"report time-out {value!r}",
            options(deliveryReportTimeoutInSeconds=value),
            "smsSendOptions.deliveryReportTimeoutInSeconds",
            "60 to 43200",
        )
        for value in (59, 43_201, "60", True, 60.5)
    ),
    Bad(
        "Messaging Connect",
        options(messagingConnect=CONNECT),
        "smsSendOptions.messagingConnect",
        "not supported",
    ),
    Bad("unknown category", changed(category="urgent"), "category", "oneTimeCode"),
    Bad("category a list", changed(category=["marketing"]), "category", "marketing"),
    Bad("unknown member", changed(wish=1), "wish", "not known"),
    Bad("other case", changed(Message="Hello"), "Message", "not known"),
    Bad("unknown option", options(wish=1), "smsSendOptions.wish", "not known"),
    Bad(
        "unknown member of a recipient",
        recipients({"to": PERSON, "name": "Ann"}),
        "smsRecipients[0].name",
        "not known",
    ),
]
every_bad_body = pytest.mark.parametrize("bad", BODIES, ids=lambda bad: bad.name)


def pascal(member: str) -> str:
    return ".".join(part[:1].upper() + part[1:] for part in member.split("."))


@every_bad_body
async def test_a_bad_body_on_the_acs_face(bad: Bad, parley: Parley, platform: Platform) -> None:
    """ACS's problem shape, the member in its spelling, the reason; ACS is not called."""
    calls = await platform.calls(PERSON)
    reply = await parley.signed("POST", "/sms", bad.body)
    assert reply.status == 400, reply.body
    assert reply.headers["Content-Type"].startswith("application/problem+json")
    problem = reply.json
    assert problem["title"] == "One or more validation errors occurred."
    assert problem["type"].startswith("https://tools.ietf.org/html/rfc9110")
    assert (problem["status"], problem["traceId"][:3]) == (400, "00-")
    assert bad.reason in " ".join(problem["errors"][pascal(bad.member)])
    assert await platform.calls(PERSON) == calls


@every_bad_body
@pytest.mark.parametrize("path", ["/messages", "/messages:preview"])
async def test_a_bad_body_on_our_own_face(path: str, bad: Bad, parley: Parley) -> None:
    """A problem (RFC 9457) with code, member and reason; a preview says the same."""
    reply = await parley.own("POST", path, bad.body)
    assert reply.status == 400, reply.body
    assert reply.headers["Content-Type"].startswith("application/problem+json")
    problem = reply.json
    assert (problem["code"], problem["status"]) == ("InvalidRequest", 400)
    assert problem["retryable"] is False
    assert bad.reason in " ".join(problem["errors"][bad.member])
    assert bad.reason in problem["detail"]


async def test_the_largest_that_is_refused_item_by_item(parley: Parley) -> None:
    """A hundred entries, each as long as can be and of rare characters, fit on record."""
    entries = [
        {
            name: "".join(chr(0x10000 + (64 * (2 * i + n) + j) * 37) for j in range(64))
            for n, name in enumerate(("to", "repeatabilityRequestId"))
        }
        for i in range(100)
    ]
    for reply in (
        await parley.own("POST", "/messages", recipients(*entries)),
        await parley.signed("POST", "/sms", recipients(*entries)),
    ):
        assert reply.status == 202, reply.body
        assert [item["httpStatusCode"] for item in reply.items] == [400] * 100


async def test_a_key_is_not_spent_on_a_refusal(parley: Parley, person: str) -> None:
    """The mended request may come under the same key."""
    key = str(uuid.uuid4())
    bad = recipients({"to": person}, {"to": "5" * 70_000})
    assert (await parley.own("POST", "/messages", bad, Idempotency_Key=key)).status == 400
    sent = await parley.own("POST", "/messages", send_body(person), Idempotency_Key=key)
    assert sent.status == 202, sent.body


async def test_everything_at_fault_is_named_at_once(parley: Parley) -> None:
    """One answer names all members at fault, so that nobody mends a request step by step."""
    body = {"smsRecipients": [{}], "message": "", "smsSendOptions": {"tag": 1}, "wish": 1}
    reply = await parley.own("POST", "/messages", body)
    assert set(reply.json["errors"]) == {
        "from",
        "smsRecipients[0].to",
        "message",
        "smsSendOptions.enableDeliveryReport",
        "smsSendOptions.tag",
        "wish",
    }


@pytest.mark.parametrize("message", ["x" * 2048, "\N{GRINNING FACE}" * 1024, "a\tb\r\nc"])
async def test_the_longest_and_the_oddest_that_are_sent(
    message: str, parley: Parley, platform: Platform, person: str
) -> None:
    """2,048 UTF-16 units pass, and so do line ends and tabs; the handset gets them unchanged."""
    (item,) = await parley.send(person, message=message)
    await parley.message_in_state(item["messageId"], "delivered")
    assert await platform.texts(person) == [message]


NUMBERS = [
    ("14255550123", "start with +"),
    ("00442079460000", "start with +"),
    ("+1425", "No telephone number"),
    ("+1425555012345", "No telephone number"),
    ("+14250550123", "No telephone number"),
    ("+99912345678", "No telephone number"),
    ("+19005550123", "premium"),
    ("+449098790000", "premium"),
    ("24680", "short code"),
    ("+24680", "short code"),
    ("+1425555CALL", "Letters"),
    ("+14255550123;ext=1", "Letters"),
    ("+1425\x005550123", "E.164"),
    ("+1425555012\u2462", "U+2462"),
    ("+14255550123, +14255550124", "two numbers"),
    ("+112345678901", "a digit too many"),
    ("", "E.164"),
    (" ", "E.164"),
    (LONE, "E.164"),
    ("+" + "1" * 63, "No telephone number"),
    ("CONTOSO", "Letters"),
]


async def test_bad_numbers_spoil_their_own_items_only(
    parley: Parley, platform: Platform, person: str
) -> None:
    """Each bad recipient has a 400 item with ACS's words and the reason; the good one is texted."""
    to = [*(number for number, _ in NUMBERS), person]
    reply = await parley.signed("POST", "/sms", with_ids(send_body(*to)))
    assert reply.status == 202
    assert [item["to"] for item in reply.items] == to
    for item, (_, reason) in zip(reply.items, NUMBERS, strict=False):
        assert (item["httpStatusCode"], item["successful"]) == (400, False)
        assert item["messageId"] is None
        assert item["errorMessage"].startswith("Invalid To phone number format.")
        assert reason in item["errorMessage"]
    assert reply.items[-1]["successful"]
    await parley.message_in_state(reply.items[-1]["messageId"], "delivered")
    assert len(await platform.accepted(person)) == 1


async def test_a_send_to_bad_numbers_alone(parley: Parley, platform: Platform, person: str) -> None:
    """Where nobody can be texted, ACS is not called and the answer is still one of items."""
    items = await parley.send("+1425", "24680", message=f"Call {person}")
    assert [item["httpStatusCode"] for item in items] == [400, 400]
    assert await platform.calls(person) == 0


REPEAT_ID = "5f0d7c1e-0000-4000-8000-000000000001"
NOW = http_date(datetime.now(UTC))
IDS: list[tuple[str, Any, str]] = [
    ("no UUID", {"repeatabilityRequestId": "7", "repeatabilityFirstSent": NOW}, "UUID"),
    ("no first-sent", {"repeatabilityRequestId": REPEAT_ID}, "RFC1123"),
    (
        "ISO date",
        {"repeatabilityRequestId": REPEAT_ID, "repeatabilityFirstSent": "2026-11-22T13:00:00Z"},
        "RFC1123",
    ),
    (
        "1970",
        {
            "repeatabilityRequestId": REPEAT_ID,
            "repeatabilityFirstSent": "Thu, 01 Jan 1970 00:00:00 GMT",
        },
        "24 hours ago",
    ),
    (
        "2099",
        {
            "repeatabilityRequestId": REPEAT_ID,
            "repeatabilityFirstSent": "Thu, 01 Jan 2099 00:00:00 GMT",
        },
        "15 minutes ahead",
    ),
    (
        "no such day",
        {
            "repeatabilityRequestId": REPEAT_ID,
            "repeatabilityFirstSent": "Mon, 31 Feb 2026 00:00:00 GMT",
        },
        "RFC1123",
    ),
]


@pytest.mark.parametrize(
    ("members", "reason"), [rest for _, *rest in IDS], ids=[name for name, *_ in IDS]
)
async def test_repeatability_ids_that_mean_nothing(
    members: dict[str, str], reason: str, parley: Parley, platform: Platform, person: str
) -> None:
    """As at ACS, such an item is rejected with 400 and its reason, and stops no other."""
    body = recipients({"to": PERSON, **members}, {"to": person})
    reply = await parley.signed("POST", "/sms", body)
    rejected, sent = reply.items
    assert rejected["httpStatusCode"] == 400
    assert rejected["repeatabilityResult"] == "rejected"
    assert reason in rejected["errorMessage"]
    assert sent["successful"]
    await parley.message_in_state(sent["messageId"], "delivered")


@pytest.mark.parametrize(
    "change",
    [{"message": "Other"}, {"smsSendOptions": {"enableDeliveryReport": False}}],
    ids=["message", "options"],
)
async def test_repeated_ids_with_another_body(
    change: dict[str, Any], parley: Parley, platform: Platform, person: str
) -> None:
    """The same ids with another body are refused on both faces, and nothing more is sent."""
    body = with_ids(send_body(person))
    assert (await parley.signed("POST", "/sms", body)).status == 202
    other = {**body, **change}
    reply = await parley.signed("POST", "/sms", other)
    assert reply.status == 400
    assert "another request" in reply.json["errors"]["SmsRecipients"][0]
    own = await parley.own("POST", "/messages", other)
    assert (own.status, own.json["code"]) == (400, "InvalidRequest")
    assert "another request" in own.json["errors"]["smsRecipients"][0]
    assert len(await platform.accepted(person)) == 1


@pytest.mark.parametrize("sender", ["+18005550199", "13579", "NOBODY", LONE, f"{TOLL_FREE}\x00"])
async def test_a_foreign_sender(
    sender: str, parley: Parley, platform: Platform, person: str
) -> None:
    """A sender that is not configured: 401 as ACS has it, 403 with a code on our own face."""
    reply = await parley.signed("POST", "/sms", send_body(person, sender=sender))
    assert (reply.status, reply.json["error"]["code"]) == (401, "Unauthorized")
    assert reply.json["error"]["message"]
    own = await parley.own("POST", "/messages", send_body(person, sender=sender))
    assert (own.status, own.json["code"]) == (403, "SenderNotConfigured")
    assert await platform.calls(person) == 0


async def test_a_sender_is_not_told_by_its_plus(parley: Parley) -> None:
    """A configured number without its + is another text, and so a foreign sender."""
    reply = await parley.signed("POST", "/sms", send_body(PERSON, sender=LONG_CODE.lstrip("+")))
    assert reply.status == 401


# Signatures ---------------------------------------------------------------------------------------

TARGET = "/sms?api-version=2021-03-07"
SHORTLY = timedelta(minutes=14)
TOO_FAR = timedelta(minutes=16)


async def signed_with(
    parley: Parley, changes: dict[str, str | None], body: bytes = b"{}", **how: Any
) -> Reply:
    """A signed request with some headers changed afterwards, or left out where None."""
    headers = {**parley.signed_headers("POST", TARGET, body, **how), **changes}
    kept = {name: value for name, value in headers.items() if value is not None}
    return await parley.call("POST", TARGET, body, kept)


def refused(reply: Reply, reason: str) -> None:
    assert reply.status == 401, reply.body
    assert reply.json["error"]["code"] == "Unauthorized"
    assert reason in reply.json["error"]["message"]
    assert "api-supported-versions" in reply.headers


FORM = "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature="
HEADERS: list[tuple[str, dict[str, str | None], str]] = [
    ("no authorization", {"Authorization": None}, "missing"),
    ("empty authorization", {"Authorization": ""}, "missing"),
    ("bearer", {"Authorization": "Bearer header.payload.signature"}, "audience"),
    ("basic", {"Authorization": "Basic dXNlcjpwYXNz"}, "form"),
    ("no signature", {"Authorization": FORM}, "form"),
    ("not base64", {"Authorization": FORM + "!" * 44}, "form"),
    ("too short", {"Authorization": FORM + "YWJj"}, "form"),
    (
        "other signed headers",
        {"Authorization": "HMAC-SHA256 SignedHeaders=host&Signature=" + "A" * 43 + "="},
        "form",
    ),
    ("wrong signature", {"Authorization": FORM + "A" * 43 + "="}, "does not match"),
    ("no date", {"x-ms-date": None}, "x-ms-date"),
    ("ISO date", {"x-ms-date": "2026-11-22T13:00:00Z"}, "RFC 1123"),
    # Ahead, because it is reckoned when tests are collected and compared when this one runs.
    ("other date", {"x-ms-date": http_date(datetime.now(UTC) + SHORTLY)}, "does not match"),
    ("1970", {"x-ms-date": "Thu, 01 Jan 1970 00:00:00 GMT"}, "15 minutes"),
    ("no hash", {"x-ms-content-sha256": None}, "does not match"),
    ("other hash", {"x-ms-content-sha256": content_hash(b"[]")}, "does not match"),
]


@pytest.mark.parametrize(
    ("changes", "reason"), [rest for _, *rest in HEADERS], ids=[name for name, *_ in HEADERS]
)
async def test_signatures_that_prove_nothing(
    changes: dict[str, str | None], reason: str, parley: Parley
) -> None:
    """Each is 401 in ACS's error shape, with a reason that helps to mend the client."""
    refused(await signed_with(parley, changes), reason)


async def test_a_body_that_was_exchanged(parley: Parley) -> None:
    """The signature covers the body through its hash, and the hash is checked."""
    headers = parley.signed_headers("POST", TARGET, b"{}")
    refused(await parley.call("POST", TARGET, b"[]", headers), "is not the hash of the body")


@pytest.mark.parametrize("away", [TOO_FAR, -TOO_FAR], ids=["late", "early"])
async def test_an_expired_signature(away: timedelta, parley: Parley) -> None:
    """A signature is good for 15 minutes to either side."""
    refused(await signed_with(parley, {}, now=datetime.now(UTC) + away), "15 minutes")


@pytest.mark.parametrize("away", [SHORTLY, -SHORTLY], ids=["late", "early"])
async def test_clocks_may_differ(away: timedelta, parley: Parley) -> None:
    """Within 15 minutes the signature holds; what is refused then is the body."""
    assert (await signed_with(parley, {}, now=datetime.now(UTC) + away)).status == 400


async def test_every_host_form_that_clients_sign(parley: Parley) -> None:
    """Host with port, without, and with a trailing slash are signed by clients; others are not."""
    bare = parley.host.partition(":")[0]
    for host in (parley.host, bare, f"{parley.host}/", f"{bare}/"):
        assert (await signed_with(parley, {}, host=host)).status == 400
    refused(await signed_with(parley, {}, host="contoso.example"), "does not match")


async def test_a_foreign_key(parley: Parley) -> None:
    """A well-formed signature with another key is none."""
    refused(await signed_with(parley, {}, key="Zm9yZWlnbg=="), "does not match")


@pytest.mark.parametrize("path", ["/sms", "/sms/optouts:check"])
async def test_a_function_key_opens_nothing_on_the_acs_face(path: str, parley: Parley) -> None:
    """The ACS face accepts signatures and nothing else."""
    refused(await parley.own("POST", f"{path}?api-version=2021-03-07", {}), "missing")


async def test_a_report_needs_a_signature_too(parley: Parley) -> None:
    """Reading is no less guarded than sending."""
    refused(await parley.call("GET", "/deliveryReports/x?api-version=2021-03-07"), "missing")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "required"),
        ("api-version=", "required"),
        ("api-version=latest", "date"),
        ("api-version=2021-3-7", "date"),
        ("api-version=2021-13-01", "date"),
        ("api-version=2021-03-07T00:00", "date"),
        ("api-version=2021-01-29", "2021-03-07"),
        ("api-version=2020-07-20-preview1", "2021-03-07"),
        ("api-version=2021-03-07&api-version=2021-03-07", "date"),
        ("api-version=2021-03-07%20", "date"),
    ],
)
async def test_api_versions_that_are_not_served(query: str, reason: str, parley: Parley) -> None:
    """A missing, malformed or too old api-version is 400 with the versions that are served."""
    reply = await parley.signed("POST", "/sms", {}, query=query)
    assert reply.status == 400
    assert reason in reply.json["errors"]["Api-version"][0]
    assert "2021-03-07" in reply.headers["api-supported-versions"]


@pytest.mark.parametrize(
    "version", ["2021-03-07", "2024-12-10-preview", "2026-01-23", "2027-02-29", "2099-12-31"]
)
async def test_api_versions_that_are_served(version: str, parley: Parley, person: str) -> None:
    """Any date from 2021-03-07 on is served."""
    body = send_body(person)
    reply = await parley.signed("POST", "/sms", body, query=f"api-version={version}")
    assert reply.status == 202
    assert "2026-01-23" in reply.headers["api-supported-versions"]


# Parley's own face --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/messages"),
        ("POST", "/messages:preview"),
        ("GET", "/messages"),
        ("GET", "/messages/x"),
        ("GET", f"/optouts?recipient={PERSON}"),
        ("POST", "/optouts:add"),
        ("GET", f"/conversations/{TALK}"),
        ("POST", f"/conversations/{TALK}:markRead"),
        ("GET", "/senders"),
        ("GET", "/quarantine"),
        ("POST", "/quarantine/inbound/x:retry"),
        ("DELETE", "/quarantine/inbound/x"),
    ],
)
@pytest.mark.parametrize("key", [None, "", "wrong"])
async def test_a_missing_or_wrong_function_key(
    key: str | None, method: str, path: str, parley: Parley
) -> None:
    """Without a function key Parley's own face says nothing at all."""
    headers = {} if key is None else {"x-functions-key": key}
    reply = await parley.call(method, path, b"{}" if method == "POST" else b"", headers)
    assert (reply.status, reply.body) == (401, b"")


async def test_a_function_key_may_stand_in_the_query(parley: Parley, people: People) -> None:
    """As the functions host has it, in any letters; and a nextLink never repeats it."""
    assert (await parley.own("POST", "/messages", send_body(*people.many(2)))).status == 202
    for name in ("code", "Code", "CODE"):
        reply = await parley.call("GET", f"/messages?maxpagesize=1&{name}={parley.function_key}")
        assert reply.status == 200
        assert reply.json["nextLink"]
        assert parley.function_key not in reply.body.decode()


@pytest.mark.parametrize(
    ("target", "member"),
    [
        ("/messages?maxpagesize=0", "maxpagesize"),
        ("/messages?maxpagesize=501", "maxpagesize"),
        (f"/messages?maxpagesize={'1' * 4400}", "maxpagesize"),
        ("/messages?maxpagesize=ten", "maxpagesize"),
        ("/messages?after=x", "after"),
        ("/messages?after=7ZZZZZZZZZZZZZZZZZZZZZZZZZ.0123456789", "after"),
        ("/messages?startTime=yesterday", "startTime"),
        ("/messages?endTime=2026-13-01", "endTime"),
        ("/messages?startTime=2026-02-01&endTime=2026-01-01", "endTime"),
        ("/messages?startTime=2020-01-01&endTime=2026-01-01", "startTime"),
        ("/messages?startTime=0001-01-01T00:00:00%2B14:00", "startTime"),
        ("/messages?startTime=9999-12-31T23:59:59-14:00", "startTime"),
        ("/messages?endTime=0001-01-01T01:00:00Z", "endTime"),
        ("/messages?endTime=9999-12-31T00:00:00Z", "endTime"),
        (f"/conversations/{TALK}?maxpagesize=-1", "maxpagesize"),
        (f"/conversations/{TALK}?after=%00", "after"),
        (f"/conversations/{TALK}?include=everything", "include"),
        (f"/conversations/{TALK[:-1]}", "conversationId"),
        (f"/conversations/{TALK}0", "conversationId"),
        (f"/conversations/{TALK.upper()}", "conversationId"),
        ("/conversations/%00", "conversationId"),
        ("/conversations?theirs=a%2Fb", "theirs"),
        (f"/conversations?ours=%00&theirs={PERSON}", "ours"),
        ("/optouts", "recipient"),
        ("/optouts?recipient=", "recipient"),
        ("/optouts?recipient=24680", "recipient"),
        (f"/optouts?recipient={PERSON.lstrip('+')}", "recipient"),
        ("/optouts?recipient=%ED%A0%80", "recipient"),
    ],
)
async def test_bad_parameters(target: str, member: str, parley: Parley) -> None:
    """A parameter that makes no sense is 400 and named."""
    reply = await parley.own("GET", target)
    assert reply.status == 400, reply.body
    assert list(reply.json["errors"]) == [member]


@pytest.mark.parametrize(
    "message_id",
    [
        "nonsense",
        "01JD8Z0W0Q4T9V6X2Y3N5M7K8P",
        "01JD8Z0W0Q4T9V6X2Y3N5M7K8P.in",
        "01JD8Z0W0Q4T9V6X2Y3N5M7K8P.0123456789",
        "7ZZZZZZZZZZZZZZZZZZZZZZZZZ.0123456789",
        "01JD8Z0W0Q4T9V6X2Y3N5M7K8P.outcome",
        "%27%20or%20true",
        "%ED%A0%80",
        "x" * 2000,
        "%F0%9F%98%80" * 26,
        "00000000000000000000000000.0123456789",
    ],
)
async def test_a_message_that_is_not_there(message_id: str, parley: Parley) -> None:
    """An id that leads nowhere is 404, whatever it looks like, to read as to take back."""
    for method in ("GET", "DELETE"):
        reply = await parley.own(method, f"/messages/{message_id}")
        assert (reply.status, reply.json["code"]) == (404, "NotFound"), reply.body


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "sp\u00e4t", "a\tb"])
async def test_a_bad_idempotency_key(key: str, parley: Parley, person: str) -> None:
    """A key is 1 to 255 printable ASCII characters; another one sends nothing."""
    reply = await parley.own("POST", "/messages", send_body(person), Idempotency_Key=key)
    assert reply.status == 400
    assert list(reply.json["errors"]) == ["Idempotency-Key"]


@pytest.mark.parametrize("path", ["/messages:explode", "/campaigns/x:explode", "/anything"])
async def test_an_unknown_operation(path: str, parley: Parley) -> None:
    """What looks like an operation and is none is the host's own 404."""
    reply = await parley.own("POST", path, {})
    assert (reply.status, reply.body) == (404, b"")


async def test_an_answer_names_the_request(parley: Parley) -> None:
    """A client's own request id comes back; one that could not stand in a header does not."""
    for name, expected in ((str(uuid.uuid4()), True), ("x" * 65, False)):
        reply = await signed_with(parley, {"x-ms-client-request-id": name})
        assert (reply.headers.get("x-ms-client-request-id") == name) is expected


async def test_json_in_any_of_its_encodings(parley: Parley, people: People) -> None:
    """UTF-16 and a byte order mark are JSON as well."""
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        body = json.dumps(send_body(people.one(), message="Grüße")).encode(encoding)
        assert (await parley.signed("POST", "/sms", body)).status == 202
