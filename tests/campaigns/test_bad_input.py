"""What callers and their spreadsheets get wrong, on the running stack: who is texted all the same,
and what is said of the rest."""

from __future__ import annotations

import asyncio
import codecs
from typing import Any

import pytest

from tests.campaigns.support import campaign_in_state, dry_run, order, ordered, uploaded
from tests.support.client import Parley, Platform
from tests.support.people import People
from tests.support.polling import eventually


async def refused_lines(parley: Parley, campaign_id: str) -> dict[int, str]:
    """Line to reason."""
    reply = await parley.own("GET", f"/campaigns/{campaign_id}/refused?maxpagesize=100")
    assert reply.status == 200, reply.body
    return {line["line"]: line["reason"] for line in reply.items}


async def texts_of(platform: Platform, number: str) -> list[str]:
    """What ACS has taken for somebody, once their handset has it."""
    count = len(await platform.accepted(number))
    if count == 0:
        return []

    async def look() -> list[str] | None:
        texts = await platform.texts(number)
        return texts if len(texts) == count else None

    return await eventually(look, f"{number} gets {count} texts")


@pytest.mark.parametrize(
    "form",
    [("utf-8-sig", ";", "\r\n"), ("utf-8", ",", "\n"), ("utf-16", "\t", "\r\n")],
    ids=["Excel's CSV UTF-8", "plain", "Excel's Unicode text"],
)
async def test_a_bad_line_spoils_itself_alone(
    parley: Parley, platform: Platform, people: People, form: tuple[str, str, str]
) -> None:
    """Whoever's line is sound is texted once with their own value; every other line is named with
    its reason, counted over quoted line ends, and nobody of it is texted."""
    encoding, delimiter, end = form
    ann, two_lines, no_name, long, last = people.many(5)
    lines = [
        "Name|Phone|Note",
        f'Ann|{ann}|"one{end}or ""two"" lines"',
        "Bob|1.4255E+10|Excel has shortened this",
        f'"Cem{end}Cem"|{two_lines}|a name of two lines',
        f" |{no_name}|no name",
        f"{'D' * 2048}|{long}|too much of a name",
        "Eve|12|no number",
        f"Fay|+1 ({ann[2:5]}) {ann[5:8]}-{ann[8:]}|Ann's number",
        "|".join(["x"] * 10_000),
        f'"Gus {{name}}"|{last}|{{note}}',
        f"Hal|{last}|one|too many",
    ]
    content = (end.join(lines) + end).replace("|", delimiter).encode(encoding)
    name = f"bad-{encoding}.csv"
    said = await uploaded(parley, name, content)
    assert (said["numberColumn"], said["columns"]) == ("Phone", ["Name", "Phone", "Note"])

    made = await ordered(parley, order(list={"name": name}, message="Dear {name}!"))
    done = await campaign_in_state(parley, made["campaignId"], "done")
    assert done["totals"] == {
        "rows": 10,
        "recipients": 2,
        "refused": 7,
        "duplicates": 1,
        "segments": 2,
    }
    assert await texts_of(platform, ann) == ["Dear Ann!"]
    assert await texts_of(platform, last) == ["Dear Gus {name}!"]
    for number in (two_lines, no_name, long):
        assert await texts_of(platform, number) == []
    found = await refused_lines(parley, made["campaignId"])
    assert list(found) == [4, 5, 7, 8, 9, 10, 11, 13]
    for line, part in {
        4: "lost its last digits",
        5: "line feed",
        7: "no value for {Name}",
        8: "2048",
        10: "earlier line",
        11: "10000 columns",
        13: "4 columns",
    }.items():
        assert part in found[line], found[line]


async def test_of_two_number_columns_the_named_one_is_texted(
    parley: Parley, platform: Platform, people: People
) -> None:
    """A list of people and their agents is refused until the order says who is meant."""
    person, agent = people.many(2)
    await uploaded(parley, "agents.csv", f"phone,agent\n{person},{agent}\n")
    reply = await parley.own("POST", "/campaigns", order(list={"name": "agents.csv"}))
    assert (reply.status, reply.json["code"]) == (400, "NumberColumnAmbiguous")
    named = {"name": "agents.csv", "numberColumn": "Agent"}
    made = await ordered(parley, order(list=named, message="About {phone}"))
    await campaign_in_state(parley, made["campaignId"], "done")
    assert await texts_of(platform, agent) == [f"About {person}"]
    assert await texts_of(platform, person) == []


async def test_a_list_without_a_header_texts_its_first_line(
    parley: Parley, platform: Platform, people: People
) -> None:
    """Nobody is taken for a header; columns are called by their place."""
    first, second = people.many(2)
    await uploaded(
        parley, "no-header.csv", codecs.BOM_UTF8 + f"{first};Ann\n{second};Bob\n".encode()
    )
    made = await ordered(parley, order(list={"name": "no-header.csv"}, message="Dear {2}"))
    await campaign_in_state(parley, made["campaignId"], "done")
    assert await texts_of(platform, first) == ["Dear Ann"]
    assert await texts_of(platform, second) == ["Dear Bob"]


async def test_a_text_too_long_for_one_is_sent_to_the_others(
    parley: Parley, platform: Platform, people: People
) -> None:
    """2,048 characters is the limit of the filled text, not of the template."""
    short, just, over = people.many(3)
    recipients = [
        {"to": to, "x": "y" * size} for to, size in ((short, 1), (just, 2042), (over, 2043))
    ]
    made = await ordered(parley, order(recipients=recipients, message="Hello {x}"))
    await campaign_in_state(parley, made["campaignId"], "done")
    assert [len(text) for text in await texts_of(platform, just)] == [2048]
    assert len(await texts_of(platform, short)) == 1
    assert await texts_of(platform, over) == []
    assert list(await refused_lines(parley, made["campaignId"])) == [3]


