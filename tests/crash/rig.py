"""The world in which processes are stopped: storage and platform that go on, and what both know."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp
import phonenumbers
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import ContainerClient
from azure.storage.queue.aio import QueueClient

from local.stack import ROOT, TABLES, Stack
from shared.azure import signatures
from shared.azure.versions import CURRENT, MEMBER
from shared.base.clock import iso, utc_now
from shared.jobs.due_table import TABLE as DUE
from shared.receiving.quarantine import CONTAINER
from tests.crash.calls import Plan, Trace, read_trace
from tests.crash.process import FUNCTION_KEY

_HOST: Final = "localhost"
_SIGKILLED: Final = -9
_BATCH: Final = 32
_LOOK_SECONDS: Final = 0.1


class StorageAndPlatform(Stack):
    """The stack without its functions host: here every run is one."""

    def start_host(self) -> None:
        """There is none."""


@dataclass(frozen=True, slots=True)
class Step:
    """One invocation of a function.

    Attributes:
        kind: http, event, queue or timer.
        members: what the process needs to make it.
        later: by how many seconds the process's clock is ahead of the real one.
        access_key: with which an HTTP request is signed, at the shifted time.
    """

    kind: str
    members: Mapping[str, Any]
    later: float = 0
    access_key: bytes | None = None

    def after(self, seconds: float) -> Step:
        """The same again, later."""
        return replace(self, later=seconds)

    def as_json(self) -> dict[str, Any]:
        members = dict(self.members)
        if self.access_key is not None:
            members["headers"] = members["headers"] | signatures.signed_headers(
                self.access_key,
                method=members["method"],
                target=members["target"],
                host=_HOST,
                body=members["body"].encode(),
                now=utc_now() + timedelta(seconds=self.later),
            )
        return {"kind": self.kind, "later": self.later, **members}


def http_step(
    method: str,
    target: str,
    content: Any = None,
    *,
    access_key: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Step:
    """A request, signed with the access key; without one it brings the function key."""
    sent = {"host": _HOST, **(headers or {})}
    if access_key is None:
        sent["x-functions-key"] = FUNCTION_KEY
    body = "" if content is None else json.dumps(content)
    members = {"method": method, "target": target, "headers": sent, "body": body}
    return Step("http", members, access_key=access_key)


def event_step(function: str, event: Mapping[str, Any]) -> Step:
    """An event as Event Grid delivers it."""
    return Step("event", {"function": function, "event": event})


def queue_step(body: str, queue: str = "record") -> Step:
    """A message of a queue, whose function has its name."""
    return Step("queue", {"function": queue, "body": body})


def dispatch_step(message: Mapping[str, Any]) -> Step:
    """A message of the `dispatch` queue."""
    return queue_step(json.dumps(message), "dispatch")


def timer_step(function: str) -> Step:
    """A timer that has come to its moment."""
    return Step("timer", {"function": function})


def due_step(row: Mapping[str, Any]) -> Step:
    """The message of the `dispatch` queue that names what a row of the table `due` is about."""
    kind, _, work_id = row["RowKey"].partition("~")
    work = [kind, work_id, row["moment"], 1, row["tries"], row["why"]]
    place = {"in": row["PartitionKey"], "works": [work]}
    return dispatch_step({"kind": "due", "v": 1, "at": iso(utc_now()), **place})


@dataclass(slots=True)
class Run:
    """A process that was started.

    Attributes:
        paused: set when it has stopped to be resumed.
        ended: its exit code, negative for a signal.
    """

    number: int
    path: Path
    paused: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Future[int] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    async def trace(self) -> Trace:
        """What it left, once it has ended."""
        await self.ended
        return self.so_far()

    def so_far(self) -> Trace:
        """What it has left by now."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return read_trace(lines)


