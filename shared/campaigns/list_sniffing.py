"""Finding out how a list is written, from its beginning.

People export lists from whatever they have. Where the beginning does not tell for certain which
column holds the numbers, or in which encoding names are written, the caller is asked: a list read
by the wrong column texts strangers, and one read by the wrong encoding greets them by wrong names.

All looking is bounded: a sample of records, of at most the beginning's size.
"""

from __future__ import annotations

import codecs
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from shared.base.errors import InvalidRequest
from shared.campaigns.csv_records import LONGEST, TOO_LONG, CsvRecord, Splitter
from shared.campaigns.list_format import (
    ENCODINGS,
    LONGEST_NAME,
    MOST_COLUMNS,
    Format,
    Shape,
    csv_fields,
    same_name,
)
from shared.rules.invisible import visible
from shared.rules.written_numbers import folded, is_scientific, unguarded

# What `look` wants to see: two records of the longest kind, or a small list as a whole.
HEAD: Final = 2 * LONGEST

_MEMBER: Final = "recipients"
_COLUMN_MEMBER: Final = "numberColumn"
_ENCODING_MEMBER: Final = "list.encoding"
_SAMPLE: Final = 50
_SHOWN: Final = 3
_LONGEST_SHOWN: Final = 60
_MOST_TITLES: Final = 3
_DELIMITERS: Final = (",", ";", "\t", "|")
# Excel's own way of naming the delimiter.
_SEPARATOR_LINE: Final = re.compile(r'"?sep=(?P<delimiter>[,;\t|])"?(?:\r\n|\n|\r)', re.IGNORECASE)
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# The bytes of one UTF-8 character at most, which the end of the head may have cut off.
_CUT: Final = 3

_PUNCTUATION: Final = re.compile(r"[\s()./-]")
_INTERNATIONAL: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_DIGITS: Final = re.compile(r"[0-9]{7,15}")
_BEGINS_A_NUMBER: Final = re.compile(r"[(\[ ]*\+[ (]*[0-9]")
# A cell of a person's record, not a heading: as many digits as a number, and few letters ("x45").
_FEWEST_DIGITS: Final = 7
_MOST_LETTERS: Final = 5
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


