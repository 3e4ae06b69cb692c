"""The platform's own HTTP client: to webhooks and to Parley."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp

from local.platform.eventgrid import Reply


class HttpCaller:
    """One connection pool; opened on first use, because it belongs to the running loop."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, seconds: float
    ) -> Reply:
        """One request, no retries, no redirects.

        Raises:
            TimeoutError: no answer within `seconds`.
            ConnectionError: no connection, or it broke.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession()
        limit = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self._session.request(
                method, url, headers=headers, data=body, timeout=limit, allow_redirects=False
            ) as response:
                content = await response.read()
                found = {name.lower(): value for name, value in response.headers.items()}
                return Reply(response.status, found, content)
        except aiohttp.ServerTimeoutError as error:
            raise TimeoutError(str(error)) from error
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error)) from error

    async def close(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()
