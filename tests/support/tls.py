"""The end of a TLS connection, for clients that show a token over nothing less."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest


class TlsEnd(AioHttpTransport):  # type: ignore[misc]  # azure-core loads it lazily, untyped
    """What came for an https address goes on to a plain one."""

    def __init__(self, behind: str) -> None:
        super().__init__()
        self._behind = urlsplit(behind)
        self.came: list[dict[str, str]] = []

    async def send(self, request: Any, **named: Any) -> Any:
        assert isinstance(request, HttpRequest)
        assert urlsplit(request.url).scheme == "https"
        self.came.append(dict(request.headers))
        request.url = (
            urlsplit(request.url)
            ._replace(scheme=self._behind.scheme, netloc=self._behind.netloc)
            .geturl()
        )
        answer = await super().send(request, **named)
        assert isinstance(answer, AsyncHttpResponse)
        return answer
