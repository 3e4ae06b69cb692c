"""Tables: rows by key, changed under their ETags.

Each row bears its version (`shared.azure.versions`); one of an unknown version is refused where it
is read. Tables are made when they are first written to. A conflict is an answer (`Changed`, None),
not an error; one error, `StorageDown`, says "did not answer".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableTransactionError, UpdateMode

from shared.azure.storage import (
    RETRIES,
    Changed,
    StorageAccount,
    StorageDown,
    TableMissing,
    error_code,
    said,
)
from shared.azure.versions import MEMBER, check_row, stamped_row
from shared.base.randomness import between

if TYPE_CHECKING:
    from azure.data.tables.aio import TableClient, TableServiceClient

Entity = dict[str, Any]
_T = TypeVar("_T")
TableOperation = tuple[Any, ...]

# Seconds: of the first pause between two who write one row at once, and of the longest.
_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 0.5
_TRIES: Final = 20
_CONFLICT: Final = 409
_PRECONDITION_FAILED: Final = 412
# Bad request, and too large.
_REFUSED: Final = frozenset({400, 413})
_NOT_FOUND: Final = 404
_NO_TABLE: Final = "TableNotFound"
# In place of an ETag: whoever else has changed the entity, as long as it is there.
ANY: Final = "*"


class Tables:
    """The tables of a storage account.

    Args:
        account: which.
    """

    def __init__(self, account: StorageAccount) -> None:
        self._account = account
        self._client: TableServiceClient | None = None
        self._clients: dict[str, TableClient] = {}

    async def insert(self, table: str, entity: Entity) -> str | None:
        """Add an entity; its ETag. None if its keys are taken; the row there stays as it is."""
        try:
            answer = await self._made(
                table, lambda client: client.create_entity(stamped_row(table, entity))
            )
        except ResourceExistsError:
            return None
        except AzureError as error:
            raise StorageDown(said(error)) from None
        return str(answer["etag"])

    async def put(self, table: str, entity: Entity) -> str:
        """Write an entity whose content follows from its keys; its ETag. Twice is once."""
        return await self._upsert(table, entity, UpdateMode.REPLACE)

    async def merge(self, table: str, entity: Entity, *, etag: str) -> str:
        """Change members of the entity that was read with `etag`; the new ETag.

        Args:
            table: its name.
            entity: its keys, and the members to change.
            etag: of the entity, or `ANY`.

        Raises:
            Changed: if somebody else changed it first, or it is gone.
        """
        try:
            answer = await self.table(table).update_entity(
                stamped_row(table, entity),
                mode=UpdateMode.MERGE,
                etag=etag,
                match_condition=MatchConditions.IfNotModified,
            )
        except (ResourceModifiedError, ResourceNotFoundError):
            raise Changed from None
        except AzureError as error:
            raise StorageDown(said(error)) from None
        return str(answer["etag"])

    async def set_members(self, table: str, entity: Entity) -> None:
        """Set members of an entity, whoever else changes it; made if it is not there.

        For members that follow from facts, so that it does not matter who writes last.
        """
        await self._upsert(table, entity, UpdateMode.MERGE)

    async def remove(self, table: str, partition: str, row: str, *, etag: str) -> None:
        """Delete the entity that was read with `etag`; one that is gone already is fine.

        Args:
            table: its name.
            partition: of the entity.
            row: likewise.
            etag: of the entity, or `ANY`.

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
            raise StorageDown(said(error)) from None

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
            UnknownVersion: this release does not know its layout.
        """
        try:
            entity = await self.table(table).get_entity(partition, row)
        except ResourceNotFoundError as error:
            if must_exist and error_code(error) == _NO_TABLE:
                raise TableMissing(table) from None
            return None
        except AzureError as error:
            raise StorageDown(said(error)) from None
        check_row(table, entity)
        return entity

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
            UnknownVersion: this release does not know the layout of one of them.
        """
        if select is not None:
            select = list(dict.fromkeys([*select, MEMBER]))
        found = self.table(table).query_entities(
            condition, parameters=values, results_per_page=page, select=select
        )
        try:
            async for entity in found:
                check_row(table, entity)
                yield entity
        except ResourceNotFoundError:
            if must_exist:
                raise TableMissing(table) from None
            return
        except AzureError as error:
            raise StorageDown(said(error)) from None

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
            Changed: if an ETag or an insert did not hold, or an entity that was to be changed is
                gone. After a retry inside the client this can also mean that the first try went
                through: the caller reads before it judges.
            StorageDown: if the answer is missing; the transaction may have gone through.
            ValueError: if storage refuses what was to be written: too large, or of no form that it
                knows. Nothing was written, and a repeat changes nothing.
        """
        operations = [_stamped(table, operation) for operation in operations]
        try:
            if must_exist:
                await self.table(table).submit_transaction(operations)
            else:
                await self._made(table, lambda client: client.submit_transaction(operations))
        except TableTransactionError as error:
            if must_exist and error_code(error) == _NO_TABLE:
                raise TableMissing(table) from None
            gone = error.status_code == _NOT_FOUND and error_code(error) != _NO_TABLE
            if gone or error.status_code in {_CONFLICT, _PRECONDITION_FAILED}:
                raise Changed from None
            if error.status_code in _REFUSED:
                raise ValueError(f"Storage refuses a transaction ({error_code(error)}).") from None
            raise StorageDown(said(error)) from None
        except (ResourceExistsError, ResourceModifiedError):
            raise Changed from None
        except AzureError as error:
            raise StorageDown(said(error)) from None

    async def change(self, step: Callable[[], Awaitable[_T]], *, tries: int = _TRIES) -> _T:
        """Read, change and write, again and again until nobody else wrote in between.

        Args:
            step: reads, and writes under the ETag that it read; raises `Changed` where it came too
                late.
            tries: how often.

        Raises:
            Changed: others were always faster.
        """
        for attempt in range(tries):
            if attempt:
                await self.pause(attempt)
            try:
                return await step()
            except Changed:
                continue
        raise Changed

    async def pause(self, attempt: int) -> None:
        """The pause before a further attempt (from 1): longer each time, and by chance."""
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt)
        await asyncio.sleep(between(self._account.randomness, 0, longest))

    async def make_table(self, table: str) -> None:
        """Make a table if it is not there."""
        try:
            await self._service().create_table_if_not_exists(table)
        except AzureError as error:
            raise StorageDown(said(error)) from None

    async def drop_table(self, table: str) -> None:
        """Drop a table with all it holds; none there is fine."""
        try:
            await self._service().delete_table(table)
        except ResourceNotFoundError:
            return
        except AzureError as error:
            raise StorageDown(said(error)) from None

    async def tables(self, prefix: str) -> list[str]:
        """Names of the tables that start with `prefix`."""
        try:
            found = self._service().query_tables(
                "TableName ge @low and TableName lt @high",
                parameters={"low": prefix, "high": prefix + "~"},
            )
            return [item.name async for item in found]
        except AzureError as error:
            raise StorageDown(said(error)) from None

    def table(self, name: str) -> TableClient:
        """The client of one table."""
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = self._service().get_table_client(name)
        return client

    async def _upsert(self, table: str, entity: Entity, mode: UpdateMode) -> str:
        try:
            answer = await self._made(
                table, lambda client: client.upsert_entity(stamped_row(table, entity), mode=mode)
            )
        except AzureError as error:
            raise StorageDown(said(error)) from None
        return str(answer["etag"])

    async def _made(self, table: str, operation: Any) -> Any:
        # Tables of a month and of a day come into being with their first row. What is written
        # here replaces nothing, so that a 404 can only mean the table.
        client = self.table(table)
        try:
            return await operation(client)
        except ResourceNotFoundError:
            pass
        except TableTransactionError as error:
            if error_code(error) != _NO_TABLE:
                raise
        await self.make_table(table)
        return await operation(client)

    def _service(self) -> TableServiceClient:
        if self._client is None:
            from azure.data.tables.aio import TableServiceClient  # noqa: PLC0415  # paid on first use

            self._client = self._account.service(
                TableServiceClient, self._account.settings.tables_url, **RETRIES
            )
        return self._client


def _stamped(table: str, operation: TableOperation) -> TableOperation:
    kind, entity, *options = operation
    return operation if kind == "delete" else (kind, stamped_row(table, entity), *options)


def etag_of(entity: Mapping[str, Any]) -> str:
    """The ETag with which an entity was read."""
    return str(entity.metadata["etag"])  # type: ignore[attr-defined]  # TableEntity, untyped here


def stored_at(entity: Mapping[str, Any]) -> Any:
    """When the service took the entity (its Timestamp)."""
    return entity.metadata["timestamp"]  # type: ignore[attr-defined]  # TableEntity, untyped here
