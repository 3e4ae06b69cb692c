"""docs/interface.md is complete, and what it prints is what Parley answers."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import shared.messages.events
import shared.optouts.events
import shared.services
from local.stack import Stack
from shared.azure.event_grid import Received
from shared.azure.packing import message_text
from shared.base import ids
from shared.base.errors import Unintelligible
from shared.jobs.poison import MOST_ATTEMPTS, Taken
from shared.optouts import Change, Channel, Direction, Effect, Made
from shared.rules import delivery_codes
from shared.rules.keywords import read as read_keyword
from shared.rules.message_states import TERMINAL, State
from tests.docs import documents, examples
from tests.docs.code import error_classes, routes
from tests.support.client import TOLL_FREE, Parley, Platform, send_body
from tests.support.parts import parts_of
from tests.support.polling import eventually

TEXT = documents.named("interface")
BLOCKS = documents.blocks(TEXT)
# The people of the examples; no other test uses them.
PERSON, STOPPED = "+14255550123", "+14255550199"
MOMENT = datetime(2026, 11, 22, 15, 4, 43, tzinfo=UTC)


def test_every_route_is_there() -> None:
    """The first table lists every route with its method and who may call, and no more."""
    table = documents.section(TEXT, "The HTTP interface").partition("\n## ")[0]
    listed = {(row[0].strip("`"), row[1]) for row in documents.rows(table)}
    assert listed == {(f"{route.method} {route.path}", route.caller) for route in routes()}


def test_every_error_is_there() -> None:
    """Each error code has a row with its status and whether trying again helps."""
    table = documents.section(TEXT, "Error codes")
    listed = {row[0].strip("`"): row[1:3] for row in documents.rows(table)}
    for error in error_classes():
        assert error.code in listed, error.code
        if len(listed[error.code]) > 1:
            # The own face's; the ACS face answers a foreign sender as ACS does.
            status = 403 if error.code == "SenderNotConfigured" else error.status
            assert listed[error.code] == [str(status), "yes" if error.retryable else "no"]
    assert listed.keys() == {error.code for error in error_classes()}


def test_every_state_is_there() -> None:
    """Each state has a row that says whether it is final."""
    table = documents.section(TEXT, "States")
    finals = {row[0].strip("`"): row[2] == "yes" for row in documents.rows(table)}
    assert finals == {str(state): state in TERMINAL for state in State}


EVENTS = {
    event.type: event
    for event in (
        shared.messages.events.sms_received(
            "01M81WKFTM31A6ZQY6MBJPCJ2Q.in",
            Received("Incoming_1", PERSON, TOLL_FREE, "STOP", MOMENT, 1),
            read_keyword("STOP"),
        ),
        shared.messages.events.delivery_report(
            message_id="01M81WKDE185XHP35WN7HBYY94.b9b00152ce",
            ours=TOLL_FREE,
            theirs=PERSON,
            status="Delivered",
            details="2000",
            received=MOMENT,
            attempts=[],
            tag="visit-17",
            state=State.DELIVERED,
            code=delivery_codes.CODES[2000],
            platform_id="Outgoing_1",
        ),
        shared.optouts.events.opt_out_changed(
            Change(
                change_id="1",
                address=PERSON,
                sender=TOLL_FREE,
                program="reminders",
                direction=Direction.OUT,
                channel=Channel.KEYWORD,
                rule="keyword/STOP",
                said_at=MOMENT,
            ),
            Made(1, Effect.APPLIED, fresh=True),
        ),
    )
}


@pytest.mark.parametrize("kind", EVENTS)
def test_every_outgoing_event_is_there(kind: str) -> None:
    """Each outgoing event has a section of its name, whose example has exactly its members."""
    example = json.loads(documents.blocks(documents.section(TEXT, kind))[0].text)
    event = EVENTS[kind]
    assert {name: example[name] for name in ("type", "subject", "specversion", "source")} == {
        "type": event.type,
        "subject": event.subject,
        "specversion": "1.0",
        "source": "parley",
    }
    assert example["data"].keys() == event.data.keys()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the examples run, with the files that the document says are saved."""
    made = tmp_path_factory.mktemp("examples")
    for block in BLOCKS:
        if block.file:
            (made / block.file).write_text(block.text, encoding="utf-8")
    return made


