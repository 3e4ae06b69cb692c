"""Queue triggers on Azurite: done, tried again, poisoned."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from azure.storage.queue.aio import QueueClient

from local.azurite import Azurite
from local.host import FunctionsHost, HostError
from local.host.config import QueueConfig
from local.host.queues import Delivery, QueueListener, open_queue

APPS = Path(__file__).parent / "apps"
QUICK = QueueConfig(
    batch_size=4,
    new_batch_threshold=2,
    max_dequeue_count=3,
    max_polling_interval=timedelta(milliseconds=100),
    visibility_timeout=timedelta(0),
    base64=False,
)
LEASE = timedelta(seconds=60)


@pytest.fixture(scope="module")
def settings(azurite: Azurite) -> dict[str, str]:
    return {"TEST_STORAGE": azurite.connection_string}


@asynccontextmanager
async def two_queues(settings: Mapping[str, str]) -> AsyncIterator[tuple[QueueClient, QueueClient]]:
    name = f"q{uuid4().hex[:20]}"
    async with (
        open_queue("TEST_STORAGE", name, settings) as queue,
        open_queue("TEST_STORAGE", f"{name}-poison", settings) as poison,
    ):
        await queue.create_queue()
        yield queue, poison


@asynccontextmanager
async def listening(
    queue: QueueClient,
    poison: QueueClient | None,
    run: Callable[[Delivery], Awaitable[bool]],
    *,
    config: QueueConfig = QUICK,
    lease: timedelta = LEASE,
) -> AsyncIterator[None]:
    listener = QueueListener(queue=queue, poison=poison, config=config, lease=lease, run=run)
    task = asyncio.create_task(listener.listen())
    try:
        yield
    finally:
        listener.stop()
        await task


async def count(queue: QueueClient) -> int:
    return (await queue.get_queue_properties()).approximate_message_count or 0


class Recorder:
    """A function that keeps what it is given, fails as often as told, and can be waited for."""

    def __init__(self, *, failures: int = 0, awaited: int = 1) -> None:
        self.bodies: list[Any] = []
        self.metadata: list[Mapping[str, Any]] = []
        self.enough = asyncio.Event()
        self._failures = failures
        self._awaited = awaited

    async def __call__(self, delivery: Delivery) -> bool:
        self.bodies.append(delivery.value.value)
        self.metadata.append({k: v.python_value for k, v in delivery.metadata.items()})
        if len(self.bodies) >= self._awaited:
            self.enough.set()
        return len(self.bodies) > self._failures


async def test_a_message_that_succeeds_is_deleted(settings: dict[str, str]) -> None:
    """The function gets the text and its metadata, once; then the message is gone."""
    recorder = Recorder()
    async with two_queues(settings) as (queue, poison):
        sent = await queue.send_message("<hello> & ü")
        async with listening(queue, poison, recorder):
            await recorder.enough.wait()
        assert recorder.bodies == ["<hello> & ü"]
        assert await count(queue) == 0
    metadata = recorder.metadata[0]
    assert (metadata["Id"], metadata["DequeueCount"]) == (sent.id, 1)
    assert metadata.keys() == {
        *("Id", "DequeueCount", "PopReceipt"),
        *("InsertionTime", "ExpirationTime", "NextVisibleTime"),
    }


async def test_a_message_that_fails_comes_back(settings: dict[str, str]) -> None:
    """After a failure the message is shown again, with its count of attempts."""
    recorder = Recorder(failures=2, awaited=3)
    async with two_queues(settings) as (queue, poison):
        await queue.send_message("again")
        async with listening(queue, poison, recorder):
            await recorder.enough.wait()
        assert [metadata["DequeueCount"] for metadata in recorder.metadata] == [1, 2, 3]
        assert await count(queue) == 0


async def test_a_message_that_always_fails_is_poisoned(settings: dict[str, str]) -> None:
    """After `maxDequeueCount` attempts the message lies in the poison queue, unchanged."""
    recorder = Recorder(failures=9, awaited=3)
    async with two_queues(settings) as (queue, poison):
        await queue.send_message("poison")
        async with listening(queue, poison, recorder):
            await recorder.enough.wait()
        assert len(recorder.bodies) == 3
        assert await count(queue) == 0
        assert [message.content async for message in poison.receive_messages()] == ["poison"]


async def test_failures_wait_for_the_visibility_timeout(settings: dict[str, str]) -> None:
    """A failed message stays hidden for host.json's visibilityTimeout."""
    recorder = Recorder(failures=1)
    config = QueueConfig(visibility_timeout=timedelta(hours=1), base64=False)
    async with two_queues(settings) as (queue, poison):
        await queue.send_message("later")
        async with listening(queue, poison, recorder, config=config):
            await recorder.enough.wait()
        assert await count(queue) == 1
        assert [message async for message in queue.receive_messages()] == []


