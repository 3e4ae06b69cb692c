"""Characters that nobody sees: they come along when a number or a word is copied, and mean nothing.

Marks of direction, joiners, variation selectors, fillers, byte order marks. A name, a number or a
word is the same with them and without them. A text is not (a family of emoji is held together by
joiners): there they are only asked about.
"""

from __future__ import annotations

import re
from typing import Final

# Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties), and the marks of annotations.
_RANGES: Final = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
INVISIBLE: Final = re.compile(rf"[{_RANGES}]")
_AT_THE_ENDS: Final = re.compile(rf"\A[\s{_RANGES}]+|[\s{_RANGES}]+\Z")
# Controls print nothing either; the braille blank is a space with another name.
_BLANK: Final = re.compile(rf"[\s\x00-\x1f\x7f-\x9f\u2800{_RANGES}]*")


def visible(text: str) -> str:
    """The text without what nobody sees: neither inside nor, as white space, at its ends."""
    return text.strip() if text.isascii() else INVISIBLE.sub("", text).strip()


def bare(text: str) -> str:
    """The text without white space and invisible characters at its ends; inside they stay."""
    return text.strip() if text.isascii() else _AT_THE_ENDS.sub("", text)


def prints_nothing(text: str) -> bool:
    """Whether nobody would see anything of a text."""
    return _BLANK.fullmatch(text) is not None
