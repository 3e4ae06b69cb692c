"""Pages: their size, and the key in a `nextLink`."""

from __future__ import annotations

import pytest

from shared.base.errors import InvalidRequest
from shared.base.pages import DEFAULT_PAGE, PageKeys, read_limit

KEYS = PageKeys(0, lambda text: int(text) if text in {"0", "1", "7"} else None)


def test_a_key_is_what_a_link_holds() -> None:
    """The first page begins at the beginning, others behind a key of ours, also a false one."""
    assert [KEYS.after(text) for text in (None, "7", "0")] == [0, 7, 0]


@pytest.mark.parametrize("text", ["", "8", "7 ", "\x00", "x" * 9_000])
def test_a_key_that_is_none_of_ours(text: str) -> None:
    """The parameter is named."""
    with pytest.raises(InvalidRequest) as refused:
        KEYS.after(text)
    assert list(refused.value.errors) == ["after"]


def test_the_size_of_a_page() -> None:
    """50 unless the caller asks for 1 to 500."""
    assert [read_limit(text) for text in (None, "1", "500")] == [DEFAULT_PAGE, 1, 500]


@pytest.mark.parametrize("text", ["", "0", "501", "-1", "1.0", " 1", "\u0661", "1" * 5_000])
def test_a_size_that_is_none(text: str) -> None:
    """The parameter is named, however many digits it has."""
    with pytest.raises(InvalidRequest) as refused:
        read_limit(text)
    assert list(refused.value.errors) == ["maxpagesize"]
