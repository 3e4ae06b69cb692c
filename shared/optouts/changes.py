"""What a change of the ledger is, before and after it has been made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Direction(StrEnum):
    """Which way a change goes."""

    OUT = "out"
    IN = "in"


class Channel(StrEnum):
    """By which way somebody's will reached us."""

    KEYWORD = "keyword"
    FREE_TEXT = "freeText"
    PLATFORM_REPORT = "platformReport"
    API = "api"
    IMPORT = "import"
    OPERATOR = "operator"


class Effect(StrEnum):
    """What a change did: a later word had already decided, or this one decided."""

    APPLIED = "applied"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Somebody opting out or in.

    Attributes:
        change_id: derived from what caused it; the same cause makes one change.
        address: the recipient, E.164.
        sender: the sender that was answered; it is the scope.
        program: the program that the sender belongs to now.
        direction: out or in.
        channel: the way it came.
        rule: the stable id of the rule that recognised it.
        said_at: when the person or the platform spoke. It decides, not the time of arrival.
        cause: what identifies the cause (message id, request id), as names and values.
        words: the words themselves; they can be erased without breaking the log.
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

    @property
    def scope(self) -> str:
        """The key of the state that this change decides."""
        return sender_scope(self.sender)


@dataclass(frozen=True, slots=True)
class Made:
    """A change that stands in the log.

    Attributes:
        sequence: its place.
        effect: whether it decided.
        fresh: False if it had been made before and this was a repeat.
    """

    sequence: int
    effect: Effect
    fresh: bool


def sender_scope(sender: str) -> str:
    """The scope of an opt-out from one sender."""
    return f"sender:{sender}"
