"""The answer of a reading, and the keywords that a program adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

ALL: Final = "all"


class Verdict(StrEnum):
    """What the person wants.

    `REVOKE`: no more texts. `RESUME`: texts again. `HELP`: the program's help text. `ASK`: perhaps
    one of these, a careful employee would ask. `NONE`: something else, which is the application's.
    """

    REVOKE = "revoke"
    RESUME = "resume"
    HELP = "help"
    ASK = "ask"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Reading:
    """How a reply was read.

    Attributes:
        verdict: what the person wants.
        rule: id of the rule that decided, e.g. "keyword/STOP" or "en/stop-texting"; None where no
            rule fits, which is `NONE`.
        span: where in the text it stands, as offsets [start, end); None where no rule fits.
        language: of the rule: two letters, or None.
        scope: what a revocation ends: "all", "marketing" or "transactional"; None for others.
    """

    verdict: Verdict
    rule: str | None = None
    span: tuple[int, int] | None = None
    language: str | None = None
    scope: str | None = None

    @property
    def is_keyword(self) -> bool:
        """The reply is a keyword and nothing else."""
        return self.rule is not None and self.rule.startswith(("keyword/", "program/"))

    @property
    def opts_in(self) -> bool:
        """Texts may go again. By a keyword alone: a sentence read wrongly would text people."""
        return self.verdict is Verdict.RESUME and self.is_keyword

    def to_json(self) -> dict[str, Any]:
        """As the interface shows it."""
        return {
            "verdict": str(self.verdict),
            "rule": self.rule,
            "span": list(self.span) if self.span else None,
            "language": self.language,
            "scope": self.scope,
        }


# A program's own lone keywords: {Verdict.REVOKE: ("NOMORE",), Verdict.HELP: ("MENU",)}.
ExtraKeywords = Mapping[Verdict, tuple[str, ...]]
