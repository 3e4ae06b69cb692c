"""What a change of the ledger is, before and after it has been made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from shared.rules.persons import person

ALL_CATEGORIES: Final = "*"
# The sender of a change that concerns all of them.
NOBODY: Final = ""
# What was accepted so soon after an erasure was ordered counts as before it: clocks differ.
ERASED_MARGIN: Final = timedelta(seconds=5)


class Direction(StrEnum):
    """What a change says of a person.

    `out` and `in` decide. The others are kept in the log and decide nothing yet: `narrow` says
    which categories an earlier opt-out was about; a `hold` is an operator's block, until a `lift`
    names it; `ask` and `consent` are the two halves of an opt-in that is confirmed. `erased` says
    that the person's texts are to be erased: what was accepted before it is sent no more.
    """

    OUT = "out"
    IN = "in"
    NARROW = "narrow"
    HOLD = "hold"
    LIFT = "lift"
    ASK = "ask"
    CONSENT = "consent"
    ERASED = "erased"

    @property
    def decides(self) -> bool:
        """Whether it opens or closes somebody."""
        return self in {Direction.OUT, Direction.IN}


class Channel(StrEnum):
    """By which way somebody's will reached us."""

    KEYWORD = "keyword"
    FREE_TEXT = "freeText"
    PLATFORM_REPORT = "platformReport"
    API = "api"
    IMPORT = "import"
    OPERATOR = "operator"


class Effect(StrEnum):
    """What a change did.

    `applied`: it decided. `superseded`: a later word had decided already. `unchanged`: it says what
    holds anyway; it has no row of its own.
    """

    APPLIED = "applied"
    SUPERSEDED = "superseded"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Somebody opting out or in.

    Attributes:
        change_id: derived from what caused it; the same cause makes one change.
        address: the recipient, E.164.
        sender: the sender that was answered; it is the scope.
        program: the program that the sender belongs to now.
        direction: what it says.
        channel: the way it came.
        rule: the stable id of the rule that recognised it.
        said_at: when the person or the platform spoke. It decides, not the time of arrival.
        cause: what identifies the cause (message id, request id), as names and values.
        words: the words themselves; they can be erased without breaking the log.
        categories: those concerned, with commas between them, or `*` for all.
        until: when it ends by itself; None: never.
        strikes: the last of the earlier changes that count no more because of it; 0: none.
        names: the change that a `narrow` or a `lift` is about; 0: none.
        span: where in the words the rule found what it recognised, as `start-end`.
        language: of the words, as a tag of BCP 47.
        actor: who asked for it, where somebody did.
    """

    change_id: str
    address: str
    sender: str
    program: str
    direction: Direction
    channel: Channel
    rule: str
    said_at: datetime
    cause: Mapping[str, str] = field(default_factory=dict)
    words: str | None = None
    categories: str = ALL_CATEGORIES
    until: datetime | None = None
    strikes: int = 0
    names: int = 0
    span: str = ""
    language: str = ""
    actor: str = ""

    @property
    def person(self) -> str:
        """Whom it concerns, however the number was written."""
        return person(self.address)

    @property
    def scope(self) -> str:
        """The key of the state that this change decides."""
        return sender_scope(self.sender)


@dataclass(frozen=True, slots=True)
class Made:
    """A change that stands in the log, or says what stands there.

    Attributes:
        sequence: its place; of one that changes nothing, that of the change which decides.
        effect: whether it decided.
        fresh: False if it had been made before and this was a repeat.
        recorded: when the change at `sequence` was written, ISO; empty for a repeat.
    """

    sequence: int
    effect: Effect
    fresh: bool
    recorded: str = ""


def sender_scope(sender: str) -> str:
    """The scope of an opt-out from one sender."""
    return f"sender:{sender}"
