"""Events of ACS through the webhook of the running host: each ends where it belongs.

It is relayed, or it is quarantined with its reason, or it is no JSON object: then the host refuses
it and Event Grid keeps it as a dead letter. There is no fourth end.
"""

from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from functions.events import envelope
from local.host import event_json
from local.stack import Stack
from shared.receiving.quarantine import NotUnderstood
from tests.support.client import TOLL_FREE, Parley, Platform
from tests.support.golden import golden, golden_event, names
from tests.support.parts import parts_of
from tests.support.people import People
from tests.support.polling import eventually
from tests.support.storage import StorageView

RECEIVED = "Parley.SMSReceived"
REPORT = "Parley.SMSDeliveryReportReceived"
CHANGED = "Parley.OptOutChanged"
ROOMY = 100


class Sent:
    """One send to many whose texts are still with the carrier, so that reports on them are ours."""

    def __init__(self, items: list[dict[str, Any]]) -> None:
        self._left = list(items)

    def next(self) -> tuple[str, str, str]:
        """Person, message id and send id of a message nobody has reported on."""
        item = self._left.pop()
        return item["to"], item["messageId"], item["messageId"].partition(".")[0]


@pytest.fixture(scope="module")
async def sent(parley: Parley, any_platform: Platform, people: People) -> Sent:
    roomy = people.many(ROOMY)
    await any_platform.slow(*roomy)
    return Sent(await parley.send(*roomy, tag="order-17"))


class Quarantined:
    """What comes into quarantine while a test runs."""

    def __init__(self, storage: StorageView, handler: str, before: set[str]) -> None:
        self._storage = storage
        self._handler = handler
        self._before = before

    async def new(self) -> list[dict[str, Any]]:
        """What has come since this was asked last."""
        now = await self._storage.quarantined_names(self._handler)
        fresh, self._before = now - self._before, now
        return [await self._storage.quarantined(name) for name in sorted(fresh)]


@pytest.fixture
async def inbound_quarantine(storage: StorageView) -> Quarantined:
    return Quarantined(storage, "inbound", await storage.quarantined_names("inbound"))


@pytest.fixture
async def report_quarantine(storage: StorageView) -> Quarantined:
    before = await storage.quarantined_names("delivery_report")
    return Quarantined(storage, "delivery_report", before)


# Every golden file --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names("received"))
async def test_a_golden_text_is_recorded_and_relayed(
    name: str, parley: Parley, platform: Platform, people: People
) -> None:
    """Every form of SMSReceived ends in record, conversation and topic, read the same way."""
    person, second = people.one(), people.one()
    body = golden(name, person=person, second=second)
    assert await parley.deliver("inbound", body) == 202
    sender = "54321" if "short-code" in name else TOLL_FREE
    for event in json.loads(body) if isinstance(json.loads(body), list) else [json.loads(body)]:
        data = {key.lower(): value for key, value in event["data"].items()}
        author = f"+{data['from'].lstrip('+')}"
        assert author in {person, second}
        (relayed,) = await platform.relayed(RECEIVED, platformMessageId=data["messageid"])
        told = relayed["data"]
        assert (told["from"], told["to"], told["message"]) == (author, sender, data["message"])
        assert told["receivedTimestamp"][:19] == data["receivedtimestamp"][:19]
        assert told["segmentCount"] == data.get("segmentcount")
        message = await parley.message(told["messageId"])
        assert (message["state"], message["message"]) == ("received", data["message"])
        (entry,) = await parley.conversation(sender, author)
        assert entry["messageId"] == told["messageId"]
        assert bool(await parley.optouts(author)) is (name == "received-stop")


STATES = {
    "4000": "failed",
    "4001": "failed",
    "4002": "failed",
    "4003": "failed",
    "4004": "undelivered",
    "4005": "undelivered",
    "4006": "undelivered",
    "4007": "blocked",
    "4008": "failed",
    "4009": "failed",
    "4010": "failed",
    "4020": "undelivered",
    "5000": "failed",
    "5001": "failed",
    "5002": "unknown",
    "9999": "undelivered",
}


