"""Blobs: lists of recipients, quarantined events, whatever is larger than a row."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

from shared.azure.storage import BACKOFF, Changed, StorageAccount, StorageDown, error_code, said

if TYPE_CHECKING:
    from azure.storage.blob.aio import BlobServiceClient, ContainerClient

# A blob is read in pieces of this many bytes.
_PIECE: Final = 1024 * 1024
_NO_BLOB: Final = "BlobNotFound"


@dataclass(frozen=True, slots=True)
class BlobFacts:
    """A blob without its content: its ETag, its size in bytes, and its metadata."""

    etag: str
    size: int
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BlobEntry:
    """A blob as its container lists it: its name, when it was last written, and its metadata."""

    name: str
    modified: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)


class Blobs:
    """The blob containers of a storage account.

    Args:
        account: which.
    """

    def __init__(self, account: StorageAccount) -> None:
        self._account = account
        self._client: BlobServiceClient | None = None
        self._clients: dict[str, ContainerClient] = {}

    async def put(  # a blob, and what it is marked with
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
            raise StorageDown(said(error)) from None

    async def upload(self, container: str, name: str, data: bytes, content_type: str) -> str:
        """Write a blob of up to 100 MB, in place of the one that was there; its ETag."""
        from azure.storage.blob import ContentSettings  # noqa: PLC0415  # brings aiohttp

        client = self._container(container).get_blob_client(name)
        try:
            answer = await client.upload_blob(
                data, overwrite=True, content_settings=ContentSettings(content_type=content_type)
            )
        except AzureError as error:
            raise StorageDown(said(error)) from None
        return str(answer["etag"])

    async def facts(self, container: str, name: str) -> BlobFacts | None:
        """What is known of a blob; None if there is none."""
        try:
            found = await self._container(container).get_blob_client(name).get_blob_properties()
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            raise StorageDown(said(error)) from None
        return BlobFacts(str(found.etag), int(found.size), dict(found.metadata or {}))

    async def read(
        self, container: str, name: str, *, etag: str, offset: int = 0, length: int | None = None
    ) -> bytes:
        """Bytes of the blob that had this ETag.

        Raises:
            Changed: it is another one now, or gone.
        """
        pieces = self.stream(container, name, etag=etag, offset=offset, length=length)
        return b"".join([piece async for piece in pieces])

    async def stream(
        self, container: str, name: str, *, etag: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """As `read`, a piece of at most 1 MiB at a time.

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
            raise StorageDown(said(error)) from None

    async def list(self, container: str) -> AsyncIterator[BlobEntry]:
        """The container's blobs by name, all pages; nothing where it is not there yet."""
        try:
            async for found in self._container(container).list_blobs(include=["metadata"]):
                yield BlobEntry(str(found.name), found.last_modified, found.metadata or {})
        except ResourceNotFoundError:
            return
        except AzureError as error:
            raise StorageDown(said(error)) from None

    async def delete(
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
            raise StorageDown(said(error)) from None

    async def whole(self, container: str, name: str) -> bytes | None:
        """A small blob's bytes, or None; one operation."""
        try:
            found = await self._container(container).download_blob(name)
            return bytes(await found.readall())
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            raise StorageDown(said(error)) from None

    async def small(self, container: str, name: str) -> tuple[bytes, str] | None:
        """A small blob's bytes and its ETag, or None; one operation.

        Raises:
            StorageDown: also where the container, which has to be there, is not.
        """
        try:
            found = await self._container(container).download_blob(name)
            return bytes(await found.readall()), str(found.properties.etag)
        except ResourceNotFoundError as error:
            if error_code(error) != _NO_BLOB:
                raise StorageDown(said(error)) from None
            return None
        except AzureError as error:
            raise StorageDown(said(error)) from None

    async def replace(
        self,
        container: str,
        name: str,
        data: bytes,
        content_type: str,
        *,
        etag: str | None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Write a blob in place of the one that has this ETag; None: where there is none.

        Raises:
            Changed: it is another one now, or there is one.
        """
        from azure.storage.blob import ContentSettings  # noqa: PLC0415  # brings aiohttp

        client = self._container(container).get_blob_client(name)
        held: dict[str, Any] = (
            {"overwrite": False}
            if etag is None
            else {
                "overwrite": True,
                "etag": etag,
                "match_condition": MatchConditions.IfNotModified,
            }
        )
        try:
            await client.upload_blob(
                data,
                content_settings=ContentSettings(content_type=content_type),
                metadata=dict(metadata) if metadata is not None else None,
                **held,
            )
        except (ResourceExistsError, ResourceModifiedError):
            raise Changed from None
        except AzureError as error:
            raise StorageDown(said(error)) from None

    async def container_exists(self, container: str) -> bool:
        """Whether a container is there and can be reached."""
        try:
            return bool(await self._container(container).exists())
        except AzureError as error:
            raise StorageDown(said(error)) from None

    def _container(self, name: str) -> ContainerClient:
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = self._service().get_container_client(name)
        return client

    def _service(self) -> BlobServiceClient:
        if self._client is None:
            from azure.storage.blob.aio import BlobServiceClient  # noqa: PLC0415  # brings aiohttp

            self._client = self._account.service(
                BlobServiceClient,
                self._account.settings.blobs_url,
                **BACKOFF,
                max_single_get_size=_PIECE,
                max_chunk_get_size=_PIECE,
            )
        return self._client
