"""Keywords alone: with a courtesy, twice, in pieces, stretched, mistyped; or with an argument.

A lone keyword always counts. Beside it may stand courtesies ("please", "thank you") and, behind a
mark or a courtesy, a name. A typing error counts if one slip of a finger on a keyboard explains it
and the result is no word that means something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from shared.rules.reading.language import Language, LoneKeyword, plain
from shared.rules.reading.verdict import ALL, Reading, Verdict
from shared.rules.reading.words import Word

# Nobody says more beside a keyword; longer texts are sentences.
_MOST_WORDS: Final = 12
_MOST_IN_A_NAME: Final = 3
_MOST_BESIDE_AN_ARGUMENT: Final = 3
# Below it one slip makes too many other words.
_SURE_LENGTH: Final = 4
# From here on two slips are still the same word.
_LONG: Final = 9
_STRETCH: Final = 3
_ROWS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SHIFT: Final = (0.0, 0.25, 0.75)
_NEAR: Final = 1.3
ARGUMENT: Final = "keyword-with-argument"
CONTRADICTION: Final = "two-keywords"
MAYBE: Final = "perhaps-mistyped"
ANOTHER: Final = "another-word"
_LEET: Final = str.maketrans("01345$@7", "oieassat")


def _neighbours() -> dict[str, frozenset[str]]:
    places = {
        key: (at + _SHIFT[row], float(row))
        for row, keys in enumerate(_ROWS)
        for at, key in enumerate(keys)
    }
    return {
        key: frozenset(
            other
            for other, (left, top) in places.items()
            if other != key and (left - x) ** 2 + (top - y) ** 2 < _NEAR**2
        )
        for key, (x, y) in places.items()
    }


_NEIGHBOURS: Final = _neighbours()


class LoneKeywords:
    """Keywords of all languages together.

    Args:
        languages: where they come from; the first one that has a spelling names it.
        extra: a program's own, which come before all others.
    """

    def __init__(
        self, languages: Sequence[Language], extra: Mapping[Verdict, Iterable[str]] | None = None
    ) -> None:
        own = [
            LoneKeyword(verdict, f"program/{word.upper().replace(' ', '-')}", (plain(word),), None)
            for verdict, words in (extra or {}).items()
            for word in words
        ]
        self._languages = languages
        self._by_spelling: dict[str, LoneKeyword] = {}
        for keyword in (*own, *(each for language in languages for each in language.keywords)):
            for spelling in keyword.spellings:
                self._by_spelling.setdefault(spelling, keyword)
        self._in_language = {
            (language.code, spelling): keyword
            for language in languages
            for keyword in language.keywords
            for spelling in keyword.spellings
        }
        self._by_letters = {
            spelling.replace(" ", ""): keyword for spelling, keyword in self._by_spelling.items()
        }
        self._longest = max((len(each.split()) for each in self._by_spelling), default=1)
        self._courtesies: dict[str, int] = {}
        self._other: dict[str, Verdict] = {}
        for language in languages:
            self._courtesies |= {each: len(each.split()) for each in language.courtesies}
            self._other |= language.other_words
        self._longest_courtesy = max(self._courtesies.values(), default=1)
        self._slips: dict[str, set[str]] = {}
        for spelling in self._by_spelling:
            if spelling.isascii() and spelling.isalpha():
                for variant in {spelling, *_shorter(spelling)}:
                    self._slips.setdefault(variant, set()).add(spelling)

    def read(self, sequence: Sequence[Word], language: str | None) -> Reading | None:
        """The reading of a text that is a keyword and little else; None for all others."""
        words = [word for word in sequence if not word.divides]
        if not words or len(words) > _MOST_WORDS:
            return None
        return (
            self._in_pieces(words, language)
            or self._with_courtesies(sequence, words, language)
            or self._of_one_word(words)
        )

    def argument(self, words: Sequence[Word], language: str | None) -> Reading | None:
        """`ask` for a keyword that opens a text of few words more: it may be the application's."""
        if len(words) <= _MOST_BESIDE_AN_ARGUMENT:
            keyword = self._keyword(words[0].text, language)
            if keyword is not None and keyword.verdict is not Verdict.HELP:
                span = (words[0].start, words[-1].end)
                return Reading(Verdict.ASK, ARGUMENT, span, keyword.language)
        return None

    def opens_with_number(self, words: Sequence[Word], language: str | None) -> Reading | None:
        """`ask` for a keyword with a number or a code for an argument, and for nothing else."""
        rest = [word.text for word in words[1:]]
        if rest and all(text == "#" or any(each.isdigit() for each in text) for text in rest):
            return self.argument(words, language)
        return None

    def _keyword(self, spelling: str, language: str | None) -> LoneKeyword | None:
        in_language = self._in_language.get((language, spelling)) if language else None
        return in_language or self._by_spelling.get(spelling)

    def _in_pieces(self, words: Sequence[Word], language: str | None) -> Reading | None:
        """`UN STOP`, `unsub scribe`: the letters of a keyword, wherever they are apart."""
        if len(words) == 1:
            keyword = self._keyword(words[0].text, language)
        else:
            keyword = self._by_letters.get("".join(word.text for word in words))
        return _reading(keyword, words[0], words[-1]) if keyword else None

    def _with_courtesies(
        self, sequence: Sequence[Word], words: Sequence[Word], language: str | None
    ) -> Reading | None:
        found: list[tuple[LoneKeyword, Word, Word]] = []
        divided = {
            sequence[at + 1].start for at in range(len(sequence) - 1) if sequence[at].divides
        }
        place, courteous = 0, False
        while place < len(words):
            word = words[place]
            length, keyword = self._keyword_at(words, place, language)
            if keyword is not None:
                found.append((keyword, word, words[place + length - 1]))
                place, courteous = place + length, False
                continue
            length = self._courtesy_at(words, place)
            if length:
                place, courteous = place + length, True
                continue
            if found and (courteous or word.start in divided) and _is_name(words[place:]):
                break
            return None
        if not found:
            return None
        first = found[0][0]
        if {keyword.verdict for keyword, _, _ in found} != {first.verdict}:
            span = (found[0][1].start, found[-1][2].end)
            return Reading(Verdict.ASK, CONTRADICTION, span, first.language)
        return _reading(first, found[0][1], found[0][2])

    def _keyword_at(
        self, words: Sequence[Word], place: int, language: str | None
    ) -> tuple[int, LoneKeyword | None]:
        for length in range(min(self._longest, len(words) - place), 0, -1):
            phrase = " ".join(word.text for word in words[place : place + length])
            keyword = self._keyword(phrase, language)
            if keyword is not None:
                return length, keyword
        word = words[place].text
        if self._courtesy_at(words, place) or word in self._other:
            return 0, None
        keyword, sure = self._mistyped(word)
        return (1, keyword) if sure else (0, None)

    def _courtesy_at(self, words: Sequence[Word], place: int) -> int:
        for length in range(min(self._longest_courtesy, len(words) - place), 0, -1):
            if " ".join(word.text for word in words[place : place + length]) in self._courtesies:
                return length
        return 0

    def _of_one_word(self, words: Sequence[Word]) -> Reading | None:
        """A word that looks like a keyword, and one that may be meant for it."""
        if len(words) > 1:
            return None
        word = words[0]
        span = (word.start, word.end)
        known = self._other.get(word.text)
        if known is not None:
            return Reading(known, MAYBE if known is Verdict.ASK else ANOTHER, span)
        keyword, _ = self._mistyped(word.text)
        return Reading(Verdict.ASK, MAYBE, span, keyword.language) if keyword else None

    def _mistyped(self, word: str) -> tuple[LoneKeyword | None, bool]:
        """The keyword that a word was meant to be, and whether that is sure."""
        letters = word.translate(_LEET)
        if not (letters.isascii() and letters.isalpha()) or len(letters) < _STRETCH:
            return None, False
        keyword = self._disguised(word, letters)
        if keyword is not None:
            return keyword, True
        if letters in self._other or any(language.knows(letters) for language in self._languages):
            return None, False
        return self._slipped(letters)

    def _disguised(self, word: str, letters: str) -> LoneKeyword | None:
        """`ST0P` and `STOOOP`, unless that is a word of its own."""
        if letters != word and letters in self._by_spelling:
            return self._by_spelling[letters]
        return None if letters in self._other else self._stretched(letters)

    def _slipped(self, letters: str) -> tuple[LoneKeyword | None, bool]:
        """The keyword that one slip of a finger turned into this word; of a long one, two slips."""
        candidates = set(self._slips.get(letters, ()))
        for shorter in _shorter(letters):
            candidates |= self._slips.get(shorter, set())
        for spelling in sorted(candidates):
            if _is_slip(letters, spelling):
                return self._by_spelling[spelling], len(spelling) >= _SURE_LENGTH
        if len(letters) >= _LONG - 2:
            for spelling in self._by_spelling:
                if len(spelling) >= _LONG and _within_two(letters, spelling):
                    return self._by_spelling[spelling], True
        return None, False

    def _stretched(self, word: str) -> LoneKeyword | None:
        """`STOOOOP`, `nooo`: a letter three times or more in a row."""
        runs = _runs(word)
        if all(count < _STRETCH for _, count in runs):
            return None
        once = "".join(letter for letter, _ in runs)
        for spelling, keyword in self._by_spelling.items():
            if spelling[:1] == once[:1] and "".join(each for each, _ in _runs(spelling)) == once:
                return keyword
        return None


