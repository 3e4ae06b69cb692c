"""docs/operations.md has what an operator can meet."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from local.stack import CONTAINERS, QUEUES, TABLES, Stack
from shared.azure import telemetry
from shared.optouts import Channel
from shared.rules.delivery_codes import CODES
from shared.rules.message_states import State
from tests.docs import documents, examples
from tests.docs.code import functions, log_events
from tests.docs.documents import ROOT
from tests.support.client import Parley
from tests.support.polling import eventually

TEXT = documents.named("operations")


def test_every_delivery_code_is_there() -> None:
    """The table of codes says what `shared/rules/delivery_codes.py` says."""
    table = documents.section(TEXT, "Delivery codes")
    assert list(documents.rows(table)) == [
        [
            str(code.code),
            f"`{code.state}`",
            code.meaning,
            code.next_step,
            "yes" if code.retryable else "no",
        ]
        for code in CODES.values()
    ]


def test_every_log_event_is_there() -> None:
    """Each log event has a row with its level and its members, and there are no other rows."""
    table = documents.section(TEXT, "Log events")
    listed = {
        row[0].strip("`"): (row[1], frozenset(re.findall(r"`(\w+)`", row[2])))
        for row in documents.rows(table)
    }
    written = list(log_events())
    assert listed.keys() == {event.name for event in written}
    for event in written:
        assert listed[event.name] == (event.level, event.members), event.name


def test_every_metric_is_there() -> None:
    """Each metric has a row, and there are no other rows."""
    source = documents.read(Path(telemetry.__file__))
    table = documents.section(TEXT, "Metrics and traces")
    assert set(documents.first_cells(table)) == set(re.findall(r'"(parley\.[a-z.]+)"', source))


def test_stores_are_there() -> None:
    """Each table, queue and container that is made is named."""
    spans = documents.code_spans(documents.section(TEXT, "What is stored where"))
    assert {*QUEUES, *CONTAINERS, *TABLES, "messagesYYYYMM"} <= spans


def test_stores_that_the_code_names_are_there() -> None:
    """Each table, queue and container that a module names is said to hold something."""
    spans = documents.code_spans(documents.section(TEXT, "What is stored where"))
    named = {
        store
        for path in (ROOT / "shared").rglob("*.py")
        for store in re.findall(
            r'^_?(?:TABLE|QUEUE|CONTAINER): Final = "(\w+)"', documents.read(path), re.MULTILINE
        )
    }
    assert named >= {"optouts", "dispatch", "lists"}
    assert named <= spans


def test_kinds_of_queue_messages_are_there() -> None:
    """Each kind of work that is left to the queue is named, with what its absence means."""
    source = documents.read(ROOT / "shared" / "sending" / "follow_up.py")
    kinds = set(re.findall(r'kind == "(\w+)"', source))
    assert kinds
    for heading in ("What is stored where", "Poison messages"):
        assert kinds <= documents.code_spans(documents.section(TEXT, heading))


def test_states_of_a_message_lead_somewhere() -> None:
    """Whoever asks why somebody was not texted finds every state that a message can have."""
    table = documents.section(TEXT, "Why was somebody not texted?")
    said = {cell for row in documents.rows(table) for cell in re.findall(r"`(\w+)`", row[0])}
    reserved = {State.SCHEDULED, State.QUEUED, State.EXPIRED, State.CANCELED}
    assert said == {str(state) for state in State if state not in reserved}


def test_checks_of_health_are_there() -> None:
    """Each check has a row."""
    source = documents.read(ROOT / "shared" / "health.py")
    probes = re.findall(r'^ {12}"(\w+)": self\.', source, re.MULTILINE)
    assert documents.first_cells(documents.section(TEXT, "Health")) == probes


def test_the_daily_work_is_at_the_time_that_is_said() -> None:
    """The timer's schedule is the one that the document names."""
    assert functions()["upkeep_daily"][0]["schedule"] == "0 5 0 * * *"
    assert "00:05 UTC" in TEXT


async def test_a_dead_letter_can_be_posted(
    parley: Parley, stack: Stack, person: str, tmp_path: Path
) -> None:
    """The command that is printed has a dead-lettered STOP taken in."""
    letter = json.loads(documents.read(ROOT / "tests" / "events" / "received-stop.json"))
    letter[0] |= {"deadLetterReason": "TimeToLiveExceeded", "deliveryAttempts": 30}
    letter[0]["data"] |= {"from": person.lstrip("+"), "messageId": f"Incoming_{person}"}
    (tmp_path / "letter.json").write_text(json.dumps(letter), encoding="utf-8")
    command = documents.blocks(documents.section(TEXT, "Dead-letters"))[0]
    environment = {
        **os.environ,
        "PARLEY": parley.endpoint,
        "EVENTGRID_KEY": stack.keys.host_eventgrid,
    }
    assert await examples.run(command, environment, tmp_path) == "202"

    async def look() -> list[dict[str, Any]]:
        return await parley.optouts(person)

    (decision,) = await eventually(look, "the ledger knows of the STOP")
    assert decision["isOptedOut"]
    assert decision["entry"]["channel"] == Channel.KEYWORD