@dataclass(frozen=True, slots=True)
class Told:
    """What a caller says of a list; None where it leaves that to us.

    Attributes:
        number: the column with the numbers; compared caseless and trimmed.
        encoding: a key of `ENCODINGS`.
        header: whether the first line names the columns.
    """

    number: str | None = None
    encoding: str | None = None
    header: bool | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What the beginning of a list shows, also where it leaves a doubt.

    Attributes:
        shape: with an empty `number` where that is in doubt.
        candidates: the columns that may hold the number.
        samples: the first records, by column; long values are cut.
        doubt: what an order is refused with; None if nothing is in doubt.
    """

    shape: Shape
    candidates: tuple[str, ...]
    samples: tuple[dict[str, str], ...]
    doubt: InvalidRequest | None


def sniff(head: bytes, told: Told = Told()) -> Shape:
    """The shape of a list.

    Args:
        head: the list from its first byte on; `HEAD` bytes, or all of it if it is shorter.
        told: what the caller says of it. Else it is found by name and by content.

    Raises:
        InvalidRequest: as `look`; or no column or more than one may hold the number, or the named
            one does not exist (`numberColumn`); or it is in none of the encodings that tell
            themselves, and none is named (`list.encoding`).
    """
    found = look(head, told)
    if found.doubt is not None:
        raise found.doubt
    return found.shape


def look(head: bytes, told: Told = Told()) -> Look:
    """What the beginning of a list shows.

    Raises:
        InvalidRequest: the list cannot be read at all: it is empty, UTF-16 without a byte order
            mark, an array instead of lines, or has more than 200 columns (all of them
            `recipients`).
    """
    bom, encoding = next(
        ((len(bom), name) for bom, name in _BOMS if head.startswith(bom)), (0, "utf-8")
    )
    body = head[bom:]
    if not body.strip(b" \t\r\n\0"):
        raise _refused("The list is empty.")
    doubt = None
    if not bom and told.encoding is not None:
        encoding = told.encoding
    if encoding == "utf-8" and not _is_utf8(body, whole=len(head) < HEAD):
        doubt = _unknown_encoding()
        encoding = "windows-1252"
    source = _Source(body, encoding, bom, complete=len(head) < HEAD)
    first = _first(source.records(""))
    if b"\0" in first.raw:
        raise _refused(
            "The list holds NUL bytes: it is no text, or UTF-16 without a byte order mark. Save it"
            " as CSV UTF-8."
        )
    if _text(first).startswith("["):
        raise _refused("The list is a JSON array; write one object a line instead (JSON Lines).")
    reading = _json_lines(source) if _text(first).startswith("{") else _csv(source, told.header)
    number, unclear = _number_column(reading.columns, told.number)
    return Look(
        shape=Shape(
            format=reading.format,
            encoding=encoding,
            delimiter=reading.delimiter,
            header=reading.header,
            columns=tuple(reading.columns),
            number=number,
            start=reading.start,
            first_line=reading.first_line,
        ),
        candidates=(number,) if number else tuple(_candidates(reading.columns)),
        samples=reading.samples,
        doubt=doubt or unclear,
    )


def not_encoded(encoding: str, line: int) -> InvalidRequest:
    """Why a list is refused as a whole whose line is not in its encoding: it would be in part."""
    return InvalidRequest.of(
        _ENCODING_MEMBER,
        f"Line {line} is not {ENCODINGS[encoding][1]}, as the list's beginning is, so that nothing"
        f" of it can be trusted. Save it as CSV UTF-8, or name its encoding: {_encodings()}.",
        code="ListEncoding",
    )


def _unknown_encoding() -> InvalidRequest:
    return InvalidRequest.of(
        _ENCODING_MEMBER,
        "The list is neither UTF-8 nor UTF-16 with a byte order mark. Save it as CSV UTF-8, or name"
        f" its encoding: {_encodings()}.",
        code="ListEncoding",
    )


def _encodings() -> str:
    named = [
        f"{name} ({who})" for name, (_, who) in ENCODINGS.items() if not name.startswith("utf")
    ]
    return ", ".join(named)


def _refused(reason: str) -> InvalidRequest:
    return InvalidRequest.of(_MEMBER, reason)


def _is_utf8(body: bytes, *, whole: bool) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return not whole and len(body) - error.start <= _CUT
    return True


@dataclass(frozen=True, slots=True)
class _Source:
    """The beginning of a list, behind its byte order mark."""

    body: bytes
    encoding: str
    start: int
    complete: bool

    def records(self, delimiter: str, skip: int = 0) -> list[CsvRecord]:
        """The records, from a byte on."""
        splitter = Splitter(ENCODINGS[self.encoding][0], delimiter)
        records = [*splitter.feed(self.body[skip:]), *splitter.finish()]
        # The last record may be cut off by the end of the head.
        return records if self.complete else records[:-1]


@dataclass(frozen=True, slots=True)
class _Reading:
    """A list as it would be read, but for the column of the number."""

    format: Format
    delimiter: str
    header: bool
    columns: Mapping[str, Sequence[str]]
    samples: tuple[dict[str, str], ...]
    start: int
    first_line: int


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


def _sampled(rows: Sequence[Mapping[str, str]]) -> tuple[dict[str, str], ...]:
    return tuple(
        {name: value.strip()[:_LONGEST_SHOWN] for name, value in row.items()}
        for row in rows[:_SHOWN]
    )


# JSON Lines -------------------------------------------------------------------------------------


def _json_lines(source: _Source) -> _Reading:
    columns: dict[str, list[str]] = {}
    # Of names that differ in case alone, the first one stands for all.
    spelled: dict[str, str] = {}
    rows = []
    for record in source.records("")[:_SAMPLE]:
        try:
            entry = json.loads(_text(record) or "{}", parse_int=str, parse_float=str)
        except (ValueError, RecursionError):
            continue
        if not isinstance(entry, dict) or not entry:
            continue
        row = {
            spelled.setdefault(same_name(name), name): value if isinstance(value, str) else ""
            for name, value in entry.items()
        }
        rows.append(row)
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    _check_number_of(columns)
    return _Reading(
        Format.JSON_LINES, "", header=False, columns=columns, samples=_sampled(rows),
        start=source.start, first_line=1,
    )  # fmt: skip


# CSV --------------------------------------------------------------------------------------------


def _csv(source: _Source, header: bool | None) -> _Reading:  # noqa: FBT001  # as told
    told, skip = _separator_line(source)
    delimiter, records = _delimited(source, skip, (told,) if told else _DELIMITERS)
    first = _first(records[_titles(records, delimiter) if header is None else 0 :])
    before = records[: records.index(first)]
    start = source.start + skip + sum(record.size for record in before)
    line = 1 + bool(told) + sum(record.lines for record in before)
    filled = [text for record in records[len(before) :] if (text := _text(record))][:_SAMPLE]
    table = [csv_fields(text, delimiter) for text in filled]
    top = [visible(cell) for cell in table[0]]
    _check_number_of(top)
    if header is None:
        header = _is_header(top, table[1:])
    names = _names(top) if header else tuple(str(place + 1) for place in range(len(top)))
    if header:
        start, line = start + first.size, line + first.lines
    rows = [dict(zip(names, row, strict=False)) for row in table[header:]]
    columns = {name: [row[name] for row in rows if name in row] for name in names}
    return _Reading(Format.CSV, delimiter, header, columns, _sampled(rows), start, line)


def _titles(records: Sequence[CsvRecord], delimiter: str) -> int:
    """How many records stand above a heading: Numbers and reports put the table's title there.

    A title has one filled cell; the record after it names a column of numbers.
    """
    for place, (title, heading) in enumerate(pairwise(records[: _MOST_TITLES + 1])):
        cells = [cell for cell in csv_fields(_text(title), delimiter) if cell.strip()]
        if len(cells) > 1 or any(_looks(cell) or _is_number_name(cell) for cell in cells):
            return 0
        headings = csv_fields(_text(heading), delimiter)
        if len(headings) > 1 and any(_is_number_name(cell) for cell in headings):
            return place + 1
    return 0


def _separator_line(source: _Source) -> tuple[str, int]:
    """The delimiter that Excel's `sep=` names, and the bytes of that line; empty and 0 without."""
    codec = ENCODINGS[source.encoding][0]
    beginning = source.body[:64].decode(codec, "ignore")
    found = _SEPARATOR_LINE.match(beginning)
    return ("", 0) if found is None else (found["delimiter"], len(found[0].encode(codec)))


