"""Recipient lists: what people really export, and what must hold for any list."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.base.errors import InvalidRequest
from shared.campaigns.csv_records import LONGEST
from shared.campaigns.list_format import ENCODINGS, NOT_TEXT
from shared.campaigns.list_reader import (
    HEAD,
    Format,
    ListRow,
    Refused,
    Shape,
    Told,
    ranges,
    ranges_async,
    read_range,
    rows,
    rows_async,
    sniff,
)
from shared.campaigns.list_sniffing import look

HEADER = b"name,phone\n"


def _read(data: bytes, number: str | None = None) -> list[ListRow | Refused]:
    return list(rows([data], sniff(data[:HEAD], Told(number))))


def _numbers(data: bytes, number: str | None = None) -> list[str]:
    found = _read(data, number)
    assert not [row for row in found if isinstance(row, Refused)]
    return [row.number for row in found if isinstance(row, ListRow)]


def _refusals(data: bytes) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in _read(data) if isinstance(row, Refused)]


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


TABLE = "name;phone\r\nAnn;+14255550123\r\nZoé;+14255550124\r\n"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TABLE.encode(), "utf-8"),
        (TABLE.encode("utf-8-sig"), "utf-8"),
        (("\ufeff" + TABLE).encode("utf-16-le"), "utf-16-le"),
        (("\ufeff" + TABLE).encode("utf-16-be"), "utf-16-be"),
    ],
)
def test_encodings(data: bytes, encoding: str) -> None:
    """A list is read the same in UTF-8, with a mark or without, and in UTF-16 with one."""
    shape = sniff(data)
    assert (shape.encoding, shape.columns) == (encoding, ("name", "phone"))
    found = list(rows([data], shape))
    assert [row.fields for row in found if isinstance(row, ListRow)] == [
        {"name": "Ann", "phone": "+14255550123"},
        {"name": "Zoé", "phone": "+14255550124"},
    ]
    for row in found:
        piece = data[row.offset : row.offset + row.length].decode(encoding)
        assert piece in TABLE.splitlines(keepends=True)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(delimiter: str, end: str) -> None:
    """Every usual delimiter and line end is found; the other delimiters may stand in values."""
    others = ",;|".replace(delimiter, "")
    text = end.join(["name|phone|note", "Ann|+14255550123|a", f"Bob|+14255550124|{others} "])
    data = text.replace("|", delimiter, 5).replace("24|", "24" + delimiter).encode()
    data = data.replace(b"Bob|", b"Bob" + delimiter.encode())
    shape = sniff(data)
    assert shape.delimiter == delimiter
    assert _numbers(data) == ["+14255550123", "+14255550124"]


def test_excels_delimiter_line() -> None:
    """`sep=;` is Excel's word to itself, not a header."""
    data = b"sep=;\r\nname;phone\r\nAnn;+14255550123\r\n"
    assert [(row.line, row.offset) for row in _read(data)] == [(3, 19)]


@pytest.mark.parametrize(
    ("data", "header", "columns", "number"),
    [
        (b"+14255550123\n+14255550124\n", False, ("1",), "1"),
        (b"Ann,+1 (425) 555-0123\nBob,+14255550124\n", False, ("1", "2"), "2"),
        (b"Ann,14255550123\n", False, ("1", "2"), "2"),
        (b"who,where\nAnn,+14255550123\n", True, ("who", "where"), "where"),
        (b"a,b\nAnn,4255550123\n", True, ("a", "b"), "b"),
        (b"phone\n", True, ("phone",), "phone"),
        (
            b"Name, Mobile Phone \nAnn,+14255550123\n",
            True,
            ("Name", "Mobile Phone"),
            "Mobile Phone",
        ),
        (b"name,phone,\nAnn,+14255550123,\n", True, ("name", "phone", "3"), "phone"),
        (b"\n\nname,phone\nAnn,+14255550123\n", True, ("name", "phone"), "phone"),
        (b'"name","phone"\n"Ann","+14255550123"\n', True, ("name", "phone"), "phone"),
        (b"name,phone\nAnn,1.4255E+10\n", True, ("name", "phone"), "phone"),
    ],
)
def test_header_and_number_column(
    data: bytes,
    header: bool,  # noqa: FBT001  # a column of the table
    columns: tuple[str, ...],
    number: str,
) -> None:
    """Whether the first line names columns, and which holds the number, follows from the list."""
    shape = sniff(data)
    assert (shape.header, shape.columns, shape.number) == (header, columns, number)


