"""What campaigns leave behind is forgotten after its time, and nothing before it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob.aio import BlobServiceClient

from local.azurite import Azurite
from shared import settings as settings_module
from shared.azure.blobs import Blobs
from shared.azure.storage import Changed, StorageAccount
from shared.azure.tables import Tables
from shared.base import ulid
from shared.base.clock import Clock
from shared.campaigns.campaign import Campaign, Phase, Piece
from shared.campaigns.list_reader import Refused
from shared.campaigns.order import Definition, inline_shape
from shared.campaigns.retention import MOST_LISTS, MOST_ROWS, Forgotten, Retention
from shared.campaigns.store import CONTAINER, TABLE, CampaignStore, index_key
from shared.limits import frequency_caps
from shared.limits.frequency_caps import FrequencyCaps
from tests.support.settings import minimal

KEPT = timedelta(days=90)
# Lists are as old as the storage's own clock says; so the present is what is moved.
NOW = datetime.now(UTC) + timedelta(days=100)
YOUNG = NOW - timedelta(days=89)
OLD = NOW - timedelta(days=91)
ID_KEY = bytes(range(32))
A_MINUTE = timedelta(minutes=1)
PERSON, ANOTHER = "+14255550123", "+14255550145"


@dataclass(frozen=True)
class Kept:
    """What campaigns leave: rows, and lists."""

    tables: Tables
    blobs: Blobs


@pytest.fixture
async def storage(azurite: Azurite) -> AsyncIterator[Kept]:
    """Empty at the beginning of each test."""
    async with (
        AioHttpTransport() as transport,
        BlobServiceClient.from_connection_string(azurite.connection_string) as blobs,
    ):
        container = blobs.get_container_client(CONTAINER)
        if not await container.exists():
            await container.create_container()
        async for blob in container.list_blobs():
            await container.delete_blob(blob.name)
        account = StorageAccount(
            settings_module.load(minimal(azurite.connection_string)), transport=transport
        )
        storage = Kept(Tables(account), Blobs(account))
        for table in (TABLE, frequency_caps.TABLE):
            await storage.tables.drop_table(table)
        yield storage


@pytest.fixture
def store(storage: Kept) -> CampaignStore:
    return CampaignStore(storage.tables)


def at(moment: datetime) -> Clock:
    return lambda: moment


def retention(
    storage: Kept, *, most_rows: int = MOST_ROWS, most_lists: int = MOST_LISTS
) -> Retention:
    return Retention(
        blobs=storage.blobs,
        store=CampaignStore(storage.tables),
        caps=FrequencyCaps(storage.tables, at(NOW), ID_KEY),
        kept=KEPT,
        most_rows=most_rows,
        most_lists=most_lists,
    )


_made = iter(range(1_000_000))


async def made(
    store: CampaignStore,
    phase: Phase,
    finished: datetime | None,
    *,
    blob: str = "",
    chunks: int = 0,
) -> Campaign:
    """A campaign as its work has left it."""
    created = NOW - timedelta(days=101) + timedelta(milliseconds=next(_made))
    campaign_id = ulid.new(created, bytes(ulid.RANDOM_BYTES))
    definition = Definition(("24680",), "Hello", blob=blob, shape=inline_shape(("to",)))
    campaign = Campaign(
        campaign_id, definition, phase, created, campaign_id, finished_at=finished, chunks=chunks
    )
    await store.list_in_index(campaign)
    await store.insert(campaign)
    pieces = [Piece(n, n, 1, n + 1, (), 0.0, {"24680": 1}, 1) for n in range(chunks)]
    await store.write_expansion(campaign_id, pieces, [Refused(9, "Why")] if chunks else [])
    return campaign


async def rows_of(storage: Kept, campaign: Campaign) -> int:
    found = storage.tables.query(TABLE, "PartitionKey eq @id", id=campaign.campaign_id)
    return len([row async for row in found])


async def is_listed(store: CampaignStore, campaign: Campaign) -> bool:
    return campaign.campaign_id in [one.campaign_id async for one in store.listed()]


async def lists_in(storage: Kept) -> list[str]:
    return [blob.name async for blob in storage.blobs.list(CONTAINER)]


async def written_at(storage: Kept) -> datetime:
    """When the first of all lists was put in place, by the storage's clock."""
    return min([blob.modified async for blob in storage.blobs.list(CONTAINER)])


@pytest.mark.parametrize("phase", [Phase.DONE, Phase.CANCELED, Phase.FAILED])
async def test_a_campaign_goes_as_a_whole(
    storage: Kept, store: CampaignStore, phase: Phase
) -> None:
    """Its row, its chunks, its refused lines and its place in the index, so long after its end."""
    old, young = [await made(store, phase, when, chunks=120) for when in (OLD, YOUNG)]
    assert await retention(storage).forget(NOW) == Forgotten(campaigns=1, lists=0, people=0)
    assert await rows_of(storage, old) == 0
    assert not await is_listed(store, old)
    assert await rows_of(storage, young) == 122
    assert await is_listed(store, young)


@pytest.mark.parametrize("phase", [Phase.PREPARING, Phase.RUNNING, Phase.PAUSED])
async def test_what_is_not_over_stays(storage: Kept, store: CampaignStore, phase: Phase) -> None:
    """A campaign that is paused, or starts in a year, is kept however long ago it was ordered."""
    campaign = await made(store, phase, None, chunks=1)
    assert (await retention(storage).forget(NOW)).campaigns == 0
    assert await rows_of(storage, campaign) == 3


