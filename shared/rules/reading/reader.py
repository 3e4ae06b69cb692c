"""The stages of a reading, in order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from shared.rules.reading.grammar import Match
from shared.rules.reading.language import Language, Sentence, own_languages
from shared.rules.reading.lone import LoneKeywords
from shared.rules.reading.verdict import ALL, ExtraKeywords, Reading, Verdict
from shared.rules.reading.words import STOP_SIGN, Word, Words, split

_ORDER: Final = (Verdict.REVOKE, Verdict.RESUME, Verdict.ASK, Verdict.HELP)
# Where two languages know as many words, the verdict that holds.
_WEIGHT: Final = {
    Verdict.REVOKE: 0,
    Verdict.RESUME: 1,
    Verdict.NONE: 2,
    Verdict.HELP: 3,
    Verdict.ASK: 4,
}
_NO_RULE: Final = Reading(Verdict.NONE)
_UNDECIDED: Final = "two-wishes"
REACTION: Final = "reaction"
# A language counts if it knows at least this share of what the best one knows.
_SHARE: Final = 0.5
# Words that the cheap count may miss, for stems and what is stretched.
_ROUGHLY: Final = 1


class Reader:
    """Reads replies by the rules of some languages.

    Args:
        languages: in the order in which they name what several have.
    """

    def __init__(self, languages: Sequence[Language]) -> None:
        self._languages = languages
        self._lone = LoneKeywords(languages)
        self._reactions = frozenset[str]().union(*(each.reactions for each in languages))

    def read(
        self, text: str, language: str | None = None, extra: ExtraKeywords | None = None
    ) -> Reading:
        """What a reply means. Pure; never fails.

        Args:
            text: the reply as it came.
            language: two letters, where the program knows it: its rules come first. The others
                are asked all the same, because people answer in their own.
            extra: the program's own lone keywords.
        """
        words = split(text)
        content = words.words
        if not content:
            return _NO_RULE
        if self._is_reaction(words):
            return Reading(Verdict.NONE, REACTION, (0, len(text)))
        lone = LoneKeywords(self._languages, extra) if extra else self._lone
        return (
            lone.read(words.sequence, language)
            or lone.opens_with_number(content, language)
            or self._by_grammar(words.sequence, language)
            or lone.argument(content, language)
            or _NO_RULE
        )

    def _is_reaction(self, words: Words) -> bool:
        """A quoted text with nothing around it but "Liked", "Reacted ... to" and their like."""
        first, last = words.plain.find('"'), words.plain.rfind('"')
        if first == last:
            return False
        around = [
            word.text
            for part in (words.plain[:first], words.plain[last + 1 :])
            for word in split(part.replace(STOP_SIGN, " ")).words
        ]
        return bool(around) and all(word in self._reactions for word in around)

    def _by_grammar(self, sequence: Sequence[Word], language: str | None) -> Reading | None:
        content = [word for word in sequence if not word.divides]
        shares = [(each, each.share(content)) for each in self._languages]
        most = max((share for _, share in shares), default=0)
        sentences = [
            (each, each.sentence(sequence))
            for each, share in shares
            if each.code == language or share >= most * _SHARE - _ROUGHLY
        ]
        best = max((sentence.known for _, sentence in sentences), default=0)
        likely = [
            (each, sentence)
            for each, sentence in sentences
            if sentence.known and (each.code == language or sentence.known >= best * _SHARE)
        ]
        decided = [
            (each.code != language, -sentence.known, _WEIGHT[found.verdict], found)
            for each, sentence in likely
            if (found := _decided(each, sentence)) is not None
        ]
        return min(decided, key=lambda each: each[:3])[3] if decided else None


def _decided(language: Language, sentence: Sentence) -> Reading | None:
    """The verdict of one language's matches; None if it has none."""
    matches = language.matches(sentence)
    by_verdict: dict[Verdict, list[Match]] = {}
    for match in matches:
        by_verdict.setdefault(match.rule.verdict, []).append(match)
    if Verdict.REVOKE in by_verdict and Verdict.RESUME in by_verdict:
        match = by_verdict[Verdict.REVOKE][0]
        return Reading(
            Verdict.ASK, f"{language.code}/{_UNDECIDED}", _span(match, sentence), language.code
        )
    for verdict in _ORDER:
        if verdict in by_verdict:
            return _reading(by_verdict[verdict], sentence, language.code)
    return _reading(matches, sentence, language.code) if matches else None


def _reading(matches: Sequence[Match], sentence: Sentence, language: str) -> Reading:
    """Of several of one verdict the one that ends most, then the first."""
    match = min(matches, key=lambda each: each.rule.scope != ALL)
    rule = match.rule
    return Reading(rule.verdict, rule.name, _span(match, sentence), language, rule.scope)


def _span(match: Match, sentence: Sentence) -> tuple[int, int]:
    return sentence.words[match.start].start, sentence.words[match.end - 1].end


@cache
def _own() -> Reader:
    return Reader(own_languages())


def read_reply(
    text: str, language: str | None = None, extra: ExtraKeywords | None = None
) -> Reading:
    """What a reply means, by the languages that come with Parley (see `Reader.read`)."""
    return _own().read(text, language, extra)