@pytest.mark.parametrize(
    "name",
    ["phone", "Mobile", "number", "to", "Recipient", "MSISDN", "Telefon", "téléphone",
     "Te\u0301le\u0301phone", "전화번호", "휴대폰 번호", "Phone_Number", "cell-phone", "電話番号"],
)  # fmt: skip
def test_names_of_number_columns(name: str) -> None:
    """The number's column is known by its name in several languages and spellings."""
    assert sniff(f"id,{name},city\n".encode()).number == name


@pytest.mark.parametrize(
    "data",
    [
        b"phone,mobile\n+14255550123,+14255550124\n",
        b"home,work\n+14255550123,+14255550124\n",
        b"phone,agent\n+14255550123,+14255550199\n",
        b"14255550123,14255550124\n",
        b'{"to": "+14255550123", "phone": "+14255550124"}\n',
    ],
)
def test_two_number_columns_are_refused_until_one_is_named(data: bytes) -> None:
    """A list read by the wrong column texts strangers: the caller chooses."""
    with pytest.raises(InvalidRequest) as refused:
        sniff(data)
    assert refused.value.code == "NumberColumnAmbiguous"
    assert list(refused.value.errors) == ["numberColumn"]
    ambiguous = sniff(data, Told(" PHONE ")) if b"phone" in data else None
    assert ambiguous is None or ambiguous.number == "phone"


@pytest.mark.parametrize(
    ("data", "number", "member", "reason"),
    [
        (b"", None, "recipients", "empty"),
        (b"\xef\xbb\xbf\r\n \n", None, "recipients", "empty"),
        (b'[{"to": "+14255550123"}]', None, "recipients", "JSON array"),
        (TABLE.encode("utf-16-le"), None, "recipients", "without a byte order mark"),
        (b"Pr\xe9nom;phone\nA;+14255550123\n", None, "list.encoding", "windows-1252"),
        (
            b"phone;name\r\n+14255550123;Ann\r\n+14255550124;Jos\xe9\r\n",
            None,
            "list.encoding",
            "UTF-8",
        ),
        ("phone,name\n+821012345678,\uae40\n".encode("cp949"), None, "list.encoding", "Korean"),
        (b"Bob,+14255550123\nZo\xe9,+14255550124\n", None, "list.encoding", "windows-1252"),
        (b",".join(b"c%d" % n for n in range(10_000)), None, "recipients", "10000 columns"),
        (b",".join(b"column%d" % n for n in range(10_000)), None, "recipients", "64 KiB"),
        (b"x" * HEAD, None, "recipients", "longer than 64 KiB"),
        (b'"name,phone\nAnn,+14255550123\n', None, "recipients", "quotation mark"),
        (b"name,city\nAnn,Rome\n", None, "numberColumn", "No column seems to hold numbers"),
        (b"name,phone\n", "mail", "numberColumn", "There is no column 'mail'"),
        (b'{"a": 1}\n', None, "numberColumn", "No column seems to hold numbers"),
    ],
)
def test_lists_refused_as_a_whole(
    data: bytes, number: str | None, member: str, reason: str
) -> None:
    """What makes every row doubtful refuses the list, with a sentence."""
    with pytest.raises(InvalidRequest) as refused:
        sniff(data[:HEAD], Told(number))
    assert list(refused.value.errors) == [member]
    assert reason in refused.value.errors[member][0]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"Ann,1.4255E+10", "lost its last digits"),
        (b'Ann,"1,4255E+10"', "lost its last digits"),
        (b"Ann,1e10", "lost its last digits"),
        (b"Ann", "no number"),
        (b"Ann,+14255550123,x", "has 3 columns, the list has 2"),
        (b",".join([b"x"] * 10_000), "has 10000 columns"),
        (b"Ann,", "no number"),
        (b"Ann,  ", "no number"),
        (b"Ann,+1425555\x000123", "NUL"),
        ("Zoe,+14255550123".encode("utf-16-le"), "NUL"),
        (b"A" * LONGEST + b",+14255550123", "longer than 64 KiB"),
        (b"A" * 5 * LONGEST + b",+14255550123", "longer than 64 KiB"),
        (b'Ann,"+14255550123', "quotation mark"),
    ],
)
def test_a_bad_row_does_not_stop_the_rest(record: bytes, reason: str) -> None:
    """A row that cannot be read is refused with its line and reason; those around it are read."""
    before, after = b"Bob,+14255550123\n", b"Eve,+14255550124\n"
    found = _read(HEADER + before + record + b"\n" + after)
    assert [(row.line, type(row)) for row in found] == [(2, ListRow), (3, Refused), (4, ListRow)]
    refused = found[1]
    assert isinstance(refused, Refused)
    assert reason in refused.reason
    assert refused.length == len(record) + 1


