"""Event Grid's webhook, as the real extension answers it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.host import FunctionsHost, HttpAnswer, InvocationFailed, Keys

APP = Path(__file__).parent / "apps" / "all_triggers"
KEYS = Keys(master="master-key", function="function-key", eventgrid="eventgrid-key")


@pytest.fixture
def host() -> FunctionsHost:
    return FunctionsHost.load(APP, settings={"TEST_QUEUE": "messages"}, keys=KEYS)


def event(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"e{number}",
        "topic": "/subscriptions/s",
        "subject": "/phonenumber/14255550123",
        "eventType": "Microsoft.Communication.SMSReceived",
        "eventTime": "2026-11-22T14:00:00.1234567Z",
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "data": {"number": number},
    } | changes


async def deliver(
    host: FunctionsHost,
    body: Any,
    *,
    kind: str | None = "Notification",
    query: str = "functionName=on_event&code=eventgrid-key",
) -> HttpAnswer:
    return await host.invoke_http(
        "POST",
        f"/runtime/webhooks/eventgrid?{query}",
        headers={} if kind is None else {"aeg-event-type": kind},
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
    )


async def seen(host: FunctionsHost) -> list[Any]:
    content: list[Any] = json.loads((await host.invoke_http("GET", "/seen")).body)
    return content


async def test_handshake(host: FunctionsHost) -> None:
    """The validation code is given back."""
    body = [{"data": {"validationCode": "512d38b6"}}]
    answer = await deliver(host, body, kind="SubscriptionValidation")
    assert (answer.status, json.loads(answer.body)) == (200, {"validationResponse": "512d38b6"})


@pytest.mark.parametrize("body", [event(), [event()], [event(1), event(2), event(3)]])
async def test_events_reach_the_function(host: FunctionsHost, body: Any) -> None:
    """One object or a list of them: the function is called once for each."""
    assert (await deliver(host, body)).status == 202
    expected = body if isinstance(body, list) else [body]
    assert sorted(await seen(host)) == [[e["id"], e["eventType"], e["data"]] for e in expected]


@pytest.mark.parametrize(
    "body",
    [
        b"no json",
        b"\xff",
        [1],
        ["text"],
        b"null",
        event(eventTime="yesterday"),
        event(data={"fail": True}),
    ],
)
async def test_what_fails_is_sent_again(host: FunctionsHost, body: Any) -> None:
    """What cannot be decoded fails like what raises: 500, so that Event Grid dead-letters it."""
    assert (await deliver(host, body)).status == 500


async def test_one_failure_fails_the_request(host: FunctionsHost) -> None:
    """All events of a request run, and one that fails has the whole request sent again."""
    answer = await deliver(host, [event(1), event(2, data={"fail": True}), event(3)])
    assert answer.status == 500
    assert sorted(entry[0] for entry in await seen(host)) == ["e1", "e3"]


async def test_no_events_are_fine(host: FunctionsHost) -> None:
    """An empty list is taken."""
    assert (await deliver(host, [])).status == 202


@pytest.mark.parametrize(
    ("kind", "query", "status"),
    [
        ("Unsubscribe", "functionName=on_event&code=eventgrid-key", 202),
        ("notification", "functionName=ON_EVENT&code=eventgrid-key", 202),
        ("Notification", "functionName=on_event&code=master-key", 202),
        (None, "functionName=on_event&code=eventgrid-key", 400),
        ("Other", "functionName=on_event&code=eventgrid-key", 400),
        ("Notification", "functionName=none&code=eventgrid-key", 404),
        ("Notification", "functionName=echo&code=eventgrid-key", 404),
        ("Notification", "code=eventgrid-key", 404),
        ("Notification", "functionName=on_event&code=function-key", 401),
        ("Notification", "functionName=on_event", 401),
    ],
)
async def test_who_and_what(host: FunctionsHost, kind: str | None, query: str, status: int) -> None:
    """Key, function and event type are checked in this order."""
    assert (await deliver(host, [event()], kind=kind, query=query)).status == status


async def test_direct_call(host: FunctionsHost) -> None:
    """A test can hand over an event without the webhook, and is told when the function fails."""
    await host.invoke_event("on_event", event())
    assert len(await seen(host)) == 1
    with pytest.raises(InvocationFailed, match="on_event"):
        await host.invoke_event("on_event", event(data={"fail": True}))
