"""No person's number where it does not belong: in paths, keys, names of blobs, spans and logs.

The search first finds a number that was planted in each of these places. Then the main job and a
campaign are played, with everything that looks people up, and it finds none. The opt-out ledger's
table is the one place whose keys may hold numbers.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import aiohttp
from aiohttp import web
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient
from yarl import URL

from local.stack import ROOT, Stack
from shared.conversations.index import TABLE as INDEX
from shared.optouts.rows import TABLE as LEDGER
from tests.campaigns.support import campaign_in_state, order, ordered
from tests.support.client import TOLL_FREE, UNHURRIED, Parley, send_body
from tests.support.golden import golden_event
from tests.support.host import SecondHost, second_host
from tests.support.ingestion import Ingestion, exporting_to
from tests.support.parts import parts_of
from tests.support.people import People
from tests.support.polling import eventually
from tests.support.wire import numbers_in

PLACES = ("path", "key", "blob", "span", "log")
# What an app would do that let a number slip into its telemetry.
LEAK = """
import logging, os
from opentelemetry import trace
from opentelemetry._logs import get_logger_provider
from shared.azure import telemetry
from shared.settings import settings_of_this_app

telemetry.start(settings_of_this_app())
with telemetry.span("planted", number=os.environ["PLANTED"]):
    logging.getLogger("parley").warning("texted %s", os.environ["PLANTED"])
trace.get_tracer_provider().force_flush()
get_logger_provider().force_flush()
os._exit(0)
"""


class Recorder:
    """Stands before a Parley and notes the path of each request, as Azure's telemetry keeps it."""

    def __init__(self, upstream: str, session: aiohttp.ClientSession) -> None:
        self.paths: list[str] = []
        self._upstream = upstream
        self._session = session

    async def forward(self, request: web.Request) -> web.Response:
        self.paths.append(request.raw_path.partition("?")[0])
        url = URL(self._upstream + request.raw_path, encoded=True)
        headers = {k: v for k, v in request.headers.items() if k.lower() != "host"}
        async with self._session.request(
            request.method, url, data=await request.read() or None, headers=headers
        ) as answer:
            body = await answer.read()
            return web.Response(
                status=answer.status, body=body, content_type=answer.content_type or None
            )

    @classmethod
    @asynccontextmanager
    async def before(cls, upstream: str, port: int) -> AsyncIterator[Recorder]:
        """Listens until the block ends."""
        async with aiohttp.ClientSession() as session:
            made = cls(upstream, session)
            app = web.Application(client_max_size=10**7)
            app.router.add_route("*", "/{path:.*}", made.forward)
            runner = web.AppRunner(app)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            try:
                yield made
            finally:
                await runner.cleanup()


class World:
    """Every place in which a number could be found, and whoever puts one there."""

    def __init__(
        self, stack: Stack, host: SecondHost, recorder: Recorder, ingestion: Ingestion
    ) -> None:
        self._stack = stack
        self._host = host
        self._recorder = recorder
        self._ingestion = ingestion

    async def texts(self) -> dict[str, str]:
        """What stands in each place."""
        envelopes = self._ingestion.envelopes
        spans = [e for e in envelopes if e["data"]["baseType"] in _SPANS]
        logs = [e for e in envelopes if e["data"]["baseType"] not in _SPANS]
        options = self._stack._options
        assert options.wire is not None
        own = [options.logs / "functions.log", options.wire]
        return {
            "path": "\n".join(self._recorder.paths),
            "key": "\n".join([key async for key in self._keys()]),
            "blob": "\n".join([name async for name in self._blobs()]),
            "span": json.dumps(spans),
            "log": "\n".join(
                [json.dumps(logs), self._host.everything]
                + [file.read_text(encoding="utf-8") for file in own]
            ),
        }

    async def where(self, persons: Iterable[str]) -> dict[str, set[str]]:
        """Where numbers of these people stand, in whatever form."""
        wanted, texts = set(persons), await self.texts()
        assert texts.keys() == set(PLACES)
        return {place: found for place in PLACES if (found := numbers_in(texts[place]) & wanted)}

    async def _keys(self) -> AsyncIterator[str]:
        async with TableServiceClient.from_connection_string(self._stack.storage) as tables:
            names = [table.name async for table in tables.list_tables()]
            for name in names:
                if name != LEDGER:
                    rows = tables.get_table_client(name).list_entities(
                        select=["PartitionKey", "RowKey"]
                    )
                    async for row in rows:
                        yield f"{name} {row['PartitionKey']} {row['RowKey']}"

    async def _blobs(self) -> AsyncIterator[str]:
        async with BlobServiceClient.from_connection_string(self._stack.storage) as blobs:
            async for container in blobs.list_containers():
                async for name in blobs.get_container_client(container.name).list_blob_names():
                    yield f"{container.name} {name}"


_SPANS = frozenset({"RequestData", "RemoteDependencyData"})


@asynccontextmanager
async def _planted(stack: Stack, person: str) -> AsyncIterator[None]:
    """A row and a blob that are named by a number, for as long as the block runs."""
    async with (
        TableServiceClient.from_connection_string(stack.storage) as tables,
        BlobServiceClient.from_connection_string(stack.storage) as blobs,
    ):
        table = await tables.create_table_if_not_exists("planted")
        await table.upsert_entity({"PartitionKey": "a", "RowKey": f"number of {person[1:]}"})
        container = blobs.get_container_client("planted")
        await container.create_container()
        await container.upload_blob(f"lists/{quote(person)}.csv", b"")
        try:
            yield
        finally:
            await container.delete_container()
            await table.delete_table()


