"""Recipient lists as streams: CSV and JSON Lines of any size, read a piece at a time.

Three uses, one reader: `sniff` looks at the beginning of a list and finds its shape, for the dry
run to show (`shared.campaigns.list_sniffing`); `ranges` cuts a list into pieces of so many records
without parsing them, for a queue message to name by bytes; `rows` and `read_range` read records, a
whole list's or a piece's, and both see the same. Memory depends on the longest record allowed,
never on the list.

A bad record never stops the rest: it comes back as `Refused` with its line and a reason. Only what
makes every record doubtful refuses a list as a whole: what `sniff` says, and a record that is not
in the list's encoding, since those around it then only seem to be.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from shared.campaigns.csv_records import CsvRecord, Splitter
from shared.campaigns.list_format import ENCODINGS, NOT_TEXT, Format, Shape, csv_fields, same_name
from shared.campaigns.list_sniffing import HEAD, Told, not_encoded, sniff
from shared.rules.written_numbers import is_scientific

__all__ = [
    "HEAD",
    "Format",
    "ListRow",
    "Range",
    "Refused",
    "Shape",
    "Told",
    "ranges",
    "ranges_async",
    "read_range",
    "rows",
    "rows_async",
    "sniff",
]

_NUL: Final = "The record holds NUL bytes; they are no part of a text."
_COLUMNS: Final = "The record has {0} columns, the list has {1}."
_COLUMNS_OVER_LINES: Final = (
    "The record has {0} columns, the list has {1}. It takes {2} lines: a quotation mark may be"
    " missing or too much."
)
_NO_NUMBER: Final = "There is no number in the number column."
_DIGITS_LOST: Final = (
    "The number is in scientific notation (such as 1.4255E+10): Excel has lost its last digits."
    " Format the column as text and export the list again."
)
_NOT_JSON: Final = "The line is not JSON."
_NOT_AN_OBJECT: Final = "The line is JSON, but not an object."
_TWICE: Final = "The object names a member twice."

_T = TypeVar("_T")
# The number and the fields of a record; or why it is refused; or None for a blank line.
_Found: TypeAlias = tuple[str, dict[str, str]] | str | None
# Of a record's text and the number of its lines.
_Parser: TypeAlias = Callable[[str, int], _Found]


class ListRow(NamedTuple):
    """A readable record.

    Attributes:
        line: the line of the source on which it begins; the first is 1.
        offset: its first byte in the source.
        length: its bytes, with its line end.
        number: the number as written; not yet judged.
        fields: all columns by name, the number's too; for JSON Lines without those that are null,
            and `NOT_TEXT` for what is neither a text nor a number.
    """

    line: int
    offset: int
    length: int
    number: str
    fields: dict[str, str]


class Refused(NamedTuple):
    """A record that cannot be read; nobody is texted for it.

    Attributes:
        line: the line of the source on which it begins.
        reason: a sentence for the list's owner; it repeats no value of the record.
        offset: its first byte in the source.
        length: its bytes.
    """

    line: int
    reason: str
    offset: int = 0
    length: int = 0


class Range(NamedTuple):
    """A piece of a list.

    Attributes:
        offset: its first byte in the source.
        length: its bytes.
        first_line: the line on which it begins.
        records: how many records it holds, readable or not. Empty lines are none; a line of
            delimiters alone is counted here, although `rows` passes it over.
    """

    offset: int
    length: int
    first_line: int
    records: int


def rows(source: Iterable[bytes], shape: Shape) -> Iterator[ListRow | Refused]:
    """The records of a whole list, given from its first byte on in pieces of any size.

    Raises:
        InvalidRequest: a record is not in the list's encoding (`list.encoding`).
    """
    return _read(source, _Rows(shape))


def rows_async(source: AsyncIterable[bytes], shape: Shape) -> AsyncIterator[ListRow | Refused]:
    """As `rows`, for a source that is awaited."""
    return _read_async(source, _Rows(shape))


def read_range(
    data: bytes, shape: Shape, first_line: int, offset: int = 0
) -> Iterator[ListRow | Refused]:
    """The records of one `Range` alone: the same that `rows` gives for that part of the list.

    Args:
        data: the bytes of the range.
        shape: the list's.
        first_line: the range's.
        offset: the range's; with 0, the rows' offsets count from the range's beginning.
    """
    return _read((data,), _Rows(shape, at=offset, line=first_line, skip=0))


def ranges(source: Iterable[bytes], shape: Shape, records: int) -> Iterator[Range]:
    """Pieces of a list with so many records each, the last one with fewer; nothing is parsed.

    The pieces touch each other and hold every record. A blank line belongs to the piece of the
    record after it; those after the last record are left out.
    """
    return _read(source, _Ranges(shape, records))


def ranges_async(source: AsyncIterable[bytes], shape: Shape, records: int) -> AsyncIterator[Range]:
    """As `ranges`, for a source that is awaited."""
    return _read_async(source, _Ranges(shape, records))


def _read(source: Iterable[bytes], reader: _ListReader[_T]) -> Iterator[_T]:
    for piece in source:
        yield from reader.feed(piece)
    yield from reader.finish()


async def _read_async(source: AsyncIterable[bytes], reader: _ListReader[_T]) -> AsyncIterator[_T]:
    async for piece in source:
        for found in reader.feed(piece):
            yield found
    for found in reader.finish():
        yield found


class _ListReader(Generic[_T]):
    """Feeds a splitter and leaves out what comes before the first record."""

    def __init__(self, shape: Shape, *, skip: int | None = None) -> None:
        self._splitter = Splitter(ENCODINGS[shape.encoding][0], shape.delimiter)
        self._skip = shape.start if skip is None else skip

    def feed(self, piece: bytes) -> Iterator[_T]:
        if self._skip:
            skipped = min(self._skip, len(piece))
            self._skip -= skipped
            piece = piece[skipped:]
        return self._take(self._splitter.feed(piece))

    def finish(self) -> Iterator[_T]:
        return self._take(self._splitter.finish())

    def _take(self, records: Iterator[CsvRecord]) -> Iterator[_T]:
        raise NotImplementedError


class _Rows(_ListReader[ListRow | Refused]):
    def __init__(
        self,
        shape: Shape,
        *,
        at: int | None = None,
        line: int | None = None,
        skip: int | None = None,
    ) -> None:
        super().__init__(shape, skip=skip)
        self._at = shape.start if at is None else at
        self._line = shape.first_line if line is None else line
        self._parse: _Parser = (
            _csv_parser(shape) if shape.format is Format.CSV else _json_parser(shape)
        )
        self._encoding = shape.encoding

    def _take(self, records: Iterator[CsvRecord]) -> Iterator[ListRow | Refused]:
        for raw, size, lines, broken in records:
            found = broken or self._judge(raw, lines)
            if found is None:
                pass
            elif isinstance(found, str):
                yield Refused(self._line, found, self._at, size)
            else:
                yield ListRow(self._line, self._at, size, *found)
            self._at += size
            self._line += lines

    def _judge(self, raw: bytes, lines: int) -> _Found:
        content = raw.rstrip(b"\r\n")
        if b"\0" in content:
            return _NUL
        try:
            text = content.decode()
        except UnicodeDecodeError:
            raise not_encoded(self._encoding, self._line) from None
        return self._parse(text, lines)


class _Ranges(_ListReader[Range]):
    def __init__(self, shape: Shape, records: int) -> None:
        super().__init__(shape)
        self._wanted = records
        self._at, self._line = shape.start, shape.first_line
        self._size = self._lines = self._records = 0

    def _take(self, records: Iterator[CsvRecord]) -> Iterator[Range]:
        for raw, size, lines, broken in records:
            self._size += size
            self._lines += lines
            if not broken and not raw.strip():
                continue
            self._records += 1
            if self._records == self._wanted:
                yield self._cut()

    def finish(self) -> Iterator[Range]:
        yield from super().finish()
        if self._records:
            yield self._cut()

    def _cut(self) -> Range:
        piece = Range(self._at, self._size, self._line, self._records)
        self._at += self._size
        self._line += self._lines
        self._size = self._lines = self._records = 0
        return piece


def _csv_parser(shape: Shape) -> _Parser:
    columns, delimiter = shape.columns, shape.delimiter
    width, place = len(columns), columns.index(shape.number)
    blank = " " + delimiter

    def parse(text: str, lines: int) -> _Found:
        fields = csv_fields(text, delimiter)
        if len(fields) != width:
            if not text.strip(blank):
                return None
            # Exports leave out empty cells at a row's end, or write some more.
            if lines > 1 or any(cell.strip() for cell in fields[width:]):
                reason = _COLUMNS if lines == 1 else _COLUMNS_OVER_LINES
                return reason.format(len(fields), width, lines)
            fields = (fields + [""] * width)[:width]
        number = fields[place]
        if not number.strip():
            return _NO_NUMBER if text.strip(blank) else None
        # The two letters sort out nearly all numbers before the pattern is asked.
        if ("E" in number or "e" in number) and is_scientific(number):
            return _DIGITS_LOST
        return number, dict(zip(columns, fields, strict=True))

    return parse


class _Repeated(ValueError):
    """An object names a member twice."""


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Repeated
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(name)


# Numbers stay as they are written: 14255550123 must not become 1.4255550123E10 on its way.
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_without_repeats,
    parse_float=lambda written: written,
    parse_int=lambda written: written,
    parse_constant=_no_constant,
)


def _json_parser(shape: Shape) -> _Parser:
    wanted = shape.number
    key = same_name(wanted)

    def parse(text: str, _lines: int) -> _Found:
        if not text.strip():
            return None
        try:
            entry = _DECODER.decode(text)
        except _Repeated:
            return _TWICE
        except (ValueError, RecursionError):
            return _NOT_JSON
        return _members(entry, wanted, key) if isinstance(entry, dict) else _NOT_AN_OBJECT

    return parse


def _members(entry: dict[str, Any], wanted: str, key: str) -> _Found:
    # What nobody uses is not judged: true, lists and objects stand in many exports.
    fields = {
        name: value if isinstance(value, str) else NOT_TEXT
        for name, value in entry.items()
        if value is not None
    }
    number = fields.get(wanted)
    if number is None:
        number = next((value for name, value in fields.items() if same_name(name) == key), "")
    if not number.strip():
        return _NO_NUMBER
    return _DIGITS_LOST if is_scientific(number) else (number, fields)
