"""Sends whose time has come: put off, paced, attempted, and tried again until they have an end."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from shared.base import log
from shared.base.errors import Throttled
from shared.jobs.due import Due, Standing
from shared.jobs.due_worker import Met, PutOff
from shared.limits.pacing import Pacing
from shared.messages.facts import Intent, Outcome
from shared.messages.parts import Parts
from shared.messages.record import Send
from shared.rules.message_states import State
from shared.sending.api import Sending
from shared.sending.attempts import AttemptRules, time_left, uncertain
from shared.sending.decisions import canceled
from shared.sending.outcomes import Outcomes, count_outcomes
from shared.sending.scheduled import CAMPAIGN_PAUSED, ScheduledSends
from shared.sending.timetable import Wait

_SOON: Final = timedelta(seconds=1)
# Why a send waits that has its place in time: it needs no other one when that has come.
PACE: Final = "pace"
GIVEN_UP: Final = "Parley gave it up: its process ended each time that it was tried."
_MISTAKE: Final = 500


class ScheduledJob:
    """Does the due work of kind `scheduled`.

    Args:
        parts: shared ones.
        rules: when an attempt is dead.
        sending: what sends.
        outcomes: records what became of everybody.
        scheduled: what knows of those that have not left.
        pacing: when they may.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        rules: AttemptRules,
        sending: Sending,
        outcomes: Outcomes,
        scheduled: ScheduledSends,
        pacing: Pacing,
    ) -> None:
        self._clock = parts.clock
        self._record = parts.record
        self._rules = rules
        self._sending = sending
        self._outcomes = outcomes
        self._scheduled = scheduled
        self._pacing = pacing

    async def meet(self, work_id: str) -> Met[Send] | None:
        """The send as it is on record; None if it is not there."""
        found = await self._record.send(work_id)
        if found is None:
            return None
        open_still = found.outcomes is None
        lives = open_still and bool(time_left(found.intent, self._rules, self._clock()))
        return Met(Standing(found.intent.due_at, lives), found)

    async def run(self, found: Send, due: Due) -> PutOff | None:
        """Send what was waiting, or say when and why it must wait longer.

        Raises:
            StillSending, AnswerMissing, LedgerUnavailable, StorageDown: trying again is safe.
            Throttled, PlatformDenied, PlatformRefused: nothing was sent.
        """
        intent = found.intent
        if found.outcomes is not None:
            await self._outcomes.write_entries_and_events(intent, list(found.outcomes.values()))
            return None
        tries = due.tries if due.why == CAMPAIGN_PAUSED else 0
        place = _has_its_place if due.why == PACE else self._place
        try:
            waits = await self._sending.attempt_due(intent, tries=tries, place=place)
        except Throttled as error:
            await self._pacing.slow(intent.request.sender, error.retry_after or 0)
            raise
        if waits is None:
            return None
        why = waits.why_waiting or ""
        moment = waits.send_at or self._clock()
        return PutOff(moment, why, tries + 1 if why == CAMPAIGN_PAUSED else 0)

    async def _place(self, intent: Intent) -> Wait | None:
        """Reserve a send's place in its sender's time; until when it waits, if that is not now."""
        units = _units(intent)
        if not units:
            return None
        moment = await self._pacing.reserve(intent.request.sender, units)
        return Wait(moment, PACE) if moment - self._clock() > _SOON else None

    async def name(self, due: Due, later: Due) -> None:
        """Have the send, which names `due`, name `later` in its place.

        Raises:
            Changed: it names another one, or others were always faster.
        """
        await self._scheduled.name(due, later)

    async def give_up(self, found: Send, due: Due) -> None:
        """End a send that has ended its process time and again; whoever asked for reports is told.

        Who may have the text reads `uncertain`; of the others it is certain that they have not.
        """
        intent = found.intent
        if found.outcomes is not None:
            return
        outcomes = [_given_up(intent, address) for address in intent.addresses()]
        if await self._outcomes.give_up(intent, outcomes):
            count_outcomes(intent, outcomes)
            log.trouble("send.given_up", sendId=intent.send_id, times=due.queued)


async def _has_its_place(_intent: Intent) -> None:
    """A send that has waited for its place needs no other one."""


def _units(intent: Intent) -> int:
    """The segments that a send takes of its sender's time."""
    return intent.segments * sum(a not in intent.canceled for a in intent.addresses())


def _given_up(intent: Intent, address: str) -> Outcome:
    if address in intent.canceled:
        return canceled(address)
    if intent.doubt_since is not None:
        return uncertain(address)
    return Outcome(address, State.FAILED, _MISTAKE, error=GIVEN_UP)
