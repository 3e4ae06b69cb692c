"""Parley's client of ACS with a managed identity instead of a key."""

from __future__ import annotations

from typing import Any, Self

import pytest
from azure.core.credentials import AccessTokenInfo

from shared.azure.acs import AcsClient, AcsRecipient
from shared.azure.identity import Identity
from shared.base.clock import utc_now
from shared.base.errors import PlatformDenied
from tests.support.client import TOLL_FREE, Platform
from tests.support.tls import TlsEnd

FAR_AWAY = 4_102_444_800


class FixedToken:
    """A credential that always has the same token, and remembers for what it was asked."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.scopes: list[str] = []

    async def get_token_info(self, *scopes: str, **_named: Any) -> AccessTokenInfo:
        self.scopes += scopes
        return AccessTokenInfo(self._text, FAR_AWAY)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        return None


async def test_the_token_is_for_communication_services(platform: Platform, person: str) -> None:
    """A token credential is asked for ACS's own scope, and its token signs the request.

    The simulated platform knows keys only, so its refusal also shows that a 401 is no doubt, and
    that the second try has the token of a credential that remembers none.
    """
    credentials = [FixedToken(f"{name}.payload.signature") for name in ("header", "fresh")]
    made = iter(credentials)
    async with TlsEnd(platform.url) as transport:
        client = AcsClient(
            "https://contoso.communication.azure.com",
            Identity(lambda: next(made), clock=utc_now),
            api_version="2021-03-07",
            transport=transport,
            clock=utc_now,
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
    for credential in credentials:
        assert credential.scopes == ["https://communication.azure.com//.default"]
    assert [headers["Authorization"] for headers in transport.came] == [
        "Bearer header.payload.signature",
        "Bearer fresh.payload.signature",
    ]
    assert "x-ms-content-sha256" not in transport.came[0]
