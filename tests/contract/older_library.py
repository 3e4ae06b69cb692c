"""Sends with whichever `azure-communication-sms` the path of this process finds first.

`test_older_libraries.py` starts it: what is to be sent comes in as JSON, what came of it goes out.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any
from urllib.parse import urlsplit

from azure.communication.sms import SmsClient
from azure.communication.sms._version import VERSION
from azure.communication.sms.aio import SmsClient as AsyncSmsClient
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.transport import AioHttpTransport, RequestsTransport


def behind_tls(request: Any) -> Any:
    """The request as the end of a TLS connection passes it on: to the same host, in plain http."""
    request.url = urlsplit(request.url)._replace(scheme="http").geturl()
    return request


class TlsEnd(RequestsTransport):  # type: ignore[misc]  # loaded lazily, untyped
    def send(self, request: Any, **named: Any) -> Any:
        return super().send(behind_tls(request), **named)


class AsyncTlsEnd(AioHttpTransport):  # type: ignore[misc]  # loaded lazily, untyped
    async def send(self, request: Any, **named: Any) -> Any:
        return await super().send(behind_tls(request), **named)


def send(order: dict[str, Any]) -> list[Any]:
    with TlsEnd() as transport:
        if "connection" in order:
            # `distributed_trace` hides `cls`, and below `self`, from a type checker.
            made: Any = SmsClient.from_connection_string  # type: ignore[misc]
            client = made(order["connection"], transport=transport)
        else:
            client = SmsClient(order["endpoint"], order["key"], transport=transport)
        return list(client.send(*order["args"], **order["named"]))


async def send_async(order: dict[str, Any]) -> list[Any]:
    async with AsyncTlsEnd() as transport:
        client = AsyncSmsClient(order["endpoint"], order["key"], transport=transport)
        return list(await client.send(*order["args"], **order["named"]))


def main() -> None:
    order = json.load(sys.stdin)
    told: dict[str, Any] = {"version": VERSION}
    try:
        results = asyncio.run(send_async(order)) if order["aio"] else send(order)
    except HttpResponseError as error:
        told |= {"error": type(error).__name__, "status": error.status_code}
    else:
        told["results"] = [
            [result.to, result.http_status_code, result.message_id, result.error_message]
            for result in results
        ]
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
