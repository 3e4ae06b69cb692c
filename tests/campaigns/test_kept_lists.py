"""A list from which somebody was erased is the list that campaigns were ordered with."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.campaigns.kept_lists import _blanked, _places
from shared.campaigns.list_format import ENCODINGS
from shared.campaigns.list_reader import ListRow, rows, sniff
from shared.rules.whom import Whom

WHOM = Whom("+14255550123", datetime(2026, 11, 29, tzinfo=UTC))
OTHERS = ["+14255550124", "+14255550125", "+14255550126"]
CSV = (
    'phone;name\r\n{};A\r\n(425) 555-0123;"Jörg ""J""\r\nof two lines; or three"\r\n{};B\r\n'
    "+14255550123;again\r\n{};C"
).format(*OTHERS)
JSON = "".join(
    f'{{"to": "{number}", "n": "x"}}\n' for number in (OTHERS[0], WHOM.address, OTHERS[1])
)


def without(data: bytes) -> bytes:
    """The list as an erasure leaves it."""
    shape = sniff(data)
    codec = ENCODINGS[shape.encoding][0]
    blank = bytearray(data)
    for start, end in _places(data, shape):
        if WHOM.is_in(data[start:end].decode(codec)):
            blank[start:end] = _blanked(data[start:end], codec)
    return bytes(blank)


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("text", [CSV, JSON])
def test_the_others_stay_where_they_were(text: str, codec: str) -> None:
    """Each record of somebody else has its line, its first byte and its fields; of the person
    nothing is left, over however many lines it went; the size is the same."""
    data = text.encode(codec)
    after = without(data)
    shape = sniff(data)
    assert len(after) == len(data)
    before = [r for r in rows((data,), shape) if isinstance(r, ListRow) and r.number in OTHERS]
    assert list(rows((after,), shape)) == before
    assert len(before) == text.count("+1425555012") - text.count(WHOM.address)
    assert not WHOM.is_in(after.decode("utf-16" if codec == "utf-16" else "utf-8"))
    assert "two lines" not in after.decode("utf-16" if codec == "utf-16" else "utf-8")
