"""An app that lets a number slip into its logs, on every way that there is one."""

import asyncio
import contextlib
import logging
import os
import threading
from pathlib import Path

import azure.functions as func
from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableClient

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
background: set[asyncio.Task[None]] = set()
logging.getLogger("app").info("at import: %s", os.environ["TEST_NUMBER"])


async def ask(number: str) -> None:
    """Look for a row whose key is the number, where no table service is or none answers."""
    async with TableClient.from_connection_string(
        os.environ["TEST_TABLES"],
        "optouts",
        retry_total=0,
        transport=AioHttpTransport(connection_timeout=1),
    ) as table:
        await table.get_entity("ledger", f"num:{number}")


async def by_the_client_library(number: str) -> None:
    """azure-core logs every request at INFO."""
    with contextlib.suppress(AzureError):
        await ask(number)


async def by_a_cause(number: str) -> None:
    """The failure's own text is clean; that of its cause quotes the URL."""
    logging.getLogger("azure").setLevel(logging.WARNING)
    try:
        await ask(number)
    except AzureError as error:
        raise RuntimeError("storage is down") from error
    finally:
        logging.getLogger("azure").setLevel(logging.NOTSET)


async def by_a_context(number: str) -> None:
    """Whatever is raised while another error is handled brings that error along."""
    try:
        {}[number]  # type: ignore[index]
    except LookupError:
        raise RuntimeError("storage is down")  # noqa: B904  # the very leak


async def by_exc_info(number: str) -> None:
    """The trace of a caught error is part of the record."""
    try:
        {}[number]  # type: ignore[index]
    except LookupError:
        logging.getLogger("app").exception("it failed")


async def by_arguments(number: str) -> None:
    """A line of the app's own."""
    logging.getLogger("app.deeper").warning("texted %s", number)


async def by_a_thread(number: str) -> None:
    """A thread belongs to no invocation."""
    thread = threading.Thread(target=logging.getLogger("app").error, args=("texted %s", number))
    thread.start()
    await asyncio.to_thread(thread.join)


async def by_a_task_that_outlives_it(number: str) -> None:
    """The invocation is over when the task logs."""

    async def later() -> None:
        await asyncio.sleep(0)
        while not Path(os.environ["TEST_MARK"]).exists():  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.01)
        logging.getLogger("app").error("texted %s", number)

    background.add(asyncio.create_task(later()))


async def by_a_task_that_nobody_awaits(number: str) -> None:
    """The event loop logs the error, with its trace, when the task is thrown away."""

    async def failing() -> None:
        {}[number]  # type: ignore[index]

    task = asyncio.create_task(failing())
    await asyncio.wait([task])
    del task


WAYS = {
    way.__name__: way
    for way in (
        by_the_client_library,
        by_a_cause,
        by_a_context,
        by_exc_info,
        by_arguments,
        by_a_thread,
        by_a_task_that_outlives_it,
        by_a_task_that_nobody_awaits,
    )
}


@app.route("leak/{way}/{number}", methods=["POST"])
async def leak(req: func.HttpRequest) -> func.HttpResponse:
    """Let the number slip."""
    await WAYS[req.route_params["way"]](req.route_params["number"])
    return func.HttpResponse(status_code=204)


@app.event_grid_trigger(arg_name="event")
async def on_event(event: func.EventGridEvent) -> None:
    """As above, from an event."""
    content = event.get_json()
    await WAYS[content["way"]](content["number"])
