"""Work that is due later, as its rows have it, and every decision about one; no I/O.

Whatever happens later, or must not be forgotten once begun, has a row in the table `due`:

- partition `{YYYYMMDDhhmm}-{digit}`: the minute of its moment and a digit of its key's hash, so
  that a busy minute spreads and all that is due by a moment is one range of partitions;
- row `{kind}~{work id}`: `moment`, when it is due; `queued`, how often a queue message named it
  since it was put off last, and `queuedAt`, when the latest of those became (or becomes) visible;
  `tries`, how often in a row trouble put it off; `why` it waits; the version `v`.

The work's own row (a send's intent, a campaign) names the moment by which its due row was placed.
The row is written first, then what names it; where it moves to another place, the row at the old
one goes last. So the row that a work names is always there, and a row that no work names can go.

**The timer** reads each minute what is due within `HORIZON` (`turn_of`). It queues what was never
queued, and again, 1, 2, 4 and then every 8 minutes after it was queued last, what is still there:
its process died, or the message was lost. Not while the queue is behind: a row whose message has
not had its turn yet is no sign of a death.

**The worker** (`decide`) does the work, has it put off, or leaves it to the timer. Only deaths
count towards `MOST_QUEUED`: whoever is put off begins anew.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from shared.jobs.dispatch import LONGEST_WAIT

VERSION: Final = 1
HORIZON: Final = LONGEST_WAIT
# How old a due row may be when what it is about is written. The worker waits at least fifteen
# minutes for a work that is missing, and no write is under way for as long.
FRESH: Final = timedelta(seconds=20)
MOST_QUEUED: Final = 5
WORKS_A_MESSAGE: Final = 50
_AGAIN_AFTER: Final = (timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4))
_LONGEST_AGAIN: Final = timedelta(minutes=8)
# Of works that are queued again: what was interrupted beside one that kills its process is not
# tried beside it each time.
_SPREAD_SECONDS: Final = 30
_SHARDS: Final = 8
_SECOND: Final = timedelta(seconds=1)
# Of the pauses that trouble makes, each twice as long as the one before.
_MOST_DOUBLINGS: Final = 7


@dataclass(frozen=True, slots=True)
class Due:
    """One work that is due, as its row has it.

    Attributes:
        kind: of work.
        work_id: which; letters, digits, `.`, `_` and `-`, nothing of a person.
        moment: when it is due.
        partition: where its row is; empty for that of its moment.
        queued: how often a message named it since it was put off last.
        queued_at: when the latest of those became, or becomes, visible.
        tries: how often in a row trouble put it off.
        why: what it waits for, for an operator.
        etag: of the row, once it has been read.
    """

    kind: str
    work_id: str
    moment: datetime
    partition: str = ""
    queued: int = 0
    queued_at: datetime | None = None
    tries: int = 0
    why: str = ""
    etag: str | None = None

    @property
    def row(self) -> str:
        """The row's key."""
        return f"{self.kind}~{self.work_id}"

    @property
    def place(self) -> str:
        """The row's partition."""
        return self.partition or partition_of(self.kind, self.work_id, self.moment)

    @property
    def last(self) -> bool:
        """Whether it has been queued as often as a work may be."""
        return self.queued >= MOST_QUEUED


def partition_of(kind: str, work_id: str, moment: datetime) -> str:
    """Where the row of a work that is due at a moment lies."""
    shard = hashlib.sha256(f"{kind}~{work_id}".encode()).digest()[0] % _SHARDS
    return f"{minute_of(moment)}-{shard}"


def minute_of(moment: datetime) -> str:
    """The part of a partition that is its minute."""
    return f"{moment:%Y%m%d%H%M}"


def visible_at(moment: datetime, now: datetime) -> datetime:
    """When the message of a work may be seen: whole seconds, none early, nothing in the past."""
    # A text that leaves early may leave at night, so that seconds are rounded up.
    whole = moment.replace(microsecond=0)
    return max(whole if whole == moment else whole + _SECOND, now)


def placed(due: Due, now: datetime) -> Due:
    """A work as it is written down: one that is due soon brings its own message."""
    if due.moment - now > HORIZON:
        return replace(due, queued=0, queued_at=None)
    return replace(due, queued=1, queued_at=visible_at(due.moment, now))


