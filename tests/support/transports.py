"""The network between a client and Azurite, with troubles: each is a class, nothing is patched."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Self
from urllib.parse import urlsplit

from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import HttpRequest

_FILTER = re.compile(r"\$filter=[^&]*")
Inner = AsyncHttpTransport[Any, Any]


class Trouble(Enum):
    """What can happen to one request."""

    NONE = "nothing"
    UNSENT = "the service never got it"
    LOST = "done, and the answer is lost"
    FAILED = "done, and answered with 500"
    TWICE = "done, done again, and the second answer comes back"


class Wrapper(Inner):
    """Passes everything on; the wrapped transport belongs to somebody else."""

    def __init__(self, inner: Inner) -> None:
        self._inner = inner

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        return await self._inner.send(request, **named)

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        return None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        return None


def is_transaction(request: HttpRequest) -> bool:
    """Whether a request is an entity-group transaction."""
    return request.method == "POST" and request.url.partition("?")[0].endswith("$batch")


def is_query(request: HttpRequest) -> bool:
    """Whether a request asks for a range of entities."""
    return request.method == "GET" and "()" in request.url


class TroubledTransport(Wrapper):
    """Brings trouble, in order, to the requests that `concerns` picks; then none any more."""

    def __init__(
        self,
        inner: Inner,
        troubles: Iterable[Trouble],
        concerns: Callable[[HttpRequest], bool] = is_transaction,
    ) -> None:
        super().__init__(inner)
        self._troubles = iter(troubles)
        self._concerns = concerns

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        trouble = Trouble.NONE
        if self._concerns(request):
            trouble = next(self._troubles, Trouble.NONE)
        if trouble is Trouble.UNSENT:
            raise ServiceRequestError("no connection")
        answer = await super().send(request, **named)
        if trouble is Trouble.TWICE:
            await answer.close()
            answer = await super().send(request, **named)
        if trouble is Trouble.LOST:
            await answer.close()
            raise ServiceResponseError("the connection broke")
        if trouble is Trouble.FAILED:
            # The response has no public way to be another one.
            answer._status_code = 500
        return answer


class AskedOfStorage(Wrapper):
    """Notes what is asked of storage: everything that is not for the platform."""

    def __init__(self, inner: Inner, platform: str) -> None:
        super().__init__(inner)
        self.asked: list[str] = []
        self._platform = platform

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        if urlsplit(request.url).netloc != self._platform:
            self.asked.append(f"{request.method} {request.url}")
        return await super().send(request, **named)


class HeldTransport(Wrapper):
    """Holds the answers to the requests that `concerns` picks, from the time when it is told to."""

    def __init__(self, inner: Inner, concerns: Callable[[HttpRequest], bool] = is_query) -> None:
        super().__init__(inner)
        self._concerns = concerns
        self.sent = 0
        self.arrived = asyncio.Event()
        self.released = asyncio.Event()
        self.released.set()

    def hold(self) -> None:
        """From now on."""
        self.arrived.clear()
        self.released.clear()

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        answer = await super().send(request, **named)
        if self._concerns(request):
            self.sent += 1
            self.arrived.set()
            await self.released.wait()
        return answer


class SmallPages(Wrapper):
    """A service that gives two entities a page, as the real one may at any time."""

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        if is_query(request) and "$top" not in request.url:
            request.url += "&$top=2"
        return await super().send(request, **named)


class EmptyFirstPage(Wrapper):
    """A service that answers every query with an empty page first, and where to go on."""

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        if not is_query(request) or "NextRowKey" in request.url:
            return await super().send(request, **named)
        address = request.url
        request.url = _FILTER.sub("$filter=PartitionKey%20eq%20%27nobody%27", address)
        answer = await super().send(request, **named)
        request.url = address
        # Azurite reads its continuations as base64.
        for name, key in (("NextPartitionKey", b"ledger"), ("NextRowKey", b"a")):
            answer.headers[f"x-ms-continuation-{name}"] = base64.b64encode(key).decode()
        return answer
