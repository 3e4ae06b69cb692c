"""The app's managed identity: asked by one for all who wait, and never for long.

A credential of azure-identity remembers its tokens, and asks its endpoint whenever it has none that
is good: a hundred requests that meet an expired token are a hundred questions, each of which its
own transport would let wait for five minutes. Here a question has one answer, for however many want
it, and time-outs; and a failure is everybody's, who would else ask one after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Self

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.core.exceptions import AzureError, ClientAuthenticationError

from shared.base.clock import Clock

# All tries of one question together. Event Grid waits thirty seconds for whoever takes its events.
_PATIENCE_SECONDS: Final = 10.0
# For how long the end of a question is told to those who ask the same.
_FAILURE_HOLDS_SECONDS: Final = 1.0
_FRESH_HOLDS_SECONDS: Final = 10.0
# A token with less life than this is not shown.
_LEAST_LIFE_SECONDS: Final = 60


class Identity:
    """A token credential that all clients share.

    Args:
        make: makes a credential of azure-identity that remembers no token.
        clock: the time, by which tokens expire.
        patience_seconds: how long a question may take.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        *,
        clock: Clock,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        self._make = make
        self._clock = clock
        self._patience = patience_seconds
        self._credential: Any = None
        self._questions: dict[tuple[str, ...], _Question] = {}
        self._last: dict[tuple[str, ...], AccessTokenInfo] = {}

    async def get_token_info(
        self, *scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        """A token, remembered or new.

        Raises:
            ClientAuthenticationError: there is none; nothing was asked of the service itself.
        """
        key = (*scopes, str((options or {}).get("claims") or ""))
        token = await self._answer(
            ("token", *key), 0.0, lambda: self._kept().get_token_info(*scopes, options=options)
        )
        if not isinstance(token, str):
            self._last[key] = token
            return token
        last = self._last.get(key)
        if last is None or last.expires_on - self._clock().timestamp() < _LEAST_LIFE_SECONDS:
            raise ClientAuthenticationError(message=token)
        return last

    async def get_token(
        self, *scopes: str, claims: str | None = None, **_options: Any
    ) -> AccessToken:
        """The same, for those who know no more of a token than its end."""
        token = await self.get_token_info(*scopes, options={"claims": claims} if claims else None)
        return AccessToken(token.token, token.expires_on)

    async def fresh_token(self, *scopes: str) -> AccessTokenInfo:
        """A token that is new, or was a few seconds ago: for whoever was refused with another one.

        Raises:
            ClientAuthenticationError: there is none.
        """

        async def ask() -> AccessTokenInfo:
            # One that remembers would give the refused token again, until that expires.
            async with self._make() as credential:
                fresh: AccessTokenInfo = await credential.get_token_info(*scopes)
                return fresh

        token = await self._answer(("fresh", *scopes), _FRESH_HOLDS_SECONDS, ask)
        if isinstance(token, str):
            raise ClientAuthenticationError(message=token)
        return token

    async def close(self) -> None:
        """Leave what all share to its owner."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    def _kept(self) -> Any:
        if self._credential is None:
            self._credential = self._make()
        return self._credential

    async def _answer(
        self,
        key: tuple[str, ...],
        holds_seconds: float,
        ask: Callable[[], Awaitable[AccessTokenInfo]],
    ) -> AccessTokenInfo | str:
        """What a question has come to, or will: a token, or the sentence that there is none."""
        question = self._questions.get(key)
        if question is None or question.is_over(holds_seconds):
            question = self._questions[key] = _Question(ask(), self._patience)
        # Whoever gives up does not take the answer away from the others.
        return await asyncio.shield(question.end)


class _Question:
    """A question under way, or its end."""

    def __init__(self, asked: Awaitable[AccessTokenInfo], patience: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended_at = 0.0
        self.end = asyncio.ensure_future(self._ask(asked, patience))

    async def _ask(
        self, asked: Awaitable[AccessTokenInfo], patience: float
    ) -> AccessTokenInfo | str:
        try:
            async with asyncio.timeout(patience):
                return await asked
        except (AzureError, TimeoutError) as error:
            # The library's sentence may quote what the endpoint answered.
            return f"The managed identity gave no token ({type(error).__name__})."
        finally:
            self._ended_at = self._loop.time()

    def is_over(self, holds_seconds: float) -> bool:
        """Whether its end is too old to be told; a failure is told for a second at least."""
        if asyncio.get_running_loop() is not self._loop:
            return True
        if not self.end.done():
            return False
        failed = self.end.cancelled() or self.end.exception() or isinstance(self.end.result(), str)
        holds = _FAILURE_HOLDS_SECONDS if failed else holds_seconds
        return self._loop.time() - self._ended_at >= holds
