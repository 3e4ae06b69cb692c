"""A small app with the triggers that the local stack is wired to, and a way to wait for them."""

import asyncio
import json
import os

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
_came_in: asyncio.Queue[object] = asyncio.Queue()


@app.event_grid_trigger(arg_name="event")
async def inbound(event: func.EventGridEvent) -> None:
    """Keep what came in."""
    await _came_in.put({"inbound": event.get_json()["message"], "pid": os.getpid()})


@app.event_grid_trigger(arg_name="event")
async def delivery_report(event: func.EventGridEvent) -> None:
    """Keep the report."""
    await _came_in.put({"report": event.get_json()["deliveryStatus"]})


@app.queue_trigger(arg_name="message", queue_name="record", connection="PARLEY_STORAGE")
async def record(message: func.QueueMessage) -> None:
    """Keep the message."""
    await _came_in.put({"record": message.get_body().decode()})


@app.route("next", methods=["GET"])
async def wait_for_next(req: func.HttpRequest) -> func.HttpResponse:
    """Answer with the next thing that comes in."""
    return func.HttpResponse(json.dumps(await _came_in.get()), mimetype="application/json")
