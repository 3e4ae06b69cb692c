"""Parley's client of ACS with a managed identity instead of a key."""

from __future__ import annotations

from typing import Any, Self
from urllib.parse import urlsplit

import pytest
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest

from shared.azure.acs import AcsClient, AcsRecipient
from shared.base.clock import utc_now
from shared.base.errors import PlatformDenied
from tests.support.client import TOLL_FREE, Platform

FAR_AWAY = 4_102_444_800


class FixedToken:
    """A credential that always has the same token, and remembers for what it was asked."""

    def __init__(self, text: str = "header.payload.signature") -> None:
        self._text = text
        self.scopes: list[str] = []

    async def get_token(self, *scopes: str, **_named: Any) -> AccessToken:
        self.scopes += scopes
        return AccessToken(self._text, FAR_AWAY)

    async def close(self) -> None:
        return None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        return None


class TlsEnd(AioHttpTransport):  # type: ignore[misc]  # azure-core loads it lazily, untyped
    """The end of a TLS connection: what came for an https address goes on to a plain one."""

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


async def test_the_token_is_for_communication_services(platform: Platform, person: str) -> None:
    """A token credential is asked for ACS's own scope, and its token signs the request.

    The simulated platform knows keys only, so its refusal also shows that a 401 is no doubt, and
    that the second try has the token of a credential that remembers none.
    """
    credential, fresh = FixedToken(), FixedToken("fresh.payload.signature")
    async with TlsEnd(platform.url) as transport:
        client = AcsClient(
            "https://contoso.communication.azure.com",
            credential,
            api_version="2021-03-07",
            transport=transport,
            clock=utc_now,
            new_credential=lambda: fresh,
        )
        with pytest.raises(PlatformDenied) as caught:
            await client.send(
                sender=TOLL_FREE,
                message="Hello",
                recipients=[
                    AcsRecipient(person, "5f0d7c1e-0000-4000-8000-000000000001", utc_now())
                ],
                tag="",
                report_timeout_seconds=None,
                timeout_seconds=30,
            )
    assert caught.value.platform_status == 401
    assert credential.scopes == fresh.scopes == ["https://communication.azure.com//.default"]
    assert [headers["Authorization"] for headers in transport.came] == [
        "Bearer header.payload.signature",
        "Bearer fresh.payload.signature",
    ]
    assert "x-ms-content-sha256" not in transport.came[0]