def test_a_quotation_mark_too_much_is_told_with_its_lines() -> None:
    """Rows that a stray quote has swallowed are refused together, and named as such."""
    data = HEADER + b'Ann,"+14255550123\nBob,+14255550124\nEve",+14255550125\n'
    assert _refusals(data) == [
        (
            2,
            (
                "The record has 3 columns, the list has 2. It takes 3 lines: a quotation mark may"
                " be missing or too much."
            ),
        )
    ]


def test_quoted_line_ends_and_quotes() -> None:
    """A quoted field may hold delimiters, doubled quotes and line ends; lines are still counted."""
    data = HEADER + b'"Ann\r\n""A"", 2nd",+14255550123\nBob,"+14255550124"\n'
    found = _read(data)
    assert [(row.line, row.offset) for row in found] == [(2, 11), (4, data.index(b"Bob"))]
    assert isinstance(found[0], ListRow)
    assert found[0].fields["name"] == 'Ann\r\n"A", 2nd'


def test_blank_rows_are_passed_over() -> None:
    """Blank lines, and the rows of delimiters that Excel leaves behind, are nobody."""
    data = HEADER + b"\n,\n  \n , \nAnn,+14255550123\n\n"
    assert [(row.line, type(row)) for row in _read(data)] == [(6, ListRow)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "is not JSON"),
        ('{"to": NaN}', "is not JSON"),
        ("[" * 50_000, "is not JSON"),
        ('"+14255550123"', "not an object"),
        ('{"to": "+14255550123", "to": "+14255550124"}', "names a member twice"),
        ('{"to": ["+14255550123"]}', "no number"),
        ('{"name": "Ann"}', "no number"),
        ('{"to": null}', "no number"),
        ('{"to": " "}', "no number"),
        ('{"to": 1.4255E+10}', "lost its last digits"),
    ],
)
def test_bad_json_lines(line: str, reason: str) -> None:
    """A line that is no flat object with a number is refused alone."""
    good = '{"to": "+14255550123"}'
    found = _read(f"{good}\n{line}\n{good}\n".encode())
    assert [type(row) for row in found] == [ListRow, Refused, ListRow]
    assert isinstance(found[1], Refused)
    assert reason in found[1].reason


def test_json_lines() -> None:
    """Numbers stay as they are written, null is no value, rows may differ in their members."""
    data = b'{"to": 14255550123, "n": 1.50}\n\n{"to": "+14255550124", "x": null, "y": "\\n"}'
    shape = sniff(data)
    assert (shape.format, shape.columns) == (Format.JSON_LINES, ("to", "n", "x", "y"))
    assert [(row.line, row.fields) for row in rows([data], shape) if isinstance(row, ListRow)] == [
        (1, {"to": "14255550123", "n": "1.50"}),
        (3, {"to": "+14255550124", "y": "\n"}),
    ]


def test_what_nobody_uses_is_not_judged() -> None:
    """True, lists and objects of other members refuse no line; case makes no second column."""
    data = (
        b'{"Phone": "+14255550123", "optIn": true, "tags": [], "address": {"city": "Rome"}}\n'
        b'{"phone": "+14255550124", "optIn": false}\n'
    )
    found = _read(data)
    assert [row.number for row in found if isinstance(row, ListRow)] == [
        "+14255550123",
        "+14255550124",
    ]
    assert isinstance(found[0], ListRow)
    assert found[0].fields["tags"] is NOT_TEXT


@pytest.mark.parametrize("data", [TABLE.encode(), b'{"to": "+14255550123"}\n'])
def test_a_shape_survives_json(data: bytes) -> None:
    """A shape can be kept between the dry run and the start."""
    shape = sniff(data)
    assert Shape.from_json(json.loads(json.dumps(shape.to_json()))) == shape


