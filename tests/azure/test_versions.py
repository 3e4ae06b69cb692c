"""Every row and every queue message says its version; an unknown one is refused with a sentence."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableClient, TableServiceClient

from local.azurite import Azurite
from shared.azure.packing import message_text, raw_message_text, read_known_message, read_message
from shared.azure.storage import StorageAccount, StorageDown
from shared.azure.tables import Tables, etag_of
from shared.azure.versions import (
    CURRENT,
    MEMBER,
    UnknownMessageVersion,
    UnknownVersion,
    kind_of,
)
from shared.jobs.poison import MOST_ATTEMPTS, Poison, Taken
from shared.settings import load
from tests.support.queues import KeptMessages
from tests.support.settings import minimal

TABLE = "versions4tests"
ID_KEY = b"k" * 32
LONG_AGO = datetime(2026, 11, 22, 15, tzinfo=UTC)
OTHERS = [CURRENT + 1, 0, None, "1", "\u221e"]


@pytest.fixture
async def tables(azurite: Azurite) -> AsyncIterator[Tables]:
    account = load(minimal(azurite.connection_string))
    async with AioHttpTransport() as network:
        made = Tables(StorageAccount(account, transport=network))
        await made.make_table(TABLE)
        yield made
        await made.drop_table(TABLE)


@pytest.fixture
async def raw(azurite: Azurite, tables: Tables) -> AsyncIterator[TableClient]:  # made there
    """The table, past Parley."""
    async with TableServiceClient.from_connection_string(azurite.connection_string) as service:
        yield service.get_table_client(TABLE)


def row(key: str, **members: Any) -> dict[str, Any]:
    return {"PartitionKey": "p", "RowKey": key, **members}


async def test_however_a_row_is_written_it_has_a_version(tables: Tables, raw: TableClient) -> None:
    """Inserted, put, set, changed, or in a transaction; deleting is deleting."""
    await tables.insert(TABLE, row("inserted"))
    await tables.put(TABLE, row("put"))
    await tables.set_members(TABLE, row("set"))
    await tables.commit(TABLE, [("create", row("created")), ("upsert", row("upserted"))])
    await raw.create_entity(row("changed"))
    before = await raw.get_entity("p", "changed")
    await tables.merge(TABLE, row("changed", a=1), etag=str(before.metadata["etag"]))
    found = {one["RowKey"]: one.get(MEMBER) async for one in raw.list_entities()}
    assert len(found) == 6
    assert set(found.values()) == {CURRENT}
    await tables.commit(TABLE, [("delete", row(key)) for key in found])
    assert [one async for one in raw.list_entities()] == []


@pytest.mark.parametrize("version", OTHERS)
async def test_a_row_of_an_unknown_version_is_refused(
    tables: Tables, raw: TableClient, version: int | str | None
) -> None:
    """However it is read, with a sentence that names table, kind and version, and nobody."""
    await tables.put(TABLE, row("known"))
    told = {} if version is None else {MEMBER: version}
    await raw.create_entity(row("num:+14255550123", person="+14255550123", **told))
    reads = [
        tables.get(TABLE, "p", "num:+14255550123"),
        _all(tables.query(TABLE, "PartitionKey eq 'p'")),
        _all(tables.query(TABLE, "PartitionKey eq 'p'", select=["RowKey"])),
    ]
    has = "has no version" if version is None else f"has version {version}"
    for read in reads:
        with pytest.raises(UnknownVersion) as refused:
            await read
        assert str(refused.value) == (
            f"A row `num:\u2026` of table {TABLE} {has}; this release knows version 1. Deploy the"
            " release that wrote it, or a newer one."
        )
        assert isinstance(refused.value, StorageDown)
    assert await tables.get(TABLE, "p", "known")


async def _all(rows: AsyncIterator[Any]) -> list[Any]:
    return [one async for one in rows]


async def test_a_reader_sees_the_etag_all_the_same(tables: Tables) -> None:
    """What was read can be changed under it."""
    await tables.put(TABLE, row("known"))
    read = await tables.get(TABLE, "p", "known")
    assert read is not None
    await tables.merge(TABLE, row("known", a=1), etag=etag_of(read))


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("01JD8Z0W0Q4T9V6X2Y3N5M7K8P", "\u2026"),
        ("01JD8Z0W0Q4T9V6X2Y3N5M7K8P.outcome", "\u2026.outcome"),
        ("01JD8Z0W0Q4T9V6X2Y3N5M7K8P.b9b00152ce.1a2b3c4d", "\u2026.\u2026.\u2026"),
        ("log:0000000000000017", "log:\u2026"),
        ("log:~head", "log:~head"),
        ("num:+14255550123", "num:\u2026"),
        ("9d8c7b6a5f4e3d2c~998204300719358660~01JD.b9", "\u2026~\u2026~\u2026.\u2026"),
        ("9d8c7b6a5f4e3d2c~!read", "\u2026~!read"),
        ("chunk:00000001", "chunk:\u2026"),
        ("used", "used"),
        ("a" * 100, "a" * 60),
    ],
)
def test_a_kind_names_nobody(key: str, kind: str) -> None:
    """Ids, moments and numbers are left out: the sentence goes to logs."""
    assert kind_of(key) == kind


# Queue messages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 80_000])
def test_a_queue_message_says_its_version(size: int) -> None:
    """Packed or not; and is read as it was written."""
    message = {"kind": "relay", "event": "x" * size}
    text = message_text(message)
    assert json.loads(text)[MEMBER] == CURRENT
    assert read_known_message("record", text) == {MEMBER: CURRENT, **message}


@pytest.mark.parametrize("version", OTHERS)
@pytest.mark.parametrize("size", [1, 80_000])
def test_a_queue_message_of_an_unknown_version_is_refused(
    version: int | str | None, size: int
) -> None:
    """With a sentence that names queue, kind and version; whoever only tells of it can read it."""
    told = {} if version is None else {MEMBER: version}
    text = raw_message_text({"kind": "relay", **told, "event": "x" * size})
    with pytest.raises(UnknownMessageVersion) as refused:
        read_known_message("record", text)
    has = "has no version" if version is None else f"has version {version}"
    assert str(refused.value).startswith(f"A message `relay` of queue record {has}; this release")
    assert read_message(text)["kind"] == "relay"


async def test_a_refused_message_is_kept_as_it_is(tables: Tables) -> None:
    """As poison, with the sentence; put back it has the version that it had."""
    queues = KeptMessages()
    poison = Poison(tables, queues, lambda: LONG_AGO, ID_KEY)
    text = raw_message_text({"kind": "relay", MEMBER: CURRENT + 1, "tries": 7})

    async def work(text: str) -> None:
        read_known_message("record", text)

    for attempts in range(1, MOST_ATTEMPTS):
        with pytest.raises(UnknownMessageVersion):
            await poison.guard(Taken("record", text, attempts, LONG_AGO), work)
    await poison.guard(Taken("record", text, MOST_ATTEMPTS, LONG_AGO), work)
    kept = [
        item
        for item in await poison.list_kept(after=("", ""), limit=1000)
        if f"has version {CURRENT + 1}" in item["reason"]
    ]
    assert [(item["kind"], item["queue"]) for item in kept] == [("relay", "record")]
    assert kept[0]["reason"].startswith("UnknownMessageVersion: A message `relay` of queue record")
    await poison.put_back("record", kept[0]["id"])
    ((queue, again, _),) = queues.messages
    assert queue == "record"
    assert json.loads(again) == {"kind": "relay", MEMBER: CURRENT + 1}
