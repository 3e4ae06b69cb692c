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
        # The ledger's news and the intent; the outcome and the conversation's entry.
        (SEND_ONE, 4),
        # The same, with one queue message in the entries' place.
        (SEND_HUNDRED, 4),
        # Off the path: one query for the send, one entry for each recipient.
        (SEND_HUNDRED_AFTER, 101),
        # The ledger's news.
        (CHECK_HUNDRED, 1),
        # The report and, for the relay, the intent of its send.
        (REPORT, 2),
        # What it answers; the message and the conversation's entry.
        (INBOUND, 3),
    ],
)
def test_operations(counted: dict[str, list[Operation]], name: str, operations: int) -> None:
    """A request costs so many storage operations, and not one more."""
    assert len(counted[name]) == operations, counted[name]


def test_operations_of_a_chunk(stage: Stage) -> None:
    """A campaign's chunk of a hundred costs seven: the campaign, the bytes, the campaign again when
    its moment has come, the ledger's news, the intent, the outcome, what became of the chunk."""
    assert len(found := chunk_operations(stage)) == 7, found


def test_operations_of_a_day_of_analytics(stage: Stage) -> None:
    """A day by the hour costs two: how far the fold has come, and one query for the hours."""
    assert len(found := day_operations(stage)) == 2, found
