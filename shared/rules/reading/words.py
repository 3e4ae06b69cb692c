"""A text as the reader sees it: words without case, accents and disguise, each with its place.

Places are offsets into the text as it came. What does not count is taken out here: zero-width
and combining characters, HTML tags, quoted lines, a mailer's signature line. Marks that divide
clauses become boundaries.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

START: Final = "^"
BREAK: Final = "."
END: Final = "$"
BOUNDARIES: Final = frozenset({START, BREAK, END})

_NOTHING: Final = "\x01"
# Letters of other scripts that look like Latin ones, as people paste them to slip past filters.
_LOOKALIKES: Final = {
    imitation: latin
    for latin, imitations in {
        "a": "\u0430\u03b1",
        "b": "\u0432\u03b2",
        "c": "\u0441",
        "d": "\u0501",
        "e": "\u0435\u03b5",
        "g": "\u0261",
        "h": "\u043d",
        "i": "\u0456\u03b9\u0131\u04cf",
        "j": "\u0458",
        "k": "\u043a\u03ba",
        "l": "\u217c",
        "m": "\u043c",
        "n": "\u03b7\u0578",
        "o": "\u043e\u03bf\u0585\u1d0f",
        "p": "\u0440\u03c1\u1d18",
        "q": "\u051b",
        "s": "\u0455\ua731",
        "t": "\u0442\u03c4\u1d1b",
        "u": "\u03c5\u057d",
        "v": "\u03bd",
        "x": "\u0445\u03c7",
        "y": "\u0443",
    }.items()
    for imitation in imitations
}
_LEET: Final = str.maketrans("01345$@7", "oieassat")
STOP_SIGN: Final = "\U0001f6d1"
_QUOTES: Final = "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u300c\u300d\u300e\u300f\u2033"
_APOSTROPHES: Final = "\u2018\u2019\u201a\u201b\u02bc\u00b4\u0060\u2032\uff07"
_JAMO: Final = re.compile("[\u1100-\u11ff]")


class _Fold(dict[int, str]):
    """A character's plain form; filled as characters are met, and never by more than there are."""

    _MOST = 20_000

    def __missing__(self, code: int) -> str:
        plain = _plain(chr(code))
        if len(self) < self._MOST:
            self[code] = plain
        return plain


def _plain(character: str) -> str:
    """Lower case, no accent; `_NOTHING` for what is not seen, a blank for half a surrogate pair."""
    for plain, variants in (('"', _QUOTES), ("'", _APOSTROPHES), (STOP_SIGN, STOP_SIGN)):
        if character in variants:
            return plain
    category = unicodedata.category(character)
    if category == "Cs" or character == "\x00":
        return " "
    if category in {"Mn", "Me", "Cf", "Cc"} and character not in "\t\n\r\v\f":
        return _NOTHING
    return _without_accents(unicodedata.normalize("NFKC", character))


def _without_accents(composed: str) -> str:
    if "\uac00" <= composed[0] <= "\ud7a3" or composed.isascii():
        return composed.casefold()
    apart = unicodedata.normalize("NFKD", composed).casefold()
    return "".join(each for each in apart if not unicodedata.combining(each)) or _NOTHING


_FOLD: Final = _Fold()

_TAG: Final = re.compile(r"<[a-zA-Z/!][^<>]*>")
_ENTITY: Final = re.compile(r"&(?:nbsp|amp|quot|lt|gt|#39|#x27);", re.IGNORECASE)
_QUOTED_LINE: Final = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_MAILER: Final = re.compile(
    r"^[ \t\-]*(?:sent (?:from|via) |get outlook "
    r"|enviado (?:desde|do|a partir|de) |envoye (?:de|depuis|a partir) "
    r"|(?:von .{1,30} |)gesendet (?:von|mit) |von mein.{1,30} gesendet"
    r"|.{0,20}\uc5d0\uc11c \ubcf4\ub0c4"
    r"|on .{5,60} wrote:|le .{5,60} a ecrit ?:|el .{5,60} escribio:|am .{5,60} schrieb).*$",
    re.MULTILINE,
)
# What stands above a quoted text; all behind it is not the person's.
_QUOTE_HEADER: Final = re.compile(
    r"(?:^|[\s.!?])(?:on [^\n]{3,60}? wrote ?:|le [^\n]{3,60}? a ecrit ?:"
    r"|el [^\n]{3,60}? escribio ?:|am [^\n]{3,60}? schrieb|em [^\n]{3,60}? escreveu ?:)"
    r"|-{3,} ?(?:original message|mensaje original|message d'origine|ursprungliche nachricht"
    r"|mensagem original|forwarded message) ?-{0,}"
)
_DASHES: Final = re.compile(r"^[ \t]*(?:--+|__+)[ \t]*$", re.MULTILINE)
_PARTS: Final = re.compile(
    r"(?P<url>https?://\S+|www\.\S+)"
    r"|(?P<slip>(?<=!)1+(?![^\W_]))"  # the finger left the shift key
    r"|(?P<number>[$#]?\d+(?:[.:,/\-]\d+)*(?![^\W_]))"
    r"|(?P<word>(?:[$@](?=[^\W\d_\s]))?[^\W_](?:[^\W_]|[\x01$@](?=[^\W_])|'(?=[^\W_]))*)"
    "|(?P<sign>\U0001f6d1)"
    r"|(?P<break>[.!?;:,()\n\r\"\u3002\uff0c\u2026\u00bf\u00a1/\u2022=\u2014\u2013]|(?<=\s)[\-~_*|](?=\s))"
)
# What French writes together: j'arrete, n'envoyez, m'envoyer, qu'on.
_ELIDED: Final = frozenset({"j", "m", "n", "l", "d", "s", "t", "c", "qu"})
_LETTERS_OF_PIECES: Final = 3


