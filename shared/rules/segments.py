"""What a text costs: its encoding and the number of segments that ACS and carriers charge.

One curly quotation mark turns a text of 160 characters from one segment into three. A caller can
only do something about that if it is told which character did it, and what could stand in for it.

The count is by packing, not by division: neither an escaped GSM-7 character nor a UCS-2 surrogate
pair may be split over two segments (3GPP TS 23.038, 6.2.1 and 6.2.1.1; 3GPP TS 23.040, 9.2.3.24.1).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from shared.rules.invisible import INVISIBLE

# 3GPP TS 23.038, 6.2.1, in table order. Position 0x1B, the escape, is no character of its own.
_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
# 3GPP TS 23.038, 6.2.1.1: an escape and a second septet.
_EXTENSION: Final = frozenset("\f^{}\\[~]|€")
_GSM7: Final = _BASIC | _EXTENSION
_ESCAPE: Final = "\x1b"
_ESCAPED: Final = {ord(character): _ESCAPE + character for character in _EXTENSION}

# What UTF-16 writes with surrogates, and surrogates that JSON carried in without their other half.
_PERHAPS_PAIRED: Final = re.compile("[\ud800-\udfff\U00010000-\U0010ffff]")
_HIGH_SURROGATES: Final = range(0xD800, 0xDC00)
_LOW_SURROGATES: Final = range(0xDC00, 0xE000)
# The combining class of strokes through a character: without its stroke, "not equal" is "equal".
_OVERLAY: Final = 1
# A letter and the accents that a keyboard sent apart from it.
_ACCENTED: Final = re.compile("[^\u0300-\u036f][\u0300-\u036f]+")


def _stand_ins() -> Mapping[str, str]:
    rows = {
        # Quotation marks and apostrophes.
        "\u2018\u2019\u201a\u201b\u2032\u02b9\u02bb\u02bc\u00b4`\u2039\u203a": "'",
        "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb": '"',
        # Hyphens, dashes, the minus sign, bullets.
        "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043": "-",
        "\u2022\u2023\u25cf\u25aa\u25e6": "-",
        "\u00b7\u2219": ".",
        # Spaces that differ only in width or in where a line may break.
        "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a": " ",
        "\u202f\u205f\u3000": " ",
        "\x0b\x85\u2028\u2029": "\n",
        # Letters that Unicode does not decompose.
        "Łł": "Ll",
        "ĐđÐð": "DdDd",
        "ĦħŦŧı": "HhTti",
    }
    table = {}
    for characters, replacement in rows.items():
        one_each = len(replacement) == len(characters)
        for place, character in enumerate(characters):
            table[character] = replacement[place] if one_each else replacement
    table |= {"\u2044": "/", "\u00d7": "x", "\u00b5": "u", "₤": "£", "©": "(c)", "®": "(R)"}
    table |= {"Œ": "OE", "œ": "oe", "Þ": "Th", "þ": "th", "ẞ": "SS"}
    table |= {"←": "<-", "→": "->", "⇒": "=>", "≤": "<=", "≥": ">="}
    # Control characters print nothing; the escape among them would be read as the table's own.
    controls = {chr(point) for point in (*range(0x20), *range(0x7F, 0xA0))}
    table |= dict.fromkeys(controls - _GSM7 - table.keys(), "")
    # Accents that stand alone because nothing composed them with their letter.
    marks = {chr(point) for point in range(0x300, 0x370)}
    table |= {mark: "" for mark in marks if unicodedata.combining(mark) != _OVERLAY}
    return MappingProxyType(table)


STAND_INS: Final = _stand_ins()


class Encoding(StrEnum):
    """How a text travels."""

    GSM7 = "GSM-7"
    UCS2 = "UCS-2"


@dataclass(frozen=True, slots=True)
class CostlyCharacter:
    """A character that GSM-7 lacks, and that therefore makes the whole text UCS-2.

    Attributes:
        character: one code point, or a letter and its separate accents that are one together.
        position: index of its first occurrence, in code points.
        count: how often it occurs.
        stand_in: what could be written in GSM-7 instead, empty for what prints nothing; None where
            nothing comes close.
    """

    character: str
    position: int
    count: int
    stand_in: str | None


@dataclass(frozen=True, slots=True)
class Measure:
    """What a text costs.

    Attributes:
        encoding: how it travels.
        segments: how many segments are charged, at least 1.
        units: septets (an extension character has two) or UTF-16 code units of the whole text.
        units_per_segment: 160 or 153, 70 or 67; the smaller ones where a text has several segments.
        costly: what forced UCS-2, by first occurrence; empty for GSM-7.
    """

    encoding: Encoding
    segments: int
    units: int
    units_per_segment: int
    costly: tuple[CostlyCharacter, ...]


@dataclass(frozen=True, slots=True)
class _Room:
    """What fits into a text that is one segment, and into each segment of a longer one.

    The difference is the header that joins the segments of a longer text.
    """

    encoding: Encoding
    alone: int
    joined: int


_GSM7_ROOM: Final = _Room(Encoding.GSM7, 160, 153)
_UCS2_ROOM: Final = _Room(Encoding.UCS2, 70, 67)


def measure(text: str) -> Measure:
    """What the text costs. The empty text is one segment: it can be sent, and is charged."""
    if _BASIC.issuperset(text):
        return _packed(_GSM7_ROOM, len(text))
    if _GSM7.issuperset(text):
        return _measure_escaped(text)
    return _measure_ucs2(text)


def in_gsm7(text: str) -> str:
    """The text with a stand-in for each costly character, if the whole of it then fits GSM-7.

    If it does not, or fits already, it comes back unchanged: what would be misspelt saves nothing
    (Persian needs its joiners, an emoji of a family its own).
    """
    if _GSM7.issuperset(text):
        return text
    # Composed first, so that a letter with a separate accent finds its place in the table.
    composed = unicodedata.normalize("NFC", text)
    written = [c if c in _GSM7 else _stand_in(c) for c in composed]
    return text if None in written else "".join(map(str, written))


@lru_cache(maxsize=4096)
def _stand_in(character: str) -> str | None:
    if character in STAND_INS:
        return STAND_INS[character]
    if INVISIBLE.fullmatch(character):
        return ""
    parts = unicodedata.normalize("NFKD", character)
    if _means_more_than_its_parts(character, parts):
        return None
    same = unicodedata.normalize("NFKC", character)
    plain = "".join(STAND_INS.get(part, part) for part in parts if not unicodedata.combining(part))
    # A spacing accent decomposes into a space and the accent; the space says nothing of it.
    found = (form for form in (same, plain) if form.strip() and _GSM7.issuperset(form))
    return next(found, None)


def _means_more_than_its_parts(character: str, parts: str) -> bool:
    """True for "not equal", and for 10 squared or 1 and a half, which would read 102 and 11/2."""
    if any(unicodedata.combining(part) == _OVERLAY for part in parts):
        return True
    beside_a_number = unicodedata.decomposition(character).startswith(("<super>", "<fraction>"))
    return beside_a_number and any(part.isdigit() for part in parts)


def _measure_escaped(text: str) -> Measure:
    septets = text.translate(_ESCAPED)

    def splits(end: int) -> bool:
        return septets[end - 1] == _ESCAPE

    return _packed(_GSM7_ROOM, len(septets), splits)


def _measure_ucs2(text: str) -> Measure:
    costly = _costly(text)
    if not _PERHAPS_PAIRED.search(text):
        return _packed(_UCS2_ROOM, len(text), costly=costly)
    # The first unit is the byte order mark, which tells that the rest has this machine's order.
    units = memoryview(text.encode("utf-16", "surrogatepass")).cast("H")[1:]

    def splits(end: int) -> bool:
        return units[end - 1] in _HIGH_SURROGATES and units[end] in _LOW_SURROGATES

    return _packed(_UCS2_ROOM, len(units), splits, costly)


def _costly(text: str) -> tuple[CostlyCharacter, ...]:
    accented: dict[str, str] = {}
    rest = text
    if not unicodedata.is_normalized("NFC", text):
        for found in _ACCENTED.finditer(text):
            composed = unicodedata.normalize("NFC", found[0])
            if len(composed) < len(found[0]):
                accented.setdefault(found[0], composed)
        for written in sorted(accented, key=len, reverse=True):
            rest = rest.replace(written, "")
    counts = Counter(rest)
    # What stands among the accented letters is counted there.
    costly = [
        CostlyCharacter(character, text.index(character), count, _stand_in(character))
        for character, count in counts.items()
        if character not in _GSM7
    ]
    costly += [
        CostlyCharacter(written, text.index(written), text.count(written), _stand_in_of(composed))
        for written, composed in accented.items()
    ]
    return tuple(sorted(costly, key=lambda one: one.position))


def _stand_in_of(composed: str) -> str | None:
    parts = [c if c in _GSM7 else _stand_in(c) for c in composed]
    return None if None in parts else "".join(map(str, parts))


def _packed(
    room: _Room,
    units: int,
    splits: Callable[[int], bool] | None = None,
    costly: tuple[CostlyCharacter, ...] = (),
) -> Measure:
    """Fill one segment after the other.

    `splits(end)` says whether ending there would halve a pair; without it there are no pairs, and
    division is packing.
    """
    if units <= room.alone:
        return Measure(room.encoding, 1, units, room.alone, costly)
    if splits is None:
        return Measure(room.encoding, -(-units // room.joined), units, room.joined, costly)
    segments, start = 0, 0
    while start < units:
        end = start + room.joined
        start = end - 1 if end < units and splits(end) else end
        segments += 1
    return Measure(room.encoding, segments, units, room.joined, costly)
