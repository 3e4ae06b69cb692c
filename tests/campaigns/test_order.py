"""Orders and lists: what is refused, what a dry run says, and that a plan binds."""

from __future__ import annotations

import asyncio
import codecs
from typing import Any

import pytest

from local.stack import Stack
from shared.azure.storage import StorageDown
from shared.base.errors import CampaignExists
from tests.campaigns.support import campaign_in_state, dry_run, order, ordered, uploaded
from tests.support.client import SHORT_CODE, TOLL_FREE, Parley, Platform, send_body
from tests.support.parts import parts_of
from tests.support.people import People
from tests.support.transports import Inner, Trouble, TroubledTransport

PERSON = "+14255550123"


@pytest.mark.parametrize(
    ("members", "member"),
    [
        ({"from": None}, "from"),
        ({"senders": ["24680"]}, "from"),
        ({"from": None, "senders": []}, "senders"),
        ({"from": None, "senders": ["24680", "24680"]}, "senders"),
        ({"from": None, "senders": ["24680", "+12065550100"]}, "senders"),
        ({"message": ""}, "message"),
        ({"message": "x" * 2049}, "message"),
        ({"message": "Hello {name"}, "message"),
        ({"message": "Hello {name}"}, "message"),
        ({"recipients": []}, "recipients"),
        ({"recipients": None}, "recipients"),
        ({"recipients": ["+14255550123"]}, "recipients[0]"),
        ({"recipients": [{"name": "Ann"}]}, "recipients[0].to"),
        ({"recipients": [{"to": PERSON, "a": "1", "A": "2"}]}, "recipients[0]"),
        ({"list": {"name": "x.csv"}}, "recipients"),
        ({"recipients": None, "list": {"name": "../x"}}, "list.name"),
        ({"recipients": None, "list": {"name": "none-such.csv"}}, "list.name"),
        ({"recipients": None, "list": {"name": "x", "column": "y"}}, "list.column"),
        ({"category": "spam"}, "category"),
        ({"tag": "x" * 257}, "tag"),
        ({"enableDeliveryReport": "yes"}, "enableDeliveryReport"),
        ({"startAt": "2020-01-01T00:00:00Z"}, "startAt"),
        ({"startAt": "2099-01-01T00:00:00Z"}, "startAt"),
        ({"startAt": "2026-12-01T10:00:00"}, "startAt"),
        ({"startAt": "2027-03-14T02:30:00", "timeZone": "America/New_York"}, "startAt"),
        ({"timeZone": "Mars/Olympus"}, "timeZone"),
        ({"timeToLiveInSeconds": 1}, "timeToLiveInSeconds"),
        ({"spreadOverSeconds": True}, "spreadOverSeconds"),
        ({"atMostOncePerHours": 0}, "atMostOncePerHours"),
        ({"window": {"from": "21:00", "to": "08:00"}}, "window"),
        ({"window": {"from": "08:00", "to": "21:00", "source": "x" * 501}}, "window"),
        ({"window": {"from": "08:00", "to": "21:00", "source": "\ud83d"}}, "window"),
        ({"campaignId": "a/b"}, "campaignId"),
        ({"planHash": 1}, "planHash"),
        ({"unheard": 1}, "unheard"),
    ],
)
async def test_orders_that_make_no_sense_are_refused(
    parley: Parley, members: dict[str, Any], member: str
) -> None:
    """400 with the member at fault, by a dry run and by a start alike."""
    body = {k: v for k, v in (order(PERSON) | members).items() if v is not None}
    for target in ("/campaigns", "/campaigns?dryRun=true"):
        reply = await parley.own("POST", target, body)
        assert reply.status == 400, reply.body
        assert list(reply.json["errors"]) == [member]


async def test_everything_at_fault_is_named_at_once(parley: Parley) -> None:
    """One answer names all members at fault, beside rules over several of them."""
    body = {
        "from": 7,
        "senders": ["24680", " "],
        "message": "Hi {",
        "recipients": [{"to": 7}],
        "list": {"name": "../x"},
        "startAt": "noon",
        "timeZone": "Mars/Olympus",
        "window": {"from": "8"},
        "enableDeliveryReport": "yes",
        "wish": 1,
    }
    reply = await parley.own("POST", "/campaigns", body)
    assert reply.status == 400, reply.body
    assert set(reply.json["errors"]) == {
        *("from", "senders[1]", "message", "recipients", "recipients[0].to", "list.name"),
        *("startAt", "timeZone", "window", "enableDeliveryReport", "wish"),
    }


