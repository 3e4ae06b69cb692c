"""What each kind of request costs in storage operations: the promise that keeps Parley cheap."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench.analytics import day_operations
from tests.bench.campaigns import chunk_operations
from tests.bench.counting import Operation
from tests.bench.operations import (
    CHECK_HUNDRED,
    INBOUND,
    REPORT,
    SEND_HUNDRED,
    SEND_HUNDRED_AFTER,
    SEND_ONE,
    counted_operations,
)
from tests.bench.stage import Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("logs")) as stage:
        yield stage


@pytest.fixture(scope="module")
def counted(stage: Stage) -> dict[str, list[Operation]]:
    return counted_operations(stage)


@pytest.mark.parametrize(
    ("name", "operations"),
    [
        # The ledger's news, the intent and the conversation's entry; the outcome.
        (SEND_ONE, 4),
        # The same, with the row that stands for all entries; one queue message beside the outcome.
        (SEND_HUNDRED, 5),
        # Off the path: one query for the send, one transaction for each of four partitions.
        (SEND_HUNDRED_AFTER, 5),
        # The ledger's news.
        (CHECK_HUNDRED, 1),
        # The report and, for the relay, the intent of its send.
        (REPORT, 2),
        # What it answers, among entries and what is yet to be written; the message and its entry.
        (INBOUND, 4),
    ],
)
def test_operations(counted: dict[str, list[Operation]], name: str, operations: int) -> None:
    """A request costs so many storage operations, and not one more."""
    assert len(counted[name]) == operations, counted[name]


def test_operations_of_a_chunk(stage: Stage) -> None:
    """A campaign's chunk of a hundred costs ten: the campaign and the chunk, the bytes, that a run
    has taken the chunk, the campaign again when its moment has come, the ledger's news, the intent
    and the row that stands for its entries, the outcome, what became of the chunk."""
    assert len(found := chunk_operations(stage)) == 10, found


def test_operations_of_a_day_of_analytics(stage: Stage) -> None:
    """A day by the hour costs two: how far the fold has come, and one query for the hours."""
    assert len(found := day_operations(stage)) == 2, found
