"""What routes, the queue and campaigns ask of sending.

A send whose time has not come is written down and waits (`shared.sending.scheduled`); the others,
and those whose time has come, are attempted (`shared.sending.attempts`). However often a request
comes, it is one send: a repeat is answered with what the send has become, or takes it over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from shared.azure import telemetry
from shared.base import ids
from shared.base.errors import (
    AnswerMissing,
    InvalidRequest,
    KeyReused,
    StillSending,
)
from shared.limits.pacing import Pacing
from shared.messages.facts import Intent, Outcome
from shared.messages.parts import Parts
from shared.messages.request import SendRequest
from shared.rules import segments
from shared.rules.message_states import MAY_HAVE_LEFT
from shared.rules.timing.when import check_not_past, has_passed
from shared.sending.answers import Answer, answer_of
from shared.sending.attempts import Attempt, drawn_nonce, new_intent
from shared.sending.idempotency import IdempotencyKeys
from shared.sending.outcomes import Outcomes
from shared.sending.runner import AttemptRunner
from shared.sending.scheduled import ScheduledSends, split_by_moment
from shared.sending.timetable import Wait

_PAUSED_SECONDS: Final = 30


class Sending:
    """Sends texts.

    Args:
        parts: shared ones.
        runner: makes the attempts.
        outcomes: does again what follows from an outcome.
        scheduled: what has a send wait.
        keys: the idempotency keys.
        pacing: told of what leaves without a place in time.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        runner: AttemptRunner,
        outcomes: Outcomes,
        scheduled: ScheduledSends,
        keys: IdempotencyKeys,
        pacing: Pacing,
    ) -> None:
        self._id_key = parts.id_key
        self._clock = parts.clock
        self._randomness = parts.randomness
        self._record = parts.record
        self._runner = runner
        self._outcomes = outcomes
        self._scheduled = scheduled
        self._keys = keys
        self._pacing = pacing

    async def send(self, request: SendRequest, *, key: str | None = None) -> Answer:
        """Send at once, and have what it takes deducted from what waits for its turn.

        Args and errors are those of `send_paced`.
        """
        answer = await self.send_paced(request, key=key)
        left = {item.to for item in answer.items if item.state in MAY_HAVE_LEFT}
        if left and not answer.replayed:
            self._pacing.deduct(request.sender, answer.segments * len(left))
        return answer

    async def send_paced(
        self, request: SendRequest, *, key: str | None = None, send_id: str | None = None
    ) -> Answer:
        """Send, once, however often the same request comes; its place in time is the caller's care.

        Args:
            request: what to send.
            key: the caller's Idempotency-Key.
            send_id: the send's id where the caller derives it itself, as a campaign does.

        Raises:
            InvalidRequest: the repeatability ids were used for another request; or its `sendAt`
                has passed, and it repeats none.
            KeyReused, AlreadyRunning: as the Idempotency-Key has it.
            LedgerUnavailable, StillSending, AnswerMissing, StorageDown: repeating is safe.
            Throttled, PlatformDenied, PlatformRefused: nothing was sent.
        """
        now = self._clock()
        send_id = send_id or _derived_id(request)
        if send_id is None and key is None:
            return await self._send_unrepeatable(request, now)
        return await self._send(
            request, now, send_id or ids.drawn_send_id(now, self._randomness), key
        )

    async def attempt_due(
        self, intent: Intent, *, tries: int, place: Callable[[Intent], Awaitable[Wait | None]]
    ) -> Intent | None:
        """Attempt a send whose time has come, or one of which an earlier attempt is dead.

        Args:
            intent: of a send without an outcome.
            tries: how often in a row it has met a pause.
            place: when its sender has time for it, if that is not now.

        Returns:
            the send as it waits from now on; None if it was attempted.

        Raises:
            StillSending, AnswerMissing, LedgerUnavailable, StorageDown: trying again is safe.
            Throttled, PlatformDenied, PlatformRefused: nothing was sent.
        """
        begun = await self._begin_next(intent, keyed=False, tries=tries, place=place)
        if isinstance(begun, Intent):
            return begun
        await self._attempt(begun)
        return None

    async def cancel(self, message_id: str) -> None:
        """Take one recipient out of a send that waits, or out of its retry. Doing it twice is once.

        Raises:
            NotFound: there is no such message.
            NotCancelable: its time has come; it has left or is leaving.
        """
        await self._scheduled.cancel(message_id)

    # A new send ---------------------------------------------------------------------------------

    async def _send_unrepeatable(self, request: SendRequest, now: datetime) -> Answer:
        """A send that nothing ties to a repeat of its request: that would be another text."""
        try:
            return await self._send(request, now, ids.drawn_send_id(now, self._randomness), None)
        except AnswerMissing as error:
            error.retryable = False
            raise

    async def _send(
        self, request: SendRequest, now: datetime, send_id: str, key: str | None
    ) -> Answer:
        if request.send_at is not None and has_passed(request.send_at, now):
            return await self._repeat_late(request, now, send_id, key)
        waits = self._scheduled.waits(request, now)
        if key is not None:
            last = max(request.send_at or now, now, *(wait.until for wait in waits.values()))
            claim = await self._keys.claim(key, request.digest, send_id, now=now, moment=last)
            send_id = claim.stands_for
        telemetry.annotate(sendId=send_id, sender=request.sender, recipients=len(request.asked))
        intent = split_by_moment(self._new(send_id, request, now, key), waits)
        if intent.waiting or intent.parts:
            return await self._send_in_parts(intent)
        begun = await self._runner.begin(intent)
        return await self._attempt(begun) if begun is not None else await self._repeat(intent)

    def _new(self, send_id: str, request: SendRequest, now: datetime, key: str | None) -> Intent:
        return new_intent(
            send_id,
            request,
            segments.measure(request.message),
            keyed=key is not None,
            trace=telemetry.traceparent(),
            now=now,
            nonce=drawn_nonce(self._randomness),
        )

    async def _send_in_parts(self, intent: Intent) -> Answer:
        """A send that waits, or of which some parts do."""
        waits = intent.waiting
        begun = await (self._scheduled.begin(intent) if waits else self._record.begin(intent))
        if begun is None:
            return await self._repeat(intent)
        await self._scheduled.record_parts(intent, fresh=True)
        if waits:
            return self._answer(intent, [], replayed=False)
        return await self._attempt(await self._runner.begin_written(begun))

    async def _attempt(self, attempt: Attempt) -> Answer:
        outcomes = await self._runner.run(attempt)
        if outcomes is None:
            return await self._repeat(attempt.intent)
        return self._answer(attempt.intent, outcomes, replayed=False)

    def _answer(self, intent: Intent, outcomes: Sequence[Outcome], *, replayed: bool) -> Answer:
        return answer_of(intent, outcomes, self._id_key, replayed=replayed)

    # A repeat -----------------------------------------------------------------------------------

    async def _repeat_late(
        self, request: SendRequest, now: datetime, send_id: str, key: str | None
    ) -> Answer:
        """Answer a request whose `sendAt` has passed: only as the repeat of one that came in time.

        Raises:
            InvalidRequest: there was none.
        """
        if key is not None:
            send_id = await self._keys.find(key, request.digest, now) or send_id
        if await self._record.intent(send_id) is None:
            check_not_past(request.send_at, now)
        return await self._repeat(self._new(send_id, request, now, key))

    async def _repeat(self, ours: Intent) -> Answer:
        """Answer a request whose intent was there already."""
        found = await self._record.send(ours.send_id)
        if found is None:
            raise StillSending("The send is there and cannot be read yet; repeat it.")
        intent = found.intent
        if intent.request.digest != ours.request.digest:
            if ours.keyed:
                raise KeyReused("This Idempotency-Key was used for another request.")
            raise InvalidRequest.of(
                "smsRecipients", "These repeatability ids were used for another request."
            )
        own = intent.attempt == ours.attempt
        if own and not intent.waiting and found.outcomes is None:
            return await self._attempt(await self._runner.begin_found(intent))
        await self._scheduled.record_parts(intent, fresh=False)
        if intent.waiting:
            return self._answer(intent, [], replayed=True)
        if found.outcomes is not None:
            outcomes = list(found.outcomes.values())
            await self._outcomes.write_entries_and_events(intent, outcomes)
            return self._answer(intent, outcomes, replayed=not own)
        begun = await self._begin_next(intent, keyed=ours.keyed)
        if isinstance(begun, Intent):
            return self._answer(begun, [], replayed=True)
        return await self._attempt(begun)

    async def _begin_next(
        self,
        intent: Intent,
        *,
        keyed: bool,
        tries: int = 0,
        place: Callable[[Intent], Awaitable[Wait | None]] | None = None,
    ) -> Attempt | Intent:
        """The next attempt at a send without an outcome; or the send, as it waits from now on.

        Raises:
            AlreadyRunning, StillSending: an attempt may still be at work.
            LedgerUnavailable, StorageDown: repeating is safe.
        """
        self._runner.check_dead(intent, keyed=keyed)
        due = await self._scheduled.intent_when_due(intent, tries)
        if isinstance(due, Intent) and place is not None and intent.doubt_since is None:
            due = await place(due) or due
        if isinstance(due, Intent):
            return await self._runner.take_over(due, asleep=self._scheduled.asleep(due))
        if intent.waiting:
            # It keeps the moment for which it was ordered.
            return replace(intent, send_at=due.until, why_waiting=due.why)
        if intent.doubt_since is None:
            return await self._scheduled.put_off(intent, due)
        if self._runner.may_be_put_off(intent):
            raise StillSending(
                "An earlier attempt of this send is in doubt, and its campaign is paused.",
                retry_after=_PAUSED_SECONDS,
            )
        return await self._runner.take_over(intent)


def _derived_id(request: SendRequest) -> str | None:
    """The send id that the caller's repeatability ids make, or None if not all bring one."""
    pairs = [(asked.repeat_id, asked.to) for asked in request.asked]
    times = [asked.first_sent for asked in request.asked if asked.first_sent and asked.address]
    if not times or any(repeat_id is None for repeat_id, _ in pairs):
        return None
    return ids.derived_send_id(min(times), request.sender, [(i or "", to) for i, to in pairs])