def expected_state(name: str) -> str:
    if "opt-out-sentence" in name:
        return "blocked"
    code = next((code for code in STATES if code in name), None)
    if code is not None:
        return STATES[code]
    return "undelivered" if name == "report-failed-cloudevents" else "delivered"


@pytest.mark.parametrize(
    "name",
    [n for n in names("report") if "without-tag" not in n],
)
async def test_a_golden_report_settles_its_message(
    name: str, parley: Parley, platform: Platform, sent: Sent
) -> None:
    """Every form of a report finds its message, gives it its state and reaches the application."""
    person, message_id, send_id = sent.next()
    body = golden(name, person=person, send_id=send_id)
    assert await parley.deliver("delivery_report", body) == 202
    message = await parley.message(message_id)
    assert message["state"] == expected_state(name)
    relayed = await platform.relayed(REPORT, messageId=message_id)
    assert len(relayed) == (2 if "batch" in name else 1)
    told = relayed[0]["data"]
    assert (told["tag"], told["from"], told["to"]) == ("order-17", TOLL_FREE, person) or (
        "-from-" in name
    )
    if name.startswith("report-failed-") and name[14:18].isdigit():
        assert (message["code"], told["code"]) == (int(name[14:18]),) * 2
    assert told["state"] == expected_state(name) or "batch" in name
    decisions = await parley.optouts(person)
    assert bool(decisions) is (expected_state(name) == "blocked")
    assert all(d["isOptedOut"] and d["entry"]["rule"] == "code/4007" for d in decisions)


async def test_a_report_without_a_tag_is_kept(
    parley: Parley, platform: Platform, storage: StorageView, person: str
) -> None:
    """A report that leads to no message is kept among the strays, and tells nobody anything."""
    body = golden("report-delivered-without-tag", person=person)
    assert await parley.deliver("delivery_report", body) == 202
    (row,) = await storage.records("PartitionKey eq 'stray-20261122' and to eq @to", to=person)
    assert (row["status"], row["from"]) == ("Delivered", TOLL_FREE)
    assert await platform.relayed(REPORT, to=person) == []


async def test_a_report_for_an_unknown_send_is_kept(
    parley: Parley, storage: StorageView, person: str
) -> None:
    """So is one whose tag looks like ours and leads nowhere; its opt-out counts all the same."""
    body = golden("report-failed-4007", person=person)
    assert await parley.deliver("delivery_report", body) == 202
    (row,) = await storage.records("PartitionKey eq 'stray-20261122' and to eq @to", to=person)
    assert row["tag"].endswith(":order-17")
    (decision,) = await parley.optouts(person)
    assert decision["isOptedOut"]


# Events that cannot be understood -----------------------------------------------------------------

GOLDEN = {"inbound": "received", "delivery_report": "report-failed-4007"}
SOMEBODY = "+14255550123"
UNINTELLIGIBLE: list[tuple[str, dict[str, Any], str]] = [
    ("other type", {"eventType": "Microsoft.Communication.ChatMessageReceived"}, "type"),
    ("the other's type", {"eventType": "Microsoft.Communication.Nobody"}, "type"),
    ("type a number", {"eventType": 7}, "type"),
    ("type a list", {"eventType": ["Microsoft.Communication.SMSReceived"]}, "type"),
    ("no type", {"eventType": None}, "type"),
    ("data null", {"data": None}, "no data"),
    ("data a text", {"data": "Hello"}, "no data"),
    ("data a list", {"data": [{"message": "Hello"}]}, "no data"),
    ("data empty", {"data": {}}, "data."),
]


