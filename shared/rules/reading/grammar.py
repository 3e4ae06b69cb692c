"""Patterns over words, all of a language's matched at once, a step a word.

A pattern is a line of items, separated by blanks:

    texts          this word
    end|quit       one of these
    <end>          a word or phrase of the class `end`; may stand among alternatives: <end>|enough
    me?            may be missing
    the*           up to three of them, or none
    ~2             up to two words, whatever they are
    _              one word, whatever it is
    ^  .  $        the text's beginning, a mark between clauses or either end, the text's end

All items of all patterns are bits of one integer (the bit-parallel simulation of Baeza-Yates and
Gonnet, with optional items by Navarro and Raffinot): one word costs one step, whatever the number
of patterns, and no text can make it cost more. No item crosses a boundary but the three that name
one, and no pattern matches more words than it has items, which bounds what a match costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.rules.reading.verdict import ALL, Verdict
from shared.rules.reading.words import BOUNDARIES, BREAK, END, START

_COPIES: Final = 3
_RANKS: Final = {
    Verdict.REVOKE: 0,
    Verdict.RESUME: 1,
    Verdict.HELP: 2,
    Verdict.ASK: 3,
    Verdict.NONE: 4,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What follows from a pattern.

    Attributes:
        name: its stable id, e.g. "en/stop-texting".
        verdict: what the person wants.
        scope: what a revocation ends.
        strong: of two rules that match the same words, it is the one that holds.
        whole: it speaks for the whole text, whatever else is in it (an out-of-office text).
    """

    name: str
    verdict: Verdict
    scope: str | None = None
    strong: bool = False
    whole: bool = False

    @property
    def rank(self) -> tuple[bool, int, bool]:
        """The lower one holds where two match the same words: of two scopes the narrower."""
        return not self.strong, _RANKS[self.verdict], self.scope == ALL


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that fits some words: places of the first and behind the last, without boundaries."""

    rule: Rule
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Item:
    accepts: frozenset[str]  # words, boundaries
    classes: frozenset[str]
    anything: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Masked:
    """A text as the grammar sees it.

    Attributes:
        masks: for each word the items that take it.
        phrases: by the place of their last word, the phrases of several words: how many, and the
            items that take them. The words count besides.
        divides: which words are boundaries.
    """

    masks: Sequence[int]
    phrases: Mapping[int, Sequence[tuple[int, int]]]
    divides: Sequence[bool]


class BadPattern(ValueError):
    """A pattern of a data file cannot be read."""


def items_of(pattern: str, plain: Callable[[str], str]) -> list[_Item]:
    """The items of a pattern as it is written.

    Raises:
        BadPattern: it has none, or begins or ends with what may be missing.
    """
    found: list[_Item] = []
    for written in pattern.split():
        if written[0] == "~" and written[1:].isdigit():
            gap = _Item(frozenset(), frozenset(), anything=True, optional=True)
            found.extend([gap] * int(written[1:]))
            continue
        copies = _COPIES if written[-1] == "*" else 1
        optional = written[-1] in "?*"
        bare = written[:-1] if optional else written
        if bare == "_":
            found.append(_Item(frozenset(), frozenset(), anything=True, optional=optional))
            continue
        parts = bare.split("|")
        classes = frozenset(part[1:-1] for part in parts if part[:1] == "<" and part[-1:] == ">")
        words = {part for part in parts if part[:1] != "<"}
        if BREAK in words:
            words |= BOUNDARIES
        accepts = frozenset(
            word if word in {*BOUNDARIES, "#", "@"} else plain(word) for word in words
        )
        if "" in accepts or not accepts | classes:
            raise BadPattern(f"{written!r} in {pattern!r} names no word")
        found.extend([_Item(accepts, classes, optional=optional)] * copies)
    if not found or found[-1].optional:
        raise BadPattern(f"{pattern!r} has to end with an item that is always there")
    return found


class Grammar:
    """All patterns of a language.

    Args:
        patterns: each pattern's items with its rule.
        classes: the words of each class, in plain form.
    """

    def __init__(
        self,
        patterns: Sequence[tuple[Rule, list[_Item]]],
        classes: Mapping[str, frozenset[str]],
    ) -> None:
        self._first = self._optional = self._last = self._anything = 0
        self._masks: dict[str, int] = {}
        self._rule_at: dict[int, tuple[Rule, int]] = {}
        at = 0
        for rule, items in patterns:
            begin = at
            leads = True
            for item in items:
                bit = 1 << at
                if leads:
                    self._first |= bit
                leads = leads and item.optional
                if item.optional:
                    self._optional |= bit
                if item.anything:
                    self._anything |= bit
                for word in item.accepts.union(*(_class(classes, name) for name in item.classes)):
                    self._masks[word] = self._masks.get(word, 0) | bit
                at += 1
            self._last |= 1 << (at - 1)
            self._rule_at[at - 1] = rule, begin
        # What any word, known or not, is accepted by; boundaries only where they are named.
        for word in self._masks:
            if word not in BOUNDARIES:
                self._masks[word] |= self._anything

    def mask(self, word: str) -> int | None:
        """The items that take the word, or None if no item names it."""
        return self._masks.get(word)

    @property
    def words(self) -> Iterable[str]:
        """All words and phrases that an item names."""
        return self._masks.keys() - BOUNDARIES

    @property
    def unknown(self) -> int:
        """The items that take a word that none names."""
        return self._anything

    def match(self, sentence: Masked) -> list[Match]:
        """All matches in a text."""
        first, optional, last = self._first, self._optional, self._last
        states: list[int] = []
        found = []
        state = 0
        for place, mask in enumerate(sentence.masks):
            state = (_after(state, optional) | first) & mask
            for length, phrase in sentence.phrases.get(place, ()):
                before = states[place - length] if place >= length else 0
                state |= (_after(before, optional) | first) & phrase
            states.append(state)
            ended = state & last
            while ended:
                lowest = ended & -ended
                ended ^= lowest
                found.append(self._traced(lowest.bit_length() - 1, place, sentence))
        return found

    def _traced(self, bit: int, place: int, sentence: Masked) -> Match:
        """The longest match of a pattern whose last item took the word at `place`."""
        rule, begin = self._rule_at[bit]
        start = place
        waiting = {place: 1 << bit}
        while waiting:
            at = max(waiting)
            alive = waiting.pop(at)
            edges = ((1, sentence.masks[at]), *sentence.phrases.get(at, ()))
            for length, mask in edges:
                taken = alive & mask
                if not taken:
                    continue
                behind = at - length
                if self._begins(taken, begin):
                    start = min(start, behind + 1)
                before = self._before(taken, begin)
                if before and behind >= 0:
                    waiting[behind] = waiting.get(behind, 0) | before
        end = place + 1
        while sentence.divides[start] and start < end - 1:
            start += 1
        while sentence.divides[end - 1] and end - 1 > start:
            end -= 1
        return Match(rule, start, end)

    def _begins(self, alive: int, begin: int) -> bool:
        """One of the items is the first that is there."""
        return bool((alive & self._first) >> begin)

    def _before(self, alive: int, begin: int) -> int:
        """The items that may have taken the word before."""
        reached = alive >> 1
        skipped = reached & self._optional
        while skipped:
            skipped = (skipped >> 1) & ~reached
            reached |= skipped
            skipped &= self._optional
        return reached >> begin << begin


def _after(state: int, optional: int) -> int:
    """The items that may take the next word: the following ones, over those that may be missing."""
    reached = state << 1
    skipped = reached & optional
    while skipped:
        skipped = (skipped << 1) & ~reached
        reached |= skipped
        skipped &= optional
    return reached


def _class(classes: Mapping[str, frozenset[str]], name: str) -> frozenset[str]:
    if name not in classes:
        raise BadPattern(f"there is no class <{name}>")
    return classes[name]


def settled(matches: Sequence[Match]) -> list[Match]:
    """The matches that hold.

    None that lies within another, which says more of the same words; none that shares a word with
    a strong one ("I unsubscribed" of "I unsubscribed by mistake").
    """
    whole = [match for match in matches if match.rule.whole]
    if whole:
        return whole[:1]
    kept: list[Match] = []
    reached = -1
    for match in sorted(matches, key=lambda each: (each.start, -each.end, each.rule.rank)):
        if match.end > reached:
            kept.append(match)
            reached = match.end
    return [match for at, match in enumerate(kept) if not _is_outweighed(match, kept, at)]


def _is_outweighed(match: Match, kept: Sequence[Match], at: int) -> bool:
    """By one of its neighbours: starts and ends are in order."""
    before = at - 1
    while before >= 0 and kept[before].end > match.start:
        if _outweighs(kept[before], match):
            return True
        before -= 1
    after = at + 1
    while after < len(kept) and kept[after].start < match.end:
        if _outweighs(kept[after], match):
            return True
        after += 1
    return False


def _outweighs(other: Match, match: Match) -> bool:
    """The other one is strong, or began first and is about another object."""
    if match.rule.strong:
        return False
    elsewhere = other.rule.verdict is Verdict.NONE is not match.rule.verdict
    return other.rule.strong or (elsewhere and other.start < match.start)


__all__ = ["END", "START", "BadPattern", "Grammar", "Match", "Rule", "items_of", "settled"]
