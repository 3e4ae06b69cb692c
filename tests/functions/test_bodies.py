"""What becomes of bodies on the Functions host: chunks, none at all, too large ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from io import BytesIO

import aiohttp
import pytest

from local.stack import BODY_LIMIT
from shared.base.clock import iso
from shared.campaigns.list_uploads import LARGEST_LIST
from tests.campaigns.support import campaign_in_state, order, ordered
from tests.support.client import TOLL_FREE, Parley, Reply, encoded, send_body

PERSON = "+14255550123"


async def chunked(
    web: aiohttp.ClientSession, parley: Parley, method: str, path: str, body: bytes
) -> Reply:
    """A request whose body comes in chunks, without a length and without a signature."""

    async def chunks() -> AsyncIterator[bytes]:
        yield body

    async with web.request(
        method,
        parley.endpoint + path,
        data=chunks(),
        headers={"x-functions-key": parley.function_key},
    ) as answer:
        return Reply(answer.status, answer.headers, await answer.read())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/messages"),
        ("POST", "/messages:preview"),
        ("POST", "/conversations/cv_0000000000000000000000:markRead"),
        ("POST", "/optouts:add"),
        ("POST", "/replies:read"),
        ("POST", "/campaigns"),
        ("POST", "/campaigns/none:pause"),
        ("PUT", "/lists/chunked.csv"),
        ("POST", "/analytics:rebuild"),
    ],
)
async def test_a_body_in_chunks_on_our_own_face(
    method: str, path: str, parley: Parley, web: aiohttp.ClientSession
) -> None:
    """The host drops it, so the caller is told to send a length; it is never taken for no body."""
    reply = await chunked(web, parley, method, path, encoded(send_body(PERSON)))
    assert (reply.status, reply.json["code"]) == (411, "LengthRequired"), reply.body
    assert "Content-Length" in reply.json["detail"]


@pytest.mark.parametrize("path", ["/sms", "/sms/optouts:add"])
async def test_a_body_in_chunks_on_the_acs_face(
    path: str, parley: Parley, web: aiohttp.ClientSession
) -> None:
    """It is told before the signature is looked at, which cannot match what the host dropped."""
    reply = await chunked(web, parley, "POST", path, encoded(send_body(PERSON)))
    assert (reply.status, reply.json["error"]["code"]) == (411, "LengthRequired"), reply.body
    assert "Content-Length" in reply.json["error"]["message"]


async def large(
    web: aiohttp.ClientSession, parley: Parley, method: str, path: str, body: bytes
) -> Reply:
    """A request whose body is too large for the client to copy."""
    async with web.request(
        method,
        parley.endpoint + path,
        data=BytesIO(body),
        headers={"x-functions-key": parley.function_key},
    ) as answer:
        return Reply(answer.status, answer.headers, await answer.read())


async def bare_post(parley: Parley, path: str) -> int:
    """The status of a bare `curl -X POST`, which sends no body and says nothing of one."""
    process = await asyncio.create_subprocess_exec(
        "curl",
        *("--silent", "--show-error", "--output", "-", "--write-out", "\n%{http_code}"),
        *("-X", "POST", "-H", f"x-functions-key: {parley.function_key}", parley.endpoint + path),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    return int(said.splitlines()[-1])


async def test_a_request_without_a_body_is_served(parley: Parley, person: str) -> None:
    """Neither a length nor chunks: there is no body, and none is missed."""
    later = iso(datetime.now(UTC) + timedelta(hours=1))
    made = await ordered(parley, order(person, startAt=later))
    campaign_id = made["campaignId"]
    await campaign_in_state(parley, campaign_id, "scheduled")
    for operation, state in (("pause", "paused"), ("resume", "scheduled"), ("cancel", "canceled")):
        assert await bare_post(parley, f"/campaigns/{campaign_id}:{operation}") == 200
        await campaign_in_state(parley, campaign_id, state)
    await parley.send(person)
    talk = parley.conversation_id(TOLL_FREE, person)
    assert await bare_post(parley, f"/conversations/{talk}:markRead") == 200


@pytest.mark.parametrize("path", ["/messages", "/sms"])
async def test_more_than_the_host_reads(
    path: str, parley: Parley, web: aiohttp.ClientSession
) -> None:
    """It is the host's empty 500; nobody can have an instance hold more than that."""
    reply = await large(web, parley, "POST", path, bytes(BODY_LIMIT + 1))
    assert (reply.status, reply.body) == (500, b"")
    reply = await large(web, parley, "POST", path, bytes(BODY_LIMIT))
    assert reply.status in {400, 401}


async def test_a_list_that_is_too_large(parley: Parley, web: aiohttp.ClientSession) -> None:
    """It is refused before the host would, with the place where it can go."""
    content = b"phone\n" + b"+14255550123\n" * (LARGEST_LIST // 13 + 1)
    assert LARGEST_LIST < len(content) < BODY_LIMIT
    reply = await large(web, parley, "PUT", "/lists/large.csv", content)
    assert (reply.status, reply.json["code"]) == (400, "InvalidRequest")
    for part in ("20 MB", "container `lists`", "storage account"):
        assert part in reply.json["detail"]
    reply = await large(web, parley, "PUT", "/lists/large.csv", content[:LARGEST_LIST])
    assert (reply.status, reply.json["bytes"]) == (200, LARGEST_LIST)