async def test_work_is_bounded(storage: Kept, store: CampaignStore) -> None:
    """So many rows at once; the campaign's own row keeps its id from others until the last."""
    campaign = await made(store, Phase.DONE, OLD, chunks=250)
    found = [
        (
            (await retention(storage, most_rows=100).forget(NOW)).campaigns,
            await rows_of(storage, campaign),
        )
        for _ in range(3)
    ]
    assert found == [(0, 152), (0, 52), (1, 0)]


async def test_an_order_that_came_to_nothing_leaves_the_index(
    storage: Kept, store: CampaignStore
) -> None:
    """An entry without a campaign, or of a campaign whose id was taken, goes alone."""
    kept = await made(store, Phase.RUNNING, None)
    stray = replace(kept, created_at=kept.created_at + A_MINUTE)
    await store.list_in_index(stray)
    assert len([one async for one in store.listed()]) == 2
    await retention(storage).forget(NOW)
    assert await store.get(kept.campaign_id) is not None
    assert [one.key async for one in store.listed()] == [index_key(kept)]


async def test_lists_go_when_nobody_is_texted_by_them(storage: Kept, store: CampaignStore) -> None:
    """A list goes some time after it was put in place, and not while a campaign is kept that was
    for it; so do recipients that came with an order."""
    for name in (
        "unused",
        "of-a-paused-one",
        "of-a-young-one",
        "of-an-old-one",
        "inline/x/y.jsonl",
    ):
        await storage.blobs.upload(CONTAINER, name, b"phone\n", "text/csv")
    await made(store, Phase.PAUSED, None, blob="of-a-paused-one")
    await made(store, Phase.DONE, YOUNG, blob="of-a-young-one")
    await made(store, Phase.DONE, OLD, blob="of-an-old-one")
    await made(store, Phase.CANCELED, OLD, blob="inline/x/y.jsonl")
    written = await written_at(storage)
    assert await retention(storage).forget(written + KEPT - A_MINUTE) == Forgotten(0, 0, 0)
    assert len(await lists_in(storage)) == 5
    assert await retention(storage, most_lists=2).forget(NOW) == Forgotten(2, 2, 0)
    assert (await retention(storage, most_lists=2).forget(NOW)).lists == 1
    assert await lists_in(storage) == ["of-a-paused-one", "of-a-young-one"]


async def test_a_list_that_was_replaced_stays(storage: Kept) -> None:
    """Whoever puts a list in place while the old one is being forgotten keeps the new one."""
    await storage.blobs.upload(CONTAINER, "list", b"phone\n", "text/csv")
    before = await written_at(storage) - A_MINUTE
    with pytest.raises(Changed):
        await storage.blobs.delete(CONTAINER, "list", unmodified_since=before)
    assert await lists_in(storage) == ["list"]
    await storage.blobs.delete(CONTAINER, "another", unmodified_since=NOW)


async def test_who_was_texted_is_forgotten_when_no_order_can_ask(storage: Kept) -> None:
    """`atMostOncePerHours` holds for 366 days at the most; after these nobody's row is kept."""
    a_year_ago = NOW - timedelta(days=366)
    await FrequencyCaps(storage.tables, at(a_year_ago - A_MINUTE), ID_KEY).admit(
        "offers", PERSON, "send-1", 1
    )
    await FrequencyCaps(storage.tables, at(a_year_ago + A_MINUTE), ID_KEY).admit(
        "offers", ANOTHER, "send-1", 1
    )
    assert (await retention(storage).forget(NOW)).people == 1
    longest = 24 * 366
    now = FrequencyCaps(storage.tables, at(NOW), ID_KEY)
    assert await now.admit("offers", PERSON, "send-2", longest)
    assert not await now.admit("offers", ANOTHER, "send-2", longest)


async def test_a_person_is_one_however_the_number_is_written(storage: Kept) -> None:
    """One row a person, and nothing in it or in its keys is the number."""
    caps = FrequencyCaps(storage.tables, at(NOW), ID_KEY)
    assert await caps.admit("spellings", "+541123456789", "send-1", 1)
    assert not await caps.admit("spellings", "+5491123456789", "send-2", 1)
    rows = [
        row
        async for row in storage.tables.query(frequency_caps.TABLE, "sendId eq @id", id="send-1")
        if row["PartitionKey"].startswith("spellings~")
    ]
    assert len(rows) == 1
    assert "1123456789" not in str(rows)


async def test_people_are_forgotten_a_bounded_number_at_once(storage: Kept) -> None:
    """So many rows are looked at; the next time it is the next ones."""
    long_ago = FrequencyCaps(storage.tables, at(NOW - timedelta(days=400)), ID_KEY)
    for last in range(5):
        await long_ago.admit("bounded", f"+1425555020{last}", "send-1", 1)
    bounded = retention(storage, most_rows=3)
    assert [(await bounded.forget(NOW)).people for _ in range(3)] == [3, 2, 0]


async def test_who_is_texted_meanwhile_stays(storage: Kept) -> None:
    """A row that is used again after it was found to be old is not deleted."""
    await FrequencyCaps(storage.tables, at(NOW - timedelta(days=400)), ID_KEY).admit(
        "meanwhile", PERSON, "send-1", 1
    )
    old = [
        row
        async for row in storage.tables.query(frequency_caps.TABLE, "sendId eq @id", id="send-1")
    ]
    now = FrequencyCaps(storage.tables, at(NOW), ID_KEY)
    assert await now.admit("meanwhile", PERSON, "send-2", 1)
    assert await now._delete(old) == 0
    assert not await now.admit("meanwhile", PERSON, "send-3", 1)
