"""How far counting has come: one row of the counts' table, changed by its ETag."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.azure.packing import pack, unpack
from shared.azure.tables import Entity, etag_of
from shared.base.clock import from_iso, iso

STATE_PARTITION: Final = "state"
STATE_ROW: Final = "fold"


@dataclass(frozen=True, slots=True)
class TimerState:
    """How far the fold has come.

    Attributes:
        folded_up_to: all minutes before this one are folded.
        marks_up_to: all marks that were due up to here have been heeded.
        log_from: the first change of the ledger's last minute; more of that minute may come.
        log_end: the last change seen.
        log_minute: the minute that it counts at; None before the first.
        again: spans that are to be folded again.
        claimed_until: somebody folds, until then at most.
        etag: of the row.
    """

    folded_up_to: datetime
    marks_up_to: datetime
    log_from: int = 0
    log_end: int = 0
    log_minute: datetime | None = None
    again: tuple[tuple[datetime, datetime], ...] = ()
    claimed_until: datetime | None = None
    etag: str | None = None


class Overtaken(Exception):
    """Somebody else folds; nothing of this run is lost."""


def state_row(state: TimerState) -> Entity:
    """The row that keeps it."""
    return {
        "PartitionKey": STATE_PARTITION,
        "RowKey": STATE_ROW,
        "foldedUpTo": iso(state.folded_up_to),
        "marksUpTo": iso(state.marks_up_to),
        "logFrom": state.log_from,
        "logEnd": state.log_end,
        "logMinute": iso(state.log_minute) if state.log_minute else "",
        "again": pack([[iso(start), iso(end)] for start, end in state.again]),
        "claimedUntil": iso(state.claimed_until) if state.claimed_until else "",
    }


def read_state(row: Entity) -> TimerState:
    """What `state_row` wrote."""
    return TimerState(
        from_iso(row["foldedUpTo"]),
        from_iso(row["marksUpTo"]),
        row["logFrom"],
        row["logEnd"],
        from_iso(row["logMinute"]) if row["logMinute"] else None,
        tuple((from_iso(start), from_iso(end)) for start, end in unpack(row["again"])),
        from_iso(row["claimedUntil"]) if row["claimedUntil"] else None,
        etag_of(row),
    )
