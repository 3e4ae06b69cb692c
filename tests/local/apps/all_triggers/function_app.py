"""A small app with one function of every kind that the local host serves."""

import json
import time
from pathlib import Path

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

seen: list[object] = []


@app.route("echo/{first}/{second?}", methods=["POST"])
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    """Answer with the very bytes that came, and say in headers how the rest looked."""
    return func.HttpResponse(
        req.get_body(),
        status_code=int(req.params.get("status", "200")),
        mimetype="application/octet-stream",
        headers={
            "X-Url": req.url,
            "X-Method": req.method,
            "X-Route": json.dumps(dict(req.route_params)),
            "X-Query": json.dumps(dict(req.params)),
            "X-Sent": req.headers.get("X-Sent", ""),
        },
    )


@app.route("echo/literal", methods=["POST"])
def a_literal(req: func.HttpRequest) -> str:
    """Answer plain text from a synchronous function."""
    return "literal"


@app.route("keyed", auth_level=func.AuthLevel.FUNCTION)
async def keyed(req: func.HttpRequest) -> func.HttpResponse:
    """Answer only who has a key."""
    return func.HttpResponse(status_code=204)


@app.route("cookies", methods=["GET"])
async def cookies(req: func.HttpRequest) -> func.HttpResponse:
    """Set a cookie."""
    return func.HttpResponse("ok", headers={"Set-Cookie": "a=1; Path=/; HttpOnly"})


@app.route("broken", methods=["GET"])
async def broken(req: func.HttpRequest) -> func.HttpResponse:
    """Fail."""
    raise RuntimeError("the function's own words")


@app.route("slow", methods=["POST"])
def slow(req: func.HttpRequest) -> str:
    """Say in the named pipe that it runs, and answer a moment later."""
    Path(req.get_body().decode()).write_text("running")
    time.sleep(0.3)
    return "done"


@app.event_grid_trigger(arg_name="event")
async def on_event(event: func.EventGridEvent) -> None:
    """Keep the event, or fail if it says so."""
    content = event.get_json()
    if content.get("fail"):
        raise RuntimeError("told to fail")
    seen.append((event.id, event.event_type, content))


@app.queue_trigger(arg_name="message", queue_name="%TEST_QUEUE%", connection="TEST_STORAGE")
async def on_message(message: func.QueueMessage) -> None:
    """Keep the message, or fail if it says so."""
    seen.append((message.get_body().decode(), message.dequeue_count, message.id))
    if message.get_body() == b"fail":
        raise RuntimeError("told to fail")


@app.timer_trigger(arg_name="timer", schedule="0 0 3 * * *")
async def nightly(timer: func.TimerRequest) -> None:
    """Keep that it was called."""
    seen.append(("timer", timer.past_due))


@app.route("seen", methods=["GET"])
async def show(req: func.HttpRequest) -> func.HttpResponse:
    """Answer with what the other functions have kept."""
    return func.HttpResponse(json.dumps(seen), mimetype="application/json")