def _delimited(
    source: _Source, skip: int, delimiters: Sequence[str]
) -> tuple[str, list[CsvRecord]]:
    """The delimiter that leaves a column of numbers, and the records that it cuts.

    Where several do, or none: the one that cuts most records into as many fields as the first.
    """
    tried = [(delimiter, source.records(delimiter, skip)) for delimiter in delimiters]

    def fit(candidate: tuple[str, list[CsvRecord]]) -> tuple[int, bool, float, int]:
        delimiter, records = candidate
        table = [csv_fields(t, delimiter) for t in map(_text, records[:_SAMPLE]) if t]
        if not table:
            return 0, False, 0, 0
        counts = [len(row) for row in table]
        numbers = _numbers_in(table)
        return numbers, counts[0] > 1, counts.count(counts[0]) / len(counts), counts[0]

    return max(tried, key=fit)


def _numbers_in(table: Sequence[Sequence[str]]) -> int:
    """2 if a column is full of numbers with a plus or called like one, 1 if of digits, else 0."""
    width = min(len(table[0]), MOST_COLUMNS)
    columns = [[row[place] for row in table if place < len(row)] for place in range(width)]
    if any(_is_number_name(visible(column[0])) for column in columns):
        return 2
    if any(_mostly(column[1:] or column, _INTERNATIONAL) for column in columns):
        return 2
    return int(any(_mostly(column[1:] or column, _DIGITS) for column in columns))


