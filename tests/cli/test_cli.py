"""The operator's command against a running Parley, as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.client import Client, NotConfigured
from local.stack import ROOT, Stack
from shared.azure.event_grid import Envelope
from shared.azure.packing import message_text
from shared.base.errors import Unintelligible
from shared.jobs.poison import MOST_ATTEMPTS, Taken, id_of
from shared.optouts.events import OPT_OUT_CHANGED
from tests.support.client import TOLL_FREE, Parley, Platform
from tests.support.parts import parts_of


@dataclass
class Run:
    code: int
    out: str
    err: str


class Command:
    def __init__(self, stack: Stack) -> None:
        self._environ = {
            **os.environ,
            "PARLEY_ENDPOINT": stack.endpoint + "/",
            "PARLEY_FUNCTION_KEY": stack.function_key,
        }

    async def __call__(self, *arguments: str, **environ: str) -> Run:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "cli",
            *arguments,
            cwd=ROOT,
            env=self._environ | environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return Run(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture
def cli(stack: Stack) -> Command:
    return Command(stack)


async def test_send_then_ask_what_became_of_it(
    cli: Command, platform: Platform, person: str
) -> None:
    """A text goes out; its message and its conversation can be read."""
    sent = await cli("--json", "send", "--from", TOLL_FREE, "--to", person, "Hello from a terminal")
    assert sent.code == 0
    message_id = json.loads(sent.out)["value"][0]["messageId"]
    await platform.text_with(person, "Hello from a terminal")

    message = await cli("message", message_id)
    assert (message.code, message_id in message.out) == (0, True)
    said = await cli("conversation", TOLL_FREE, person)
    assert "> Hello from a terminal" in said.out
    assert message_id in (await cli("messages")).out


async def test_a_refusal_is_an_exit_code(cli: Command, platform: Platform, person: str) -> None:
    """Somebody who opted out: the send says so and ends with 1; the ledger says why."""
    await platform.speak(person, "STOP")
    await platform.relayed_event("Parley.OptOutChanged", recipient=person)
    sent = await cli("send", "--from", TOLL_FREE, "--to", person, "Hello?")
    assert (sent.code, "Sender blocked for given recipient." in sent.out) == (1, True)
    assert "out for sender:+18005550100" in (await cli("optouts", person)).out


async def test_the_same_key_is_one_text(cli: Command, platform: Platform, person: str) -> None:
    """A command that is run again with its key sends nothing more."""
    for _ in range(2):
        sent = await cli(
            "send", "--key", f"k-{person}", "--from", TOLL_FREE, "--to", person, "Once"
        )
        assert sent.code == 0
    assert len(await platform.accepted(person)) == 1


async def test_a_preview_names_what_costs(cli: Command, person: str) -> None:
    """The character that forces UCS-2, and what would do instead."""
    shown = await cli("preview", "--from", TOLL_FREE, "--to", person, "It\u2019s ready")
    assert shown.code == 0
    assert "forces UCS-2" in shown.out


async def test_what_waits_can_be_canceled(cli: Command, person: str) -> None:
    """A send for later is taken back; a time that makes no sense is refused with its member."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    later = ("send", "--from", TOLL_FREE, "--to", person, "--send-at")
    sent = await cli("--json", *later, tomorrow, "Later")
    message_id = json.loads(sent.out)["value"][0]["messageId"]
    assert "canceled" in (await cli("cancel", message_id)).out

    never = await cli(*later, "2099-01-01T00:00:00Z", "Later")
    assert (never.code, "sendAt" in never.err) == (1, True)


async def test_work_that_failed_is_put_back(
    cli: Command, stack: Stack, platform: Platform, person: str
) -> None:
    """What failed too often is listed with its reason; put back it is done; dropped it is gone."""

    async def fail(text: str) -> None:
        raise Unintelligible(f"{len(text)} characters")

    event = {"id": person, "type": OPT_OUT_CHANGED, "subject": "/", "time": "2026-11-22T15:00:00Z"}
    texts = [
        message_text({"kind": "relay", "event": {**event, "data": {"recipient": person, "n": n}}})
        for n in range(2)
    ]
    async with parts_of(stack) as parts:
        for text in texts:
            await parts.poison.guard(Taken("record", text, MOST_ATTEMPTS, None), fail)
        first, second = [id_of(text, parts.parts.id_key) for text in texts]
    shown = await cli("poison", "list")
    assert (shown.code, "Unintelligible: " in shown.out) == (0, True)

    dropped = await cli("poison", "drop", "record", first)
    assert (dropped.code, first in dropped.out) == (0, True)
    assert (await cli("poison", "retry", "record", first)).code == 1
    assert (await cli("poison", "retry", "record", second)).code == 0
    await platform.relayed_event(OPT_OUT_CHANGED, recipient=person, n=1)
    assert second not in (await cli("poison", "list")).out