@pytest.mark.parametrize("function", GOLDEN)
@pytest.mark.parametrize(
    ("change", "reason"), [rest for _, *rest in UNINTELLIGIBLE], ids=[n for n, *_ in UNINTELLIGIBLE]
)
async def test_an_event_that_is_none_of_acs(
    function: str,
    change: dict[str, Any],
    reason: str,
    parley: Parley,
    storage: StorageView,
) -> None:
    """An event of unknown type or without data is kept whole, with its reason, and not repeated.

    Whole is what the host hands over; it writes dates its own way.
    """
    quarantine = Quarantined(storage, function, await storage.quarantined_names(function))
    event = {**golden_event(GOLDEN[function], person=SOMEBODY), **change}
    event["id"] = str(uuid.uuid4())
    assert await parley.deliver(function, [event]) == 202
    (kept,) = await quarantine.new()
    assert reason in kept["reason"]
    assert kept["handler"] == function
    assert kept["quarantinedAt"]
    delivered = event_json.parse(json.dumps(event))
    assert kept["event"]["id"] == delivered["id"]
    assert kept["event"]["time"] == delivered["eventTime"]
    assert kept["event"]["data"] == delivered["data"]


GONE: Any = object()
RECEIVED_EVENT = golden_event(GOLDEN["inbound"], person=SOMEBODY)
REPORT_EVENT = golden_event(GOLDEN["delivery_report"], person=SOMEBODY)
NEEDED = {
    "inbound": {"eventType", "data", "data.to", "data.message"},
    "delivery_report": {"eventType", "data", "data.from", "data.to", "data.deliveryStatus"},
}


def members(event: dict[str, Any]) -> list[str]:
    return [*event, *(f"data.{name}" for name in event["data"])]


