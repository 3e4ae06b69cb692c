"""What a campaign is, and a chunk of one: their members and the words for where they stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from shared.campaigns.order import Definition


class Phase(StrEnum):
    """Where a campaign stands."""

    PREPARING = "preparing"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELED = "canceled"
    FAILED = "failed"
    DONE = "done"


OVER: Final = frozenset({Phase.CANCELED, Phase.FAILED, Phase.DONE})


@dataclass(frozen=True, slots=True)
class Totals:
    """What the whole list comes to.

    Attributes:
        rows: readable or not.
        recipients: who is to be texted, each once.
        refused: rows that text nobody because something is wrong with them.
        duplicates: rows whose number stands on an earlier line.
        segments: of all texts, by sender.
    """

    rows: int = 0
    recipients: int = 0
    refused: int = 0
    duplicates: int = 0
    segments: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As it is kept and shown."""
        return {
            "rows": self.rows,
            "recipients": self.recipients,
            "refused": self.refused,
            "duplicates": self.duplicates,
            "segments": dict(self.segments),
        }


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as its row has it.

    Attributes:
        campaign_id: its id.
        definition: what it is.
        phase: where it stands.
        created_at: when it was ordered.
        attempt: what tells this campaign from another one that was refused for having its id.
        reason: why it is paused or has failed, where nobody asked for it.
        expanded: whether the list has been read to its end.
        totals: of the list, once it has been.
        chunks: how many there are.
        next: the first chunk that has not been given its place in time.
        last_slot: the place in time of the chunk before that.
        eta: when the last text was to leave, as reckoned when the list had been read.
        finished_at: when the last one left.
        low: the first chunk that may not be done.
        due_at: the moment by which its row in the table `due` was placed.
        busy_until: until when somebody may be reading its list.
        etag: of the row.
    """

    campaign_id: str
    definition: Definition
    phase: Phase
    created_at: datetime
    attempt: str
    reason: str | None = None
    expanded: bool = False
    totals: Totals = field(default_factory=Totals)
    chunks: int = 0
    next: int = 0
    last_slot: datetime | None = None
    eta: datetime | None = None
    finished_at: datetime | None = None
    low: int = 0
    due_at: datetime | None = None
    busy_until: datetime | None = None
    etag: str | None = None

    @property
    def start(self) -> datetime:
        """When it begins."""
        return self.definition.start_at or self.created_at


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk's place in the list, as its message names it.

    Attributes:
        number: from 0.
        offset: its first byte.
        length: its bytes.
        line: its first line.
        skip: its lines that text nobody, counted from `line`.
        lead: seconds from the campaign's start to its nominal moment, at full rate.
        segments: of its texts, by sender.
        recipients: how many are to be texted.
    """

    number: int
    offset: int
    length: int
    line: int
    skip: tuple[int, ...]
    lead: float
    segments: Mapping[str, int]
    recipients: int

    def to_json(self) -> dict[str, Any]:
        """As a message and a row hold it."""
        return {
            "chunk": self.number,
            "offset": self.offset,
            "length": self.length,
            "line": self.line,
            "skip": list(self.skip),
            "lead": self.lead,
            "segments": dict(self.segments),
            "recipients": self.recipients,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Piece:
        """What `to_json` wrote."""
        return cls(
            value["chunk"],
            value["offset"],
            value["length"],
            value["line"],
            tuple(value["skip"]),
            value["lead"],
            value["segments"],
            value["recipients"],
        )


class Fate(StrEnum):
    """What has become of a chunk; empty while nothing has."""

    OPEN = ""
    DONE = "done"
    PARKED = "parked"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk with what became of it.

    Attributes:
        piece: where it lies.
        fate: what became of it.
        attempt: what tells the run that is at work on it from others; empty if none is.
        busy_until: until when that run lives, if it does not say more; or, of a chunk that is to
            be run again, until when its message counts as under way. None for neither.
        tries: of that message.
        left: the counts of each send that has left in any run, by its id.
        counts: recipients by state, as last counted.
        errors: recipients by the reason for which they were not texted.
        sends: the ids of its sends.
        done_at: when it was done.
        counted_at: when its reports were last looked at; None for never.
        settled: whether all its states are final.
        slot: its latest place in time; None before its first.
        placed: how many messages have named it since it was put off last.
        etag: of the row.
    """

    piece: Piece
    fate: Fate = Fate.OPEN
    attempt: str = ""
    busy_until: datetime | None = None
    tries: int = 0
    left: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    sends: tuple[str, ...] = ()
    done_at: datetime | None = None
    counted_at: datetime | None = None
    settled: bool = False
    slot: datetime | None = None
    placed: int = 0
    etag: str | None = None

    def is_run(self, now: datetime) -> bool:
        """Whether a run of it is alive."""
        return bool(self.attempt) and self.is_busy(now)

    def is_busy(self, now: datetime) -> bool:
        """Whether a run of it is alive, or is to come by a message that is under way."""
        return self.busy_until is not None and now < self.busy_until

    def is_for(self, tries: int, now: datetime) -> bool:
        """Whether it may be run now by a message of so many tries."""
        return not self.is_busy(now) or (not self.attempt and tries == self.tries)
