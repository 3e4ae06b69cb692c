"""Keys made of any text, against Azurite."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from azure.data.tables.aio import TableClient, TableServiceClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from local.stack import Stack
from shared.azure.table_keys import key_part

TABLE = "keys4tests"
# Any code point, halves of surrogate pairs included, and what keys must not hold, often.
TEXTS = st.text(
    st.one_of(
        st.characters(), st.sampled_from("/\\#?%+|: \t\n\x00\x1f\x7f\x85\x9f\ud83d\ude00'\"")
    ),
    max_size=40,
) | st.text(st.sampled_from("a\N{GRINNING FACE}/\u00e4"), min_size=60, max_size=400)


@pytest.fixture(scope="module")
async def table(stack: Stack) -> AsyncIterator[TableClient]:
    async with TableServiceClient.from_connection_string(stack.storage) as service:
        await service.create_table_if_not_exists(TABLE)
        yield service.get_table_client(TABLE)
        await service.delete_table(TABLE)


@given(one=TEXTS, other=TEXTS)
@example(one="", other="%")
@example(one="%2F", other="/")
@example(one="sha256-", other="%73ha256-")
@example(one="\ud83d", other="\ufffd")
@example(one="x" * 200, other="x" * 201)
@example(one="..", other=".")
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_any_text_makes_a_key(one: str, other: str, table: TableClient) -> None:
    """Table Storage takes it as either key, finds it again, and different texts stay apart."""
    keys = {text: key_part(text) for text in (one, other)}
    for text, key in keys.items():
        entity = {"PartitionKey": f"p{key}", "RowKey": f"r{key}", "text": repr(text)}
        await table.upsert_entity(entity)
    for text, key in keys.items():
        found = await table.get_entity(f"p{key}", f"r{key}")
        assert found["text"] == repr(text)
    assert len(set(keys.values())) == len(keys)
