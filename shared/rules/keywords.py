"""What a person says with one word: stop, start, help.

A message is a keyword only if it is nothing else: case, surrounding white space, punctuation and
emoji do not count, every further word does. "we have got to STOP this bill", "Stop 12345" and
"stop it please" are not keywords here (free text is a later matter).

The table is the union of what regulators, carriers and ACS name. A word that only one of them
knows is honoured on every sender: the carrier that blocks on fewer words does not excuse us
(docs/platform.md 4 and 9).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Meaning(StrEnum):
    """What the person wants."""

    STOP = "stop"
    START = "start"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Keyword:
    """A keyword as it was understood.

    Attributes:
        intent: what the person wants.
        word: the canonical word, e.g. "OPT OUT".
        rule: stable id of the table's row, e.g. "keyword/STOP"; the ledger keeps it as its reason.
    """

    intent: Meaning
    word: str
    rule: str


@dataclass(frozen=True, slots=True)
class KeywordRow:
    """One row of the table.

    Attributes:
        intent: what the word means.
        word: the canonical word.
        spellings: further ways to write it; a hyphen between words counts as a space anyway.
        source: who demands or documents it.
    """

    intent: Meaning
    word: str
    spellings: tuple[str, ...]
    source: str

    @property
    def rule(self) -> str:
        """Stable id of this row."""
        return f"keyword/{self.word.replace(' ', '-')}"


_FCC: Final = "47 CFR 64.1200(a)(10)"
_CTIA: Final = "CTIA Messaging Principles"
_ACS: Final = "ACS SMS FAQ, opt-out handling"
_CANADA: Final = "Canadian carriers; ACS Messaging Connect"

TABLE: Final[tuple[KeywordRow, ...]] = (
    KeywordRow(Meaning.STOP, "STOP", (), f"{_FCC}; {_CTIA}; {_ACS}"),
    KeywordRow(Meaning.STOP, "QUIT", (), f"{_FCC}; {_CTIA}; {_ACS}"),
    KeywordRow(Meaning.STOP, "END", (), f"{_FCC}; {_CTIA}; {_ACS}"),
    KeywordRow(Meaning.STOP, "REVOKE", (), f"{_FCC}; {_ACS}"),
    KeywordRow(Meaning.STOP, "OPT OUT", ("OPTOUT",), f"{_FCC}; {_ACS}"),
    KeywordRow(Meaning.STOP, "CANCEL", (), f"{_FCC}; {_CTIA}; {_ACS}"),
    KeywordRow(Meaning.STOP, "UNSUBSCRIBE", (), f"{_FCC}; {_CTIA}; {_ACS}"),
    KeywordRow(Meaning.STOP, "STOPALL", ("STOP ALL",), "carriers' lists in the United States"),
    KeywordRow(Meaning.STOP, "ARRET", ("ARRÊT",), _CANADA),
    KeywordRow(Meaning.START, "START", (), _ACS),
    KeywordRow(Meaning.START, "UNSTOP", (), _ACS),
    KeywordRow(Meaning.HELP, "HELP", (), f"{_CTIA}; {_ACS}"),
    KeywordRow(Meaning.HELP, "INFO", (), f"{_CTIA}; {_CANADA}"),
    KeywordRow(Meaning.HELP, "AIDE", (), _CANADA),
)

_BETWEEN_WORDS: Final = re.compile(r"[\s\-\u2010-\u2015]+")


def read(text: str) -> Keyword | None:
    """The keyword that the whole message is, or None."""
    return _BY_SPELLING.get(_bare(text))


def _bare(text: str) -> str:
    """The message without what does not count: case, and all that is around letters and digits."""
    composed = unicodedata.normalize("NFKC", text)
    inside = [place for place, character in enumerate(composed) if character.isalnum()]
    if not inside:
        return ""
    return _BETWEEN_WORDS.sub(" ", composed[inside[0] : inside[-1] + 1]).casefold()


def _by_spelling() -> Mapping[str, Keyword]:
    return MappingProxyType(
        {
            _bare(spelling): Keyword(row.intent, row.word, row.rule)
            for row in TABLE
            for spelling in (row.word, *row.spellings)
        }
    )


_BY_SPELLING: Final = _by_spelling()