def test_a_head_that_ends_anywhere_gives_the_same_shape() -> None:
    """A long list's shape does not depend on where its beginning was cut."""
    data = HEADER + b"Zo\xc3\xa9,+14255550123\n" * 20_000
    shapes = {sniff(data[: HEAD + more]) for more in range(20)}
    assert len(shapes) == 1


# Lists that hold everything at once: quotes, line ends of all kinds, broken rows, other encodings.
_LISTS = st.lists(
    st.sampled_from(
        ["Ann,+14255550123", '"Ann\n2",+14255550124', '"A""B",+1', "Ann", '"open', 'x"y,1', "é,2",
         "😀,+3", "", ",", '"a\r\nb",4', "\0,5", "6"]
    ).flatmap(lambda record: st.sampled_from(["\n", "\r\n", "\r"]).map(lambda end: record + end)),
    max_size=30,
).map("".join)  # fmt: skip
_ENCODINGS = st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"])
_ANY_ENCODING = st.sampled_from(sorted(ENCODINGS))


def _shape(encoding: str) -> Shape:
    return Shape(Format.CSV, encoding, ",", header=False, columns=("1", "2"), number="2",
                 start=0, first_line=1)  # fmt: skip


@settings(deadline=None)
@given(text=_LISTS, encoding=_ENCODINGS, size=st.integers(1, 50), records=st.integers(1, 4))
def test_a_list_reads_the_same_in_pieces_and_in_ranges(
    text: str, encoding: str, size: int, records: int
) -> None:
    """Neither the size of the pieces nor cutting a list into ranges changes any row."""
    data, shape = text.encode(encoding), _shape(encoding)
    whole = list(rows([data], shape))
    assert list(rows(_pieces(data, size), shape)) == whole
    cut = list(ranges(_pieces(data, size), shape, records))
    again = [
        row
        for piece in cut
        for row in read_range(
            data[piece.offset : piece.offset + piece.length], shape, piece.first_line, piece.offset
        )
    ]
    assert again == whole
    assert [piece.records for piece in cut[:-1]] == [records] * (len(cut) - 1)
    assert [piece.offset for piece in cut[1:]] == [p.offset + p.length for p in cut[:-1]]


@settings(deadline=None)
@given(st.text(alphabet='a",\n\r😀'))
def test_records_are_those_of_the_csv_module(text: str) -> None:
    """For any text whose quotes are closed, our records are the csv module's."""
    shape = _shape("utf-8")
    ours = list(rows([text.encode()], shape))
    told = ("quotation mark is opened", "It takes")
    if any(isinstance(row, Refused) and any(t in row.reason for t in told) for row in ours):
        return
    theirs = [
        record
        for record in csv.reader(io.StringIO(text, newline=""))
        if len(record) >= 2 and record[1].strip() and not any(map(str.strip, record[2:]))
    ]
    theirs = [record[:2] for record in theirs]
    assert [list(row.fields.values()) for row in ours if isinstance(row, ListRow)] == theirs


@settings(deadline=None)
@given(st.binary(max_size=300), _ANY_ENCODING)
def test_any_bytes_are_covered_by_their_records(data: bytes, encoding: str) -> None:
    """Whatever comes is read or refused, and rows lie one after the other inside the source."""
    end = 0
    with suppress(InvalidRequest):
        for row in rows([data], _shape(encoding)):
            assert row.offset >= end
            end = row.offset + row.length
    assert end <= len(data)
    with suppress(InvalidRequest):
        sniff(data)


def _long_list(records: int, *, quoted: bool) -> Iterator[bytes]:
    yield HEADER
    row = b'"Ann, %d",+1425555%04d\n' if quoted else b"Ann %d,+1425555%04d\n"
    for first in range(0, records, 1000):
        yield b"".join(row % (n, n % 10_000) for n in range(first, first + 1000))


def _peak(source: Iterator[bytes], shape: Shape) -> tuple[int, int]:
    tracemalloc.start()
    try:
        count = sum(1 for _ in rows(source, shape))
        return count, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("quoted", [False, True])
