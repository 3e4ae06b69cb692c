"""Where records lie: laws that hold for any bytes, with limits small enough to be met often."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.campaigns.csv_records import TOO_LONG, UNCLOSED, CsvRecord, Splitter

SMALL = 16
TEXTS = st.lists(
    st.sampled_from(["a", "b" * SMALL, "c" * 5 * SMALL, '"', '""', ",", "\n", "\r", "\r\n", "😀"]),
    max_size=40,
).map("".join)
ENCODINGS = st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"])
DELIMITERS = st.sampled_from([",", ""])


def _split(pieces: Iterable[bytes], encoding: str, delimiter: str) -> list[CsvRecord]:
    splitter = Splitter(encoding, delimiter, longest=SMALL)
    found = [record for piece in pieces for record in splitter.feed(piece)]
    return [*found, *splitter.finish()]


@settings(deadline=None, max_examples=500)
@given(text=TEXTS, encoding=ENCODINGS, delimiter=DELIMITERS, size=st.integers(1, 40))
def test_pieces_of_any_size_give_the_same_records(
    text: str, encoding: str, delimiter: str, size: int
) -> None:
    """How a source arrives changes nothing, not even around broken records."""
    data = text.encode(encoding)
    whole = _split([data], encoding, delimiter)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert _split(pieces, encoding, delimiter) == whole
    assert sum(record.size for record in whole) == len(data)


@settings(deadline=None, max_examples=500)
@given(text=TEXTS, encoding=ENCODINGS, delimiter=DELIMITERS, data=st.data())
def test_a_part_between_two_records_reads_as_it_did_in_the_whole(
    text: str, encoding: str, delimiter: str, data: st.DataObject
) -> None:
    """A piece named by its bytes holds the same records when it is read alone."""
    source = text.encode(encoding)
    whole = _split([source], encoding, delimiter)
    first = data.draw(st.integers(0, len(whole)))
    last = data.draw(st.integers(first, len(whole)))
    start = sum(record.size for record in whole[:first])
    end = start + sum(record.size for record in whole[first:last])
    assert _split([source[start:end]], encoding, delimiter) == whole[first:last]


@settings(deadline=None)
@given(source=st.binary(max_size=120), encoding=ENCODINGS, delimiter=DELIMITERS)
def test_records_cover_any_bytes(source: bytes, encoding: str, delimiter: str) -> None:
    """Every byte of a source belongs to one record, be it a text or not."""
    found = _split([source], encoding, delimiter)
    assert sum(record.size for record in found) == len(source)
    if encoding == "utf-8" and not any(record.broken == TOO_LONG for record in found):
        assert b"".join(record.raw for record in found) == source


@pytest.mark.parametrize(
    ("source", "records"),
    [
        (b"a\nb\r\nc\rd", [(b"a\n", 1, None), (b"b\r\n", 1, None), (b"c\r", 1, None),
                           (b"d", 1, None)]),
        (b'"a\r\nb"\n', [(b'"a\r\nb"\n', 2, None)]),
        (b'a"b\nc"', [(b'a"b\n', 1, None), (b'c"', 1, None)]),
        (b'"a\nb\n', [(b'"a\n', 1, UNCLOSED), (b"b\n", 1, None)]),
        (b'"a\n' + b"b\n" * 20, [(b'"a\n', 1, UNCLOSED)] + [(b"b\n", 1, None)] * 20),
        (b"x" * 16 + b"\r\ny", [(b"x" * 16 + b"\r\n", 1, None), (b"y", 1, None)]),
        (b"x" * 17 + b"\ny", [(b"", 1, TOO_LONG), (b"y", 1, None)]),
        (b'"\n' + b"x" * 13 + b'"\ny', [(b'"\n' + b"x" * 13 + b'"\n', 2, None), (b"y", 1, None)]),
        (b'"\n' + b"x" * 14 + b'"\ny', [(b'"\n', 1, UNCLOSED), (b"x" * 14 + b'"\n', 1, None),
                                        (b"y", 1, None)]),
        (b"x" * 100, [(b"", 1, TOO_LONG)]),
        (b'"' + b"x" * 100 + b'"\ny', [(b"", 1, TOO_LONG), (b"y", 1, None)]),
    ],
)  # fmt: skip
def test_records(source: bytes, records: list[tuple[bytes, int, str | None]]) -> None:
    """Lines end records, except in quotes; a quote that never closes breaks its own line alone."""
    found = _split([source], "utf-8", ",")
    assert [(record.raw, record.lines, record.broken) for record in found] == records