class ForkServerClient:
    """Has the fork server start processes, and hears how they fare."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._runs: dict[int, Run] = {}
        self._numbers = itertools.count(1)

    @classmethod
    @asynccontextmanager
    async def running(
        cls, settings: Mapping[str, str], folder: Path
    ) -> AsyncIterator[ForkServerClient]:
        """A fork server for as long as the block runs; its log is `forks.log` in the folder."""
        with (folder / "forks.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.crash.fork_server",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, **settings},
            )
        forks = cls(process, folder)
        assert process.stdout is not None
        ready = await process.stdout.readline()
        assert ready, (folder / "forks.log").read_text()
        reader = asyncio.create_task(forks._listen(process.stdout))
        try:
            yield forks
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()
            await reader

    async def start(self, steps: Sequence[Step], **order: Any) -> Run:
        """Start a process with these steps."""
        number = next(self._numbers)
        run = self._runs[number] = Run(number, self._folder / f"{number}.trace")
        order["steps"] = [step.as_json() for step in steps]
        await self._tell({"run": number, "trace": str(run.path), "order": order})
        return run

    async def run(self, steps: Sequence[Step], **order: Any) -> Trace:
        """Run these steps in a process that lives to the end."""
        if not steps:
            return Trace()
        run = await self.start(steps, **order)
        trace = await run.trace()
        assert run.ended.result() == 0, f"a process failed; see {self._folder / 'forks.log'}"
        return trace

    async def crash(self, step: Step, plan: Plan, **order: Any) -> Trace:
        """Run a step in a process that dies on the way, where the plan says."""
        run = await self.start([step], plan=plan.as_json(), **order)
        trace = await run.trace()
        assert run.ended.result() == _SIGKILLED, f"the process never came to: {plan}"
        assert not trace.answers
        return trace

    async def pause(self, step: Step, plan: Plan, **order: Any) -> Run:
        """Run a step in a process that stops where the plan says, to be resumed."""
        run = await self.start([step], plan=plan.as_json(), **order)
        paused = asyncio.ensure_future(run.paused.wait())
        either: set[asyncio.Future[Any]] = {paused, run.ended}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        paused.cancel()
        assert not run.ended.done(), f"the process never came to: {plan}"
        return run

    async def resume(self, run: Run) -> None:
        """Let a paused process go on."""
        run.paused.clear()
        await self._tell({"resume": run.number})

    async def _tell(self, command: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        await self._process.stdin.drain()

    async def _listen(self, lines: asyncio.StreamReader) -> None:
        async for line in lines:
            told = json.loads(line)
            run = self._runs[told["run"]]
            if "ended" in told:
                run.ended.set_result(told["ended"])
            else:
                run.paused.set()


class Platform:
    """The simulator's control interface."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def call(self, method: str, path: str, content: Any = None) -> Any:
        """One call that must succeed."""
        url = f"{self._url}/simulator{path}"
        async with self._session.request(method, url, json=content) as answer:
            text = await answer.text()
            assert answer.status < 300, text
            return json.loads(text) if text else None

    async def speak(self, number: str, text: str, sender: str) -> str:
        """Have a person text a sender; the platform's message id."""
        order = {"message": text, "to": sender}
        return str((await self.call("POST", f"/handsets/{number}/messages", order))["messageId"])

    async def relayed(self) -> list[dict[str, Any]]:
        """Every event that Parley has published."""
        return [entry["event"] for entry in (await self.call("GET", "/topic"))["value"]]

    async def events(self) -> list[dict[str, Any]]:
        """Every event of ACS's, delivered to nobody: the tests carry them."""
        found = (await self.call("GET", "/events"))["value"]
        return [event for delivery in found for event in delivery["events"]]


