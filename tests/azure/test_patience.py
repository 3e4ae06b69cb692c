"""How long a service of the storage account is waited for: the same for tables, queues, blobs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.rest import HttpRequest

from local.azurite import ACCOUNT, ACCOUNT_KEY
from shared import settings
from shared.azure.blobs import Blobs
from shared.azure.queues import Queues
from shared.azure.storage import StorageAccount, StorageDown
from shared.azure.tables import Tables
from tests.support.loops import SkippingLoop
from tests.support.settings import minimal
from tests.support.transports import Inner

NOWHERE = "".join(
    f"{name}Endpoint=http://127.0.0.1:9/{ACCOUNT};" for name in ("Blob", "Queue", "Table")
)
ACCOUNT_OF_NOBODY = (
    f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};{NOWHERE}"
)
ALL_PAUSES = 1.0


class NobodyThere(Inner):
    """A network on which no request gets an answer, and what it was told about time-outs."""

    def __init__(self, error: type[Exception]) -> None:
        self._error = error
        self.options: list[dict[str, Any]] = []

    async def send(self, request: HttpRequest, **options: Any) -> Any:
        self.options.append(options)
        raise self._error(request.method)

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        return None

    async def __aexit__(self, *_error: object) -> None:
        return None


Call = Callable[[StorageAccount], Awaitable[Any]]
ROW = {"PartitionKey": "p", "RowKey": "r"}
CALLS: dict[str, tuple[Call, int]] = {
    "a table read": (lambda account: Tables(account).get("optouts", "ledger", "head"), 3),
    # Its caller must know that the answer of a first try may be lost.
    "a row inserted": (lambda account: Tables(account).insert("optouts", ROW), 1),
    "a row put": (lambda account: Tables(account).put("optouts", ROW), 3),
    "a queue": (lambda account: Queues(account).enqueue("record", "{}"), 3),
    "a blob read": (lambda account: Blobs(account).whole("quarantine", "x"), 3),
    "a blob written": (lambda account: Blobs(account).put("lists", "x", b"x", "text/plain"), 3),
}


@pytest.mark.parametrize("error", [ServiceRequestError, ServiceResponseError])
@pytest.mark.parametrize(("call", "tries"), CALLS.values(), ids=CALLS.keys())
def test_a_service_that_is_not_there_is_given_up_within_a_second(
    call: Call, tries: int, error: type[Exception]
) -> None:
    """The pauses between the tries of one operation come to a second at the most, and each try
    has time-outs of seconds, whichever service is asked."""
    network = NobodyThere(error)
    account = StorageAccount(settings.load(minimal(ACCOUNT_OF_NOBODY)), transport=network)

    async def seconds_until_it_is_given_up() -> float:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        with pytest.raises(StorageDown):
            await call(account)
        return loop.time() - begun

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        waited = runner.run(seconds_until_it_is_given_up())
    assert waited < ALL_PAUSES
    assert len(network.options) == tries
    for options in network.options:
        assert options["connection_timeout"] <= 5
        assert options["read_timeout"] <= 10
