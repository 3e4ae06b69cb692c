"""An attempt, step by step, and what a crash between two steps leaves.

    1. The ledger's news, beside the intent and the conversations' entries.
    2. Decisions: refused, blocked, in doubt, or to be sent.
    3. ACS.
    4. The outcome, beside what it changes in the entries; events.

A crash leaves an intent without an outcome. What that means, and when somebody else may take it
over, is said in `shared.sending.attempts`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import replace
from datetime import timedelta

from opentelemetry.trace import SpanKind

from shared.azure import telemetry
from shared.azure.acs import AcsItem, AcsRecipient
from shared.azure.storage import Changed, StorageDown
from shared.base import ids, log
from shared.base.errors import (
    AlreadyRunning,
    AnswerMissing,
    LedgerUnavailable,
    StillSending,
    Unavailable,
)
from shared.base.tasks import settled
from shared.messages.facts import Intent, Outcome
from shared.messages.parts import Parts
from shared.rules.message_states import State
from shared.sending.attempts import (
    NOTHING_SENT,
    Attempt,
    AttemptRules,
    drawn_nonce,
    ended,
    may_be_put_off,
    name_of,
    taken_over,
    time_left,
)
from shared.sending.decisions import Gates
from shared.sending.entries import SendEntries, Written
from shared.sending.outcomes import Outcomes, count_outcomes, outcome_of_item


class AttemptRunner:
    """Makes attempts.

    Args:
        parts: shared ones.
        rules: the numbers.
        gates: decides who is not texted.
        entries: writes those of conversations.
        outcomes: records what became of everybody.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        rules: AttemptRules,
        gates: Gates,
        entries: SendEntries,
        outcomes: Outcomes,
    ) -> None:
        self._clock = parts.clock
        self._randomness = parts.randomness
        self._record = parts.record
        self._ledger = parts.ledger
        self._acs = parts.acs
        self._rules = rules
        self._gates = gates
        self._entries = entries
        self._outcomes = outcomes

    # Beginning ----------------------------------------------------------------------------------

    async def begin(self, intent: Intent) -> Attempt | None:
        """Write down the first attempt of a send. None if its row is there already.

        Raises:
            LedgerUnavailable, StorageDown: repeating is safe.
        """
        # Whoever opted out before this request arrived is in the news.
        news, begun, written = await settled(
            self._ledger.news(), self._record.begin(intent), self._entries.begin(intent)
        )
        if isinstance(begun, BaseException):
            # It may have begun all the same: then a repeat writes them again.
            await self._entries.withdraw(intent, written)
            raise begun
        if begun is None:
            await self._leave_to(intent, written)
            return None
        attempt = Attempt(begun, written=written)
        await self._entries.report_failed(begun, written)
        if isinstance(news, BaseException):
            await self._record_end(attempt, news, in_doubt=False)
            raise news
        return attempt

    async def _leave_to(self, intent: Intent, written: Written) -> None:
        """Take our entries back, unless the attempt that is there is this one: they are its own."""
        there = await self._record.intent(intent.send_id)
        if there is not None and there.attempt != intent.attempt:
            await self._entries.withdraw(intent, written)

    async def begin_written(self, intent: Intent) -> Attempt:
        """The first attempt of a send whose row was written down just now.

        Raises:
            LedgerUnavailable: repeating is safe.
        """
        return await self._informed(Attempt(intent), self._entries.begin(intent))

    async def begin_found(self, intent: Intent) -> Attempt:
        """A first attempt of our own: storage had taken its row, the answer was lost on the way.

        Raises:
            LedgerUnavailable: repeating is safe.
        """
        await self._ledger.news()
        return Attempt(intent)

    def check_dead(self, intent: Intent, *, keyed: bool) -> None:
        """See that no attempt of a send may still be at work.

        Raises:
            AlreadyRunning: one may be, at a request with an Idempotency-Key.
            StillSending: one may be.
        """
        if wait := time_left(intent, self._rules, self._clock()):
            seconds = int(wait.total_seconds()) + 1
            if keyed:
                raise AlreadyRunning(seconds)
            raise StillSending(
                "An earlier attempt of this send may still be at work.", retry_after=seconds
            )

    def may_be_put_off(self, intent: Intent) -> bool:
        """Whether a send may wait for a pause to end, although it may be in doubt."""
        return may_be_put_off(intent, self._rules, self._clock())

    async def take_over(self, intent: Intent, *, asleep: frozenset[str] = frozenset()) -> Attempt:
        """Begin the next attempt at a send: an earlier one is dead, or its time has come.

        Args:
            intent: the send; the caller has seen to it that nobody is at work on it.
            asleep: those whose quiet hours have begun, where it is in doubt.

        Raises:
            StillSending: somebody else took it over just now.
            LedgerUnavailable, StorageDown: repeating is safe.
        """
        try:
            ours = await self._record.record_attempt(
                taken_over(intent, self._clock(), drawn_nonce(self._randomness))
            )
        except Changed:
            raise StillSending("Another repeat of this send is at work.", retry_after=1) from None
        log.event("send.taken_over", sendId=intent.send_id)
        begun = Attempt(ours, earlier_doubt=intent.doubt_since, asleep=asleep)
        return await self._informed(begun, self._entries.begin_again(ours))

    async def _informed(self, attempt: Attempt, entries: Awaitable[Written]) -> Attempt:
        """The attempt, once its entries are written and the ledger's news have been read for it."""
        news, written = await settled(self._ledger.news(), entries)
        attempt = replace(attempt, written=written)
        await self._entries.report_failed(attempt.intent, written)
        if isinstance(news, BaseException):
            if isinstance(news, LedgerUnavailable):
                await self._record_end(attempt, news, in_doubt=False)
            raise news
        return attempt

    # Deciding, asking, concluding ---------------------------------------------------------------

    async def run(self, attempt: Attempt) -> list[Outcome] | None:
        """What became of each recipient. None if another attempt had recorded an outcome.

        Raises:
            Throttled, PlatformDenied, PlatformRefused, StillSending: this attempt sent nothing.
            AnswerMissing: it may have.
            LedgerUnavailable, StorageDown: nobody was asked for.
        """
        intent = attempt.intent
        try:
            decided = await self._gates.decide(attempt)
        except Unavailable as error:
            await self._record_end(attempt, error, in_doubt=False)
            raise
        to_send = [address for address, outcome in decided.items() if outcome is None]
        try:
            answers = await self._ask_platform(intent, to_send) if to_send else {}
        except NOTHING_SENT as error:
            # Only an earlier attempt can leave a doubt.
            if attempt.earlier_doubt is None:
                await self._gates.release(intent, to_send)
            await self._record_end(attempt, error, in_doubt=False)
            raise
        except AnswerMissing as error:
            await self._record_end(attempt, error, in_doubt=True)
            raise
        outcomes = [
            outcome or outcome_of_item(address, answers.get(address))
            for address, outcome in decided.items()
        ]
        if not await self._outcomes.conclude(attempt, outcomes):
            return None
        failed = {o.address for o in outcomes if o.state is State.FAILED}
        await self._gates.release(intent, [address for address in to_send if address in failed])
        count_outcomes(intent, outcomes)
        return outcomes

    async def _ask_platform(self, intent: Intent, addresses: Sequence[str]) -> dict[str, AcsItem]:
        request = intent.request
        repeat_ids = request.repeat_ids()
        left = time_left(intent, self._rules, self._clock())
        if left <= timedelta(0):
            # Queues took so long that another attempt may have begun.
            raise StillSending("There was no time left to ask Azure Communication Services.")
        with telemetry.span("acs.send", kind=SpanKind.CLIENT, sendId=intent.send_id):
            return await self._acs.send(
                sender=request.sender,
                message=request.message,
                recipients=[
                    AcsRecipient(
                        address,
                        ids.repeatability_id(repeat_ids.get(address), intent.send_id, address),
                        # Of the first attempt that is in doubt, this one or an earlier one.
                        intent.doubt_since or intent.attempt_at,
                    )
                    for address in addresses
                ],
                tag=ids.platform_tag(intent.send_id, request.tag),
                report_timeout_seconds=request.report_timeout_seconds,
                timeout_seconds=left.total_seconds(),
            )

    async def _record_end(self, attempt: Attempt, error: BaseException, *, in_doubt: bool) -> None:
        """Record that an attempt ended without an outcome, so that a repeat need not wait."""
        send_id = attempt.intent.send_id
        log.trouble("send.unanswered", sendId=send_id, code=name_of(error))
        try:
            await self._record.record_attempt(
                ended(attempt, error, now=self._clock(), in_doubt=in_doubt)
            )
        except (Changed, StorageDown):
            # The repeat then waits until the attempt is certainly dead. Nothing is lost.
            log.trouble("send.end_not_noted", sendId=send_id)
            return
        if not in_doubt and attempt.earlier_doubt is None:
            await self._entries.end_unsent(attempt.intent, attempt.written)
