"""What an attempt at a send is: its gates, its ends, its doubt, and who takes it over.

These are the rules, which ask nobody; `shared.sending.runner` goes by them.

**An attempt** is one try to hand a send's text to ACS. The send's own row says which one it has:
since when (`attempt_at`), under which nonce (`attempt`), and, once it has ended without an outcome,
when and why (`ended_at`, `error`). The row is written before ACS is asked, so that whoever finds a
send without an outcome knows what may have happened. A send that waits has no attempt.

**Gates**, in their order; the first that does not let somebody through decides for them
(`shared.sending.decisions`):

1. taken out, or ordered before the person's erasure was: `canceled`, but `uncertain` where an
   earlier attempt is in doubt;
2. closed by the ledger, as it reads once the attempt is written down: `blocked`, but `uncertain`
   where an earlier attempt is in doubt and they were not yet closed when that doubt began;
3. its time is over, or its text has been blanked (`when_time_is_up`): `uncertain` where an earlier
   attempt is in doubt, for which the end of the repeat window and the beginning of their quiet
   hours count, too; `expired` without a doubt;
4. limits (countries, budgets, floods): `blocked`, but `uncertain` after an earlier doubt.

Before them, and before a send without an outcome is taken over, it is asked what puts it off:
quiet hours, a campaign that is paused. Without a doubt the send waits again, with moment and
reason, as one that never was attempted does. With one, those whose quiet hours have begun are
`uncertain`, and a pause puts the send off until the repeat window is over.

Whoever passes all of them is asked for, in one request, while the attempt has time left.

**Ends**, and what is then known:

- ACS answered: an outcome for everybody; of whom it said nothing, `uncertain`.
- Nothing was sent (`NOTHING_SENT`, no news of the ledger, or trouble with our own storage before
  ACS was asked): this attempt leaves no doubt.
- No answer (`AnswerMissing`), or the process died: it is in doubt.

**Doubt**, the time since which somebody may have been texted without our knowing it, belongs to a
send as a whole (`doubt_since`). It begins with the row of an attempt, before ACS is asked. An end
that sent nothing takes the doubt of its own attempt away, never that of an earlier one. Only an
outcome ends it for good, and where it is older than the repeat window, for which ACS can be trusted
to remember our ids, nobody is texted on a guess: the outcome is `uncertain`, and a report settles
it. Categories in `send_again` know no such end.

**Take-over.** An attempt is dead when it has ended, or is older than one may take. Whoever meets
a dead one, the repeat of a request or the queue, takes the row over under its ETag: with a nonce of
its own and the same ids. ACS is told the time of the first attempt that is in doubt
(`doubt_since`), so that to ACS it is the same request; where nothing is in doubt, that is a fresh
one, since ACS may refuse an id whose first time is long ago.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.base.errors import (
    ParleyError,
    PlatformDenied,
    PlatformRefused,
    StillSending,
    Throttled,
)
from shared.base.randomness import Randomness
from shared.messages.facts import Intent, Outcome
from shared.messages.request import SendRequest
from shared.rules.message_states import State
from shared.rules.segments import Measure
from shared.sending.entries import NOTHING, Written

ACCEPTED: Final = 202
# Ends after which it is certain that the attempt has texted nobody.
NOTHING_SENT: Final = (Throttled, PlatformDenied, PlatformRefused, StillSending)


@dataclass(frozen=True, slots=True)
class AttemptRules:
    """The numbers that attempts go by.

    Attributes:
        timeout: how long an attempt may take; an older one is dead.
        repeat_window: how long after a first attempt in doubt the same text is tried again.
        send_again: categories in which a possible second text is better than silence.
    """

    timeout: timedelta
    repeat_window: timedelta
    send_again: frozenset[str]


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that has begun.

    Attributes:
        intent: the send, as its row reads since this attempt began.
        earlier_doubt: since when an earlier attempt may have texted somebody; None if it is known
            of each.
        asleep: those whose quiet hours have begun since an earlier attempt that is in doubt.
        written: the conversations' entries that were written beside it.
    """

    intent: Intent
    earlier_doubt: datetime | None = None
    asleep: frozenset[str] = frozenset()
    written: Written = NOTHING