@pytest.mark.parametrize("target", ["/campaigns?after=x", "/campaigns/none-such/refused?after=-1"])
async def test_a_page_begins_where_a_link_says(parley: Parley, target: str) -> None:
    """Another key is refused and the parameter named, not taken for some place."""
    reply = await parley.own("GET", target)
    assert (reply.status, list(reply.json["errors"])) == (400, ["after"])


async def test_a_foreign_sender_is_refused(parley: Parley) -> None:
    """403, as for a send."""
    reply = await parley.own("POST", "/campaigns", order(PERSON) | {"from": "+18005550199"})
    assert (reply.status, reply.json["code"]) == (403, "SenderNotConfigured")


async def test_an_id_is_used_once(parley: Parley, platform: Platform, people: People) -> None:
    """The second order with an id is refused, and the first is none the worse for it."""
    first, second = people.many(2)
    made = await ordered(parley, order(first, campaignId="used-twice"))
    reply = await parley.own("POST", "/campaigns", order(second, campaignId="used-twice"))
    assert (reply.status, reply.json["code"]) == (409, "CampaignExists")
    await campaign_in_state(parley, made["campaignId"], "done")
    assert len(await platform.accepted(first)) == 1
    assert await platform.accepted(second) == []


async def test_what_is_not_there_is_404(parley: Parley) -> None:
    """A campaign, an operation."""
    for method, target in (
        ("GET", "/campaigns/none-such"),
        ("GET", "/campaigns/none-such/refused"),
        ("POST", "/campaigns/none-such:pause"),
        ("POST", "/campaigns/none-such:cancel"),
        ("POST", "/campaigns/none-such:restart"),
    ):
        assert (await parley.own(method, target)).status == 404, target


SPREADSHEET = codecs.BOM_UTF8.decode() + (
    "Name;Phone;Note\r\n"
    'Ann;+14255550101;"two\r\nlines"\r\n'
    "Bob;1.4255E+10;\r\n"
    "Cem;+14255550103;ok\r\n"
    ";+14255550104;ok\r\n"
    "Cem again;+1 425 555 0103;ok\r\n"
)


async def test_a_spreadsheet_is_read_as_people_export_it(parley: Parley) -> None:
    """BOM, semicolons, quoted line ends, Excel's exponents, empty values: each line with its
    reason."""
    said = await uploaded(parley, "export.csv", SPREADSHEET)
    assert (said["numberColumn"], said["columns"]) == ("Phone", ["Name", "Phone", "Note"])
    body = order(list={"name": "export.csv"}, message="Dear {name}")
    found = await dry_run(parley, body)
    assert found["list"]["delimiter"] == ";"
    assert (found["rows"], found["recipients"], found["duplicates"]) == (5, 2, 1)
    assert [(line["line"], line["reason"].split()[0]) for line in found["refusedLines"]] == [
        (4, "The"),
        (6, "There"),
        (7, "The"),
    ]
    with_note = await dry_run(parley, body | {"message": "Dear {name}: {note}"})
    assert with_note["recipients"] == 1


async def test_a_person_under_three_spellings_is_one(parley: Parley) -> None:
    """Argentina's mobile with 9, without, and with 15: one recipient, one number."""
    await uploaded(parley, "ar.csv", "phone\n+541123456789\n+5491123456789\n+54 11 15 2345-6789\n")
    found = await dry_run(parley, order(list={"name": "ar.csv"}))
    assert (found["rows"], found["recipients"], found["duplicates"]) == (3, 1, 2)


