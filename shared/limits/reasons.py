"""Which guard refused somebody, told from the sentence that it gave as its reason.

An outcome keeps the sentence, for people. Whoever counts wants a word.
tests/limits/test_reasons.py holds both together: each guard's sentence is recognised.
"""

from __future__ import annotations

from typing import Final

OTHER: Final = "other"
_BEGINNINGS: Final = {
    "The country ": "country",
    "The daily budget ": "budget",
    "Too many one-time codes ": "flood",
}


def reason_of(sentence: str | None) -> str:
    """`country`, `budget`, `flood`, or `other` for a sentence that is none of the guards'."""
    for beginning, reason in _BEGINNINGS.items():
        if sentence is not None and sentence.startswith(beginning):
            return reason
    return OTHER
