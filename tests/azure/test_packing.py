"""Queue messages: whatever lies in a queue is read, or refused with a reason."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.azure.packing import message_text, raw_message_text, read_message
from shared.azure.versions import CURRENT, MEMBER
from shared.base.clock import utc_now
from shared.base.errors import Unintelligible
from shared.jobs.dispatch import Dispatch
from tests.support.queues import KeptMessages

DEEP = [f'{{"kind": "relay", "event": {"[" * depth}{"]" * depth}}}' for depth in (65, 900, 30_000)]


def packed(content: str) -> str:
    return json.dumps({"packed": base64.b64encode(zlib.compress(content.encode())).decode()})


ODD = ["", "7", "[]", "null", "{", "[" * 30_000, packed("[]"), packed("7"), '{"packed": 7}']


@pytest.mark.parametrize("text", [*ODD, *DEEP, *map(packed, DEEP), '{"packed": "AAAA"}'])
async def test_what_is_no_message_is_refused(text: str) -> None:
    """Also what is nested so deeply that it could be read and then not be put back."""
    with pytest.raises(ValueError, match=r"."):
        read_message(text)
    dispatch = Dispatch(KeptMessages(), utc_now)
    with pytest.raises(Unintelligible):
        await dispatch.run_work(text)


@given(st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53)))
def test_what_is_written_is_read(members: dict[str, Any]) -> None:
    """A message comes back as it was."""
    message = {**members, "kind": "x"}
    message.pop("packed", None)
    assert read_message(raw_message_text(message)) == message
    assert read_message(message_text(message)) == {MEMBER: CURRENT, **message}
