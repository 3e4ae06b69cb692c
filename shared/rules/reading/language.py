"""A language as its data file describes it.

    {"language": "en", "name": "English",
     "keywords": [{"verdict": "revoke", "word": "STOP", "spellings": [], "source": "who says so"}],
     "otherWords": {"none": ["shop"], "ask": ["quot"]},
     "courtesies": ["please", "thank you"],
     "ignored": ["please"],
     "reactions": ["liked"],
     "common": ["the", "is"],
     "joined": false,
     "classes": {"end": ["stop", "put an end to"], "ours": ["texts", "<kinds>", "messag*"]},
     "patterns": [{"rule": "stop-texting", "verdict": "revoke", "match": ["<end> texting"]}]}

`keywords` count alone; `otherWords` look like keywords and are not; `courtesies` may stand beside a
keyword; `ignored` words are left out of sentences; `reactions` are the words around a quoted text
that somebody liked; `common` words help to tell languages apart. A class may name others; `send*`
stands for all words that begin so, `*ing` for all that end so. `joined` is for languages whose
words cannot be told apart by blanks: their texts are cut at the words that the file knows.
docs/replies.md shows how to add one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

from shared.rules.reading.grammar import BadPattern, Grammar, Masked, Match, Rule, items_of, settled
from shared.rules.reading.verdict import ALL, Verdict
from shared.rules.reading.words import BREAK, Word, split

_SCOPES: Final = frozenset({ALL, "marketing", "transactional"})
_SHORTEST_STEM: Final = 2
_PLAIN: Final = re.compile("[a-z]{2,}(?: [a-z]{2,})*")
_STRETCHED: Final = re.compile(r"([^\W\d_])\1{2,}")
_MEMBERS: Final = frozenset(
    {"language", "name", "keywords", "otherWords", "courtesies", "ignored", "reactions", "common"}
    | {"joined", "classes", "patterns"}
)


class BadLanguage(ValueError):
    """A language's data file cannot be used; says what is wrong in which file."""


