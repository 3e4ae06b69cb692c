"""HTTP triggers, past the socket: what a function is given and what the caller gets back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.host import FunctionsHost, Keys

APP = Path(__file__).parent / "apps" / "all_triggers"
KEYS = Keys(master="master-key", function="function-key", eventgrid="eventgrid-key")
SETTINGS = {"TEST_QUEUE": "messages"}


@pytest.fixture(scope="module")
def host() -> FunctionsHost:
    return FunctionsHost.load(APP, settings=SETTINGS, keys=KEYS)


@given(body=st.binary(max_size=2000))
async def test_bodies_pass_byte_for_byte(host: FunctionsHost, body: bytes) -> None:
    """A signature covers raw bytes: none may change on the way in or out, text or not."""
    answer = await host.invoke_http("POST", "/echo/a", body=body)
    assert (answer.status, answer.body) == (200, body)
    assert answer.header("Content-Type") == "application/octet-stream"


@pytest.mark.parametrize(
    "target",
    [
        "/echo/a",
        "/echo/%2B1425/x%20y?status=200&x=%2B&y=a+b",
        "/Echo/a/?api-version=2021-03-07&z&a=1&a=2",
    ],
)
async def test_the_url_is_as_it_was_sent(host: FunctionsHost, target: str) -> None:
    """A signature covers path and query as sent, under the Host header's name and port."""
    answer = await host.invoke_http("POST", target, headers={"Host": "parley.example:8443"})
    assert answer.header("X-Url") == f"http://parley.example:8443{target}"


async def test_members_are_decoded(host: FunctionsHost) -> None:
    """Parameters and query members are decoded; repeated ones are joined, empty ones left out."""
    answer = await host.invoke_http("POST", "/echo/%2B1/%C3%A9?a=1&a=2&b=x+y%2B&c=&d")
    assert json.loads(answer.header("X-Route") or "") == {"first": "+1", "second": "é"}
    assert json.loads(answer.header("X-Query") or "") == {"a": "1,2", "b": "x y+"}


async def test_status_and_header_of_the_function(host: FunctionsHost) -> None:
    """Status and headers come back as the function set them; header names have no case."""
    answer = await host.invoke_http("POST", "/echo/a?status=207", headers={"x-SENT": "yes"})
    assert (answer.status, answer.header("x-sent")) == (207, "yes")


async def test_literal_routes_win(host: FunctionsHost) -> None:
    """A literal route wins over a parameter; a plain text is answered as text/plain."""
    answer = await host.invoke_http("POST", "/echo/literal")
    assert answer.body == b"literal"
    assert answer.header("content-type") == "text/plain; charset=utf-8"


@pytest.mark.parametrize(("method", "path"), [("GET", "/echo/a"), ("GET", "/none"), ("GET", "/")])
async def test_404(host: FunctionsHost, method: str, path: str) -> None:
    """A route that is not there and a method that a route does not take are both 404."""
    assert (await host.invoke_http(method, path)).status == 404


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/keyed", {}, 401),
        ("/keyed", {"x-functions-key": "wrong"}, 401),
        ("/keyed", {"x-functions-key": "é"}, 401),
        ("/keyed", {"x-functions-key": "eventgrid-key"}, 401),
        ("/keyed", {"X-Functions-Key": "function-key"}, 204),
        ("/keyed", {"x-functions-key": "master-key"}, 204),
        ("/keyed?code=function-key", {}, 204),
        ("/keyed?code=wrong", {}, 401),
    ],
)
async def test_keys(host: FunctionsHost, target: str, headers: dict[str, str], status: int) -> None:
    """A FUNCTION route opens for a function key or the master key, in header or query."""
    assert (await host.invoke_http("GET", target, headers=headers)).status == status


async def test_an_exception_is_an_empty_500(host: FunctionsHost) -> None:
    """What a function raises is logged and never told to the caller."""
    answer = await host.invoke_http("GET", "/broken")
    assert (answer.status, answer.body) == (500, b"")


async def test_cookies(host: FunctionsHost) -> None:
    """A cookie that a function sets reaches the caller."""
    answer = await host.invoke_http("GET", "/cookies")
    assert answer.header("set-cookie") == "a=1; HttpOnly; Path=/"


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("GET", "/admin/host/ping", "", 200),
        ("GET", "/admin/host/status", "master-key", 200),
        ("GET", "/admin/host/status", "function-key", 401),
        ("POST", "/admin/functions/nightly", "function-key", 401),
        ("POST", "/admin/functions/nightly", "master-key", 202),
        ("POST", "/admin/functions/NIGHTLY", "master-key", 202),
        ("POST", "/admin/functions/echo", "master-key", 400),
        ("POST", "/admin/functions/none", "master-key", 404),
        ("GET", "/admin/functions/nightly", "master-key", 404),
    ],
)
async def test_administration(
    host: FunctionsHost, method: str, path: str, key: str, status: int
) -> None:
    """Whoever has the master key may start a function that is not called by HTTP."""
    answer = await host.invoke_http(method, path, headers={"x-functions-key": key}, body=b"{}")
    assert answer.status == status


async def test_starting_by_hand_runs_the_function() -> None:
    """A function started through the administration call runs with the given input."""
    host = FunctionsHost.load(APP, settings=SETTINGS, keys=KEYS)
    for name, text in (("nightly", ""), ("on_message", "hello")):
        await host.invoke_http(
            "POST",
            f"/admin/functions/{name}",
            headers={"x-functions-key": "master-key"},
            body=json.dumps({"input": text}).encode(),
        )
    await host.stop()
    seen = json.loads((await host.invoke_http("GET", "/seen")).body)
    assert seen[0] == ["timer", False]
    assert seen[1][0] == "hello"


async def test_direct_calls(host: FunctionsHost) -> None:
    """Queue and timer functions can be called without a queue and without waiting."""
    fresh = FunctionsHost.load(APP, settings=SETTINGS)
    await fresh.invoke_queue("on_message", "hello", dequeue_count=3, message_id="m1")
    await fresh.invoke_timer("nightly", past_due=True)
    seen = json.loads((await fresh.invoke_http("GET", "/seen")).body)
    assert seen == [["hello", 3, "m1"], ["timer", True]]
    with pytest.raises(LookupError, match="nightly"):
        await fresh.invoke_queue("nightly", "hello")
