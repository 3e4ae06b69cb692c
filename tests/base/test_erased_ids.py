"""What stands for an erased recipient keeps their messages' ids, and their country."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.base import ids
from shared.rules.cost.countries import country_of
from shared.rules.persons import person

KEY = b"k" * 32
SEND = "01JDQ7Z0000000000000000000"


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_ids_stay(address: str) -> None:
    """The message's id follows from what stands for the number as it did from the number."""
    message = ids.message_id(KEY, SEND, address)
    token = ids.erased_recipient(message, "US")
    assert ids.is_erased(token)
    assert not ids.is_erased(address)
    assert ids.message_id(KEY, SEND, token) == message
    assert person(token) == token
    assert address[1:] not in token


def test_countries_stay() -> None:
    """Counts by country go by it; where none was known, none is."""
    message = ids.message_id(KEY, SEND, "+14255550123")
    assert country_of(ids.erased_recipient(message, country_of("+14255550123"))) == "US"
    assert country_of(ids.erased_recipient(message, None)) is None
    assert country_of(ids.erased_recipient(f"{SEND}.in", "KR")) == "KR"