def _reading(keyword: LoneKeyword, first: Word, last: Word) -> Reading:
    scope = ALL if keyword.verdict is Verdict.REVOKE else None
    span = (first.start, last.end)
    return Reading(keyword.verdict, keyword.rule, span, keyword.language, scope)


def _is_name(words: Sequence[Word]) -> bool:
    return len(words) <= _MOST_IN_A_NAME and all(
        word.capital and word.text.isalpha() for word in words
    )


def _shorter(word: str) -> set[str]:
    """The word without one of its letters."""
    return {word[:at] + word[at + 1 :] for at in range(len(word))}


def _runs(word: str) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for letter in word:
        if found and found[-1][0] == letter:
            found[-1] = letter, found[-1][1] + 1
        else:
            found.append((letter, 1))
    return found


def _is_slip(written: str, meant: str) -> bool:
    """One slip of a finger: a letter left out, doubled, swapped, or the key beside it."""
    if len(written) == len(meant) - 1:
        return len(meant) >= _SURE_LENGTH and written in _shorter(meant)
    if len(written) == len(meant) + 1:
        return any(
            written[:at] + written[at + 1 :] == meant and _stray(written, at)
            for at in range(len(written))
        )
    if len(written) != len(meant):
        return False
    other = [at for at in range(len(meant)) if written[at] != meant[at]]
    if len(other) == 1:
        return written[other[0]] in _NEIGHBOURS.get(meant[other[0]], frozenset())
    return (
        len(other) == 2  # noqa: PLR2004  # two neighbours change places
        and other[1] == other[0] + 1
        and written[other[0]] == meant[other[1]]
        and written[other[1]] == meant[other[0]]
    )


def _stray(written: str, at: int) -> bool:
    """The letter is a double of the one beside it, or a key that lies beside that one's."""
    beside = (written[at - 1] if at else "") + written[at + 1 : at + 2]
    return any(
        written[at] == other or written[at] in _NEIGHBOURS.get(other, frozenset())
        for other in beside
    )


def _within_two(written: str, meant: str) -> bool:
    """At most two letters more, fewer or other."""
    if abs(len(written) - len(meant)) > 2 or not meant.isascii():  # noqa: PLR2004  # two slips
        return False
    row = list(range(len(meant) + 1))
    for at, letter in enumerate(written, start=1):
        before, row[0] = row[0], at
        for place, other in enumerate(meant, start=1):
            cost = min(row[place] + 1, row[place - 1] + 1, before + (letter != other))
            before, row[place] = row[place], cost
        if min(row) > 2:  # noqa: PLR2004  # two slips
            return False
    return row[-1] <= 2  # noqa: PLR2004  # two slips