async def test_what_is_new_and_who_said_it(cli: Command, platform: Platform, person: str) -> None:
    """A text is listed until it has been read; what could steer a terminal is shown, not obeyed."""
    spoken = await platform.speak(person, "STOP \x1b[2J\u202e")
    await platform.relayed_event("Parley.SMSReceived", platformMessageId=spoken)
    unread = await cli("conversations", "--unread", "--from", TOLL_FREE, "--most", "5")
    assert f"{TOLL_FREE}  {person}  < STOP \\u001b[2J\\u202e" in unread.out
    as_json = await cli("--json", "conversations", "--with", person, "--from", TOLL_FREE)
    assert json.loads(as_json.out)["lastMessage"]["message"] == "STOP \x1b[2J\u202e"
    assert "\u202e" not in as_json.out
    assert (await cli("conversation", TOLL_FREE, person, "--mark-read")).code == 0
    assert person not in (await cli("conversations", "--unread", "--from", TOLL_FREE)).out


async def test_opting_out_by_hand(cli: Command, parley: Parley, person: str) -> None:
    """Out and in again, with reasons; without one it is refused; the conversation shows both."""
    assert (await cli("conversation", TOLL_FREE, person)).out == ""
    await parley.send(person)
    change = ("optouts", person, "--from", TOLL_FREE)
    assert (await cli(*change, "--add")).code == 1
    out = await cli(*change, "--add", "--reason", "Asked by telephone.")
    assert (out.code, "out for sender:+18005550100" in out.out) == (0, True)
    back = await cli(*change, "--remove", "--reason", "Asked in writing.")
    assert (back.code, "operator (operator/optouts), applied" in back.out) == (0, True)
    said = await cli("conversation", TOLL_FREE, person)
    assert "= out by operator/optouts" in said.out
    assert (await cli(*change, "--add", "--remove", "--reason", "x")).code == 2


async def test_a_person_is_erased(cli: Command, parley: Parley, person: str) -> None:
    """What was ordered is told with its receipt, whose id shows how far it is; ordered again it is
    the same; a number that is none is a refusal."""
    ordered = await cli("people-erase", person)
    assert ordered.code == 0, ordered.err
    erasure_id = ordered.out.partition(" ")[0]
    assert "kept: " in ordered.out
    assert person not in ordered.out
    looked = await cli("--json", "people-erase", "--receipt", erasure_id)
    assert json.loads(looked.out)["erasureId"] == erasure_id
    assert (await cli("people-erase", person)).out.startswith(erasure_id)
    assert (await cli("people-erase", "CONTOSO")).code == 1
    assert (await cli("people-erase")).code == 2


async def test_whether_sending_is_halted(cli: Command) -> None:
    """Where the ledger stands; lifting what is not halted changes nothing."""
    before = json.loads((await cli("--json", "ledger-halt")).out)
    looked = await cli("ledger-halt")
    assert (looked.code, looked.out.startswith("not halted; the ledger stands at")) == (0, True)
    lifted = await cli("--json", "ledger-lift", "--reason", "By mistake.")
    assert (lifted.code, json.loads(lifted.out)["lifts"]) == (0, before["lifts"])


async def test_senders(cli: Command) -> None:
    """Each with its pace."""
    listed = await cli("senders")
    assert (listed.code, f"{TOLL_FREE}  tollFree" in listed.out) == (0, True)


async def test_events_that_were_not_understood(cli: Command, stack: Stack) -> None:
    """Listed with the reason, shown whole, refused as long as they are no clearer, dropped."""
    envelope = Envelope(str(uuid.uuid4()), "Contoso.Unknown", None, {"a": "\x1b\ud83d"})
    async with parts_of(stack) as parts:
        kept = await parts.receiving.inbound._quarantine.keep(
            "inbound", envelope, "nobody knows \ud83d"
        )
    handler, _, name = kept.removesuffix(".json").partition("/")
    assert name in (await cli("quarantine", "list")).out
    shown = await cli("quarantine", "show", handler, name)
    assert (shown.code, "Contoso.Unknown" in shown.out, "\x1b" in shown.out) == (0, True, False)
    retried = await cli("quarantine", "retry", handler, name)
    assert (retried.code, "NotUnderstood" in retried.err) == (1, True)
    assert (await cli("quarantine", "drop", handler, name)).code == 0
    assert (await cli("quarantine", "show", handler, name)).code == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["message", "nonsense"], 1), (["send", "--from", TOLL_FREE, "Hello"], 2), (["health"], 0)],
)
async def test_exit_codes(cli: Command, arguments: list[str], code: int) -> None:
    """0 done, 1 refused, 2 wrong usage."""
    assert (await cli(*arguments)).code == code


async def test_an_absent_parley_is_three(cli: Command) -> None:
    """A script can tell "refused" from "nobody there"."""
    gone = await cli("health", PARLEY_ENDPOINT="http://127.0.0.1:1")
    assert gone.code == 3
    assert "did not answer" in gone.err


def test_it_says_what_to_set(tmp_path: Path) -> None:
    """Without environment and without a stack, one sentence says what is missing."""
    with pytest.raises(NotConfigured, match="PARLEY_ENDPOINT"):
        Client.configured({}, tmp_path / "endpoint.json")


async def test_a_reply_is_explained(cli: Command) -> None:
    """What a text means, by which rule, and where that stands in it."""
    read = await cli("reply", "Please stop texting me")
    assert (read.code, read.err) == (0, "")
    assert 'revoke, scope all: en/stop-texting fits "stop texting me"' in read.out
    assert "none: no rule fits" in (await cli("reply", "See you at four")).out