def with_member(event: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The event with one member replaced, or gone."""
    changed = json.loads(json.dumps(event))
    *outer, name = path.split(".")
    where = changed["data"] if outer else changed
    if value is GONE:
        del where[name]
    else:
        where[name] = value
    return dict(changed)


async def outcome(
    storage: StorageView, function: str, person: str, quarantine: Quarantined
) -> tuple[str, str]:
    """Where an event about somebody ended: recorded or quarantined, and why."""
    kept = await quarantine.new()
    if kept:
        assert len(kept) == 1
        return "quarantined", kept[0]["reason"]
    if function == "inbound":
        rows = await storage.rows(
            "conversations", "ours eq @ours and theirs eq @theirs", ours=TOLL_FREE, theirs=person
        )
    else:
        rows = await storage.records("PartitionKey eq 'stray-20261122' and to eq @to", to=person)
    assert len(rows) == 1
    return "recorded", ""


@pytest.mark.parametrize(
    ("function", "member"),
    [
        *(("inbound", member) for member in members(RECEIVED_EVENT)),
        *(("delivery_report", member) for member in members(REPORT_EVENT)),
    ],
)
async def test_each_member_missing(
    function: str, member: str, parley: Parley, storage: StorageView, person: str
) -> None:
    """An event lives without whatever can be found elsewhere; else it is quarantined, and why."""
    quarantine = Quarantined(storage, function, await storage.quarantined_names(function))
    event = with_member(golden_event(GOLDEN[function], person=person), member, GONE)
    assert await parley.deliver(function, [event]) == 202
    if (function, member) == UNNAMED:
        assert await quarantine.new() == []
        return
    end, reason = await outcome(storage, function, person, quarantine)
    if member in NEEDED[function]:
        assert end == "quarantined"
        assert member.rpartition(".")[2].removeprefix("event").lower() in reason.lower()
    else:
        assert end == "recorded"


WRONG: list[Any] = [
    None,
    7,
    True,
    -1.5,
    "",
    "nonsense \N{GRINNING FACE}",
    "\ud83d",
    [],
    ["x"],
    {},
    "x" * 70_000,
    # As long as an event may be, and not to be compressed.
    random.Random(7).randbytes(80_000).hex(),  # noqa: S311  # no secret
]
ADDRESSES = {"data.from", "data.to"}
# Whoever texts us is heard, whatever stands in the place of their number.
UNNAMED = ("inbound", "data.from")


@pytest.mark.parametrize(
    ("function", "member"),
    [
        *(("inbound", member) for member in members(RECEIVED_EVENT)),
        *(("delivery_report", member) for member in members(REPORT_EVENT)),
    ],
)
async def test_each_member_of_a_wrong_type(
    function: str, member: str, parley: Parley, storage: StorageView, people: People
) -> None:
    """Whatever a member holds, the event is recorded or quarantined, and never repeated in vain."""
    quarantine = Quarantined(storage, function, await storage.quarantined_names(function))
    for value in WRONG:
        person = people.one()
        event = with_member(golden_event(GOLDEN[function], person=person), member, value)
        assert await parley.deliver(function, [event]) == 202, value
        if (function, member) == UNNAMED:
            assert await quarantine.new() == []
        elif member in ADDRESSES:
            kept = await quarantine.new()
            assert len(kept) <= 1
            assert isinstance(value, str) or member in kept[0]["reason"]
        else:
            await outcome(storage, function, person, quarantine)


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+14:00", "1601-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"]
)
async def test_an_absurd_time_gives_way_to_the_events(
    moment: str, parley: Parley, platform: Platform, person: str
) -> None:
    """A receivedTimestamp that cannot be is replaced by the event's own time."""
    event = with_member(golden_event("received", person=person), "data.receivedTimestamp", moment)
    assert await parley.deliver("inbound", [event]) == 202
    (relayed,) = await platform.relayed(RECEIVED, **{"from": person})
    assert relayed["data"]["receivedTimestamp"][:19] == event["eventTime"][:19]


# Odd JSON with a sound event in it ----------------------------------------------------------------

# The first three are rewritten or passed on by the host, the others no decoder of Azure's reads.
ODD_TIMES: list[Any] = [
    "2026-11-22T07:01:08.8204500-06:00",
    "2026-11-22T13:01:08",
    "/Date(1795352468000)/",
    "11/22/2026 13:01:08",
    "Sun, 22 Nov 2026 13:01:08 GMT",
    "yesterday",
    "",
    1795352468,
    [],
    {},
    True,
]


def told_twice(event: dict[str, Any], name: str, value: Any) -> list[dict[str, Any]]:
    """The event in both schemas, with one member of the envelope replaced."""
    cloud = {
        "specversion": "1.0",
        "id": event["id"],
        "source": event["topic"],
        "type": event["eventType"],
        "time": event["eventTime"],
        "data": event["data"],
    }
    return [
        {**event, name: value},
        {**cloud, {"eventTime": "time"}.get(name, name): value},
    ]


@pytest.mark.parametrize("time", ODD_TIMES, ids=str)
async def test_a_stop_is_heard_whatever_the_events_time(
    time: Any, parley: Parley, people: People
) -> None:
    """An event whose time nothing can read is taken all the same, and so are its neighbours."""
    person, neighbour = people.one(), people.one()
    odd = told_twice(golden_event("received-stop", person=person), "eventTime", time)
    sound = golden_event("received", person=neighbour)
    for event in odd:
        assert await parley.deliver("inbound", [sound, event]) == 202
    (decision,) = await parley.optouts(person)
    assert decision["isOptedOut"]
    assert len(await parley.conversation(TOLL_FREE, person)) == 1
    assert len(await parley.conversation(TOLL_FREE, neighbour)) == 1


@pytest.mark.parametrize("time", ODD_TIMES, ids=str)
async def test_a_report_counts_whatever_the_events_time(
    time: Any, parley: Parley, people: People
) -> None:
    """A report has its own time; the event's is not needed."""
    person = people.one()
    report = golden_event("report-failed-4007", person=person)
    for event in told_twice(report, "eventTime", time):
        assert await parley.deliver("delivery_report", [event]) == 202
    (decision,) = await parley.optouts(person)
    assert decision["isOptedOut"]


async def test_a_stop_is_heard_without_any_time(
    parley: Parley, storage: StorageView, person: str
) -> None:
    """A person's text counts as said when it came where neither of its times can be read."""
    event = golden_event("received-stop", person=person)
    event["eventTime"] = "yesterday"
    event["data"]["receivedTimestamp"] = "the day before"
    before = await storage.quarantined_names("inbound")
    assert await parley.deliver("inbound", [event]) == 202
    (decision,) = await parley.optouts(person)
    assert decision["isOptedOut"]
    assert await storage.quarantined_names("inbound") == before


async def test_a_start_without_any_time_lets_nobody_in(
    parley: Parley, person: str, inbound_quarantine: Quarantined
) -> None:
    """Nobody knows whether it was said before or after the STOP: it opts nobody in, and is kept."""
    assert await parley.deliver("inbound", golden("received-stop", person=person)) == 202
    event = golden_event("received", person=person)
    event["eventTime"] = "yesterday"
    event["data"] |= {"receivedTimestamp": "the day before", "message": "START"}
    assert await parley.deliver("inbound", [event]) == 202
    (decision,) = await parley.optouts(person)
    assert decision["isOptedOut"]
    (kept,) = await inbound_quarantine.new()
    assert "opts in" in kept["reason"]


async def test_a_report_that_opts_out_is_heard_without_any_time(
    parley: Parley, person: str, report_quarantine: Quarantined
) -> None:
    """What the platform says of an opt-out counts from when it came, however often it comes."""
    event = golden_event("report-failed-4007", person=person)
    event["eventTime"] = "yesterday"
    event["data"]["receivedTimestamp"] = "the day before"
    for _ in range(2):
        assert await parley.deliver("delivery_report", [event]) == 202
    (decision,) = await parley.optouts(person)
    assert decision["isOptedOut"]
    assert await report_quarantine.new() == []


def as_text(data: dict[str, Any]) -> str:
    return json.dumps(data)


def as_base64(data: dict[str, Any]) -> str:
    return base64.b64encode(json.dumps(data).encode()).decode()


@pytest.mark.parametrize("packed", [as_text, as_base64])
async def test_data_as_text(packed: Callable[[Any], str], parley: Parley, people: People) -> None:
    """Data that comes as JSON text, plain or as base64, is read like an object."""
    for function, name in (("inbound", "received-stop"), ("delivery_report", "report-failed-4007")):
        person = people.one()
        event = golden_event(name, person=person)
        for odd in told_twice(event, "data", packed(event["data"])):
            assert await parley.deliver(function, [odd]) == 202
        (decision,) = await parley.optouts(person)
        assert decision["isOptedOut"]


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("packed", [str, in_base64])
@pytest.mark.parametrize("depth", [100, 1500, 30_000])
async def test_data_that_nobody_can_walk(
    depth: int,
    packed: Callable[[str], str],
    parley: Parley,
    person: str,
    inbound_quarantine: Quarantined,
) -> None:
    """Data that is nested very deeply is quarantined at once, whole and with its reason."""
    event = golden_event("received-stop", person=person)
    data = json.dumps(event["data"]).removesuffix("}")
    event["data"] = packed(f'{data}, "more": {"[" * depth}{"]" * depth}}}')
    assert await parley.deliver("inbound", [event]) == 202
    (kept,) = await inbound_quarantine.new()
    assert kept["event"]["data"] == event["data"]
    assert "nested deeper" in kept["reason"] or "no data object" in kept["reason"]


async def test_an_event_that_nobody_can_walk(stack: Stack, storage: StorageView) -> None:
    """However it reaches a handler, it is kept as the text that it is; a second look changes
    nothing."""
    deep = '{"id": ' + "[" * 30_000 + "]" * 30_000 + "}"
    before = {h: await storage.quarantined_names(h) for h in ("inbound", "delivery_report")}
    async with parts_of(stack) as parts:
        for _ in range(2):
            await parts.receiving.inbound.record_text(envelope(deep))
            await parts.receiving.delivery_reports.record_report(envelope(deep))
        for handler, known in before.items():
            (name,) = await storage.quarantined_names(handler) - known
            kept = await storage.quarantined(name)
            assert kept["event"]["data"] == deep
            assert "nested deeper than 64" in kept["reason"]
            place = name.removesuffix(".json").partition("/")[2]
            with pytest.raises(NotUnderstood):
                await parts.receiving.quarantine.retry(handler, place)
            await parts.receiving.quarantine.drop(handler, place)


@pytest.mark.parametrize("beside", [{}, {"data": None}])
async def test_data_base64(beside: dict[str, Any], parley: Parley, people: People) -> None:
    """A CloudEvent may carry its data in `data_base64`."""
    for function, name in (("inbound", "received-stop"), ("delivery_report", "report-failed-4007")):
        person = people.one()
        _, cloud = told_twice(golden_event(name, person=person), "subject", "")
        packed = {"data_base64": as_base64(cloud.pop("data")), **beside}
        assert await parley.deliver(function, [{**cloud, **packed}]) == 202
        (decision,) = await parley.optouts(person)
        assert decision["isOptedOut"]


async def test_a_text_of_null_is_an_empty_one(
    parley: Parley, platform: Platform, person: str
) -> None:
    """Somebody who sends no words (a picture alone) has been in touch all the same."""
    event = with_member(golden_event("received", person=person), "data.message", None)
    assert await parley.deliver("inbound", [event]) == 202
    (entry,) = await parley.conversation(TOLL_FREE, person)
    assert entry["message"] == ""
    (relayed,) = await platform.relayed(RECEIVED, **{"from": person})
    assert relayed["data"]["message"] == ""


# Repeats ------------------------------------------------------------------------------------------


async def test_the_same_event_again(
    parley: Parley, platform: Platform, storage: StorageView, person: str
) -> None:
    """A repeated delivery records nothing twice, and tells the application under the same id."""
    body = golden("received-stop", person=person)
    for _ in range(3):
        assert await parley.deliver("inbound", body) == 202
    assert len(await parley.conversation(TOLL_FREE, person)) == 1
    relayed = await platform.relayed(RECEIVED, **{"from": person})
    assert len({event["id"] for event in relayed}) == 1
    changes = await platform.relayed(CHANGED, recipient=person)
    assert len({event["id"] for event in changes}) == 1
    log = "PartitionKey eq 'ledger' and RowKey ge 'log:' and RowKey lt 'log;' and address eq @to"
    assert len(await storage.rows("optouts", log, to=person)) == 1


async def test_the_same_report_again(parley: Parley, platform: Platform, sent: Sent) -> None:
    """One report is one fact, however often it comes, also twice in one request."""
    person, message_id, send_id = sent.next()
    event = golden_event("report-delivered", person=person, send_id=send_id)
    for events in ([event, event], [event]):
        assert await parley.deliver("delivery_report", events) == 202
    message = await parley.message(message_id)
    assert [entry["event"] for entry in message["history"]].count("deliveryReport") == 1
    relayed = await platform.relayed(REPORT, messageId=message_id)
    assert len({told["id"] for told in relayed}) == 1


async def test_a_text_twice_in_one_request(parley: Parley, platform: Platform, person: str) -> None:
    """Two deliveries of one text that run side by side are one text."""
    event = golden_event("received", person=person)
    assert await parley.deliver("inbound", [event] * 10) == 202
    assert len(await parley.conversation(TOLL_FREE, person)) == 1
    relayed = await platform.relayed(RECEIVED, **{"from": person})
    assert len({told["id"] for told in relayed}) == 1


# What the host refuses ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", [b"", b"not JSON", b'[{"id"', b"7", b'"text"', b"[7]", b'["text"]', b"[null]"]
)
@pytest.mark.parametrize("function", ["inbound", "delivery_report"])
async def test_what_cannot_be_decoded(function: str, body: bytes, parley: Parley) -> None:
    """The host answers 500, so that Event Grid keeps what it cannot deliver."""
    assert await parley.deliver(function, body) == 500


