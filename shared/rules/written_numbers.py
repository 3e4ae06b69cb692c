"""Numbers as people and programs write them, brought to a plus and digits.

One reading for every door: the body of a request, a cell of a list, a look-up, an event, a setting.
What only looks different is read (full-width digits, marks that nobody sees, brackets, a
spreadsheet's guard against formulas). What could be another number is refused, with the sentence
that fits the way in which it is wrong.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from shared.rules.invisible import visible

# ACS's own words for a refused recipient (docs/platform.md 1.4); applications may match on them.
REFUSAL: Final = "Invalid To phone number format."
SHORT: Final = "A short code can send texts but cannot be texted from another sender."
_NO_NUMBER: Final = (
    "Write the number in E.164 form: +, country code, number, digits only, such as +14255550123."
)
_NO_PLUS: Final = (
    "The number must start with + and its country code, such as +14255550123; without them it"
    " cannot be told which country it belongs to."
)
_DOUBLE_ZERO: Final = (
    "The number must start with + and its country code, such as +14255550123; write + in place of"
    " the 00 at its beginning."
)
_LETTERS: Final = "Letters and extensions cannot be texted; write the digits alone."
_CHARACTER: Final = "The character {0} at position {1} is not part of a number."
_TWO: Final = "There are two numbers in one field, or a note beside one; write one number alone."
_TOO_MANY: Final = (
    "No telephone number has more than 15 digits; here are {0}. Are there two numbers in one field?"
)
_DECIMALS: Final = (
    "The number ends in decimals (.0): a spreadsheet or a program took it for an amount. Format the"
    " column as text and export the list again."
)
_SCIENTIFIC: Final = (
    "The number is in scientific notation (such as 1.4255E+10): Excel has lost its last digits."
    " Format the column as text and export the list again."
)
_ERROR_VALUE: Final = "The field holds a spreadsheet's error in place of a number."
_TOO_LONG: Final = "There are more than 64 characters; no number has so many."

_LONGEST: Final = 64
_MOST_DIGITS: Final = 15
_FEWEST_OF_TWO: Final = 6
# What people and address books put between digits; white space other than spaces is left out on
# purpose: a line feed inside a number means that two values have run together.
_PUNCTUATION: Final = r" \-().\[\]/"
_PLAIN: Final = re.compile(r"\+[0-9]{7,15}")
# Most of what is not plain, and can be read in one way only: +1 (425) 555-0123.
_TIDY: Final = re.compile(
    r"\+[0-9]{1,4}(?: ?\([0-9]{1,5}\) ?|[ .-])[0-9]{2,}(?:[ .-][0-9]{2,})*", re.ASCII
)
_SEPARATORS: Final = dict.fromkeys(map(ord, " .-()"))
# A bracket may open before the plus: (+1) 425 555 0123.
_WRITTEN: Final = re.compile(rf"[ (\[]*\+(?:[{_PUNCTUATION}]*[0-9])+[{_PUNCTUATION}]*")
_WRITTEN_SHORT_CODE: Final = re.compile(r"\+?[0-9]{5,6}")
_WITHOUT_PLUS: Final = re.compile(rf"[ (\[]*[0-9](?:[{_PUNCTUATION}]*[0-9])*[{_PUNCTUATION}]*")
# pandas' 14255550123.0. A French number may end in .00, if dots stand between its pairs.
_DECIMALS_END: Final = re.compile(r"\+?[0-9]{7,}\.0+|.*[0-9]\.0")
_EXTENSION_SIGNS: Final = frozenset("#;,*")
_NOT_OF_A_NUMBER: Final = re.compile(rf"[^0-9+{_PUNCTUATION}]")
_ONE_NUMBER: Final = re.compile(rf"\+?[0-9](?:[{_PUNCTUATION}]*[0-9])*")
# A slash or a bracket stands behind country and area code, eight digits at most. Further back it
# brings something else: "/5" the last digit of a second number, "(2)" a note.
_LATE: Final = re.compile(r"(?:[^0-9]*[0-9]){9}[^(\[/]*[(\[/].*")
_SCIENTIFIC_FORM: Final = re.compile(r"\+?[0-9]+(?:[.,][0-9]*)?[eE]\+?[0-9]+")
# What spreadsheets write where a formula failed, in every language with a # in front.
_ERROR_FORM: Final = re.compile(r"#[^\W\d_/]+(?:/[^\W\d_])?[!?]?")
_GUARDED: Final = re.compile(
    r"""="?(?P<formula>[^"]*)"?|(?P<quote>["'\u2018\u2019`])(?P<text>.*)"""
)
_QUOTES: Final = "\"'\u2018\u2019`"
# Widths and kinds of spaces of one and the same character; superscripts and circles are others.
_SAME_CHARACTER: Final = ("<wide>", "<narrow>", "<small>", "<noBreak>")
_DASHES: Final = frozenset("\u2212\u2043\u30fc")
_DOTS: Final = frozenset("\u00b7\u2022\u2024\u2027\u2219\u22c5\u30fb")