async def test_a_window_that_never_opens_texts_nobody(
    parley: Parley, platform: Platform, people: People
) -> None:
    """Hours that no marketing may leave in refuse each recipient, in a dry run and in a campaign,
    which then has failed and says why; for what is no marketing they are hours to wait for."""
    person = people.one()
    at_night = order(person, window={"from": "03:00", "to": "04:00"}, timeZone="Etc/GMT+5")
    found = await dry_run(parley, at_night | {"category": "marketing"})
    assert (found["recipients"], found["refused"], found["texts"]) == (0, 1, 0)
    assert "leave no time to text" in found["refusedLines"][0]["reason"]
    made = await ordered(parley, at_night | {"category": "marketing"})
    done = await campaign_in_state(parley, made["campaignId"], "failed")
    assert (done["totals"]["recipients"], done["counts"]) == (0, {})
    assert "leave no time to text" in done["reason"]
    assert list(await refused_lines(parley, made["campaignId"])) == [1]
    assert await texts_of(platform, person) == []
    assert (await dry_run(parley, at_night))["refused"] == 0


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"startAt": "2020-01-01T00:00:00Z"}, "in the past"),
        ({"startAt": "2099-01-01T00:00:00Z"}, "more than a year ahead"),
        ({"startAt": "2099-01-01T00:00:00"}, "names no time zone"),
        ({"startAt": "2099-03-08T02:30:00", "timeZone": "America/New_York"}, "leap over it"),
        ({"startAt": "2099-11-01T01:30:00", "timeZone": "America/New_York"}, "happens twice"),
    ],
)
async def test_a_start_that_makes_no_sense_is_said(
    parley: Parley, people: People, members: dict[str, Any], reason: str
) -> None:
    """The sentence names the order's own member."""
    reply = await parley.own("POST", "/campaigns", order(people.one(), **members))
    assert reply.status == 400
    (said,) = reply.json["errors"]["startAt"]
    assert said.startswith("startAt")
    assert reason in said


async def test_one_of_many_orders_with_an_id_is_taken(
    parley: Parley, platform: Platform, people: People
) -> None:
    """Orders that arrive together cannot share an id: one is run, the others are told, nobody of
    theirs is texted, and the campaign is listed once."""
    persons = people.many(6)
    replies = await asyncio.gather(
        *(
            parley.own("POST", "/campaigns", order(person, campaignId="at-once"))
            for person in persons
        )
    )
    taken = [person for person, reply in zip(persons, replies, strict=True) if reply.status == 202]
    others = [reply for reply in replies if reply.status != 202]
    assert len(taken) == 1
    assert {(one.status, one.json["code"]) for one in others} == {(409, "CampaignExists")}
    await campaign_in_state(parley, "at-once", "done")
    assert [len(await texts_of(platform, person)) for person in persons] == [
        int(person in taken) for person in persons
    ]
    listed = await parley.own("GET", "/campaigns?maxpagesize=100")
    assert [item["campaignId"] for item in listed.items].count("at-once") == 1


async def test_without_a_plan_the_list_is_as_it_is_at_the_start(
    parley: Parley, platform: Platform, people: People
) -> None:
    """A dry run binds only whoever brings its planHash: else those of the newer list are texted,
    by its own columns, and never those of both."""
    before, after = people.many(2)
    await uploaded(parley, "between.csv", f"name;phone\nAnn;{before}\n")
    body = order(list={"name": "between.csv"}, message="Dear {name}")
    plan = (await dry_run(parley, body))["planHash"]
    await uploaded(parley, "between.csv", f"phone,name\n{after},Bob\n")
    refused = await parley.own("POST", "/campaigns", body | {"planHash": plan})
    assert (refused.status, refused.json["code"]) == (409, "PlanChanged")
    made = await ordered(parley, body)
    await campaign_in_state(parley, made["campaignId"], "done")
    assert await texts_of(platform, before) == []
    assert await texts_of(platform, after) == ["Dear Bob"]


@pytest.mark.parametrize("dry", ["", "?dryRun=true"])
@pytest.mark.parametrize(
    ("members", "where"),
    [
        ([{f"m{i}-{j}": "x" for j in range(100)} for i in range(500)], "recipients"),
        ([{"x" * 101: "x"}], "recipients[0]." + "x" * 86),
    ],
    ids=["too many", "too long"],
)
async def test_members_of_inline_recipients(
    parley: Parley, people: People, members: list[dict[str, str]], where: str, dry: str
) -> None:
    """As with a list: 200 columns, each with a name of 100 characters; dry run and order agree."""
    recipients = [{"to": people.one(), **more} for more in members]
    reply = await parley.own("POST", f"/campaigns{dry}", order(recipients=recipients))
    assert (reply.status, list(reply.json["errors"])) == (400, [where]), reply.body


async def test_half_a_surrogate_pair_inline(
    parley: Parley, platform: Platform, people: People
) -> None:
    """In a value or a name that the text does not need it harms nobody; in the text it is told."""
    sound, broken = people.many(2)
    recipients = [
        {"to": sound, "name": "Ann", "note \ud83d": "\ud83d"},
        {"to": broken, "name": "B\ud83d"},
    ]
    made = await ordered(parley, order(recipients=recipients, message="Hi {name}"))
    await campaign_in_state(parley, made["campaignId"], "done")
    assert await texts_of(platform, sound) == ["Hi Ann"]
    assert await texts_of(platform, broken) == []
    assert list(await refused_lines(parley, made["campaignId"])) == [2]