async def test_the_undecodable_ends_as_a_dead_letter(platform: Platform) -> None:
    """After its attempts an event that the host refuses stands in the dead-letter container."""
    marker = str(uuid.uuid4())
    order = {"events": [marker], "subscription": "inbound", "maxAttempts": 3}
    await platform.control("POST", "/events", order)

    async def dead() -> list[dict[str, Any]]:
        letters = await platform.control("GET", "/deadLetters")
        return [e["event"] for e in letters["value"] if e["event"].get("event") == marker]

    (letter,) = await eventually(dead, "the dead letter")
    assert letter["deadLetterReason"] == "MaxDeliveryAttemptsExceeded"
    assert letter["deliveryAttempts"] == 3


async def test_an_event_is_delivered_again_until_parley_can_take_it(
    parley: Parley, platform: Platform, person: str
) -> None:
    """While the topic is down the handler fails on purpose, and the repeat does what is missing."""
    # The client's own three tries, twice.
    await platform.order_fault("topic", "serverError", number=person, times=6)
    await platform.speak(person, "Are you there?")
    event = await platform.relayed_event(RECEIVED, **{"from": person})
    assert event["data"]["message"] == "Are you there?"
    assert len(await parley.conversation(TOLL_FREE, person)) == 1


# What comes from no number, and what is very long ------------------------------------------------