class BadAddress(ValueError):
    """A text that is no usable address.

    `str(error)` is a sentence for whoever wrote the address. It never repeats the address. About a
    recipient it starts with ACS's own "Invalid To phone number format.".
    """


def plus_and_digits(text: str) -> str:
    """The number as `+` and its digits alone, as many as were written. Whether it exists is open.

    Raises:
        BadAddress: it can be read in no way, or in more than one.
    """
    if _PLAIN.fullmatch(text):
        return text
    if _TIDY.fullmatch(text):
        digits = text.translate(_SEPARATORS)
        if _PLAIN.fullmatch(digits):
            return digits
    written = unguarded(folded(text))
    if len(written) <= _LONGEST and _WRITTEN.fullmatch(written):
        digits = "".join(c for c in written if c.isdigit())
        if not (problem := _why_not_these_digits(written)):
            return f"+{digits}"
        raise BadAddress(f"{REFUSAL} {problem}")
    raise BadAddress(f"{REFUSAL} {_why_unreadable(written, text)}")


def folded(text: str) -> str:
    """The text as ASCII writes it where it is the same: digits, spaces, dashes, dots, brackets.

    What nobody sees is left out, white space at the ends too. What is not the same stays.
    """
    seen = visible(text)
    return seen if seen.isascii() else "".join(map(_folded_character, seen)).strip()


@lru_cache(maxsize=4096)
def _folded_character(character: str) -> str:
    if character.isascii():
        return character
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.decimal(character))
    if unicodedata.category(character) == "Zs":
        return " "
    if unicodedata.decomposition(character).startswith(_SAME_CHARACTER):
        character = unicodedata.normalize("NFKC", character)
    if unicodedata.category(character) == "Pd" or character in _DASHES:
        return "-"
    return "." if character in _DOTS else character


def unguarded(text: str) -> str:
    """The text without what a spreadsheet, or an export for one, puts before a plus.

    That is an apostrophe, quotation marks, or a formula that is a text: `="+14255550123"`.
    """
    guarded = _GUARDED.fullmatch(text)
    if guarded is None:
        return text
    inner = guarded["formula"] if guarded["quote"] is None else guarded["text"].rstrip(_QUOTES)
    return inner.strip()


def is_scientific(text: str) -> bool:
    """Excel's 1.4255E+10: a number whose last digits are lost."""
    return _SCIENTIFIC_FORM.fullmatch(text.strip()) is not None


def _why_unreadable(written: str, text: str) -> str:
    if len(written) > _LONGEST:
        return _TWO if _holds_two(written[: 2 * _LONGEST]) else f"{_NO_NUMBER} {_TOO_LONG}"
    if _SCIENTIFIC_FORM.fullmatch(written) or _ERROR_FORM.fullmatch(written):
        return _ERROR_VALUE if written.startswith("#") else _SCIENTIFIC
    if _WITHOUT_PLUS.fullmatch(written):
        return _why_not_these_digits(written) or _no_plus(written)
    if _holds_two(written):
        return _TWO
    if found := _NOT_OF_A_NUMBER.search(written):
        letters = any(c.isalpha() or c in _EXTENSION_SIGNS for c in written)
        kind = _LETTERS if letters else _NO_NUMBER
        return f"{kind} {_named(found[0], text)}"
    return _NO_NUMBER


def _why_not_these_digits(written: str) -> str | None:
    """Why the digits of something in a number's form are no number's; None if they may be."""
    digits = sum(c.isdigit() for c in written)
    if _DECIMALS_END.fullmatch(written):
        return _DECIMALS
    if _holds_two(written) or _LATE.fullmatch(written):
        return _TWO
    if digits > _MOST_DIGITS:
        return _TOO_MANY.format(digits)
    return SHORT if _WRITTEN_SHORT_CODE.fullmatch(written) else None


def _no_plus(written: str) -> str:
    return _DOUBLE_ZERO if written.lstrip(" ([").startswith("00") else _NO_PLUS


def _holds_two(written: str) -> bool:
    """Whether two runs of digits that are long enough for a number stand in it."""
    runs = [
        sum(character.isdigit() for character in found[0])
        for found in _ONE_NUMBER.finditer(written)
    ]
    return sum(digits >= _FEWEST_OF_TWO for digits in runs) > 1


def _named(character: str, text: str) -> str:
    """The sentence that names a character, at its first place in the text as it was written."""
    place = next(
        (at for at, one in enumerate(text) if character in {one, _folded_character(one)}), 0
    )
    point = f"U+{ord(text[place]):04X}"
    shown = f"{text[place]!r} ({point})" if text[place].isprintable() else point
    return _CHARACTER.format(shown, place)