@dataclass(frozen=True, slots=True)
class LoneKeyword:
    """A keyword that counts alone.

    Attributes:
        verdict: what it means.
        rule: its stable id, e.g. "keyword/STOP".
        spellings: its word and further spellings, in plain form.
        language: of the file that names it; None for a program's own.
    """

    verdict: Verdict
    rule: str
    spellings: tuple[str, ...]
    language: str | None


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text in the words of one language, ready for its grammar.

    Attributes:
        words: without those that it ignores.
        masked: the grammar's items for each.
        known: how many words the language knows.
    """

    words: Sequence[Word]
    masked: Masked
    known: int


def plain(written: str) -> str:
    """A word or phrase of a data file in the form that texts have when they are read."""
    if _PLAIN.fullmatch(written):
        return written
    return " ".join(word.text for word in split(written).words)


class Language:
    """The rules of one language.

    Args:
        data: the content of its file.

    Raises:
        BadLanguage: the content has another form.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        unknown = data.keys() - _MEMBERS
        if unknown:
            raise BadLanguage(f"a language has no member {', '.join(sorted(unknown))}")
        try:
            self.code: str = data["language"]
            self._read(data)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise BadLanguage(f"{data.get('language', 'language')}: {error!r}") from error

    def _read(self, data: Mapping[str, Any]) -> None:
        self.keywords = tuple(self._keyword(row) for row in data["keywords"])
        self.courtesies = _plain_set(data.get("courtesies", ()))
        self.reactions = frozenset(
            word for phrase in data.get("reactions", ()) for word in plain(phrase).split()
        )
        self.other_words = {
            word: Verdict(verdict)
            for verdict, words in data.get("otherWords", {}).items()
            for word in _plain_set(words)
        }
        self._ignored = _plain_set(data.get("ignored", ()))
        self._joined: bool = data.get("joined", False)
        classes = _classes(data.get("classes", {}))
        rules = [
            (self._rule(row), items_of(pattern, plain))
            for row in data.get("patterns", ())
            for pattern in row["match"]
        ]
        self._grammar = Grammar(rules, classes)
        entries = set().union(*classes.values())
        self._stems = _affixes(entries, last=True)
        self._endings = _affixes(entries, last=False)
        self._common = _plain_set(data.get("common", ()))
        self._phrases = _phrases(entries, shortest=2)
        self._ignored_phrases = _phrases(self._ignored, shortest=1)
        self._longest = max((len(each) for each in self._all_words()), default=1)
        parts = (part for each in self._written_words() for part in each.split())
        self._vocabulary = frozenset(parts)
        self._glossary = self._all_words() if self._joined else frozenset()

    def _written_words(self) -> set[str]:
        return {*self._grammar.words, *self._ignored, *self._common}

    def _all_words(self) -> frozenset[str]:
        return frozenset(each.replace(" ", "") for each in self._written_words() if "*" not in each)

    def _keyword(self, row: Mapping[str, Any]) -> LoneKeyword:
        if not row["source"]:
            raise BadLanguage(f"keyword {row['word']} names no source")
        spellings = (plain(each) for each in (row["word"], *row.get("spellings", ())))
        name = row["word"].replace(" ", "-")
        return LoneKeyword(Verdict(row["verdict"]), f"keyword/{name}", tuple(spellings), self.code)

    def _rule(self, row: Mapping[str, Any]) -> Rule:
        verdict = Verdict(row["verdict"])
        scope = row.get("scope", ALL) if verdict is Verdict.REVOKE else None
        if scope not in _SCOPES and scope is not None:
            raise BadLanguage(f"rule {row['rule']} has the unknown scope {scope}")
        return Rule(
            f"{self.code}/{row['rule']}",
            verdict,
            scope,
            strong=row.get("strong", False),
            whole=row.get("whole", False),
        )

    def knows(self, word: str) -> bool:
        """The language has the word in a class, a pattern or its common ones."""
        return word in self._common or word in self._ignored or self._grammar.mask(word) is not None

    def share(self, words: Sequence[Word]) -> int:
        """About how many of the words the language knows: cheap, to leave out other languages."""
        if self._joined and any(not word.text.isascii() for word in words):
            return len(words)
        return sum(word.text in self._vocabulary for word in words)

    def sentence(self, sequence: Sequence[Word]) -> Sentence:
        """The text in this language's words."""
        if self._joined:
            sequence = list(self._cut(sequence))
        words = self._without_ignored(sequence)
        masks: list[int] = []
        phrases: dict[int, list[tuple[int, int]]] = {}
        known = len(sequence) - len(words)
        for place, word in enumerate(words):
            mask = self._grammar.mask(word.text)
            if mask is not None:
                known += not word.divides
            elif not word.divides:
                mask = self._affixed(word.text) or self._stretched(word.text)
                known += mask is not None or word.text in self._common
                mask = self._grammar.unknown if mask is None else mask
            masks.append(mask or 0)
            for phrase in self._phrases.get(word.text, ()):
                length = _follows(phrase, words, place)
                if length:
                    mask = self._grammar.mask(" ".join(phrase))
                    phrases.setdefault(place + length - 1, []).append((length, mask or 0))
                    known += 1
        divides = [word.divides for word in words]
        return Sentence(words, Masked(masks, phrases, divides), known)

    def matches(self, sentence: Sentence) -> list[Match]:
        """What holds of a sentence's matches."""
        return settled(self._grammar.match(sentence.masked))

    def _without_ignored(self, sequence: Sequence[Word]) -> list[Word]:
        """The words that count, and never two boundaries in a row."""
        kept: list[Word] = []
        place = 0
        while place < len(sequence):
            word = sequence[place]
            length = next(
                (
                    length
                    for phrase in self._ignored_phrases.get(word.text, ())
                    if (length := _follows(phrase, sequence, place))
                ),
                0,
            )
            if length:
                place += length
                continue
            place += 1
            if word.divides and kept and kept[-1].divides:
                if word.text == BREAK:
                    continue
                if kept[-1].text == BREAK:
                    kept.pop()
            kept.append(word)
        return kept

    def _affixed(self, word: str) -> int | None:
        """The mask of the longest stem that the word begins with, else of what it ends with."""
        for stem in _beginnings(word, self._stems):
            return self._grammar.mask(f"{stem}*")
        for length in self._endings:
            if len(word) > length and word[-length:] in self._endings[length]:
                return self._grammar.mask(f"*{word[-length:]}")
        return None

    def _stretched(self, word: str) -> int | None:
        """The mask of `stoppp` or `pleeease`: of the word with such letters once, or twice."""
        if _STRETCHED.search(word) is None:
            return None
        once = self._grammar.mask(_STRETCHED.sub(r"\1", word))
        return once or self._grammar.mask(_STRETCHED.sub(r"\1\1", word))

    def _cut(self, sequence: Sequence[Word]) -> Iterable[Word]:
        """The text cut at the words of the glossary, longest first, over blanks."""
        run: list[Word] = []
        for word in sequence:
            if word.divides or word.text.isascii():
                yield from self._pieces(run)
                run = []
                yield word
            else:
                run.append(word)
        yield from self._pieces(run)

    def _pieces(self, run: Sequence[Word]) -> Iterable[Word]:
        letters = "".join(word.text for word in run)
        places = [
            (word.start + min(at, word.end - word.start - 1))
            for word in run
            for at in range(len(word.text))
        ]
        at = since = 0
        while at < len(letters):
            length = next(
                (
                    length
                    for length in range(min(self._longest, len(letters) - at), 0, -1)
                    if letters[at : at + length] in self._glossary
                ),
                0,
            )
            if not length:
                at += 1
                continue
            if since < at:
                yield Word(letters[since:at], places[since], places[at - 1] + 1)
            yield Word(letters[at : at + length], places[at], places[at + length - 1] + 1)
            at = since = at + length
        if since < len(letters):
            yield Word(letters[since:], places[since], places[-1] + 1)