@pytest.mark.parametrize(
    ("body", "given"), [(b"text \xc3\xbc", "text ü"), (b"\xff\x00", b"\xff\x00")]
)
async def test_base64(settings: dict[str, str], body: bytes, given: str | bytes) -> None:
    """With base64, text reaches the function as text and other bytes as bytes."""
    recorder = Recorder()
    async with two_queues(settings) as (queue, poison):
        await queue.send_message(base64.b64encode(body).decode())
        async with listening(queue, poison, recorder, config=QueueConfig(base64=True)):
            await recorder.enough.wait()
    assert recorder.bodies == [given]


@pytest.mark.parametrize("tries", [1, 3])
async def test_a_poison_queue_has_none_of_its_own(settings: dict[str, str], tries: int) -> None:
    """What fails there stays hidden until its lease ends; after the last attempt, for good."""
    recorder = Recorder(failures=99, awaited=tries)
    config = QueueConfig(max_dequeue_count=tries, base64=False)
    async with two_queues(settings) as (queue, _):
        await queue.send_message("poison")
        lease = timedelta(seconds=1)
        async with listening(queue, None, recorder, config=config, lease=lease):
            await recorder.enough.wait()
        assert len(recorder.bodies) == tries
        assert await count(queue) == 1


async def test_what_is_not_base64_is_poisoned(settings: dict[str, str]) -> None:
    """A message that cannot be decoded never reaches the function, nor holds up the queue."""
    recorder = Recorder()
    config = QueueConfig(max_polling_interval=timedelta(milliseconds=100), base64=True)
    async with two_queues(settings) as (queue, poison):
        await queue.send_message("no base64!")
        await queue.send_message(base64.b64encode(b"after").decode())
        async with listening(queue, poison, recorder, config=config):
            await recorder.enough.wait()
        assert recorder.bodies == ["after"]
        assert [message.content async for message in poison.receive_messages()] == ["no base64!"]


async def test_many_run_side_by_side(settings: dict[str, str]) -> None:
    """A batch is worked on at once; a slow message does not hold up the others."""
    together = asyncio.Event()
    running = 0

    async def wait_for_the_others(_: Delivery) -> bool:
        nonlocal running
        running += 1
        if running == QUICK.batch_size:
            together.set()
        await together.wait()
        return True

    async with two_queues(settings) as (queue, poison):
        for number in range(QUICK.batch_size):
            await queue.send_message(str(number))
        async with listening(queue, poison, wait_for_the_others):
            await together.wait()
        assert await count(queue) == 0


class WatchedQueue(QueueClient):
    """A queue that tells when a message's lease has been renewed."""

    renewed: asyncio.Event

    async def update_message(self, *args: Any, **kwargs: Any) -> Any:
        answer = await super().update_message(*args, **kwargs)
        self.renewed.set()
        return answer


async def test_a_lease_is_renewed_while_the_function_runs(settings: dict[str, str]) -> None:
    """A long run keeps its message, and still deletes it in the end."""
    async with (
        two_queues(settings) as (made, poison),
        WatchedQueue.from_connection_string(settings["TEST_STORAGE"], made.queue_name) as queue,
    ):
        assert isinstance(queue, WatchedQueue)
        queue.renewed = asyncio.Event()
        recorder = Recorder()

        async def run_until_renewed(delivery: Delivery) -> bool:
            await queue.renewed.wait()
            return await recorder(delivery)

        await queue.send_message("long")
        async with listening(queue, poison, run_until_renewed, lease=timedelta(seconds=2)):
            await recorder.enough.wait()
        assert await count(queue) == 0
        assert len(recorder.bodies) == 1


async def test_a_queue_that_is_not_there_is_waited_for(settings: dict[str, str]) -> None:
    """A listener may start before its queue exists."""
    recorder = Recorder()
    async with two_queues(settings) as (queue, poison):
        await queue.delete_queue()
        async with listening(queue, poison, recorder):
            await queue.create_queue()
            await queue.send_message("hello")
            await recorder.enough.wait()


async def test_the_host_listens_for_an_app(settings: dict[str, str]) -> None:
    """A started host hands queue messages to the app's function and poisons by host.json."""
    name = f"q{uuid4().hex[:20]}"
    host = FunctionsHost.load(APPS / "all_triggers", settings={**settings, "TEST_QUEUE": name})
    async with (
        open_queue("TEST_STORAGE", name, settings) as queue,
        open_queue("TEST_STORAGE", f"{name}-poison", settings) as poison,
    ):
        await queue.create_queue()
        await poison.create_queue()
        await queue.send_message("fail")
        await host.start()
        # A queue tells nobody when something comes in.
        while not (poisoned := [message async for message in poison.receive_messages()]):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await host.stop()
        assert poisoned[0].content == "fail"
        assert await count(queue) == 0


async def test_a_missing_connection_stops_the_start() -> None:
    """A queue function whose connection nobody has set is refused at the start, by name."""
    host = FunctionsHost.load(APPS / "all_triggers", settings={"TEST_QUEUE": "messages"})
    with pytest.raises(HostError, match="TEST_STORAGE"):
        await host.start()
    await host.stop()
    bad = {"TEST_QUEUE": "messages", "TEST_STORAGE": "nonsense"}
    host = FunctionsHost.load(APPS / "all_triggers", settings=bad)
    with pytest.raises(HostError, match="not a storage connection string"):
        await host.start()
    await host.stop()