# The timer's part -------------------------------------------------------------------------------


class Turn(Enum):
    """What the timer does with a row."""

    REST = auto()
    FIRST = auto()
    AGAIN = auto()


def turn_of(due: Due, now: datetime) -> Turn:
    """Whether a row is to be queued now; `AGAIN` only where the queue is not behind."""
    if due.moment - now > HORIZON:
        return Turn.REST
    if due.queued_at is None or due.queued == 0:
        return Turn.FIRST
    return Turn.AGAIN if now >= due.queued_at + again_after(due.queued) else Turn.REST


def again_after(queued: int) -> timedelta:
    """How long after it was queued for the so-manieth time a work is queued again."""
    return _AGAIN_AFTER[queued - 1] if queued <= len(_AGAIN_AFTER) else _LONGEST_AGAIN


def had_its_turn(due: Due, first_visible: datetime | None) -> bool:
    """Whether the queue has come past a work's message.

    Args:
        due: a work that was queued.
        first_visible: when the queue's first message became visible; None if there is none.
    """
    return first_visible is None or due.queued_at is None or first_visible > due.queued_at


def first_messages(dues: Iterable[Due], now: datetime) -> Iterator[list[Due]]:
    """Works of one partition by messages, marked as queued: at most 50 that are due together."""

    def second(due: Due) -> datetime:
        return visible_at(due.moment, now)

    ordered = sorted(dues, key=lambda due: (second(due), due.row))
    for visible, group in itertools.groupby(ordered, second):
        together = [replace(due, queued=1, queued_at=visible) for due in group]
        for start in range(0, len(together), WORKS_A_MESSAGE):
            yield together[start : start + WORKS_A_MESSAGE]


def queued_again(due: Due, now: datetime) -> Due:
    """A work as its next message has it: one of its own, spread over half a minute."""
    drawn = hashlib.sha256(f"{due.row} {due.queued}".encode()).digest()[0]
    spread = timedelta(seconds=drawn % _SPREAD_SECONDS)
    return replace(due, queued=due.queued + 1, queued_at=visible_at(now + spread, now))


# The worker's part ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """What a work's own row says.

    Attributes:
        named: the moment by which its due row was placed; None where it names none.
        lives: whether an attempt at it may still be at work.
    """

    named: datetime | None
    lives: bool = False


class Verdict(Enum):
    """What the worker does with a work that a message names."""

    RUN = auto()
    LEAVE = auto()
    """To the timer, which queues it again."""
    DROP_MESSAGE = auto()
    DROP_ROW = auto()
    SET_BACK = auto()
    """Somebody is at work at it: it counts as queued once, now."""
    GIVE_UP = auto()


def decide(due: Due, standing: Standing | None) -> Verdict:
    """What to do with a work.

    Args:
        due: as its message has it.
        standing: what its own row says; None if there is no such row.
    """
    if standing is None:
        # Perhaps its row is still under way: the due row is written first.
        return Verdict.DROP_ROW if due.last else Verdict.LEAVE
    if standing.named is None:
        return Verdict.DROP_ROW
    if standing.named > due.moment and names_here(due, standing.named):
        return Verdict.DROP_MESSAGE
    if not names_here(due, standing.named):
        # The work names another row, which is there: it was written before it was named.
        return Verdict.DROP_ROW
    if standing.lives:
        return Verdict.SET_BACK
    return Verdict.GIVE_UP if due.last else Verdict.RUN


def names_here(due: Due, named: datetime) -> bool:
    """Whether a work that names a moment means the row at this place."""
    return partition_of(due.kind, due.work_id, named) == due.place


def pause_of(tries: int, asked_for: int | None) -> timedelta:
    """How long trouble puts a work off: longer each time, and two minutes at most by itself.

    Args:
        tries: how often it did so in a row before.
        asked_for: seconds that whoever is in trouble asked for.
    """
    grown = min(2 ** min(tries + 1, _MOST_DOUBLINGS), int(HORIZON.total_seconds()))
    return timedelta(seconds=max(asked_for or 1, grown))