# The row, as attempts come and go ---------------------------------------------------------------


def new_intent(
    send_id: str,
    request: SendRequest,
    measure: Measure,
    *,
    keyed: bool,
    trace: str | None,
    now: datetime,
    nonce: str,
) -> Intent:
    """The intent of a first attempt. Until its end is known, it is in doubt."""
    start = request.send_at or now
    return Intent(
        send_id=send_id,
        request=request,
        segments=measure.segments,
        encoding=str(measure.encoding),
        keyed=keyed,
        created_at=now,
        first_attempt_at=now,
        attempt_at=now,
        doubt_since=now,
        attempt=nonce,
        trace=trace,
        expires_at=request.expiry(start),
    )


def drawn_nonce(randomness: Randomness) -> str:
    """What tells one attempt from another."""
    return randomness(8).hex()


def waiting_intent(intent: Intent, *, send_at: datetime, why: str) -> Intent:
    """The intent of a send that has to wait: no attempt has begun, nothing is in doubt."""
    return replace(
        intent, send_at=send_at, due_at=send_at, why_waiting=why, attempt="", doubt_since=None
    )


def taken_over(intent: Intent, now: datetime, nonce: str) -> Intent:
    """The intent of the next attempt; of the first one, if it has been waiting."""
    return replace(
        intent,
        first_attempt_at=now if intent.waiting else intent.first_attempt_at,
        attempt_at=now,
        doubt_since=intent.doubt_since or now,
        ended_at=None,
        error=None,
        attempt=nonce,
    )


def ended(attempt: Attempt, error: BaseException, *, now: datetime, in_doubt: bool) -> Intent:
    """The intent after an attempt that has no outcome.

    Args:
        attempt: the one that ended.
        error: how.
        now: when.
        in_doubt: whether it may have texted somebody.
    """
    return replace(
        attempt.intent,
        ended_at=now,
        error=name_of(error),
        doubt_since=attempt.intent.doubt_since if in_doubt else attempt.earlier_doubt,
    )


def name_of(error: BaseException) -> str:
    """What the row and the log call the end of an attempt."""
    return error.code if isinstance(error, ParleyError) else type(error).__name__


# What the row says ------------------------------------------------------------------------------


def time_left(intent: Intent, rules: AttemptRules, now: datetime) -> timedelta:
    """How long the send's latest attempt may still be at work; nothing, if it is dead."""
    if intent.waiting or intent.ended_at is not None:
        return timedelta(0)
    return max(intent.attempt_at + rules.timeout - now, timedelta(0))


def when_time_is_up(attempt: Attempt, rules: AttemptRules, now: datetime) -> State | None:
    """What becomes of those whom it is too late to text; None while it is not too late."""
    intent, doubt = attempt.intent, attempt.earlier_doubt
    # A code whose text has been taken out of the record is over, whatever else holds.
    expired = intent.request.is_blank or (intent.expires_at is not None and now > intent.expires_at)
    if doubt is None:
        return State.EXPIRED if expired else None
    forgotten = now - doubt > rules.repeat_window
    gives_up = forgotten and intent.request.category not in rules.send_again
    return State.UNCERTAIN if expired or gives_up else None


def may_be_put_off(intent: Intent, rules: AttemptRules, now: datetime) -> bool:
    """Whether a send may wait for a pause to end: one in doubt only while ACS knows its ids.

    A category that may be sent again after that can wait for as long as it takes.
    """
    doubt = intent.doubt_since
    again = intent.request.category in rules.send_again
    return doubt is None or again or now - doubt <= rules.repeat_window


def uncertain(address: str) -> Outcome:
    """The outcome of somebody who may have the text. An error would invite a second one."""
    return Outcome(address, State.UNCERTAIN, ACCEPTED)
