"""Lists that were uploaded: keeping one, and finding the one that an order names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from shared.azure.blobs import Blobs
from shared.azure.storage import Changed
from shared.base.digests import keyed_digest
from shared.base.errors import InvalidRequest, PlanChanged
from shared.campaigns.list_format import Format
from shared.campaigns.list_sniffing import HEAD, look, sniff
from shared.campaigns.order import Definition, Order, check_list_name
from shared.campaigns.store import CONTAINER
from shared.campaigns.templates import doubled_braces

# Well below what the Functions host reads of a body (FUNCTIONS_REQUEST_BODY_SIZE_LIMIT, 24 MiB).
LARGEST_LIST: Final = 20 * 1024 * 1024
_LIST_TYPE: Final = "application/octet-stream"


class ListUploads:
    """The container of lists, for those who order campaigns.

    Args:
        blobs: where it is.
        id_key: under which lists are hashed that came with their order.
    """

    def __init__(self, blobs: Blobs, id_key: bytes) -> None:
        self._blobs = blobs
        self._id_key = id_key

    async def definition_of(self, order: Order) -> Definition:
        """An order's definition with its list as it is now.

        What came with the request is not kept yet.

        Raises:
            InvalidRequest: there is no such list, or it lacks what the text needs.
            PlanChanged: the list is being replaced.
        """
        if order.inline is not None:
            etag = keyed_digest(self._id_key, "list", order.inline.decode()).hex()
            definition = replace(order.definition, etag=etag)
        else:
            definition = await self._with_uploaded_list(order)
        shape = definition.layout
        missing = definition.template().missing_from(shape.columns)
        if missing and (shape.format is Format.CSV or order.inline is not None):
            named = ", ".join(f"{{{name}}}" for name in missing)
            raise InvalidRequest.of("message", f"No recipient has a value for {named}.")
        if doubled := doubled_braces(definition.message, shape.columns):
            raise InvalidRequest.of("message", doubled)
        return definition

    async def _with_uploaded_list(self, order: Order) -> Definition:
        name = str(order.definition.list_name)
        found = await self._blobs.facts(CONTAINER, name)
        if found is None:
            raise InvalidRequest.of("list.name", "There is no list of this name.")
        try:
            head = b""
            if found.size:
                head = await self._blobs.read(
                    CONTAINER, name, etag=found.etag, length=min(HEAD, found.size)
                )
        except Changed:
            raise PlanChanged("The list is being replaced; repeat it.") from None
        shape = sniff(head, order.told)
        return replace(order.definition, blob=name, etag=found.etag, shape=shape)

    async def keep(self, name: str, data: bytes) -> dict[str, Any]:
        """Keep a list, in place of the one that had its name.

        Raises:
            InvalidRequest: the name, the size, or a list that cannot be read at all.
        """
        check_list_name(name)
        if len(data) > LARGEST_LIST:
            raise InvalidRequest.of(
                "",
                f"The list has {len(data)} bytes; at most 20 MB are taken here. Put it into the"
                f" container `{CONTAINER}` of the record's storage account, under the same name.",
            )
        found = look(data[:HEAD])
        shape = found.shape
        etag = await self._blobs.upload(CONTAINER, name, data, _LIST_TYPE)
        return {
            "name": name,
            "bytes": len(data),
            "etag": etag,
            "format": str(shape.format),
            "encoding": shape.encoding,
            "delimiter": shape.delimiter,
            "header": shape.header,
            "columns": list(shape.columns),
            "numberColumn": shape.number or None,
            "candidates": list(found.candidates),
            "samples": list(found.samples),
            "doubt": _sentence(found.doubt),
        }


def _sentence(doubt: InvalidRequest | None) -> str | None:
    return None if doubt is None else " ".join(" ".join(said) for said in doubt.errors.values())