def _follows(phrase: Sequence[str], words: Sequence[Word], place: int) -> int:
    """The phrase's length if it stands at a place, else 0."""
    end = place + len(phrase)
    if end > len(words):
        return 0
    for at, text in enumerate(phrase, start=place):
        if words[at].text != text:
            return 0
    return len(phrase)


def _plain_set(words: Iterable[str]) -> frozenset[str]:
    return frozenset(plain(word) for word in words)


def _classes(written: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
    """The classes with all that they name, in plain form; stems keep their star."""

    def entries(name: str, within: tuple[str, ...]) -> Iterable[str]:
        if name in within:
            raise BadPattern(f"class <{name}> names itself")
        if name not in written:
            raise BadPattern(f"there is no class <{name}>")
        for entry in written[name]:
            if entry[:1] == "<":
                yield from entries(entry[1:-1], (*within, name))
            elif entry[-1:] == "*":
                yield f"{plain(entry[:-1])}*"
            elif entry[:1] == "*":
                yield f"*{plain(entry[1:])}"
            else:
                yield plain(entry)

    return {name: frozenset(entries(name, ())) for name in written}


def _affixes(entries: Iterable[str], *, last: bool) -> dict[int, frozenset[str]]:
    """Stems (or endings) by their length, the longest first."""
    found: dict[int, set[str]] = {}
    for entry in entries:
        if entry[-1 if last else 0] == "*":
            bare = entry.strip("*")
            found.setdefault(len(bare), set()).add(bare)
    return {length: frozenset(found[length]) for length in sorted(found, reverse=True)}


def _beginnings(word: str, stems: Mapping[int, frozenset[str]]) -> Iterable[str]:
    for length, known in stems.items():
        if len(word) >= length >= _SHORTEST_STEM and word[:length] in known:
            yield word[:length]


def _phrases(entries: Iterable[str], *, shortest: int) -> dict[str, list[tuple[str, ...]]]:
    """Phrases of at least so many words, by their first; the longest first."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for entry in entries:
        words = tuple(entry.split())
        if len(words) >= shortest:
            found.setdefault(words[0], []).append(words)
    return {first: sorted(phrases, key=len, reverse=True) for first, phrases in found.items()}


def own_languages() -> list[Language]:
    """The languages that come with Parley, in the order of their codes, English first."""
    folder = files("shared.rules.reading").joinpath("languages")
    paths = sorted(
        (path for path in folder.iterdir() if path.name.endswith(".json")),
        key=lambda path: (path.name != "en.json", path.name),
    )
    return [read_language(path) for path in paths]


def read_language(path: Traversable) -> Language:
    """The language of a data file.

    Raises:
        BadLanguage: the file is no such description.
    """
    try:
        return Language(json.loads(path.read_text("utf-8")))
    except ValueError as error:
        raise BadLanguage(f"{path.name}: {error}") from error