def test_memory_does_not_depend_on_the_list(quoted: bool) -> None:  # noqa: FBT001  # two lists
    """A list three times as long is read in the same memory, within a block of 256 KiB."""
    shape = sniff(b"".join(_long_list(1000, quoted=quoted))[:HEAD])
    short, peak_short = _peak(_long_list(20_000, quoted=quoted), shape)
    long, peak_long = _peak(_long_list(60_000, quoted=quoted), shape)
    assert (short, long) == (20_000, 60_000)
    assert peak_long < peak_short + 4 * LONGEST


def test_memory_is_bounded_for_a_line_without_an_end() -> None:
    """A gigabyte without a line end is dropped as it comes, not gathered."""
    shape = sniff(HEADER)
    source = iter([HEADER, *[b"x" * LONGEST] * 200, b"\nAnn,+14255550123\n"])
    count, peak = _peak(source, shape)
    assert count == 2
    assert peak < 20 * LONGEST


async def _awaited(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_awaited_sources() -> None:
    """A source that is awaited gives the same rows and ranges as one that is not."""
    data = b"".join(_long_list(1000, quoted=True))
    shape = sniff(data[:HEAD])
    pieces = list(_pieces(data, 1000))
    assert [row async for row in rows_async(_awaited(pieces), shape)] == _read(data)
    assert [piece async for piece in ranges_async(_awaited(pieces), shape, 100)] == list(
        ranges(pieces, shape, 100)
    )


# What exports really look like --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        (b"phone,name,note\n+14255550124,Bob\n", {"name": "Bob", "note": ""}),
        (b"phone,name\n+14255550124,Bob,,\n", {"name": "Bob"}),
        (b"phone,name\n+14255550124,Bob, ,  \n", {"name": "Bob"}),
        (b"phone;name;a;b\r\n+14255550124\r\n", {"name": "", "a": "", "b": ""}),
    ],
)
def test_blank_cells_at_a_row_s_end_may_be_missing_or_too_many(
    data: bytes, fields: dict[str, str]
) -> None:
    """Outlook and Excel leave empty cells out, Google Contacts writes more than its header has."""
    (row,) = _read(data)
    assert isinstance(row, ListRow)
    assert row.fields == {"phone": "+14255550124", **fields}


def test_a_filled_cell_too_many_refuses_its_row() -> None:
    """Whose cell belongs to which column is then open."""
    assert _refusals(b"phone,name\n+14255550124,Doe, Bob\n+14255550125,Ann\n") == [
        (2, "The record has 3 columns, the list has 2.")
    ]


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
def test_a_named_encoding_is_read(encoding: str) -> None:
    """What cannot tell its own encoding is read by the one that the order names, byte by byte."""
    names = {
        "windows-1250": "\u0141ukasz", "windows-1251": "\u0418\u0432\u0430\u043d",
        "windows-1253": "\u0386\u03bd\u03bd\u03b1", "windows-1254": "Ay\u015fe",
        "windows-1257": "\u0100dams", "windows-949": "\uae40\ubbfc\uc218", "windows-932": "\u7530",
        "gb18030": "\u738b\u4f1f", "big5": "\u738b\u5049",
    }  # fmt: skip
    name = names.get(encoding, "Jos\u00e9")
    lines = ["phone;name\r\n", f"+14255550123;{name}\r\n", f"+14255550124;{name} 2\r\n"]
    codec = ENCODINGS[encoding][0]
    data = "".join(lines).encode(codec)
    found = list(rows([data], sniff(data, Told(encoding=encoding))))
    assert [row.fields["name"] for row in found if isinstance(row, ListRow)] == [name, f"{name} 2"]
    for row, line in zip(found, lines[1:], strict=True):
        assert data[row.offset : row.offset + row.length].decode(codec) == line


def test_a_byte_that_is_no_utf8_beyond_the_beginning_refuses_the_list() -> None:
    """Nobody with an accent drops out of a list whose others are texted."""
    data = HEADER + b"Ann,+14255550123\n" * 10_000 + b"Zo\xe9,+14255550124\n"
    with pytest.raises(InvalidRequest, match="Line 10002 is not UTF-8"):
        list(rows([data], sniff(data[:HEAD])))


