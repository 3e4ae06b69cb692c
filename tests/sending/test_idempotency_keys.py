"""What an Idempotency-Key stands for, and for how long: one row, whatever day it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import HttpRequest
from azure.data.tables.aio import TableServiceClient

from local.azurite import Azurite
from shared.azure.storage import StorageAccount, StorageDown
from shared.azure.tables import Tables
from shared.base.errors import KeyReused
from shared.sending.idempotency import REMEMBERED, TABLE, Claim, IdempotencyKeys
from shared.settings import Settings, load
from tests.support.settings import minimal
from tests.support.transports import Trouble, TroubledTransport

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
ID_KEY = b"k" * 32
KEY = "visit-17-reminder-+14255550123"


def app(azurite: Azurite) -> Settings:
    return load(minimal(azurite.connection_string))


@pytest.fixture
async def tables(azurite: Azurite) -> AsyncIterator[Tables]:
    """The account without keys."""
    async with AioHttpTransport() as network:
        made = Tables(StorageAccount(app(azurite), transport=network))
        await made.drop_table(TABLE)
        yield made


@pytest.fixture
def keys(tables: Tables) -> IdempotencyKeys:
    return IdempotencyKeys(tables, ID_KEY)


async def test_the_first_request_has_the_key(keys: IdempotencyKeys) -> None:
    """A later one with it is told for what it stands; one of another meaning is refused."""
    assert await keys.find(KEY, "digest", MIDNIGHT) is None
    assert await keys.claim(KEY, "digest", "one", now=MIDNIGHT) == Claim("one", fresh=True)
    assert await keys.claim(KEY, "digest", "two", now=MIDNIGHT) == Claim("one", fresh=False)
    assert await keys.find(KEY, "digest", MIDNIGHT) == "one"
    for ask in (
        keys.claim(KEY, "other", "two", now=MIDNIGHT),
        keys.find(KEY, "other", MIDNIGHT),
    ):
        with pytest.raises(KeyReused):
            await ask
    assert await keys.claim("another", "other", "two", now=MIDNIGHT) == Claim("two", fresh=True)


@pytest.mark.parametrize("first", [SECOND, -SECOND])
async def test_midnight_parts_nobody_from_a_key(keys: IdempotencyKeys, first: timedelta) -> None:
    """Clocks of two processes lie on both sides of it: the second one finds the key."""
    assert (await keys.claim(KEY, "digest", "one", now=MIDNIGHT + first)).fresh
    again = await keys.claim(KEY, "digest", "two", now=MIDNIGHT - first)
    assert again == Claim("one", fresh=False)


async def test_a_key_is_known_for_a_day(keys: IdempotencyKeys) -> None:
    """To the last second; then the next request is the first again, and the only one."""
    await keys.claim(KEY, "digest", "one", now=MIDNIGHT)
    last = MIDNIGHT + REMEMBERED - SECOND
    assert await keys.claim(KEY, "digest", "two", now=last) == Claim("one", fresh=False)
    over = MIDNIGHT + REMEMBERED
    assert await keys.find(KEY, "other", over) is None
    assert await keys.claim(KEY, "other", "two", now=over) == Claim("two", fresh=True)
    assert await keys.claim(KEY, "other", "three", now=over) == Claim("two", fresh=False)


async def test_the_key_of_what_waits_is_known_until_a_day_after_its_moment(
    keys: IdempotencyKeys,
) -> None:
    """A job that orders next week's reminders anew each day orders each of them once."""
    moment = MIDNIGHT + 7 * DAY
    assert (await keys.claim(KEY, "digest", "one", now=MIDNIGHT, moment=moment)).fresh
    for days in range(1, 8):
        now = MIDNIGHT + days * DAY
        again = await keys.claim(KEY, "digest", f"again-{days}", now=now, moment=moment)
        assert again == Claim("one", fresh=False)
    late = moment + DAY - SECOND
    assert await keys.find(KEY, "digest", late) == "one"
    assert await keys.find(KEY, "digest", moment + DAY) is None


async def test_the_nightly_work_drops_what_is_over(keys: IdempotencyKeys, tables: Tables) -> None:
    """And nothing else, however many there are; a second time there is nothing to do."""
    for n in range(130):
        await keys.claim(f"over-{n}", "digest", "one", now=MIDNIGHT)
    await keys.claim("waits", "digest", "one", now=MIDNIGHT, moment=MIDNIGHT + DAY)
    await keys.claim("new", "digest", "one", now=MIDNIGHT + 2 * HOUR)
    # A process whose clock is behind may still take it for known.
    assert await keys.forget(MIDNIGHT + DAY) == 0
    assert await keys.forget(MIDNIGHT + DAY + 2 * HOUR) == 130
    assert await keys.forget(MIDNIGHT + DAY + 2 * HOUR) == 0
    left = [row["at"] async for row in tables.query(TABLE, "PartitionKey ge ''")]
    assert len(left) == 2


async def test_no_key_is_written_down(azurite: Azurite, keys: IdempotencyKeys) -> None:
    """An application may write a person's number into a key; the row is an HMAC of it."""
    await keys.claim(KEY, "digest", "one", now=MIDNIGHT)
    async with TableServiceClient.from_connection_string(azurite.connection_string) as service:
        rows = [dict(row) async for row in service.get_table_client(TABLE).list_entities()]
    assert len(rows) == 1
    assert "4255550123" not in repr(rows)
    assert "visit" not in repr(rows)


async def test_an_answer_that_is_lost_makes_no_second_send(azurite: Azurite) -> None:
    """Storage took the key and its answer was lost: who repeats finds the id that it stands for."""

    def claims(request: HttpRequest) -> bool:
        return request.method == "POST" and f"/{TABLE}" in request.url

    async with AioHttpTransport() as network:
        await Tables(StorageAccount(app(azurite), transport=network)).drop_table(TABLE)
        await Tables(StorageAccount(app(azurite), transport=network)).make_table(TABLE)
        lossy = TroubledTransport(network, [Trouble.LOST], claims)
        keys = IdempotencyKeys(Tables(StorageAccount(app(azurite), transport=lossy)), ID_KEY)
        with pytest.raises(StorageDown):
            await keys.claim(KEY, "digest", "one", now=MIDNIGHT)
        assert (await keys.claim(KEY, "digest", "two", now=MIDNIGHT)).stands_for == "one"
