"""The storage account: how to get in, with which patience, and its one error.

Tables, queues and blobs stand beside this file, one class each, so that a constructor says what
its object can touch. All their clients have the same time-outs and bounded retries; they are made
on first use, and only the table client is imported at start.

An operation is tried three times, with less than a second of pauses in all, whichever service it
asks. A row whose insertion or change met a broken connection is tried once: its caller must know
that the answer may be lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.transport import AsyncHttpTransport

from shared.base.errors import Unavailable
from shared.base.randomness import SYSTEM, Randomness

if TYPE_CHECKING:
    from shared.settings import Settings

# Seconds to connect, and seconds between two bytes.
TIME_OUTS: Final[dict[str, Any]] = {"connection_timeout": 5, "read_timeout": 10}
# How often a failed call is tried again. Before the second time it pauses for twice the factor.
RETRIES: Final[dict[str, Any]] = {"retry_total": 2, "retry_backoff_factor": 0.2}
# The clients of queues and blobs know no factor; left alone, they pause for 15 seconds and more.
# Each pause is drawn from nothing to twice the first number.
BACKOFF: Final[dict[str, Any]] = {
    "retry_total": 2,
    "initial_backoff": 0.2,
    "increment_base": 0,
    "random_jitter_range": 0.2,
}


class StorageDown(Unavailable):
    """Storage did not answer as it should. What was asked may have happened all the same.

    It is always raised `from None`. The client library's own error quotes the URL, and the URL of a
    row holds a person's number; of a function that fails, Azure keeps the causes too.
    """

    code = "StorageUnavailable"


class TableMissing(StorageDown):
    """A table that the deployment makes is not there."""

    def __init__(self, table: str) -> None:
        super().__init__(f"The storage account has no table {table}.")


class Changed(Exception):  # an answer, not an error of the caller
    """The entity is not the one that was read (ETag), or an inserted one is already there."""


class InTime(AsyncHttpTransport[Any, Any]):
    """The shared transport with the time-outs of storage, which the identity's endpoint has, too.

    A client hands its time-outs to a transport of its own making only; one that it is given keeps
    its own, which are five minutes.
    """

    def __init__(self, shared: AsyncHttpTransport[Any, Any]) -> None:
        self._shared = shared

    async def send(self, request: Any, **options: Any) -> Any:
        """Send it, in time."""
        return await self._shared.send(request, **{**TIME_OUTS, **options})

    async def open(self) -> None:
        """Open it, if it is not yet."""
        await self._shared.open()

    async def close(self) -> None:
        """Leave it to whoever made it."""

    async def __aexit__(self, *error: object) -> None:
        """Leave it to whoever made it."""


class StorageAccount:
    """A storage account.

    Args:
        settings: where it is and how to get in.
        transport: azure-core's async transport, shared by all clients.
        credential: a token credential where no connection string is set.
        randomness: for the pauses of those who write one row at once.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: AsyncHttpTransport[Any, Any],
        credential: Any = None,
        randomness: Randomness = SYSTEM,
    ) -> None:
        self.settings = settings
        self._transport = InTime(transport)
        self._credential = credential
        self.randomness = randomness

    def service(self, client: Any, url: str | None, **options: Any) -> Any:
        """A service's client, of the class `client`, with the time-outs that all of them have."""
        options = {"transport": self._transport, **options}
        if self.settings.storage is not None:
            return client.from_connection_string(self.settings.storage, **options)
        return client(str(url), credential=self._credential, **options)


def error_code(error: HttpResponseError) -> str:
    """The service's own code for an error; empty where it gave none."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code or ""))


def said(error: AzureError) -> str:
    """A sentence for `StorageDown` that quotes nothing of the service's message."""
    # Only the class and the code: a service's message may quote keys, and keys hold numbers.
    code = error_code(error) if isinstance(error, HttpResponseError) else ""
    return f"Storage did not answer as it should ({type(error).__name__} {code}".rstrip() + ")."
