"""What a recipient list looks like: format, encoding, columns, and which of them is the number.

`shared.campaigns.list_sniffing` finds it out from the beginning of a list; with it, any piece of
the list can be read alone.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from shared.rules.invisible import visible

MOST_COLUMNS: Final = 200
LONGEST_NAME: Final = 100
# The encodings that are read, by the name that an order gives them: Python's name, and what people
# call it. The first three tell themselves; the others look like one another, and have to be named.
ENCODINGS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "utf-8": ("utf-8", "UTF-8"),
        "utf-16-le": ("utf-16-le", "UTF-16"),
        "utf-16-be": ("utf-16-be", "UTF-16"),
        "windows-1252": ("cp1252", "Western European"),
        "windows-1250": ("cp1250", "Central European"),
        "windows-1251": ("cp1251", "Cyrillic"),
        "windows-1253": ("cp1253", "Greek"),
        "windows-1254": ("cp1254", "Turkish"),
        "windows-1257": ("cp1257", "Baltic"),
        "iso-8859-15": ("iso8859-15", "Western European, Unix"),
        "macintosh": ("mac_roman", "Western European, old Macintosh"),
        "windows-949": ("cp949", "Korean"),
        "windows-932": ("cp932", "Japanese"),
        "gb18030": ("gb18030", "Chinese"),
        "big5": ("big5hkscs", "Chinese, traditional"),
    }
)


class _NotText(str):
    """Stands for a value that no text can hold: true, a list, an object."""

    __slots__ = ()


NOT_TEXT: Final = _NotText()


class Format(StrEnum):
    """How a list is written."""

    CSV = "csv"
    JSON_LINES = "jsonLines"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a list looks like; with it, any piece of the list can be read alone.

    Attributes:
        format: CSV or JSON Lines.
        encoding: a key of `ENCODINGS`.
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
    """The form in which names of columns and placeholders are compared: caseless, NFC, trimmed.

    Marks that nobody sees do not count; an export puts one before the first name.
    """
    return unicodedata.normalize("NFC", visible(text)).casefold()


def csv_fields(text: str, delimiter: str) -> list[str]:
    """The fields of one CSV record without its line end."""
    if '"' not in text:
        return text.split(delimiter)
    return next(csv.reader((text,), delimiter=delimiter), [])
