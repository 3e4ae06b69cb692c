"""What a day of analytics by the hour costs, beside reading the rows that it is made of."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableClient

from shared.analytics.api import read_query
from shared.analytics.count_rows import HOURS, TABLE, entity_of, properties
from shared.analytics.counts import Tally
from shared.analytics.state import STATE_PARTITION, STATE_ROW
from shared.azure.storage import StorageAccount
from shared.azure.tables import Tables
from shared.services import Services
from tests.bench.counting import Operation, counted
from tests.bench.counting import Tally as Asked
from tests.bench.stage import Stage
from tests.support.parts import parts_of

DAY_OPS: Final = "analytics.day.ops"
DAY_VS_PAGES: Final = "analytics.day.vs_pages"
DAY: Final = datetime(2026, 11, 21, tzinfo=UTC)
_HOURS: Final = 24
_TAGS: Final = 40
_WARM_UP: Final = 5
# Of how many requests a round takes the time.
_REQUESTS: Final = 10
_BY: Final[Mapping[str, Mapping[str, str]]] = {"total": {}, "tag": {"groupBy": "tag"}}


@dataclass(frozen=True, slots=True)
class DayFigures:
    """What was found.

    Attributes:
        operations: of one question for a day by the hour.
        answered: milliseconds to the answer, one figure a round, by how it is grouped.
        read: milliseconds to the rows that it is made of, read by the client library alone.
    """

    operations: list[Operation]
    answered: Mapping[str, list[float]]
    read: Mapping[str, list[float]]

    def ratio(self, by: str = "total") -> float:
        """Of the two."""
        return statistics.median(self.answered[by]) / statistics.median(self.read[by])


def day_figures(stage: Stage, *, rounds: int) -> DayFigures:
    """Measure."""
    return asyncio.run(_measured(stage, rounds))


def day_operations(stage: Stage) -> list[Operation]:
    """What a day by the hour asks of tables."""
    return asyncio.run(_operations(stage))


async def _operations(stage: Stage) -> list[Operation]:
    await _written(stage)
    tally = Asked()
    with counted(stage.storage, tally) as tables:
        async with parts_of(stage.stack, PARLEY_STORAGE=tables) as parts:
            await _ask(parts, {})
            return tally.taken()


async def _measured(stage: Stage, rounds: int) -> DayFigures:
    operations = await _operations(stage)
    answered: dict[str, list[float]] = {by: [] for by in _BY}
    read: dict[str, list[float]] = {by: [] for by in _BY}
    async with (
        parts_of(stage.stack) as parts,
        AioHttpTransport() as network,
        TableClient.from_connection_string(stage.storage, TABLE, transport=network) as table,
    ):
        for _ in range(rounds):
            for by, params in _BY.items():
                answered[by].append(await _timed(partial(_ask, parts, params)))
                read[by].append(await _timed(partial(_read, table, by)))
    return DayFigures(operations, answered, read)


async def _timed(one: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds for each of several."""
    for _ in range(_WARM_UP):
        await one()
    start = time.perf_counter()
    for _ in range(_REQUESTS):
        await one()
    return (time.perf_counter() - start) / _REQUESTS * 1000


async def _ask(parts: Services, params: Mapping[str, str]) -> dict[str, Any]:
    query = read_query(
        {"startTime": DAY.isoformat(), "endTime": (DAY + timedelta(days=1)).isoformat(), **params},
        parts.parts.clock(),
    )
    answer = await parts.analytics.api.answer(query)
    assert answer["total"]
    return answer


async def _read(table: TableClient, dimension: str) -> None:
    """The state row beside the page of rows, as the client library gives them."""

    async def page() -> list[dict[str, Any]]:
        found = table.query_entities(
            "PartitionKey eq @partition and RowKey ge @low and RowKey lt @high",
            parameters={
                "partition": HOURS.partition(DAY),
                "low": HOURS.row(DAY),
                "high": HOURS.row(DAY + timedelta(hours=_HOURS - 1)) + "~~",
            },
            select=["RowKey", *properties(dimension)],
        )
        return [dict(row) async for row in found]

    _, rows = await asyncio.gather(table.get_entity(STATE_PARTITION, STATE_ROW), page())
    assert len(rows) == _HOURS


async def _written(stage: Stage) -> None:
    """A busy day's hours, and how far the fold has come."""
    async with parts_of(stage.stack) as parts, AioHttpTransport() as network:
        await parts.analytics.timer.run()
        tables = Tables(StorageAccount(parts.parts.settings, transport=network))
        for hour in range(_HOURS):
            moment = DAY + timedelta(hours=hour)
            await tables.put(TABLE, entity_of(HOURS, moment, _hour(hour)))


def _hour(hour: int) -> Tally:
    found = Tally()
    for tag in range(_TAGS):
        found.count(
            {"tag": f"order-{tag}", "sender": f"+1800555{tag % 5:04d}", "country": "US"},
            {"sent": 100 + hour, "segments": 150, "delivered": 95, "cost.USD": 150_000_000}
            | {"undelivered.4004": 3, "undelivered.4006": 1, "awaiting": 1, "inbound": 2}
            | {f"time.{seconds}": 3 + seconds for seconds in range(1, 20)},
        )
    return found