async def _leaked(environ: dict[str, str], person: str) -> None:
    """A span and a log line that hold a number, on their way as all others."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LEAK, cwd=ROOT, env={**os.environ, **environ, "PLANTED": person}
    )
    assert await process.wait() == 0


async def _by_command_line(endpoint: str, key: str, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", *arguments),
        cwd=ROOT,
        env={**os.environ, "PARLEY_ENDPOINT": endpoint, "PARLEY_FUNCTION_KEY": key},
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == 0, arguments


async def _play_the_main_job(parley: Parley, persons: list[str]) -> None:
    """A send to one and to many, replies, reports, STOP, and what nobody understands."""
    person, *_ = persons
    (item,) = await parley.send(person, tag="order-17")
    await parley.send(*persons)
    await parley.signed("POST", "/sms", send_body(person))
    report = golden_event(
        "report-delivered", person=person, send_id=item["messageId"].partition(".")[0]
    )
    strange = golden_event("received", person=person)
    strange["data"]["to"] = "?"
    stop = golden_event("received-stop", person=person)
    for function, event in (
        ("delivery_report", report),
        ("inbound", golden_event("received", person=person)),
        ("inbound", strange),
        ("inbound", stop),
    ):
        assert await parley.deliver(function, [event]) == 202
    blocked = await parley.own("POST", "/messages", send_body(person))
    assert blocked.items[0]["httpStatusCode"] == 403


async def _look_everybody_up(parley: Parley, person: str) -> None:
    """By every route that is about a person, and along the links that they answer with."""
    named, ours = quote(person, safe=""), quote(TOLL_FREE, safe="")
    talk = f"/conversations/{parley.conversation_id(TOLL_FREE, person)}"
    for target in (
        f"/optouts?recipient={named}",
        f"/conversations?theirs={named}",
        f"/conversations?theirs={named}&ours={ours}",
        f"/conversations?ours={ours}&maxpagesize=1",
        f"{talk}?include=hidden",
        f"{talk}?maxpagesize=1",
        "/messages?maxpagesize=1",
        "/quarantine?maxpagesize=1",
    ):
        reply = await parley.own("GET", target)
        assert reply.status == 200, target
        if link := reply.json.get("nextLink"):
            following = urlsplit(link)
            assert (await parley.own("GET", f"{following.path}?{following.query}")).status == 200
    assert (await parley.own("POST", f"{talk}:markRead")).status == 200
    change = {"recipient": person, "from": TOLL_FREE, "reason": "Asked."}
    for operation in ("add", "remove"):
        assert (await parley.own("POST", f"/optouts:{operation}", change)).status == 200


async def _fold(stack: Stack) -> None:
    """The list of conversations, as the timer writes it a few minutes later."""
    start = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=2)
    async with parts_of(stack) as parts:
        index = parts.conversations.index
        async for facts in parts.parts.record.minutes(start, start + timedelta(minutes=3)):
            for row in index.rows(facts.minute, facts):
                await parts.parts.tables.put(INDEX, row)


async def test_no_number_is_where_it_does_not_belong(
    stack: Stack,
    parley: Parley,
    people: People,
    tmp_path: Path,
    unused_tcp_port_factory: Callable[[], int],
) -> None:
    """A planted one is found in each place; those of the people who were texted in none."""
    planted, *persons = people.many(8)
    ports = unused_tcp_port_factory
    async with AsyncExitStack() as running:
        ingestion = await running.enter_async_context(Ingestion.running(ports()))
        # Every span, where the exporter would leave some out.
        exporting = {**exporting_to(ingestion, tmp_path), "OTEL_TRACES_SAMPLER": "always_on"}
        host = running.enter_context(second_host(stack, tmp_path, **exporting))
        client = await running.enter_async_context(host.client())
        port = ports()
        before = await running.enter_async_context(Recorder.before(client.endpoint, port))
        client.endpoint = f"http://127.0.0.1:{port}"
        world = World(stack, host, before, ingestion)

        await running.enter_async_context(_planted(stack, planted))
        await _leaked({**stack.settings, **exporting}, planted)
        await client.own("GET", f"/messages/{quote(planted, safe='')}")
        assert await world.where([planted]) == {place: {planted} for place in PLACES}

        await _play_the_main_job(client, persons)
        body = order(*persons, **{"from": UNHURRIED, "atMostOncePerHours": 1})
        await campaign_in_state(parley, (await ordered(parley, body))["campaignId"], "done")
        await eventually(
            lambda: parley.conversation(UNHURRIED, persons[-1]), "the entries are written"
        )
        await _fold(stack)
        for person in persons[:2]:
            await _look_everybody_up(client, person)
            for command in (
                ("conversations", "--with", person),
                ("conversation", TOLL_FREE, person, "--mark-read"),
                ("optouts", person),
            ):
                await _by_command_line(client.endpoint, stack.function_key, *command)

        async def exported() -> bool:
            return bool(ingestion.of("RequestData")) and bool(ingestion.messages("inbound.taken"))

        await eventually(exported, "spans and logs have left")
        assert await world.where(persons) == {}
        assert await world.where([planted]) == {place: {planted} for place in PLACES}