class Rig:
    """All of it, with the few things that scenarios ask for again and again."""

    def __init__(
        self, stack: Stack, forks: ForkServerClient, platform: Platform, tables: TableServiceClient
    ) -> None:
        self.stack = stack
        self.forks = forks
        self.platform = platform
        self.tables = tables
        self._numbers = fictitious_numbers()
        self._labels = itertools.count(1)

    @property
    def access_key(self) -> bytes:
        """With which applications sign."""
        return base64.b64decode(self.stack.access_keys[0])

    def number(self) -> str:
        """A recipient that nobody has used."""
        return next(self._numbers)

    def label(self) -> str:
        """A word that occurs in one case alone."""
        return f"case-{next(self._labels)}-"

    async def queued(self, name: str = "record") -> list[str]:
        """Take every message that can be seen from a queue."""
        taken: list[str] = []
        async with QueueClient.from_connection_string(self.stack.storage, name) as queue:
            while messages := [
                message
                async for page in queue.receive_messages(messages_per_page=_BATCH).by_page()
                async for message in page
            ]:
                for message in messages:
                    taken.append(str(message.content))
                    await queue.delete_message(message)
        return taken

    async def arriving(self, name: str) -> AsyncIterator[list[str]]:
        """Take messages from a queue as they become visible, until it holds none at all."""
        async with QueueClient.from_connection_string(self.stack.storage, name) as queue:
            while (await queue.get_queue_properties()).approximate_message_count:
                if texts := await self.queued(name):
                    yield texts
                await asyncio.sleep(_LOOK_SECONDS)

    async def clear(self, name: str) -> None:
        """Drop all messages of a queue, the hidden ones, too."""
        async with QueueClient.from_connection_string(self.stack.storage, name) as queue:
            await queue.clear_messages()

    async def free(self, sender: str) -> None:
        """Have a sender's place in time be there, and free."""
        await self.tables.create_table_if_not_exists("pacing")
        await self.tables.get_table_client("pacing").upsert_entity(
            {
                "PartitionKey": "pacing",
                "RowKey": sender,
                "freeAt": "2026-01-01T00:00:00Z",
                "factor": 1.0,
                MEMBER: CURRENT,
                "slowedAt": "",
            }
        )

    async def forget(self, *prefixes: str) -> None:
        """Drop the tables whose names begin so; those of the deployment are there again, empty."""
        async for table in self.tables.list_tables():
            if table.name.startswith(prefixes):
                await self.tables.delete_table(table.name)
                if table.name in TABLES:
                    await self.tables.create_table(table.name)
        if prefixes:
            # What an earlier scenario has put back for later is about rows that are gone.
            await self.clear("record")

    async def rows(self, table: str, partitions: str = "") -> list[dict[str, Any]]:
        """All rows of a table whose partitions begin so."""
        found = self.tables.get_table_client(table).query_entities(
            "PartitionKey ge @low and PartitionKey lt @high",
            parameters={"low": partitions, "high": partitions + "~"},
        )
        return [dict(row) async for row in found]

    async def due(self) -> dict[str, dict[str, Any]]:
        """The rows of what is due, by the ids of their works; a work may have one alone."""
        rows = [row for row in await self.rows(DUE) if row["PartitionKey"][0].isdigit()]
        found = {row["RowKey"].partition("~")[2]: row for row in rows}
        assert len(found) == len(rows), rows
        return found

    async def quarantined(self) -> list[dict[str, Any]]:
        """The events that were put into quarantine."""
        async with ContainerClient.from_connection_string(
            self.stack.storage, CONTAINER
        ) as container:
            names = [blob.name async for blob in container.list_blobs()]
            return [
                json.loads(await (await container.download_blob(name)).readall()) for name in names
            ]


def fictitious_numbers() -> Iterator[str]:
    """North American numbers that are reserved for fiction and yet valid in form."""
    for area in range(201, 990):
        number = phonenumbers.parse(f"+1{area}5550100")
        if phonenumbers.is_valid_number(number):
            yield from (f"+1{area}55501{last:02d}" for last in range(100))


@asynccontextmanager
async def rig_on(stack: Stack, folder: Path) -> AsyncIterator[Rig]:
    """A rig on a running stack."""
    async with (
        ForkServerClient.running(stack.settings, folder) as forks,
        aiohttp.ClientSession() as session,
        TableServiceClient.from_connection_string(stack.storage) as tables,
    ):
        platform = Platform(stack.platform, session)
        await platform.call("PUT", "/wiring", {"functionsUrl": ""})
        # The tables of the day and the month are there, as they are every day but the first.
        await forks.run([timer_step("upkeep_daily")])
        yield Rig(stack, forks, platform, tables)