async def _fail(text: str) -> None:
    raise Unintelligible(f"{len(text)} characters that nobody understands")


@pytest.fixture(scope="module")
async def environment(stack: Stack, parley: Parley, folder: Path) -> dict[str, str]:
    """What the examples take from the environment, and a past that they can look at."""
    sent = await parley.send(PERSON, tag="visit-17")
    await parley.send(PERSON)
    message_id = str(sent[0]["messageId"])
    await parley.message_in_state(message_id, "delivered")
    for number in range(2):
        strange = {"id": f"strange-{number}", "eventType": "Contoso.Unknown", "data": {}}
        assert await parley.deliver("delivery_report", [strange]) == 202
    async with parts_of(stack) as parts:
        for kind in ("conversations", "outcome"):
            text = message_text({"kind": kind, "sendId": message_id[: ids.ULID_LENGTH]})
            await parts.poison.guard(Taken("record", text, MOST_ATTEMPTS, MOMENT), _fail)
    return {
        **os.environ,
        "PARLEY": parley.endpoint,
        "FUNCTION_KEY": parley.function_key,
        "ACCESS_KEY": parley.access_keys[0],
        "MESSAGE_ID": message_id,
        "CONVERSATION_ID": parley.conversation_id(TOLL_FREE, PERSON),
        "PYTHONPATH": str(folder),
    }


@pytest.fixture
async def stopped(parley: Parley, platform: Platform) -> None:
    """Somebody who has said STOP, once."""
    if await parley.optouts(STOPPED):
        return
    await platform.speak(STOPPED, "STOP")

    async def look() -> list[dict[str, Any]]:
        return await parley.optouts(STOPPED)

    await eventually(look, "the ledger knows of the STOP")


@pytest.mark.parametrize(
    "place", examples.runnable(BLOCKS), ids=lambda place: f"{place}-{BLOCKS[place].heading}"
)
async def test_examples_work(
    place: int, environment: dict[str, str], folder: Path, stopped: None
) -> None:
    """Each example runs, and its answer has the members and types of the one printed after it."""
    output = await examples.run(BLOCKS[place], environment, folder)
    examples.compare_with_next(BLOCKS, place, output)


async def test_list_answers_as_printed(parley: Parley, environment: dict[str, str]) -> None:
    """A list's items are as one message is, with no entry of the ledger."""
    one = await parley.message(environment["MESSAGE_ID"])
    # Its id may begin a little before it was accepted; other tests have sent messages, too.
    since = ids.time_of(one["messageId"]).isoformat().replace("+00:00", "Z")
    reply = await parley.own("GET", f"/messages?startTime={since}&maxpagesize=500")
    listed = next(item for item in reply.items if item["messageId"] == one["messageId"])
    assert listed == {**one, "blockedBy": None}


async def test_error_shapes_of_the_acs_face(parley: Parley) -> None:
    """The two shapes that are printed for the ACS face are the two that it answers."""
    printed = [
        json.loads(block.text)
        for block in documents.blocks(documents.section(TEXT, "On the ACS face"))
    ]
    body = send_body(PERSON) | {"smsRecipients": []}
    examples.compare(printed[0], (await parley.signed("POST", "/sms", body)).json)
    unsigned = await parley.call("POST", "/sms?api-version=2021-03-07")
    examples.compare(printed[1], unsigned.json)


async def test_callers_are_as_listed(parley: Parley) -> None:
    """A caller without key or signature is let in where the route is open, and nowhere else."""
    for route in routes():
        reply = await parley.call(route.method, route.path)
        # Nothing is at the name of a blank.
        let_in = 404 if "{" in route.path else 200
        assert reply.status == (let_in if route.caller == "open" else 401), route
