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
    ("sent", "seen"),
    [
        ("/echo/a", "/echo/a"),
        ("/Echo/a/?api-version=2021-03-07&z&a=1&a=2", "/Echo/a/?api-version=2021-03-07&z&a=1&a=2"),
        ("/echo/%2B1/x%20y?x=%2B&y=a+b", "/echo/+1/x%20y?x=%2B&y=a+b"),
        ("/echo/optouts%3Aadd", "/echo/optouts:add"),
        ("/echo/optouts%3aadd", "/echo/optouts:add"),
        ("/ec%68o/it%27s%28%29", "/echo/it's()"),
        ("/echo/a%2Fb%2fc", "/echo/a%2Fb%2fc"),
        ("/echo/%C3%A9%e9", "/echo/%C3%A9%e9"),
        ("/echo/%zz%", "/echo/%25zz%25"),
        ("/echo/%252B", "/echo/%2B"),
        ("/echo/[", "/echo/%5B"),
        ("/x/../echo/./a", "/echo/a"),
    ],
)
async def test_the_url_is_decoded_and_encoded_anew(
    host: FunctionsHost, sent: str, seen: str
) -> None:
    """What a signature covers is not what a function sees: escapes in the path are rewritten. The
    query and the Host header's name and port are as sent."""
    answer = await host.invoke_http("POST", sent, headers={"Host": "parley.example:8443"})
    assert answer.header("X-Url") == f"http://parley.example:8443{seen}"


async def test_members_are_decoded(host: FunctionsHost) -> None:
    """Parameters and query members are decoded; repeated ones are joined, empty ones left out."""
    answer = await host.invoke_http("POST", "/echo/%2B1/%C3%A9?a=1&a=2&b=x+y%2B&c=&d")
    assert json.loads(answer.header("X-Route") or "") == {"first": "+1", "second": "é"}
    assert json.loads(answer.header("X-Query") or "") == {"a": "1,2", "b": "x y+"}


async def test_query_names_have_no_case(host: FunctionsHost) -> None:
    """Members whose names differ in case alone are one, under the spelling that came first."""
    answer = await host.invoke_http("POST", "/echo/a?MaxPageSize=1&maxpagesize=2&A=3")
    assert json.loads(answer.header("X-Query") or "") == {"MaxPageSize": "1,2", "A": "3"}


async def test_a_body_without_a_length_is_dropped(host: FunctionsHost) -> None:
    """What comes in chunks never reaches a function; Event Grid's webhook does read it."""
    chunked = {"Transfer-Encoding": "chunked"}
    answer = await host.invoke_http("POST", "/echo/a", headers=chunked, body=b"abc")
    assert (answer.status, answer.body) == (200, b"")
    webhook = "/runtime/webhooks/eventgrid?functionName=on_event&code=eventgrid-key"
    validation = {**chunked, "aeg-event-type": "SubscriptionValidation"}
    body = b'[{"data": {"validationCode": "7"}}]'
    answer = await host.invoke_http("POST", webhook, headers=validation, body=body)
    assert (answer.status, json.loads(answer.body)) == (200, {"validationResponse": "7"})


@pytest.mark.parametrize(
    ("limit", "size", "path", "status"),
    [
        ("1000", 1000, "/echo/a", 200),
        ("1000", 1001, "/echo/a", 500),
        ("1000", 1001, "/keyed", 401),
        ("1000", 1001, "/keyed?code=function-key", 500),
        ("1 kB", 1001, "/echo/a", 200),
    ],
)
async def test_too_large_a_body(limit: str, size: int, path: str, status: int) -> None:
    """Over the limit of the setting it is an empty 500, once a key that is asked for is there."""
    settings = {**SETTINGS, "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": limit}
    limited = FunctionsHost.load(APP, settings=settings, keys=KEYS)
    answer = await limited.invoke_http("POST", path, body=bytes(size))
    assert answer.status == status
    assert answer.status == 200 or not answer.body


def test_the_limit_of_the_real_host() -> None:
    """Without the setting it is 100 MiB."""
    assert FunctionsHost.load(APP, settings=SETTINGS).max_body == 100 * 1024 * 1024


async def test_status_and_header_of_the_function(host: FunctionsHost) -> None:
    """Status and headers come back as the function set them; header names have no case."""
    answer = await host.invoke_http("POST", "/echo/a?status=207", headers={"x-SENT": "yes"})
    assert (answer.status, answer.header("x-sent")) == (207, "yes")


async def test_the_first_function_by_name_wins(host: FunctionsHost) -> None:
    """`a_literal` comes before `echo`; a plain text is answered as text/plain."""
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
        ("/keyed?Code=function-key", {}, 204),
        ("/keyed?CODE=function-key&code=wrong", {}, 204),
        ("/keyed?code=&code=function-key", {}, 401),
        ("/keyed?code=function-key", {"x-functions-key": ""}, 401),
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