@pytest.mark.parametrize(
    ("content", "member"),
    [
        ("mobile,phone\n+14255550101,+14255550102\n", "numberColumn"),
        ("name,city\nAnn,Seattle\n", "numberColumn"),
        (",".join(f"c{i}" for i in range(10_000)) + "\n", "recipients"),
        ("", "recipients"),
        ("phone,name\n+14255550101,Jos\xe9\n".encode("cp1252"), "list.encoding"),
    ],
    ids=["two number columns", "none", "10,000 columns", "empty", "Windows-1252"],
)
async def test_lists_that_are_in_doubt_are_refused(
    parley: Parley, content: str | bytes, member: str
) -> None:
    """A list read by the wrong column would text strangers: the caller is asked."""
    reply = await parley.own(
        "PUT", "/lists/doubtful.csv", content.encode() if isinstance(content, str) else content
    )
    if reply.status == 200:
        reply = await parley.own("POST", "/campaigns", order(list={"name": "doubtful.csv"}))
    assert reply.status == 400
    assert list(reply.json["errors"]) == [member]


async def test_a_list_without_a_header_has_numbered_columns(parley: Parley) -> None:
    """Columns are called by their place, and one may be named."""
    await uploaded(parley, "bare.csv", "+14255550101,Ann\n+14255550102,Bob\n")
    found = await dry_run(parley, order(list={"name": "bare.csv"}, message="Dear {2}"))
    assert (found["rows"], found["recipients"]) == (2, 2)
    named = {"name": "bare.csv", "numberColumn": "1"}
    assert (await dry_run(parley, order(list=named)))["recipients"] == 2


async def test_a_text_that_grows_past_its_limit_spoils_one_row(parley: Parley) -> None:
    """The others are texted."""
    recipients = [{"to": PERSON, "x": "y" * 2048}, {"to": "+14255550124", "x": "y"}]
    found = await dry_run(parley, order(recipients=recipients, message="Hello {x}"))
    assert (found["recipients"], found["refused"]) == (1, 1)
    assert found["refusedLines"][0]["line"] == 1


async def test_a_dry_run_says_what_it_would_come_to(
    parley: Parley, platform: Platform, people: People
) -> None:
    """Encoding, segments, costly characters, who is blocked, cost, warnings; and sends nothing."""
    out, other = people.many(2)
    await platform.speak(out, "STOP", to=TOLL_FREE)
    await platform.relayed_event("Parley.OptOutChanged", recipient=out)
    text = "Let\u2019s meet at 10:00, the usual place: " + "x" * 40
    found = await dry_run(
        parley, order(out, other, message=text, category="transactional") | {"from": TOLL_FREE}
    )
    assert (found["recipients"], found["blocked"], found["texts"]) == (2, 1, 1)
    assert (found["encodings"], found["segments"]) == ({"UCS-2": 1}, 2)
    assert found["segmentsSavedByStandIns"] == 1
    assert found["costlyCharacters"] == [
        {"character": "\u2019", "codePoint": "U+2019", "count": 1, "standIn": "'"}
    ]
    assert found["cost"][0]["segments"] == 2
    shouted = order(other, message="bit.ly/x", category="marketing")
    warnings = (await dry_run(parley, shouted))["warnings"]
    assert {one["code"] for one in warnings} >= {"publicShortener", "noBrand"}
    asked = send_body(other, sender=SHORT_CODE, message="bit.ly/x", category="marketing")
    preview = (await parley.own("POST", "/messages:preview", asked)).json
    assert preview["warnings"] == warnings
    assert await platform.accepted(other) == []


async def test_a_plan_binds(parley: Parley, platform: Platform, people: People) -> None:
    """Starting with a plan's hash is refused once the list or the text has changed."""
    first, second = people.many(2)
    await uploaded(parley, "planned.csv", f"phone\n{first}\n")
    body = order(list={"name": "planned.csv"})
    plan = (await dry_run(parley, body))["planHash"]
    assert (await dry_run(parley, body))["planHash"] == plan
    other_text = body | {"message": "Another text", "planHash": plan}
    assert (await parley.own("POST", "/campaigns", other_text)).json["code"] == "PlanChanged"
    await uploaded(parley, "planned.csv", f"phone\n{second}\n")
    reply = await parley.own("POST", "/campaigns", body | {"planHash": plan})
    assert (reply.status, reply.json["code"]) == (409, "PlanChanged")

    plan = (await dry_run(parley, body))["planHash"]
    made = await ordered(parley, body | {"planHash": plan})
    await campaign_in_state(parley, made["campaignId"], "done")
    assert await platform.accepted(first) == []
    assert len(await platform.accepted(second)) == 1