@dataclass(frozen=True, slots=True)
class Word:
    """One word, number or boundary.

    Attributes:
        text: its plain form; one of `BOUNDARIES` between clauses, "#" for a number, "@" for a link.
        start: its first character in the text.
        end: the place after its last.
        capital: it begins with a capital letter.
    """

    text: str
    start: int
    end: int
    capital: bool = False

    @property
    def divides(self) -> bool:
        """It is a boundary, not a word."""
        return self.text in BOUNDARIES


@dataclass(frozen=True, slots=True)
class Words:
    """A text in words.

    Attributes:
        sequence: words and boundaries, from `START` to `END`, never two boundaries in a row.
        plain: the folded text, for what looks at characters.
    """

    sequence: tuple[Word, ...]
    plain: str

    @property
    def words(self) -> list[Word]:
        """Without boundaries."""
        return [word for word in self.sequence if word.text not in BOUNDARIES]


def split(text: str) -> Words:
    """The words of a text; never fails, whatever the text is. Linear in its length."""
    if _JAMO.search(text):
        text = unicodedata.normalize("NFC", text)
    plain = text.translate(_FOLD)
    places: list[int] | None = None
    if len(plain) != len(text):
        places = [at for at, each in enumerate(text) for _ in _FOLD[ord(each)]] + [len(text)]
    found = [Word(START, 0, 0)]
    for part in _PARTS.finditer(_visible(plain)):
        start, end = part.span()
        kind, written = part.lastgroup, part.group()
        if places is not None:
            start, end = places[start], places[end - 1] + 1
        if kind == "break":
            if not found[-1].divides:
                found.append(Word(BREAK, start, end))
        elif kind == "slip":
            continue
        elif kind == "word":
            found.extend(_words(written, start, end, capital=text[start].isupper()))
        else:
            name = {"url": "@", "number": "#", "sign": "stop"}[kind or "url"]
            found.append(Word(name, start, end))
    if found[-1].text == BREAK:
        found.pop()
    found.append(Word(END, len(text), len(text)))
    return Words(tuple(_joined(found)), plain)


def _visible(plain: str) -> str:
    """The text without tags, quoted lines and signatures; blanks hold their places."""
    if "<" in plain:
        plain = _TAG.sub(_blank, plain)
    if "&" in plain:
        plain = _ENTITY.sub(_blank, plain)
    if ">" in plain:
        plain = _QUOTED_LINE.sub(_blank, plain)
    if "--" in plain or "__" in plain:
        dashes = _DASHES.search(plain)
        if dashes and plain[: dashes.start()].strip():
            plain = plain[: dashes.start()]
    if "\n" in plain:
        plain = _MAILER.sub(_blank, plain)
    header = _QUOTE_HEADER.search(plain)
    if header and plain[: header.start()].strip():
        plain = plain[: header.start()]
    return plain


def _blank(found: re.Match[str]) -> str:
    return " " * (found.end() - found.start())


def _words(written: str, start: int, end: int, *, capital: bool) -> list[Word]:
    """One run of letters as one word, or as two where French elides a vowel."""
    if "'" in written:
        before, _, after = written.partition("'")
        if before in _ELIDED and after:
            middle = start + len(before) + 1
            return [
                Word(before, start, middle, capital),
                *_words(after, middle, end, capital=False),
            ]
    return [Word(undisguised(written), start, end, capital)]


def undisguised(written: str) -> str:
    """A word without apostrophes and the unseen, with Latin letters where others imitate them."""
    word = written.replace("'", "").replace(_NOTHING, "")
    if not word.isascii() and not any(each >= "\u1100" for each in word):
        latin = "".join(_LOOKALIKES.get(each, each) for each in word)
        if latin.isascii():
            word = latin
    if word.isalpha():
        return word
    letters = word.translate(_LEET)
    return letters if letters.isalpha() and not word[0].isdigit() | word[-1].isdigit() else word


def _joined(found: list[Word]) -> list[Word]:
    """`S T O P` and `S.T.O.P` as one word: three or more single letters in a row."""
    if sum(len(word.text) == 1 for word in found) < _LETTERS_OF_PIECES:
        return found
    result: list[Word] = []
    run: list[Word] = []

    def close() -> None:
        letters = [word for word in run if not word.divides]
        if len(letters) >= _LETTERS_OF_PIECES:
            tail = [run[-1]] if run[-1].divides else []
            text = "".join(word.text for word in letters)
            result.append(Word(text, letters[0].start, letters[-1].end, letters[0].capital))
            result.extend(tail)
        else:
            result.extend(run)
        run.clear()

    for word in found:
        is_letter = len(word.text) == 1 and word.text.isalpha()
        if is_letter or (word.text == BREAK and run and not run[-1].divides):
            run.append(word)
        else:
            close()
            result.append(word)
    close()
    return result