def _is_header(top: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Whether the first line names columns: it holds nobody's number, and a name or others do."""
    named = any(_is_number_name(cell) for cell in top)
    if any(_begins_a_number(cell) or (not named and _is_of_a_person(cell)) for cell in top):
        return False
    return named or any(_looks(cell) for row in others for cell in row)


def _begins_a_number(cell: str) -> bool:
    return _BEGINS_A_NUMBER.match(unguarded(folded(cell))) is not None


def _is_of_a_person(cell: str) -> bool:
    digits = sum(character.isdigit() for character in cell)
    letters = sum(character.isalpha() for character in cell)
    return (digits >= _FEWEST_DIGITS and letters <= _MOST_LETTERS) or is_scientific(cell)


def _names(top: Sequence[str]) -> tuple[str, ...]:
    """A name for each column, each once.

    Excel leaves columns without a name behind; they are called by their place. Forms have whole
    questions for names; they are cut. Columns of one name are numbered, so that a text that names
    them is refused, and one that does not is not.
    """
    cut = [name[:LONGEST_NAME].strip() or str(place + 1) for place, name in enumerate(top)]
    often = [same_name(name) for name in cut]
    taken = set(often)
    names, numbers = [], dict.fromkeys(often, 0)
    for name, key in zip(cut, often, strict=True):
        if often.count(key) == 1:
            names.append(name)
            continue
        numbered = name
        while same_name(numbered) in taken:
            numbers[key] += 1
            end = f" ({numbers[key]})"
            numbered = name[: LONGEST_NAME - len(end)] + end
        taken.add(same_name(numbered))
        names.append(numbered)
    return tuple(names)


def _check_number_of(names: Sequence[str] | Mapping[str, Any]) -> None:
    if len(names) > MOST_COLUMNS:
        raise _refused(
            f"The list has {len(names)} columns; at most {MOST_COLUMNS} are read. Leave out those"
            " that the text does not need."
        )


# The column of the number -----------------------------------------------------------------------


def _number_column(
    columns: Mapping[str, Sequence[str]], named: str | None
) -> tuple[str, InvalidRequest | None]:
    if named is not None:
        for name in columns:
            if same_name(name) == same_name(named):
                return name, None
        sentence = f"There is no column {named!r}; there are {_listed(columns)}."
        return "", InvalidRequest.of(_COLUMN_MEMBER, sentence)
    found = list(_candidates(columns))
    if len(found) == 1:
        return found[0], None
    if found:
        return "", InvalidRequest.of(
            _COLUMN_MEMBER,
            f"More than one column may hold the number: {_listed(found)}. Name one in"
            f" {_COLUMN_MEMBER}.",
            code="NumberColumnAmbiguous",
        )
    return "", InvalidRequest.of(
        _COLUMN_MEMBER,
        f"No column seems to hold numbers. There are {_listed(columns)}; name one in"
        f" {_COLUMN_MEMBER}.",
        code="NumberColumnNotFound",
    )


def _candidates(columns: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Columns called like a number or full of E.164; else those full of digits.

    A name that its column's content speaks against (SMS: yes, no) counts only where no other is.
    """
    named = [name for name in columns if _is_number_name(name)]
    full = [name for name, cells in columns.items() if _mostly(cells, _INTERNATIONAL)]
    digits = [name for name, cells in columns.items() if _mostly(cells, _DIGITS)]
    borne_out = [name for name in named if name in full or name in digits]
    certain = {*full, *borne_out} or ({} if digits and _filled(columns, named) else set(named))
    yield from (name for name in columns if name in (certain or digits))


def _filled(columns: Mapping[str, Sequence[str]], names: Sequence[str]) -> bool:
    return any(cell.strip() for name in names for cell in columns[name])


def _is_number_name(name: str) -> bool:
    return _IGNORED_IN_NAMES.sub("", same_name(name)) in _NUMBER_NAMES


def _mostly(cells: Sequence[str], form: re.Pattern[str]) -> bool:
    filled = [cell for cell in cells if cell.strip()]
    fitting = sum(_fits(cell, form) for cell in filled)
    return bool(filled) and 2 * fitting >= len(filled)


def _looks(cell: str) -> bool:
    return _fits(cell, _INTERNATIONAL) or _fits(cell, _DIGITS)


def _fits(cell: str, form: re.Pattern[str]) -> bool:
    # Longer than any number, however it is written.
    if len(cell) > 2 * _LONGEST_SHOWN:
        return False
    # Exports of address books join several numbers; each of them speaks for its column.
    written = unguarded(folded(cell.partition(" ::: ")[0]))
    return form.fullmatch(_PUNCTUATION.sub("", written)) is not None or is_scientific(written)


def _listed(names: Mapping[str, Any] | Sequence[str]) -> str:
    shown = [repr(name) for name in list(names)[:10]]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return ", ".join(shown) + more