@pytest.mark.parametrize(
    "first",
    [
        "\u202a+14255550123\u202c,Ann",
        "'+14255550123,Ann",
        "425-555-0123 x45,Ann",
        "+1-800-FLOWERS,Ann",
        "+14255550123 ::: +14255550124,Ann",
        '"=""+14255550123""",Ann',
        "\uff0b14255550123,Ann",
        "1.4255E+10,Ann",
    ],
)
def test_a_first_line_that_holds_a_number_is_a_person(first: str) -> None:
    """In whatever form it is written, it names no columns: nobody vanishes."""
    data = f"{first}\n+14255550125,Bob\n".encode()
    assert sniff(data).header is False
    assert [row.line for row in _read(data)] == [1, 2]


@pytest.mark.parametrize(
    ("first", "header"),
    [
        ("Phone,Orders since 2024-01-01", True),
        ("Phone,2024-01-01", True),
    ],
)
def test_a_heading_may_hold_digits(first: str, header: bool) -> None:  # noqa: FBT001  # a column of the table
    """A date in a heading makes it no person."""
    assert sniff(f"{first}\n+14255550125,x\n".encode()).header is header


@pytest.mark.parametrize("header", [True, False])
def test_the_caller_can_say_whether_there_is_a_header(header: bool) -> None:  # noqa: FBT001  # both
    """Where the order says it, it is not guessed."""
    data = b"+14255550123,Ann\n+14255550124,Bob\n"
    assert sniff(data, Told("1" if not header else "+14255550123", header=header)).header is header


@pytest.mark.parametrize(
    ("data", "delimiter", "number"),
    [
        ("Nachname, Vorname;Telefon\nDoe, Ann;+4915123456789\n", ";", "Telefon"),
        ("a, b\tc\nDoe, Ann\t+4915123456789\n", "\t", "c"),
        ("Name, first|Where\nDoe, Ann|+4915123456789\n", "|", "Where"),
        ("Phone\n+14255550123\n", ",", "Phone"),
    ],
)
def test_the_delimiter_leaves_a_column_of_numbers(data: str, delimiter: str, number: str) -> None:
    """Where two cut as evenly, the one is right that makes numbers of a column."""
    shape = sniff(data.encode())
    assert (shape.delimiter, shape.number) == (delimiter, number)


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_delimiter_line_is_read_in_any_encoding(line: str, encoding: str) -> None:
    """Excel writes it in its Unicode text, too, and some put it in quotation marks."""
    data = f"{line}\r\nPhone;Name\r\n+14255550123;Ann\r\n".encode(encoding)
    shape = sniff(data)
    assert (shape.columns, shape.delimiter) == (("Phone", "Name"), ";")
    (row,) = rows([data], shape)
    assert isinstance(row, ListRow)
    assert (row.line, row.fields["Name"]) == (3, "Ann")


@pytest.mark.parametrize(
    ("data", "columns", "number"),
    [
        ("Phone,SMS\n+14255550123,yes\n", ("Phone", "SMS"), "Phone"),
        ("Mobile,Contact\nyes,+14255550123\nno,+14255550124\n", ("Mobile", "Contact"), "Contact"),
        ("Mobile,Phone\n,+14255550123\n", ("Mobile", "Phone"), "Phone"),
        ("\u200bphone,\ufeffname\n+14255550123,Ann\n", ("phone", "name"), "phone"),
        ("name,phone,Name \nA,+14255550123,B\n", ("name (1)", "phone", "Name (2)"), "phone"),
        (f"Phone,{'consent ' * 14}\n+14255550123,yes\n",
         ("Phone", ("consent " * 14)[:100].strip()), "Phone"),
    ],
)  # fmt: skip
def test_columns_as_exports_have_them(data: str, columns: tuple[str, ...], number: str) -> None:
    """Content speaks against a name; names are cut, numbered and freed of what nobody sees."""
    shape = sniff(data.encode())
    assert (shape.columns, shape.number) == (columns, number)


def test_a_doubt_is_shown_with_what_there_is_to_choose() -> None:
    """Who has to name a column sees all of them, the candidates, and what they hold."""
    found = look(b"Phone 1 - Value,Phone 2 - Value,Name\n+14255550123,+14255550124,Ann\n")
    assert found.shape.columns == ("Phone 1 - Value", "Phone 2 - Value", "Name")
    assert found.candidates == ("Phone 1 - Value", "Phone 2 - Value")
    assert found.shape.number == ""
    assert found.samples[0]["Name"] == "Ann"
    assert found.doubt is not None
    assert found.doubt.code == "NumberColumnAmbiguous"
