"""Values as lists and orders really hold them: what is texted, what is asked, what is told."""

from __future__ import annotations

from tests.campaigns.support import campaign_in_state, dry_run, order, ordered, uploaded
from tests.support.client import Parley, Platform, encoded
from tests.support.people import People


async def test_a_person_is_texted_once_whatever_the_spelling(parley: Parley) -> None:
    """Argentina writes one mobile with 9, without it, and with 15."""
    await uploaded(
        parley, "spellings.csv", "phone\n+541123456789\n+5491123456789\n+54 11 15 2345-6789\n"
    )
    found = await dry_run(parley, order(list={"name": "spellings.csv"}, message="Hello"))
    assert (found["recipients"], found["duplicates"]) == (1, 2)


async def test_numbers_in_a_body_are_texted_as_they_were_written(
    parley: Parley, platform: Platform, people: People
) -> None:
    """10.50 on a bill is not 10.5, and 1200.00 not 1200.0."""
    first, second = people.many(2)
    body = order(recipients=[{"to": first, "sum": 1}, {"to": second, "sum": 2}], message="{sum}")
    written = encoded(body).replace(b'"sum": 1', b'"sum": 10.50')
    reply = await parley.own("POST", "/campaigns", written.replace(b'"sum": 2', b'"sum": 1200.00'))
    await campaign_in_state(parley, reply.json["campaignId"], "done")
    assert await platform.texts(first) == ["10.50"]
    assert await platform.texts(second) == ["1200.00"]


async def test_values_that_say_there_is_none_are_counted(parley: Parley, people: People) -> None:
    """The dry run warns; the row of a spreadsheet's error is refused, trimmed ones are read."""
    names = ["NULL", "N/A", "#N/A", " Ann "]
    recipients = [
        {"to": number, "name": name, "vip": True, "tags": []}
        for number, name in zip(people.many(4), names, strict=True)
    ]
    found = await dry_run(parley, order(recipients=recipients, message="Hi {name}"))
    assert (found["recipients"], found["refused"]) == (3, 1)
    assert "spreadsheet" in found["refusedLines"][0]["reason"]
    warned = {one["code"]: one.get("count") for one in found["warnings"]}
    assert warned["doubtfulValues"] == 2


async def test_doubled_braces_around_a_column_are_refused(parley: Parley, people: People) -> None:
    """Nobody reads "Hi {name}"."""
    body = order(recipients=[{"to": people.one(), "name": "Ann"}], message="Hi {{name}}")
    reply = await parley.own("POST", "/campaigns", body)
    assert reply.status == 400
    assert "write {name}" in reply.json["errors"]["message"][0]


async def test_a_list_that_texts_nobody_has_failed(parley: Parley, people: People) -> None:
    """JSON Lines whose lines all lack what the text needs: the campaign says why it did nothing."""
    await uploaded(parley, "nobody.jsonl", f'{{"to": "{people.one()}", "name": "A"}}\n')
    made = await ordered(parley, order(list={"name": "nobody.jsonl"}, message="Hi {nmae}"))
    failed = await campaign_in_state(parley, made["campaignId"], "failed")
    assert "There is no value for {nmae} (1)" in failed["reason"]
    assert failed["totals"]["refused"] == 1


async def test_a_doubtful_list_is_kept_and_shown(parley: Parley) -> None:
    """Who has to name a column sees the columns, the candidates and what they hold."""
    said = await uploaded(
        parley, "google.csv", "Phone 1 - Value,Phone 2 - Value\n+14255550123,+14255550124\n"
    )
    assert said["columns"] == said["candidates"] == ["Phone 1 - Value", "Phone 2 - Value"]
    assert (said["numberColumn"], said["format"]) == (None, "csv")
    assert "More than one column" in said["doubt"]


async def test_an_encoding_that_is_named_is_read(
    parley: Parley, platform: Platform, people: People
) -> None:
    """Excel's plain CSV: refused as a whole until the order says what it is, then read whole."""
    jose, ann = people.many(2)
    content = f"phone;name\r\n{jose};Jos\u00e9\r\n{ann};Ann\r\n".encode("cp1252")
    await uploaded(parley, "excel.csv", content)
    refused = await parley.own("POST", "/campaigns", order(list={"name": "excel.csv"}))
    assert (refused.status, refused.json["code"]) == (400, "ListEncoding")
    named = {"name": "excel.csv", "encoding": "windows-1252"}
    made = await ordered(parley, order(list=named, message="Hi {name}"))
    await campaign_in_state(parley, made["campaignId"], "done")
    assert await platform.texts(jose) == ["Hi Jos\u00e9"]
    assert await platform.texts(ann) == ["Hi Ann"]


async def test_ranges_that_are_newer_than_the_data_are_warned_of(parley: Parley) -> None:
    """Area code 624 is in use and not in the numbering data: it is texted, and said."""
    body = {
        "from": "+18005550100",
        "smsRecipients": [{"to": "+16245550123"}, {"to": "+14255550123"}],
        "message": "Hello",
    }
    found = (await parley.own("POST", "/messages:preview", body)).json
    assert [one["wouldSend"] for one in found["recipients"]] == [True, True]
    (warning,) = found["warnings"]
    assert (warning["code"], warning["count"]) == ("numberRangeUnknown", 1)
