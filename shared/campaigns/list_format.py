"""What a recipient list looks like: format, encoding, columns, and which of them is the number.

People export lists from whatever they have. The beginning of a list tells how it is written; where
it does not tell for certain which column holds the numbers, the caller is asked: a list read by the
wrong column texts strangers.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from shared.base.errors import InvalidRequest
from shared.campaigns.csv_records import LONGEST, TOO_LONG, CsvRecord, Splitter

MOST_COLUMNS: Final = 200
# What `sniff` wants to see: two records of the longest kind, or a small list as a whole.
HEAD: Final = 2 * LONGEST

_MEMBER: Final = "recipients"
_COLUMN_MEMBER: Final = "numberColumn"
_SAMPLE: Final = 50
LONGEST_NAME: Final = 100
_DELIMITERS: Final = (",", ";", "\t", "|")
# Excel's own way of naming the delimiter.
_SEPARATOR_LINE: Final = re.compile(rb"sep=(?P<delimiter>[,;\t|])(?:\r\n|\n|\r)", re.IGNORECASE)
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_SCIENTIFIC: Final = re.compile(r"[0-9]+(?:[.,][0-9]*)?[eE]\+?[0-9]+")
_PUNCTUATION: Final = re.compile(r"[\s()./\u2010-\u2015-]")
_INTERNATIONAL: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_DIGITS: Final = re.compile(r"[0-9]{7,15}")
_IGNORED_IN_NAMES: Final = re.compile(r"[\s_.:#-]")
_NUMBER_NAMES_TEXT: Final = (
    "phone phonenumber phoneno mobile mobilephone mobilenumber mobileno cell cellphone"
    " cellnumber cellno number to recipient msisdn tel telephone telephonenumber sms smsnumber e164"
    " telefon telefonnummer telefonnr handy handynummer mobil mobilnummer mobiltelefon"
    " rufnummer nummer téléphone portable numéro numérodetéléphone telefoon telefoonnummer"
    " teléfono telefono móvil movil celular número numero cellulare telefone telemóvel puhelin"
    " 전화번호 전화 휴대폰 휴대폰번호 휴대전화 휴대전화번호 핸드폰 핸드폰번호 연락처 수신번호"
    " 電話番号 携帯電話 携帯番号 手机 手机号 手机号码 电话 电话号码 電話"
)
_NUMBER_NAMES: Final = frozenset(unicodedata.normalize("NFC", _NUMBER_NAMES_TEXT).split())


class Format(StrEnum):
    """How a list is written."""

    CSV = "csv"
    JSON_LINES = "jsonLines"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a list looks like; with it, any piece of the list can be read alone.

    Attributes:
        format: CSV or JSON Lines.
        encoding: `utf-8`, `utf-16-le` or `utf-16-be`.
        delimiter: between CSV fields; empty for JSON Lines. Quotation marks are always `"`.
        header: whether the first line names the columns.
        columns: their names; without a header `1`, `2`, and so on; for JSON Lines those that the
            beginning of the list uses.
        number: the name of the column that holds the number.
        start: the byte offset of the first record.
        first_line: its line; the source's first line is 1.
    """

    format: Format
    encoding: str
    delimiter: str
    header: bool
    columns: tuple[str, ...]
    number: str
    start: int
    first_line: int

    def to_json(self) -> dict[str, Any]:
        """A form that JSON can keep, with camelCase members; `from_json` reads it."""
        return {
            "format": self.format.value,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "header": self.header,
            "columns": list(self.columns),
            "numberColumn": self.number,
            "start": self.start,
            "firstLine": self.first_line,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Shape:
        """What `to_json` wrote."""
        return cls(
            format=Format(value["format"]),
            encoding=value["encoding"],
            delimiter=value["delimiter"],
            header=value["header"],
            columns=tuple(value["columns"]),
            number=value["numberColumn"],
            start=value["start"],
            first_line=value["firstLine"],
        )


def same_name(text: str) -> str:
    """The form in which names of columns and placeholders are compared: trimmed, caseless, NFC."""
    return unicodedata.normalize("NFC", text).strip().casefold()


def csv_fields(text: str, delimiter: str) -> list[str]:
    """The fields of one CSV record without its line end."""
    if '"' not in text:
        return text.split(delimiter)
    return next(csv.reader((text,), delimiter=delimiter), [])


def is_scientific(text: str) -> bool:
    """Excel's 1.4255E+10: a number whose last digits are lost."""
    return _SCIENTIFIC.fullmatch(text.strip()) is not None


def sniff(head: bytes, *, number: str | None = None) -> Shape:
    """The shape of a list.

    Args:
        head: the list from its first byte on; `HEAD` bytes, or all of it if it is shorter.
        number: the column that the caller names; compared caseless and trimmed. Else it is found
            by name and by content.

    Raises:
        InvalidRequest: the list is refused as a whole: it is empty, neither UTF-8 nor UTF-16 with
            a byte order mark, an array instead of lines, has more than 200 columns or two of one
            name (all of them `recipients`); no column or more than one may hold the number, or the
            named one does not exist (`numberColumn`).
    """
    bom, encoding = next(
        ((len(bom), name) for bom, name in _BOMS if head.startswith(bom)), (0, "utf-8")
    )
    body = head[bom:]
    complete = len(head) < HEAD
    if not body.strip(b" \t\r\n\0"):
        raise _refused("The list is empty.")
    first = _first(_sample(body, encoding, "", complete=complete))
    if b"\0" in first.raw:
        raise _refused(
            "The list holds NUL bytes: it is no text, or UTF-16 without a byte order mark. Save it"
            " as CSV UTF-8."
        )
    if _text(first).startswith("["):
        raise _refused("The list is a JSON array; write one object a line instead (JSON Lines).")
    if _text(first).startswith("{"):
        return _json_lines(body, encoding, bom, number, complete=complete)
    return _csv(body, encoding, bom, number, complete=complete)


def _refused(reason: str) -> InvalidRequest:
    return InvalidRequest.of(_MEMBER, reason)


def _sample(body: bytes, encoding: str, delimiter: str, *, complete: bool) -> list[CsvRecord]:
    splitter = Splitter(encoding, delimiter)
    records = [*splitter.feed(body), *splitter.finish()]
    # The last record may be cut off by the end of the head.
    return records if complete else records[:-1]


def _first(records: Sequence[CsvRecord]) -> CsvRecord:
    """The first record that is no blank line."""
    first = next((record for record in records if record.broken or _text(record)), None)
    if first is None or first.broken == TOO_LONG:
        raise _refused(
            f"The first line is longer than 64 KiB. At most {MOST_COLUMNS} columns are read."
        )
    if first.broken:
        raise _refused(f"The first line cannot be read: {first.broken}")
    return first


def _text(record: CsvRecord) -> str:
    """The record without its line end; empty for a blank line and for what is not readable."""
    if record.broken:
        return ""
    return record.raw.decode("utf-8", "ignore").strip("\r\n").strip(" ")


def _json_lines(
    body: bytes, encoding: str, bom: int, number: str | None, *, complete: bool
) -> Shape:
    columns: dict[str, list[str]] = {}
    for record in _sample(body, encoding, "", complete=complete)[:_SAMPLE]:
        try:
            entry = json.loads(_text(record) or "{}", parse_int=str, parse_float=str)
        except (ValueError, RecursionError):
            continue
        for name, value in entry.items() if isinstance(entry, dict) else ():
            columns.setdefault(name, []).append(value if isinstance(value, str) else "")
    _check_columns(tuple(columns))
    return Shape(
        format=Format.JSON_LINES,
        encoding=encoding,
        delimiter="",
        header=False,
        columns=tuple(columns),
        number=_number_column(columns, number),
        start=bom,
        first_line=1,
    )


def _csv(body: bytes, encoding: str, bom: int, number: str | None, *, complete: bool) -> Shape:
    start, line = bom, 1
    delimiters: tuple[str, ...] = _DELIMITERS
    if encoding == "utf-8" and (told := _SEPARATOR_LINE.match(body)):
        delimiters = (told["delimiter"].decode(),)
        start, line, body = start + told.end(), line + 1, body[told.end() :]
    delimiter, records = _delimited(body, encoding, delimiters, complete=complete)
    first = _first(records)
    for record in records[: records.index(first)]:
        start, line = start + record.size, line + record.lines
    table = [csv_fields(_text(record), delimiter) for record in records if _text(record)][:_SAMPLE]
    top = [cell.strip() for cell in table[0]]
    if len(top) > MOST_COLUMNS:
        raise _refused(
            f"The list has {len(top)} columns; at most {MOST_COLUMNS} are read. Leave out those"
            " that the text does not need."
        )
    header = _is_header(top, table[1:])
    names = _names(top) if header else tuple(str(place + 1) for place in range(len(top)))
    _check_columns(names)
    if header:
        _check_readable(first)
        start, line = start + first.size, line + first.lines
    columns = {
        name: [row[place] for row in table[header:] if place < len(row)]
        for place, name in enumerate(names)
    }
    return Shape(
        format=Format.CSV,
        encoding=encoding,
        delimiter=delimiter,
        header=header,
        columns=names,
        number=_number_column(columns, number),
        start=start,
        first_line=line,
    )


def _delimited(
    body: bytes, encoding: str, delimiters: Sequence[str], *, complete: bool
) -> tuple[str, list[CsvRecord]]:
    """The delimiter that cuts most records into as many fields as the first, and the records."""
    tried = [(d, _sample(body, encoding, d, complete=complete)) for d in delimiters]

    def fit(candidate: tuple[str, list[CsvRecord]]) -> tuple[bool, float, int]:
        delimiter, records = candidate
        counts = [len(csv_fields(t, delimiter)) for t in map(_text, records[:_SAMPLE]) if t]
        if not counts:
            return False, 0, 0
        return counts[0] > 1, counts.count(counts[0]) / len(counts), counts[0]

    return max(tried, key=fit)


def _check_readable(header: CsvRecord) -> None:
    try:
        header.raw.decode()
    except UnicodeDecodeError:
        raise _refused(
            "The first line is neither UTF-8 nor UTF-16 with a byte order mark. Save the list as"
            " CSV UTF-8."
        ) from None


def _is_header(top: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    if any(_looks(cell) for cell in top):
        return False
    if any(_is_number_name(cell) for cell in top):
        return True
    return any(_looks(cell) for row in others for cell in row)


def _names(top: Sequence[str]) -> tuple[str, ...]:
    # Excel leaves columns without a name behind; they are called by their place.
    return tuple(name or str(place + 1) for place, name in enumerate(top))


def _check_columns(names: Sequence[str]) -> None:
    if len(names) > MOST_COLUMNS:
        raise _refused(f"The list has {len(names)} columns; at most {MOST_COLUMNS} are read.")
    seen: dict[str, str] = {}
    for name in names:
        if len(name) > LONGEST_NAME:
            raise _refused(f"A column's name is longer than {LONGEST_NAME} characters.")
        if (other := seen.get(same_name(name))) is not None:
            raise _refused(f"Two columns are called {other!r}; give each a name of its own.")
        seen[same_name(name)] = name


def _number_column(columns: Mapping[str, Sequence[str]], named: str | None) -> str:
    if named is not None:
        for name in columns:
            if same_name(name) == same_name(named):
                return name
        raise InvalidRequest.of(
            _COLUMN_MEMBER, f"There is no column {named!r}; there are {_listed(columns)}."
        )
    found = list(_candidates(columns))
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidRequest.of(
            _COLUMN_MEMBER,
            f"More than one column may hold the number: {_listed(found)}. Name one in"
            f" {_COLUMN_MEMBER}.",
            code="NumberColumnAmbiguous",
        )
    raise InvalidRequest.of(
        _COLUMN_MEMBER,
        f"No column seems to hold numbers. There are {_listed(columns)}; name one in"
        f" {_COLUMN_MEMBER}.",
        code="NumberColumnNotFound",
    )


def _candidates(columns: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Columns called like a number or full of E.164; else those full of digits."""
    certain = [
        name
        for name, cells in columns.items()
        if _is_number_name(name) or _mostly(cells, _INTERNATIONAL)
    ]
    yield from certain or (name for name, cells in columns.items() if _mostly(cells, _DIGITS))


def _is_number_name(name: str) -> bool:
    return _IGNORED_IN_NAMES.sub("", same_name(name)) in _NUMBER_NAMES


def _mostly(cells: Sequence[str], form: re.Pattern[str]) -> bool:
    filled = [cell for cell in cells if cell.strip()]
    fitting = sum(_fits(cell, form) for cell in filled)
    return bool(filled) and 2 * fitting >= len(filled)


def _looks(cell: str) -> bool:
    return _fits(cell, _INTERNATIONAL) or _fits(cell, _DIGITS)


def _fits(cell: str, form: re.Pattern[str]) -> bool:
    return form.fullmatch(_PUNCTUATION.sub("", cell)) is not None or is_scientific(cell)


def _listed(names: Mapping[str, Any] | Sequence[str]) -> str:
    shown = [repr(name) for name in list(names)[:10]]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return ", ".join(shown) + more
