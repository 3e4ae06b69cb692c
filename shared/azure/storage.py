"""Table, queue and blob storage, as far as Parley uses them.

One place for what all callers want alike: time-outs and bounded retries, tables that are made
when first written to, conflicts as answers rather than errors, and one error, `StorageDown`, for
"did not answer". Clients are made on first use; only the table client is imported at start.

An operation is tried three times, with less than a second of pauses in all, whichever service it
asks. A row whose insertion or change met a broken connection is tried once: its caller must know
that the answer may be lost.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.data.tables import TableTransactionError, UpdateMode

from shared.base.errors import Unavailable

if TYPE_CHECKING:
    from azure.data.tables.aio import TableClient, TableServiceClient
    from azure.storage.blob.aio import BlobServiceClient, ContainerClient
    from azure.storage.queue.aio import QueueClient, QueueServiceClient

    from shared.settings import Settings

Entity = dict[str, Any]
TableOperation = tuple[Any, ...]

# Seconds to connect, and seconds between two bytes.
_TIME_OUTS: Final[dict[str, Any]] = {"connection_timeout": 5, "read_timeout": 10}
# How often a failed call is tried again. Before the second time it pauses for twice the factor.
_RETRIES: Final[dict[str, Any]] = {"retry_total": 2, "retry_backoff_factor": 0.2}
# The clients of queues and blobs know no factor; left alone, they pause for 15 seconds and more.
# Each pause is drawn from nothing to twice the first number.
_BACKOFF: Final[dict[str, Any]] = {
    "retry_total": 2,
    "initial_backoff": 0.2,
    "increment_base": 0,
    "random_jitter_range": 0.2,
}
# A blob is read in pieces of this many bytes.
_PIECE: Final = 1024 * 1024
_CONFLICT: Final = 409
_PRECONDITION_FAILED: Final = 412
_NO_TABLE: Final = "TableNotFound"
# Of a queue message; without it the service drops one after seven days.
_FOR_EVER: Final = -1


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


@dataclass(frozen=True, slots=True)
class BlobFacts:
    """A blob without its content: its ETag, and its size in bytes."""

    etag: str
    size: int


@dataclass(frozen=True, slots=True)
class BlobEntry:
    """A blob as its container lists it: its name, when it was last written, and its metadata."""

    name: str
    modified: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)


class _InTime(AsyncHttpTransport[Any, Any]):
    """The shared transport with the time-outs of storage.

    A client hands its time-outs to a transport of its own making only; one that it is given keeps
    its own, which are five minutes.
    """

    def __init__(self, shared: AsyncHttpTransport[Any, Any]) -> None:
        self._shared = shared

    async def send(self, request: Any, **options: Any) -> Any:
        return await self._shared.send(request, **{**_TIME_OUTS, **options})

    async def open(self) -> None:
        await self._shared.open()

    async def close(self) -> None:
        """Leave it to whoever made it."""

    async def __aexit__(self, *error: object) -> None:
        """Leave it to whoever made it."""


class Storage:
    """The record's storage account.

    Args:
        settings: where it is and how to get in.
        transport: azure-core's async transport, shared by all clients.
        credential: a token credential where no connection string is set.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: AsyncHttpTransport[Any, Any],
        credential: Any = None,
    ) -> None:
        self._settings = settings
        self._transport = _InTime(transport)
        self._credential = credential
        self._tables: dict[str, TableClient] = {}
        self._table_service: TableServiceClient | None = None
        self._queue_service: QueueServiceClient | None = None
        self._blob_service: BlobServiceClient | None = None
        self._queues: dict[str, QueueClient] = {}
        self._containers: dict[str, ContainerClient] = {}

    # Tables ---------------------------------------------------------------------------------

    async def insert(self, table: str, entity: Entity) -> str | None:
        """Add an entity; its ETag. None if its keys are taken; the row there stays as it is."""
        try:
            answer = await self._made(table, lambda client: client.create_entity(entity))
        except ResourceExistsError:
            return None
        except AzureError as error:
            raise StorageDown(_said(error)) from None
        return str(answer["etag"])

    async def put(self, table: str, entity: Entity) -> None:
        """Write an entity whose content follows from its keys; writing it twice is once."""
        try:
            await self._made(
                table, lambda client: client.upsert_entity(entity, mode=UpdateMode.REPLACE)
            )
        except AzureError as error:
            raise StorageDown(_said(error)) from None

    async def merge(self, table: str, entity: Entity, *, etag: str) -> str:
        """Change members of the entity that was read with `etag`; the new ETag.

        Raises:
            Changed: if somebody else changed it first.
        """
        try:
            answer = await self.table(table).update_entity(
                entity,
                mode=UpdateMode.MERGE,
                etag=etag,
                match_condition=MatchConditions.IfNotModified,
            )
        except (ResourceModifiedError, ResourceNotFoundError):
            raise Changed from None
        except AzureError as error:
            raise StorageDown(_said(error)) from None
        return str(answer["etag"])

    async def note(self, table: str, entity: Entity) -> None:
        """Set members of an entity, whoever else changes it; made if it is not there.

        For members that follow from facts, so that it does not matter who writes last.
        """
        try:
            await self._made(
                table, lambda client: client.upsert_entity(entity, mode=UpdateMode.MERGE)
            )
        except AzureError as error:
            raise StorageDown(_said(error)) from None

    async def remove(self, table: str, partition: str, row: str, *, etag: str) -> None:
        """Delete the entity that was read with `etag`; one that is gone already is fine.

        Raises:
            Changed: if somebody else changed it first.
        """
        try:
            await self.table(table).delete_entity(
                partition, row, etag=etag, match_condition=MatchConditions.IfNotModified
            )
        except ResourceNotFoundError:
            return
        except ResourceModifiedError:
            raise Changed from None
        except AzureError as error:
            raise StorageDown(_said(error)) from None

    async def get(
        self, table: str, partition: str, row: str, *, must_exist: bool = False
    ) -> Entity | None:
        """One entity, or None. Its ETag is in `etag_of`.

        Args:
            table: its name.
            partition: of the entity.
            row: likewise.
            must_exist: the table, which else is taken for an empty one where it is not there.

        Raises:
            TableMissing: it must exist and does not.
        """
        try:
            return await self.table(table).get_entity(partition, row)
        except ResourceNotFoundError as error:
            if must_exist and _error_code(error) == _NO_TABLE:
                raise TableMissing(table) from None
            return None
        except AzureError as error:
            raise StorageDown(_said(error)) from None

    async def query(
        self,
        table: str,
        condition: str,
        *,
        page: int | None = None,
        select: list[str] | None = None,
        must_exist: bool = False,
        **values: Any,
    ) -> AsyncIterator[Entity]:
        """Entities in key order, all pages; nothing where the table is not there yet.

        Args:
            table: its name.
            condition: OData with `@name` parameters.
            page: entities a page, where fewer than the service's 1,000 are wanted.
            select: members, where not all are wanted.
            must_exist: the table.
            values: the parameters.

        Raises:
            TableMissing: it must exist and does not.
        """
        found = self.table(table).query_entities(
            condition, parameters=values, results_per_page=page, select=select
        )
        try:
            async for entity in found:
                yield entity
        except ResourceNotFoundError:
            if must_exist:
                raise TableMissing(table) from None
            return
        except AzureError as error:
            raise StorageDown(_said(error)) from None

    async def commit(
        self, table: str, operations: Sequence[TableOperation], *, must_exist: bool = False
    ) -> None:
        """An entity-group transaction: all of it or nothing.

        Args:
            table: its name.
            operations: all in one partition.
            must_exist: the table, which else is made where it is not there.

        Raises:
            TableMissing: it must exist and does not.
            Changed: if an ETag or an insert did not hold. After a retry inside the client this
                can also mean that the first try went through: the caller reads before it judges.
            StorageDown: if the answer is missing; the transaction may have gone through.
        """
        try:
            if must_exist:
                await self.table(table).submit_transaction(operations)
            else:
                await self._made(table, lambda client: client.submit_transaction(operations))
        except TableTransactionError as error:
            if must_exist and _error_code(error) == _NO_TABLE:
                raise TableMissing(table) from None
            if error.status_code in {_CONFLICT, _PRECONDITION_FAILED}:
                raise Changed from None
            raise StorageDown(_said(error)) from None
        except (ResourceExistsError, ResourceModifiedError):
            raise Changed from None
        except AzureError as error:
            raise StorageDown(_said(error)) from None

    async def make_table(self, table: str) -> None:
        """Make a table if it is not there."""
        try:
            await self._service().create_table_if_not_exists(table)
        except AzureError as error:
            raise StorageDown(_said(error)) from None

    async def drop_table(self, table: str) -> None:
        """Drop a table with all it holds; none there is fine."""
        try:
            await self._service().delete_table(table)
        except ResourceNotFoundError:
            return
        except AzureError as error:
            raise StorageDown(_said(error)) from None

    async def tables(self, prefix: str) -> list[str]:
        """Names of the tables that start with `prefix`."""
        try:
            found = self._service().query_tables(
                "TableName ge @low and TableName lt @high",
                parameters={"low": prefix, "high": prefix + "~"},
            )
            return [item.name async for item in found]
        except AzureError as error:
            raise StorageDown(_said(error)) from None

    def table(self, name: str) -> TableClient:
        """The client of one table."""
        client = self._tables.get(name)
        if client is None:
            client = self._tables[name] = self._service().get_table_client(name)
        return client

    async def _made(self, table: str, operation: Any) -> Any:
        # Tables of a month and of a day come into being with their first row. What is written
        # here replaces nothing, so that a 404 can only mean the table.
        client = self.table(table)
        try:
            return await operation(client)
        except ResourceNotFoundError:
            pass
        except TableTransactionError as error:
            if _error_code(error) != _NO_TABLE:
                raise
        await self.make_table(table)
        return await operation(client)

    def _service(self) -> TableServiceClient:
        if self._table_service is None:
            from azure.data.tables.aio import TableServiceClient  # noqa: PLC0415  # paid on first use

            options = {**_RETRIES, "transport": self._transport}
            if self._settings.storage is not None:
                self._table_service = TableServiceClient.from_connection_string(
                    self._settings.storage, **options
                )
            else:
                self._table_service = TableServiceClient(
                    str(self._settings.tables_url), credential=self._credential, **options
                )
        return self._table_service

    # Queues ---------------------------------------------------------------------------------

    async def enqueue(self, queue: str, text: str, *, delay_seconds: int = 0) -> None:
        """Put a message on a queue. It does not expire, however long nobody works on it."""
        try:
            await self._queue(queue).send_message(
                text, visibility_timeout=delay_seconds, time_to_live=_FOR_EVER
            )
        except AzureError as error:
            raise StorageDown(_said(error)) from None

    async def queue_length(self, queue: str) -> int:
        """About how many messages wait."""
        try:
            properties = await self._queue(queue).get_queue_properties()
        except AzureError as error:
            raise StorageDown(_said(error)) from None
        return int(properties.approximate_message_count or 0)

    def _queue(self, name: str) -> QueueClient:
        if self._queue_service is None:
            from azure.storage.queue.aio import QueueServiceClient  # noqa: PLC0415  # brings aiohttp

            options = {**_BACKOFF, "transport": self._transport}
            if self._settings.storage is not None:
                self._queue_service = QueueServiceClient.from_connection_string(
                    self._settings.storage, **options
                )
            else:
                self._queue_service = QueueServiceClient(
                    str(self._settings.queues_url), credential=self._credential, **options
                )
        client = self._queues.get(name)
        if client is None:
            client = self._queues[name] = self._queue_service.get_queue_client(name)
        return client

    # Blobs ----------------------------------------------------------------------------------

    async def put_blob(  # a blob, and what it is marked with
        self,
        container: str,
        name: str,
        data: bytes,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Write a blob whose content follows from its name; writing it twice is once."""
        from azure.storage.blob import ContentSettings  # noqa: PLC0415  # brings aiohttp

        try:
            await self._container(container).upload_blob(
                name,
                data,
                overwrite=True,
                content_settings=ContentSettings(content_type=content_type),
                metadata=dict(metadata) if metadata is not None else None,
            )
        except AzureError as error:
            raise StorageDown(_said(error)) from None

    async def upload(self, container: str, name: str, data: bytes, content_type: str) -> str:
        """Write a blob of up to 100 MB, in place of the one that was there; its ETag."""
        from azure.storage.blob import ContentSettings  # noqa: PLC0415  # brings aiohttp

        client = self._container(container).get_blob_client(name)
        try:
            answer = await client.upload_blob(
                data, overwrite=True, content_settings=ContentSettings(content_type=content_type)
            )
        except AzureError as error:
            raise StorageDown(_said(error)) from None
        return str(answer["etag"])

    async def blob(self, container: str, name: str) -> BlobFacts | None:
        """What is known of a blob; None if there is none."""
        try:
            found = await self._container(container).get_blob_client(name).get_blob_properties()
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            raise StorageDown(_said(error)) from None
        return BlobFacts(str(found.etag), int(found.size))

    async def read_blob(
        self, container: str, name: str, *, etag: str, offset: int = 0, length: int | None = None
    ) -> bytes:
        """Bytes of the blob that had this ETag.

        Raises:
            Changed: it is another one now, or gone.
        """
        pieces = self.stream_blob(container, name, etag=etag, offset=offset, length=length)
        return b"".join([piece async for piece in pieces])

    async def stream_blob(
        self, container: str, name: str, *, etag: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """As `read_blob`, a piece of at most 1 MiB at a time.

        Raises:
            Changed: it is another one now, or gone.
        """
        try:
            found = await self._container(container).download_blob(
                name,
                offset=offset,
                length=length,
                etag=etag,
                match_condition=MatchConditions.IfNotModified,
            )
            async for piece in found.chunks():
                yield piece
        except (ResourceModifiedError, ResourceNotFoundError):
            raise Changed from None
        except AzureError as error:
            raise StorageDown(_said(error)) from None

    async def blobs(self, container: str) -> AsyncIterator[BlobEntry]:
        """The container's blobs by name, all pages; nothing where it is not there yet."""
        try:
            async for found in self._container(container).list_blobs(include=["metadata"]):
                yield BlobEntry(str(found.name), found.last_modified, found.metadata or {})
        except ResourceNotFoundError:
            return
        except AzureError as error:
            raise StorageDown(_said(error)) from None

    async def delete_blob(
        self, container: str, name: str, *, unmodified_since: datetime | None = None
    ) -> None:
        """Delete a blob that has not been written since; one that is gone already is fine.

        Raises:
            Changed: it has.
        """
        try:
            await self._container(container).delete_blob(name, if_unmodified_since=unmodified_since)
        except ResourceNotFoundError:
            return
        except ResourceModifiedError:
            raise Changed from None
        except AzureError as error:
            raise StorageDown(_said(error)) from None

    async def whole_blob(self, container: str, name: str) -> bytes | None:
        """A small blob's bytes, or None; one operation."""
        try:
            found = await self._container(container).download_blob(name)
            return bytes(await found.readall())
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            raise StorageDown(_said(error)) from None

    async def container_exists(self, container: str) -> bool:
        """Whether a container is there and can be reached."""
        try:
            return bool(await self._container(container).exists())
        except AzureError as error:
            raise StorageDown(_said(error)) from None

    def _container(self, name: str) -> ContainerClient:
        if self._blob_service is None:
            from azure.storage.blob.aio import BlobServiceClient  # noqa: PLC0415  # brings aiohttp

            options = {
                **_BACKOFF,
                "transport": self._transport,
                "max_single_get_size": _PIECE,
                "max_chunk_get_size": _PIECE,
            }
            if self._settings.storage is not None:
                self._blob_service = BlobServiceClient.from_connection_string(
                    self._settings.storage, **options
                )
            else:
                self._blob_service = BlobServiceClient(
                    str(self._settings.blobs_url), credential=self._credential, **options
                )
        client = self._containers.get(name)
        if client is None:
            client = self._containers[name] = self._blob_service.get_container_client(name)
        return client


def etag_of(entity: Mapping[str, Any]) -> str:
    """The ETag with which an entity was read."""
    return str(entity.metadata["etag"])  # type: ignore[attr-defined]  # TableEntity, untyped here


def stored_at(entity: Mapping[str, Any]) -> Any:
    """When the service took the entity (its Timestamp)."""
    return entity.metadata["timestamp"]  # type: ignore[attr-defined]  # TableEntity, untyped here


def _error_code(error: HttpResponseError) -> str:
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code or ""))


def _said(error: AzureError) -> str:
    # Only the class and the code: a service's message may quote keys, and keys hold numbers.
    code = _error_code(error) if isinstance(error, HttpResponseError) else ""
    return f"Storage did not answer as it should ({type(error).__name__} {code}".rstrip() + ")."
