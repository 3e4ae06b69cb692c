"""No error of Parley's brings along what a client library said: that quotes URLs with numbers."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.core import exceptions
from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import AioHttpTransport
from azure_functions_runtime.utils.tracing import marshall_exception_trace

from shared.azure.blobs import Blobs
from shared.azure.queues import Queues
from shared.azure.storage import StorageAccount, StorageDown
from shared.azure.tables import Tables
from shared.settings import load
from tests.support.settings import minimal
from tests.support.source import parsed
from tests.support.wire import numbers_in, silent_port

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for part in ("shared", "functions") for path in (ROOT / part).rglob("*.py"))
LIBRARY = {
    name
    for name, found in vars(exceptions).items()
    if isinstance(found, type) and issubclass(found, AzureError)
} | {"TableTransactionError"}
PERSON = "+14255550199"
ROW = {"PartitionKey": f"+18005550100|{PERSON}", "RowKey": f"num:{PERSON}"}
KEYS = (ROW["PartitionKey"], ROW["RowKey"])


@pytest.fixture
async def account() -> AsyncIterator[StorageAccount]:
    """Nobody takes its connections, and nobody refuses them."""
    with silent_port() as port:
        at = f"http://127.0.0.1:{port}/a"
        ends = "".join(f"{service}Endpoint={at};" for service in ("Table", "Queue", "Blob"))
        text = f"AccountName=a;AccountKey=AAAA;{ends}"
        async with AioHttpTransport(connection_timeout=0.2) as transport:
            yield StorageAccount(load(minimal(text)), transport=transport)


async def _all(found: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in found]


def calls(account: StorageAccount) -> dict[str, Awaitable[Any]]:
    """Each method that asks a service, with a number wherever a name may be."""
    name = f"of/{PERSON}"
    tables, queues, blobs = Tables(account), Queues(account), Blobs(account)
    return {
        "Tables.insert": tables.insert("t", ROW),
        "Tables.put": tables.put("t", ROW),
        "Tables.merge": tables.merge("t", ROW, etag="e"),
        "Tables.set_members": tables.set_members("t", ROW),
        "Tables.remove": tables.remove("t", *KEYS, etag="e"),
        "Tables.get": tables.get("t", *KEYS),
        "Tables.query": _all(tables.query("t", "RowKey eq @row", row=ROW["RowKey"])),
        "Tables.commit": tables.commit("t", [("upsert", ROW)]),
        "Tables.make_table": tables.make_table("t"),
        "Tables.drop_table": tables.drop_table("t"),
        "Tables.tables": tables.tables("t"),
        "Queues.enqueue": queues.enqueue("q", PERSON),
        "Queues.first": queues.first("q"),
        "Queues.length": queues.length("q"),
        "Blobs.put": blobs.put("c", name, b"", "text/plain"),
        "Blobs.upload": blobs.upload("c", name, b"", "text/plain"),
        "Blobs.facts": blobs.facts("c", name),
        "Blobs.read": blobs.read("c", name, etag="e"),
        "Blobs.stream": _all(blobs.stream("c", name, etag="e")),
        "Blobs.list": _all(blobs.list("c")),
        "Blobs.delete": blobs.delete("c", name, unmodified_since=datetime.now(UTC)),
        "Blobs.whole": blobs.whole("c", name),
        "Blobs.small": blobs.small("c", name),
        "Blobs.replace": blobs.replace("c", name, b"", "text/plain", etag="e"),
        "Blobs.container_exists": blobs.container_exists("c"),
    }


# They ask nothing by themselves.
SILENT = {"Tables.table", "Tables.change", "Tables.pause"}


async def test_a_connection_time_out_names_nobody(account: StorageAccount) -> None:
    """Whatever was asked: what the Functions runtime would send to Azure holds no number."""
    asked = calls(account)
    public = {
        f"{kind.__name__}.{name}"
        for kind in (Tables, Queues, Blobs)
        for name in vars(kind)
        if not name.startswith("_")
    }
    assert set(asked) == public - SILENT
    errors = await asyncio.gather(*asked.values(), return_exceptions=True)
    for name, error in zip(asked, errors, strict=True):
        assert isinstance(error, StorageDown), name
        assert numbers_in(marshall_exception_trace(error)) == set(), name


async def test_the_client_librarys_own_error_names_them(account: StorageAccount) -> None:
    """What the rule is for: the library's text for a connection time-out quotes the URL."""
    with pytest.raises(AzureError) as raised:
        await Tables(account).table("t").get_entity(*KEYS)
    assert numbers_in(marshall_exception_trace(raised.value)) == {PERSON}


def _raised_with_a_cause(tree: ast.AST) -> Iterator[int]:
    """Lines on which an error of a client library becomes the cause or context of another."""
    for handler in ast.walk(tree):
        if not isinstance(handler, ast.ExceptHandler) or handler.type is None:
            continue
        if not {n.id for n in ast.walk(handler.type) if isinstance(n, ast.Name)} & LIBRARY:
            continue
        for part in ast.walk(handler):
            if not isinstance(part, ast.Raise) or part.exc is None:
                continue
            if not (isinstance(part.cause, ast.Constant) and part.cause.value is None):
                yield part.lineno


def test_the_rule_finds_what_breaks_it() -> None:
    """A cause, and an error that is raised without a word about its context."""
    broken = "try: x()\nexcept {0}:\n    raise Down from error\n"
    assert list(_raised_with_a_cause(parsed(broken.format("AzureError as error")))) == [3]
    without = broken.replace(" from error", "").format("(LookupError, HttpResponseError)")
    assert list(_raised_with_a_cause(parsed(without))) == [3]
    assert list(_raised_with_a_cause(parsed(broken.format("ValueError as error")))) == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_error_of_a_client_library_is_a_cause(source: Path) -> None:
    """Of a function that fails, Azure keeps the whole chain."""
    assert list(_raised_with_a_cause(parsed(source.read_text(encoding="utf-8")))) == []