@pytest.mark.parametrize(
    "sender",
    [
        "someone@example.com",
        "Contoso Bank Ltd",
        "Caf\u00e9",
        "",
        "14255550123456789",
        "tel:+14255550124",
    ],
)
async def test_what_comes_from_no_number_is_kept_and_relayed(
    parley: Parley, platform: Platform, storage: StorageView, people: People, sender: str
) -> None:
    """An e-mail gateway's text and one of nobody are heard; they cannot be answered, and a STOP in
    them concerns no number."""
    before = await storage.quarantined_names("inbound")
    event = golden_event("received", person=people.one())
    event["data"] |= {"from": sender, "message": "STOP"}
    assert await parley.deliver("inbound", [event]) == 202
    platform_id = event["data"]["messageId"]
    told = (await platform.relayed_event("Parley.SMSReceived", platformMessageId=platform_id))[
        "data"
    ]
    assert (told["from"], told["canBeAnswered"]) == (sender, False)
    message = (await parley.own("GET", f"/messages/{told['messageId']}")).json
    assert (message["from"], message["canBeAnswered"]) == (sender, False)
    assert await storage.quarantined_names("inbound") == before


@pytest.mark.parametrize(
    "text", ["x" * 10_001, "y" * 39_015, "\ud55c" * 17_085, "STOP" + " " * 9_997]
)
async def test_a_text_of_255_parts_is_heard(
    parley: Parley, platform: Platform, people: People, text: str
) -> None:
    """Whatever a network can carry is taken, and the STOP in it, too."""
    event = golden_event("received", person=people.one())
    event["data"]["message"] = text
    assert await parley.deliver("inbound", [event]) == 202
    platform_id = event["data"]["messageId"]
    told = (await platform.relayed_event("Parley.SMSReceived", platformMessageId=platform_id))[
        "data"
    ]
    assert told["message"] == text
    assert told["canBeAnswered"] is True
    assert (told["keyword"] is not None) is text.startswith("STOP")


async def test_the_first_words_of_a_text_count(
    parley: Parley, platform: Platform, people: People
) -> None:
    """The same id with other words is the same text: everything says what came first."""
    event = golden_event("received", person=people.one())
    for words in ("first words", "STOP"):
        event["data"]["message"] = words
        assert await parley.deliver("inbound", [event]) == 202
    platform_id = event["data"]["messageId"]
    told = (await platform.relayed_event("Parley.SMSReceived", platformMessageId=platform_id))[
        "data"
    ]
    message = (await parley.own("GET", f"/messages/{told['messageId']}")).json
    assert (message["message"], message["keyword"]) == ("first words", None)
