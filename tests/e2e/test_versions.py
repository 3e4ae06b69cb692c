"""A played main job leaves no row and no queue message without its version."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import HttpRequest
from azure.data.tables.aio import TableServiceClient

from local.azurite import Azurite
from local.stack import ROOT, Stack
from shared.azure.packing import read_message
from shared.azure.storage import StorageAccount
from shared.azure.tables import Tables
from shared.azure.versions import CURRENT, MEMBER, UnknownVersion, kind_of
from shared.base.errors import LedgerUnreadable, Unintelligible
from shared.jobs import due_table
from shared.jobs.poison import MOST_ATTEMPTS, Taken
from shared.optouts import rows as ledger_rows
from shared.settings import load
from tests.campaigns.support import campaign_in_state, order, ordered
from tests.support.client import TOLL_FREE, UNHURRIED, Parley, Platform, send_body
from tests.support.parts import parts_of, send_request
from tests.support.people import People
from tests.support.settings import minimal
from tests.support.transports import Inner, Wrapper

Row = dict[str, Any]
BUDGETS = json.dumps({"reminders": 1_000_000})
FLOODS = json.dumps({"number": {"codes": 1000, "minutes": 60}})
# What the job below writes to, by the names without their months.
WRITTEN = {
    "messages",
    "conversations",
    "keys",
    "codes",
    "campaigns",
    "caps",
    "pacing",
    "budgets",
    "floods",
    "poison",
    "optouts",
    "due",
}


class QueueWitness(Wrapper):
    """Sees what is put on queues, also what nobody else can peek at because it is hidden."""

    def __init__(self, inner: Inner) -> None:
        super().__init__(inner)
        self.messages: list[Row] = []

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        if request.method == "POST" and urlsplit(request.url).path.endswith("/messages"):
            content: Any = request.content
            text = ET.fromstring(content).findtext("MessageText")  # noqa: S314  # our own
            self.messages.append({"text": str(text), **read_message(str(text))})
        return await super().send(request, **named)


async def play(stack: Stack, parley: Parley, platform: Platform, people: People) -> list[Row]:
    """Everything that an operator would try on the first day; the queue messages of it."""
    one, *some = people.many(7)
    later = (datetime.now(UTC) + timedelta(days=20)).isoformat()
    witnesses: list[QueueWitness] = []

    def way(network: Inner) -> Inner:
        witnesses.append(QueueWitness(network))
        return witnesses[-1]

    async with parts_of(
        stack, way=way, PARLEY_DAILY_BUDGETS=BUDGETS, PARLEY_FLOOD_LIMITS=FLOODS
    ) as parts:

        async def send(*to: str, key: str | None = None, **members: Any) -> str:
            body = send_body(*to, sender=UNHURRIED, **members)
            answer = await parts.sending.api.send(send_request(parts, body), key=key)
            return str(answer.items[0].message_id)

        first = await send(one, key=f"versions-{one}")
        await send(*some)
        await send(one, category="oneTimeCode", message="Your code is 161803.")
        waits = await send(one, sendAt=later)
        await parts.sending.api.cancel(waits)
        await parts.poison.guard(Taken("record", '{"kind": "never"}', MOST_ATTEMPTS, None), _fail)
        await parley.message_in_state(first, "delivered")
    made = await ordered(parley, order(*some, "+1425", atMostOncePerHours=2))
    await campaign_in_state(parley, made["campaignId"], "done")
    spoken = await platform.speak(one, "STOP")
    await platform.relayed_event("Parley.SMSReceived", platformMessageId=spoken)
    await platform.relayed_event("Parley.OptOutChanged", recipient=one)
    await parley.send(one, *some, sender=TOLL_FREE)
    return [message for witness in witnesses for message in witness.messages]


async def _fail(_text: str) -> None:
    raise Unintelligible("nobody knows it")


async def rows_of(stack: Stack) -> AsyncIterator[tuple[str, Row]]:
    """Every row of the storage account, with its table."""
    async with TableServiceClient.from_connection_string(stack.storage) as service:
        async for table in service.list_tables():
            async for row in service.get_table_client(table.name).list_entities():
                yield table.name, dict(row)


async def test_every_row_and_message_has_a_version_and_an_unknown_one_is_refused(
    stack: Stack, parley: Parley, platform: Platform, people: People, azurite: Azurite
) -> None:
    """Found on all that a main job leaves; of each kind of row one is given another version, and is
    refused with a sentence that names its table, its kind and that version, and nobody."""
    messages = await play(stack, parley, platform, people)
    assert {message["kind"] for message in messages} >= {"conversations"}
    assert {message.get(MEMBER) for message in messages} == {CURRENT}
    samples: dict[tuple[str, str], Row] = {}
    async for table, row in rows_of(stack):
        # The tests' own tables are none of Parley's.
        if re.fullmatch(r"[a-zA-Z]+[0-9]{0,8}", table) and not table.endswith("4tests"):
            told = (row.get("version"), ledger_rows.LAYOUT)
            if table != ledger_rows.TABLE:
                told = (row.get(MEMBER), CURRENT)
            assert told[0] == told[1], (table, kind_of(row["RowKey"]))
            samples[table, kind_of(row["RowKey"])] = row
    assert {re.sub(r"[0-9]+$", "", table) for table, _ in samples} >= WRITTEN
    async with (
        AioHttpTransport() as network,
        TableServiceClient.from_connection_string(azurite.connection_string) as service,
    ):
        tables = Tables(StorageAccount(load(minimal(azurite.connection_string)), transport=network))
        for (table, kind), row in samples.items():
            planted = {**row, "PartitionKey": "planted", MEMBER: 77, "version": 77}
            await tables.make_table(table)
            client = service.get_table_client(table)
            await client.upsert_entity(planted)
            if table == ledger_rows.TABLE:
                with pytest.raises(LedgerUnreadable, match="has version 77"):
                    ledger_rows.check_version(planted)
            elif table == due_table.TABLE:
                with pytest.raises(Unintelligible, match="the table due of version 77"):
                    due_table.read_row(planted)
            else:
                with pytest.raises(UnknownVersion) as refused:
                    await tables.get(table, "planted", row["RowKey"])
                said = f"A row `{kind}` of table {table} has version 77; this release knows version"
                assert str(refused.value).startswith(said)
                assert not re.search(r"[0-9]{7}", str(refused.value).replace(table, ""))
            await client.delete_entity(planted)


async def test_a_caller_is_told_of_a_version_that_is_unknown(
    stack: Stack, parley: Parley, person: str
) -> None:
    """503 with the sentence, which may be repeated when the newer release is back."""
    (item,) = await parley.send(person)
    message_id = str(item["messageId"])
    await parley.message_in_state(message_id, "delivered")
    async with parts_of(stack) as parts:
        send_id = message_id.partition(".")[0]
        table = f"messages{datetime.now(UTC):%Y%m}"
        found = [row async for row in parts.parts.tables.query(table, "RowKey eq @id", id=send_id)]
        (row,) = found
        async with TableServiceClient.from_connection_string(stack.storage) as service:
            client = service.get_table_client(table)
            await client.upsert_entity({**row, MEMBER: 2}, mode="merge")
            reply = await parley.own("GET", f"/messages/{message_id}")
            await client.upsert_entity({**row}, mode="merge")
    assert (reply.status, reply.json["code"], reply.json["retryable"]) == (
        503,
        "UnknownVersion",
        True,
    )
    assert "A row `\u2026` of table messages" in reply.json["detail"]
    assert "has version 2" in reply.json["detail"]
    assert (await parley.message(message_id))["state"] == "delivered"


def test_nobody_goes_past_the_client_that_writes_versions() -> None:
    """Tables and queues are reached in one file each: what is written elsewhere has no version."""
    users = {
        path.relative_to(ROOT / "shared").as_posix()
        for path in (ROOT / "shared").rglob("*.py")
        if re.search(r"TableServiceClient|QueueServiceClient", path.read_text(encoding="utf-8"))
    }
    assert users == {"azure/tables.py", "azure/queues.py"}
    senders = {
        path.relative_to(ROOT / "shared").as_posix()
        for path in (ROOT / "shared").rglob("*.py")
        if re.search(r"\.enqueue\(\s*[A-Z_a-z.]*QUEUE, json", path.read_text(encoding="utf-8"))
    }
    assert senders == set()