async def test_an_order_that_comes_again_with_its_key_is_one_campaign(
    parley: Parley, platform: Platform, people: People
) -> None:
    """The answer is the campaign that it began, at once or repeated, also when the order would be
    refused by now; everybody is texted once."""
    persons = people.many(2)
    await uploaded(parley, "keyed.csv", "phone\n" + "\n".join(persons) + "\n")
    body = order(list={"name": "keyed.csv"})
    key = f"offer-{persons[0]}"
    first, *repeats = await asyncio.gather(
        *(parley.own("POST", "/campaigns", body, Idempotency_Key=key) for _ in range(3))
    )
    found = {reply.json["campaignId"] for reply in (first, *repeats)}
    assert len(found) == 1
    assert [reply.status for reply in (first, *repeats)] == [202] * 3
    await campaign_in_state(parley, found.pop(), "done")
    await uploaded(parley, "keyed.csv", "name,note\nnobody,here\n" * 2)
    again = await parley.own("POST", "/campaigns", body, Idempotency_Key=key)
    assert (again.status, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert again.json["campaignId"] == first.json["campaignId"]
    for person in persons:
        assert len(await platform.accepted(person)) == 1


async def test_a_key_stands_for_one_order(parley: Parley, people: People) -> None:
    """Another order with it is refused; an order that was refused leaves it free; one with the id
    of somebody else's campaign is refused as without a key."""
    one, other = people.many(2)
    key = f"offer-{one}"

    async def ordered_with_key(**members: Any) -> tuple[int, str | None]:
        body = order(one, campaignId=f"keyed-{one[1:]}") | members
        reply = await parley.own("POST", "/campaigns", body, Idempotency_Key=key)
        return reply.status, reply.json.get("code")

    assert await ordered_with_key(message="") == (400, "InvalidRequest")
    assert await ordered_with_key(planHash="0") == (409, "PlanChanged")
    assert await ordered_with_key() == (202, None)
    assert await ordered_with_key() == (202, None)
    assert await ordered_with_key(message="Hi") == (422, "IdempotencyKeyReused")
    key = f"offer-{other}"
    assert await ordered_with_key(message="Hi") == (409, "CampaignExists")
    reply = await parley.own("POST", "/campaigns", order(one), Idempotency_Key="\u00e9")
    assert (reply.status, list(reply.json["errors"])) == (400, ["Idempotency-Key"])


def _fails_at_a_list(network: Inner) -> Inner:
    # The client's own three tries.
    unsent = [Trouble.UNSENT] * 3
    return TroubledTransport(network, unsent, concerns=lambda asked: "/lists/" in asked.url)


async def test_a_key_never_answers_with_the_campaign_of_another_order(
    stack: Stack, people: People
) -> None:
    """An order breaks off once its key is claimed; another order takes the campaign id meanwhile.
    The repeat is refused: that campaign is not the caller's, and texts other people."""
    one, other = people.many(2)
    campaign_id, key = f"taken-{one[1:]}", f"offer-{one}"

    async with parts_of(stack, way=_fails_at_a_list) as parts:
        api, mine = parts.campaigns.api, order(one, campaignId=campaign_id)
        with pytest.raises(StorageDown):
            await api.order(mine, dry_run=False, key=key)
        await api.order(order(other, campaignId=campaign_id), dry_run=False)
        for _ in range(2):
            with pytest.raises(CampaignExists):
                await api.order(mine, dry_run=False, key=key)


async def test_an_order_that_broke_off_goes_on_under_its_key(
    stack: Stack, parley: Parley, platform: Platform, people: People
) -> None:
    """The key was claimed and the campaign never began: the repeat begins it, once."""
    one = people.one()
    key = f"offer-{one}"

    async with parts_of(stack, way=_fails_at_a_list) as parts:
        api = parts.campaigns.api
        with pytest.raises(StorageDown):
            await api.order(order(one), dry_run=False, key=key)
        answers = [await api.order(order(one), dry_run=False, key=key) for _ in range(2)]
    assert [replayed for _, replayed in answers] == [False, True]
    (campaign_id,) = {campaign["campaignId"] for campaign, _ in answers}
    await campaign_in_state(parley, campaign_id, "done")
    assert len(await platform.accepted(one)) == 1
