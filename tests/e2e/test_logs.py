"""What the running host has logged, and what Azure's worker would have put on the wire."""

from __future__ import annotations

import contextlib
import re
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from local.stack import Stack
from tests.support.client import TOLL_FREE, Parley, Platform, send_body
from tests.support.golden import golden_event
from tests.support.host import second_host
from tests.support.wire import closed_port, numbers_in, records, silent_port

LOOK_UPS = (
    "/optouts?recipient={person}",
    "/conversations?ours={ours}&theirs={person}",
    "/conversations/{conversation}",
    "/conversations",
    "/messages",
)


def _log_of(stack: Stack) -> str:
    return (stack._options.logs / "functions.log").read_text(encoding="utf-8")


def _wire_of(stack: Stack) -> Path:
    assert stack._options.wire is not None
    return stack._options.wire


async def test_no_log_tells_who_or_what(
    stack: Stack, parley: Parley, platform: Platform, person: str
) -> None:
    """Through sending, replies, reports, look-ups and quarantine: no number, no word, no key.

    On the wire as well, where nothing has been dropped yet, and for whoever else is on it.
    """
    words = f"secret-{uuid.uuid4().hex}"
    (item,) = await parley.send(person, message=words, tag=words)
    await parley.message_in_state(item["messageId"], "delivered")
    spoken = await platform.speak(person, f"{words}?")
    await platform.relayed_event("Parley.SMSReceived", platformMessageId=spoken)
    await platform.speak(person, "STOP")
    await platform.relayed_event("Parley.OptOutChanged", recipient=person)
    for target in LOOK_UPS:
        path = target.format(
            ours=quote(TOLL_FREE, safe=""),
            person=quote(person, safe=""),
            conversation=parley.conversation_id(TOLL_FREE, person),
        )
        assert (await parley.own("GET", path)).status == 200
    await parley.send(person, message=words)
    await parley.signed("POST", "/sms", send_body(person, sender="NOBODY", message=words))
    await parley.signed("POST", "/sms", {"from": person, "message": words, words: person})
    strange = golden_event("received", person=person)
    strange["data"] |= {"to": words, "message": words}
    assert await parley.deliver("inbound", [strange]) == 202
    assert await parley.deliver("inbound", [words]) == 500

    log, sent = _log_of(stack), _wire_of(stack).read_text(encoding="utf-8")
    for text in (log, sent):
        assert item["messageId"] in text or item["messageId"].partition(".")[0] in text
        assert words not in text
        assert person.lstrip("+") not in text
        assert numbers_in(text) == set()
        for key in (*stack.access_keys, stack.function_key, stack.keys.acs, stack.keys.id_key):
            assert key not in text
    assert TOLL_FREE in log


@pytest.mark.parametrize("silent", [False, True], ids=["refused", "no answer"])
async def test_no_number_while_storage_is_away(
    stack: Stack, person: str, tmp_path: Path, *, silent: bool
) -> None:
    """An outage fails every trigger; no failure, no cause and no retry tells for whom it was."""
    with contextlib.ExitStack() as open_ports:
        port = open_ports.enter_context(silent_port()) if silent else closed_port()
        storage = re.sub(r"(TableEndpoint=http://[^:]+):\d+", rf"\1:{port}", stack.storage)
        host = open_ports.enter_context(second_host(stack, tmp_path, PARLEY_STORAGE=storage))
        async with host.client() as parley:
            assert await parley.deliver("inbound", [golden_event("received", person=person)]) == 500
            if not silent:
                report = golden_event("report-delivered", person=person)
                assert await parley.deliver("delivery_report", [report]) == 500
                path = f"/optouts?recipient={quote(person, safe='')}"
                assert (await parley.own("GET", path)).status == 503
                assert (await parley.own("POST", "/messages", send_body(person))).status == 503
    assert "StorageDown" in host.everything
    assert person.lstrip("+") not in host.everything
    assert numbers_in(host.everything) == set()


async def test_no_logger_of_a_client_library_speaks(stack: Stack, parley: Parley) -> None:
    """The libraries log requests at INFO, their URLs hold numbers: none is let through."""
    await parley.call("GET", "/health")
    spoken: set[Any] = {
        record["category"]
        for record in records(_wire_of(stack))
        if record["level"] == "INFO" and record["category"].startswith("azure.")
    }
    assert {name for name in spoken if not name.startswith("azure.functions")} == set()
