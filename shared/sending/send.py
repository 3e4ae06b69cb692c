"""The send, step by step, and what a crash between two steps leaves.

    1. The ledger's news, beside the intent.
    2. Decisions: refused, blocked, in doubt, or to be sent.
    3. ACS.
    4. The outcome, beside the conversation's entry; events.

A send whose time has not come is written down and waits (`shared.sending.scheduled`); when it has
come, it is attempted here.

A crash leaves an intent without an outcome. A repeat of the request finds it: while the attempt may
still be at work it is told to wait; after that it takes the intent over and tries again with the
same ids, as long as ACS can be trusted to remember them (`repeat_window`); after that nobody is
texted on a guess, and what is not known reads `uncertain` until a report settles it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from opentelemetry.trace import SpanKind

from shared.azure import telemetry
from shared.azure.acs import AcsItem, AcsRecipient
from shared.azure.packing import message_text
from shared.azure.storage import Changed, StorageDown
from shared.azure.topic import QUEUE, OutgoingEvent
from shared.base import ids, log
from shared.base.clock import iso
from shared.base.errors import (
    AlreadyRunning,
    AnswerMissing,
    InvalidRequest,
    KeyReused,
    LedgerUnavailable,
    ParleyError,
    PlatformDenied,
    PlatformRefused,
    StillSending,
    Throttled,
    Unintelligible,
)
from shared.base.tasks import both
from shared.conversations import Conversations, Entry
from shared.limits import Guards
from shared.limits.pacing import Pacing
from shared.messages import facts
from shared.messages.events import BLOCKED_DETAILS, delivery_report
from shared.messages.facts import Intent, Outcome
from shared.messages.parts import Parts
from shared.messages.request import Asked, SendRequest
from shared.rules import segments
from shared.rules.delivery_codes import CODES, OPTED_OUT
from shared.rules.message_states import MAY_HAVE_LEFT, State
from shared.sending.answers import BAD_REQUEST, Answer, Item
from shared.sending.idempotency import IdempotencyKeys
from shared.sending.scheduled import Waiting

# ACS's own sentence, in the item and in the report.
BLOCKED: Final = "Sender blocked for given recipient."
_ACCEPTED: Final = 202
_FORBIDDEN: Final = 403
_GONE: Final = 410
CANCELED: Final = "Canceled before it was sent."
EXPIRED: Final = "Its time to live ended before it could be sent."
_LEFT: Final = frozenset({State.SENT, State.UNCERTAIN})
# Clocks of two processes: an opt-out counts as older than an attempt only by this much.
_CLOCK_MARGIN: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Rules:
    """The numbers that a send goes by.

    Attributes:
        acs_timeout: how long an attempt may take; an older one is dead.
        repeat_window: how long after a first attempt in doubt the same text is tried again.
        send_again: categories in which a possible second text is better than silence.
    """

    acs_timeout: timedelta
    repeat_window: timedelta
    send_again: frozenset[str]


class Sending:
    """Sends texts.

    Args:
        parts: shared ones.
        rules: the numbers.
        conversations: where entries go.
        keys: the idempotency keys.
        waiting: what has a send wait.
        guards: who may not be texted although the ledger lets them through.
        pacing: told of what leaves without a place in time.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        rules: Rules,
        conversations: Conversations,
        keys: IdempotencyKeys,
        waiting: Waiting,
        guards: Guards,
        pacing: Pacing,
    ) -> None:
        self._id_key = parts.id_key
        self._clock = parts.clock
        self._randomness = parts.randomness
        self._queues = parts.queues
        self._record = parts.record
        self._ledger = parts.ledger
        self._acs = parts.acs
        self._topic = parts.topic
        self._rules = rules
        self._conversations = conversations
        self._keys = keys
        self._waiting = waiting
        self._guards = guards
        self._pacing = pacing

    async def send(self, request: SendRequest, *, key: str | None = None) -> Answer:
        """Send at once, and have what it takes deducted from what waits for its turn.

        Args and errors are those of `send_paced`.
        """
        answer = await self.send_paced(request, key=key)
        left = {item.to for item in answer.items if item.state in _LEFT}
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
            InvalidRequest: the repeatability ids were used for another request.
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
        if key is not None:
            claim = await self._keys.claim(key, request.digest, send_id, now)
            send_id = claim.send_id
        measure = segments.measure(request.message)
        telemetry.note(sendId=send_id, sender=request.sender, recipients=len(request.asked))
        fresh = facts.new_intent(
            send_id,
            request,
            measure,
            keyed=key is not None,
            trace=telemetry.traceparent(),
            now=now,
            nonce=facts.drawn_nonce(self._randomness),
        )
        intent, children = self._waiting.in_time(fresh, now)
        if intent.waiting or children:
            return await self._begin_waiting(intent, children)
        # 1. Whoever opted out before this request arrived is in the news.
        news, begun = await both(self._ledger.news(), self._record.begin(intent))
        if isinstance(begun, BaseException):
            raise begun
        if begun is None:
            return await self._repeat(intent)
        if isinstance(news, BaseException):
            await self._note_end(begun, news, doubt_since=None)
            raise news
        return await self._attempt(begun, earlier_doubt=None)

    # Waiting ------------------------------------------------------------------------------------

    async def _begin_waiting(self, intent: Intent, children: Sequence[Intent]) -> Answer:
        begun = await self._record.begin(intent)
        if begun is None:
            return await self._repeat(intent)
        await self._waiting.begin(children)
        if intent.waiting:
            await self._waiting.wait_for(intent)
            return self._answer(intent, [], replayed=False)
        await self._read_news(begun, earlier_doubt=None)
        return await self._attempt(begun, earlier_doubt=None)

    async def _read_news(self, intent: Intent, *, earlier_doubt: datetime | None) -> None:
        try:
            await self._ledger.news()
        except LedgerUnavailable as error:
            await self._note_end(intent, error, doubt_since=earlier_doubt)
            raise

    async def run_due(self, send_id: str) -> datetime | None:
        """Send what was waiting, if its time has come; else the moment to ask again.

        Raises:
            StillSending, AnswerMissing, LedgerUnavailable, StorageDown: trying again is safe.
            Throttled, PlatformDenied, PlatformRefused: nothing was sent.
        """
        found = await self._record.send(send_id)
        if found is None:
            raise Unintelligible(f"the send {send_id} is not on record")
        intent = found.intent
        if found.outcomes is not None:
            await self.follow_up(intent, list(found.outcomes.values()))
            return None
        if intent.waiting:
            due = await self._waiting.due(intent)
            if isinstance(due, datetime):
                return due
            intent = due
        await self._take_over(intent, keyed=False)
        return None

    async def cancel(self, message_id: str) -> None:
        """Take one recipient out of a send that waits, or out of its retry. Doing it twice is once.

        Raises:
            NotFound: there is no such message.
            NotCancelable: its time has come; it has left or is leaving.
        """
        await self._waiting.cancel(message_id)

    # A first attempt, or one that was taken over ------------------------------------------------

    async def _attempt(self, intent: Intent, *, earlier_doubt: datetime | None) -> Answer:
        # 2. Decisions.
        decided = await self._decide(intent, earlier_doubt)
        to_send = [address for address, outcome in decided.items() if outcome is None]
        for address, reason in (await self._admit(intent, to_send)).items():
            decided[address] = (
                Outcome(address, State.BLOCKED, _FORBIDDEN, error=reason)
                if earlier_doubt is None
                else Outcome(address, State.UNCERTAIN, _ACCEPTED)
            )
        to_send = [address for address in to_send if decided[address] is None]
        # 3. ACS.
        try:
            answers = await self._ask_platform(intent, to_send) if to_send else {}
        except (Throttled, PlatformDenied, PlatformRefused, StillSending) as error:
            # None of these sent anything: only an earlier attempt can leave a doubt.
            if earlier_doubt is None:
                await self._release(intent, to_send)
            await self._note_end(intent, error, doubt_since=earlier_doubt)
            raise
        except AnswerMissing as error:
            await self._note_end(intent, error, doubt_since=intent.doubt_since)
            raise
        outcomes = [
            outcome or _outcome(address, answers.get(address))
            for address, outcome in decided.items()
        ]
        # 4. Outcome and what follows from it.
        if not await self._conclude(intent, outcomes):
            return await self._repeat(intent)
        failed = {o.address for o in outcomes if o.state is State.FAILED}
        await self._release(intent, [address for address in to_send if address in failed])
        _count(intent, outcomes)
        return self._answer(intent, outcomes, replayed=False)

    async def _admit(self, intent: Intent, addresses: Sequence[str]) -> dict[str, str]:
        """Who may not be texted although the ledger lets them through, and why."""
        if not addresses or not self._guards.applies(intent.request):
            return {}
        return await self._guards.admit(
            intent.request, intent.send_id, addresses, intent.segments, intent.first_attempt_at
        )

    async def _release(self, intent: Intent, unsent: Sequence[str]) -> None:
        if not unsent or not self._guards.applies(intent.request):
            return
        try:
            await self._guards.release(
                intent.request, intent.send_id, unsent, intent.first_attempt_at
            )
        except StorageDown:
            # They stay counted, so that a limit holds too early rather than too late.
            log.trouble("send.not_released", sendId=intent.send_id)

    async def _decide(
        self, intent: Intent, earlier_doubt: datetime | None
    ) -> dict[str, Outcome | None]:
        """For each address its outcome where that is known without ACS, else None."""
        request = intent.request
        too_late = (
            earlier_doubt is not None
            and self._clock() - earlier_doubt > self._rules.repeat_window
            and request.category not in self._rules.send_again
        )
        decided: dict[str, Outcome | None] = {}
        expired = intent.expires_at is not None and self._clock() > intent.expires_at
        for address in intent.addresses():
            if address in intent.canceled:
                decided[address] = Outcome(address, State.CANCELED, _GONE, error=CANCELED)
                continue
            sequence = self._ledger.closed_by(address, request.sender)
            if sequence is not None:
                decided[address] = await self._closed(intent, address, sequence, earlier_doubt)
            elif too_late or (expired and earlier_doubt is not None):
                decided[address] = Outcome(address, State.UNCERTAIN, _ACCEPTED)
            elif expired:
                decided[address] = Outcome(address, State.EXPIRED, _GONE, error=EXPIRED)
            else:
                decided[address] = None
        return decided

    async def _closed(
        self, intent: Intent, address: str, sequence: int, earlier_doubt: datetime | None
    ) -> Outcome:
        # An earlier attempt may have texted somebody who opted out only after it. Whoever was
        # closed before it was blocked by it, too.
        if earlier_doubt is not None and not await self._ledger.closed_before(
            address, intent.request.sender, earlier_doubt - _CLOCK_MARGIN
        ):
            return Outcome(address, State.UNCERTAIN, _ACCEPTED)
        return Outcome(address, State.BLOCKED, _FORBIDDEN, error=BLOCKED, ledger_sequence=sequence)

    async def _ask_platform(self, intent: Intent, addresses: Sequence[str]) -> dict[str, AcsItem]:
        request = intent.request
        repeat_ids = request.repeat_ids()
        left = intent.attempt_at + self._rules.acs_timeout - self._clock()
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
                        intent.first_attempt_at,
                    )
                    for address in addresses
                ],
                tag=ids.platform_tag(intent.send_id, request.tag),
                report_timeout_seconds=request.report_timeout_seconds,
                timeout_seconds=left.total_seconds(),
            )

    async def _note_end(
        self, intent: Intent, error: BaseException, *, doubt_since: datetime | None
    ) -> None:
        """Note that an attempt ended without an outcome, so that a repeat need not wait."""
        said = error.code if isinstance(error, ParleyError) else type(error).__name__
        log.trouble("send.unanswered", sendId=intent.send_id, code=said)
        try:
            await self._record.note(
                facts.ended(intent, now=self._clock(), error=said, doubt_since=doubt_since)
            )
        except (Changed, StorageDown):
            # The repeat then waits until the attempt is certainly dead. Nothing is lost.
            log.trouble("send.end_not_noted", sendId=intent.send_id)

    # What follows from an outcome ---------------------------------------------------------------

    async def _conclude(self, intent: Intent, outcomes: list[Outcome]) -> bool:
        """Record the outcome and what follows. False if another attempt had recorded one."""
        at = self._clock()
        concluded, followed = await both(
            self._record.conclude(intent.send_id, outcomes, at), self.follow_up(intent, outcomes)
        )
        for result in (concluded, followed):
            if isinstance(result, BaseException) and not isinstance(result, StorageDown):
                raise result
        if isinstance(concluded, StorageDown) or isinstance(followed, StorageDown):
            # The texts have left and the caller must hear so; the queue makes the record good.
            await self._conclude_later(intent, outcomes, at)
        return concluded is not False

    async def _conclude_later(
        self, intent: Intent, outcomes: Sequence[Outcome], at: datetime
    ) -> None:
        log.trouble("send.outcome_deferred", sendId=intent.send_id)
        message = {
            "kind": "outcome",
            "sendId": intent.send_id,
            "at": iso(at),
            "outcomes": facts.packed_outcomes(outcomes),
        }
        try:
            await self._queues.enqueue(QUEUE, message_text(message))
        except StorageDown:
            # Until their reports come these read uncertain; a repeat of the request, whose ids
            # ACS knows, repairs it too.
            log.trouble("send.outcome_not_recorded", sendId=intent.send_id)

    async def follow_up(self, intent: Intent, outcomes: Sequence[Outcome]) -> None:
        """Entries and events: ids derived from the send, so that doing it again doubles nothing."""
        entries = entries_of(intent, outcomes, self._id_key)
        if len(entries) == 1:
            await self._conversations.write(entries[0])
        elif entries:
            await self._queues.enqueue(
                QUEUE, json.dumps({"kind": "conversations", "sendId": intent.send_id})
            )
        await self._topic.publish_or_queue(self._blocked_events(intent, outcomes))

    def _blocked_events(self, intent: Intent, outcomes: Sequence[Outcome]) -> list[OutgoingEvent]:
        if not intent.request.wants_report:
            return []
        return [
            delivery_report(
                message_id=self._message_id(intent, outcome.address),
                ours=intent.request.sender,
                theirs=outcome.address,
                status="Failed",
                details=BLOCKED_DETAILS,
                received=intent.first_attempt_at,
                attempts=[],
                tag=intent.request.tag,
                state=State.BLOCKED,
                code=CODES[OPTED_OUT],
                platform_id=None,
                retry_of=intent.retry.of if intent.retry is not None else None,
            )
            for outcome in outcomes
            if outcome.ledger_sequence is not None
        ]

    def _message_id(self, intent: Intent, address: str) -> str:
        return ids.message_id(self._id_key, intent.send_id, address)

    # Repeats ------------------------------------------------------------------------------------

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
            # Our own row: storage had taken it, and its answer was lost on the way.
            await self._ledger.news()
            return await self._attempt(intent, earlier_doubt=None)
        await self._waiting.ensure_children(intent)
        if intent.waiting:
            await self._waiting.wait_for(intent)
            return self._answer(intent, [], replayed=True)
        if found.outcomes is not None:
            outcomes = list(found.outcomes.values())
            await self.follow_up(intent, outcomes)
            return self._answer(intent, outcomes, replayed=not own)
        return await self._take_over(intent, keyed=ours.keyed)

    async def _take_over(self, intent: Intent, *, keyed: bool) -> Answer:
        """Attempt a send whose earlier attempt is dead, or whose time has come."""
        now = self._clock()
        if (
            intent.ended_at is None
            and not intent.waiting
            and (wait := intent.attempt_at + self._rules.acs_timeout - now) > timedelta(0)
        ):
            seconds = int(wait.total_seconds()) + 1
            if keyed:
                raise AlreadyRunning(seconds)
            raise StillSending(
                "An earlier attempt of this send may still be at work.", retry_after=seconds
            )
        earlier_doubt = intent.doubt_since
        try:
            intent = await self._record.note(
                facts.taken_over(intent, now, facts.drawn_nonce(self._randomness))
            )
        except Changed:
            raise StillSending("Another repeat of this send is at work.", retry_after=1) from None
        log.event("send.taken_over", sendId=intent.send_id)
        await self._read_news(intent, earlier_doubt=earlier_doubt)
        return await self._attempt(intent, earlier_doubt=earlier_doubt)

    # Answers ------------------------------------------------------------------------------------

    def _answer(self, intent: Intent, outcomes: Sequence[Outcome], *, replayed: bool) -> Answer:
        by_address = {outcome.address: outcome for outcome in outcomes}
        return Answer(
            send_id=intent.send_id,
            items=tuple(
                self._item(intent, asked, by_address.get(asked.address or ""))
                for asked in intent.request.asked
            ),
            segments=intent.segments,
            encoding=intent.encoding,
            replayed=replayed,
        )

    def _item(self, intent: Intent, asked: Asked, outcome: Outcome | None) -> Item:
        if outcome is None and asked.address is not None:
            # It waits, in this send or in one of its own.
            carrier = intent.children.get(asked.address, intent.send_id)
            return Item(
                asked.to,
                _ACCEPTED,
                successful=True,
                message_id=ids.message_id(self._id_key, carrier, asked.address),
                repeatability="accepted",
                state=State.SCHEDULED,
            )
        if outcome is None:
            return Item(
                asked.to,
                BAD_REQUEST,
                successful=False,
                error=asked.refusal,
                repeatability="rejected" if asked.rejected else None,
            )
        return Item(
            asked.to,
            outcome.status,
            successful=outcome.state in {State.SENT, State.UNCERTAIN},
            message_id=self._message_id(intent, outcome.address),
            error=outcome.error,
            repeatability="accepted" if outcome.status == _ACCEPTED else None,
            state=outcome.state,
        )


def entries_of(intent: Intent, outcomes: Sequence[Outcome], id_key: bytes) -> list[Entry]:
    """The conversation entries of a send: what has reached ACS, or may have."""
    request = intent.request
    return [
        Entry(
            message_id=ids.message_id(id_key, intent.send_id, outcome.address),
            ours=request.sender,
            theirs=outcome.address,
            inbound=False,
            text=request.message,
            at=intent.first_attempt_at,
            segments=intent.segments,
            tag=request.tag or None,
        )
        for outcome in outcomes
        if outcome.state in MAY_HAVE_LEFT
    ]


def _derived_id(request: SendRequest) -> str | None:
    """The send id that the caller's repeatability ids make, or None if not all bring one."""
    pairs = [(asked.repeat_id, asked.to) for asked in request.asked]
    times = [asked.first_sent for asked in request.asked if asked.first_sent and asked.address]
    if not times or any(repeat_id is None for repeat_id, _ in pairs):
        return None
    return ids.derived_send_id(min(times), request.sender, [(i or "", to) for i, to in pairs])


def _outcome(address: str, item: AcsItem | None) -> Outcome:
    if item is None:
        # ACS said nothing of this one. An error would invite a second text; a report settles it.
        return Outcome(address, State.UNCERTAIN, _ACCEPTED)
    return Outcome(
        address,
        State.SENT if item.successful else State.FAILED,
        item.status,
        error=item.error,
        platform_id=item.message_id,
    )


def _count(intent: Intent, outcomes: Sequence[Outcome]) -> None:
    states = [outcome.state for outcome in outcomes]
    sender = intent.request.sender
    for state in dict.fromkeys(states):
        telemetry.SENDS.add(states.count(state), {"sender": sender, "state": str(state)})
    if blocked := states.count(State.BLOCKED):
        telemetry.BLOCKED.add(blocked, {"sender": sender})
    log.event(
        "send.done",
        sendId=intent.send_id,
        segments=intent.segments,
        refused=sum(asked.refusal is not None for asked in intent.request.asked),
        **{str(state): states.count(state) for state in dict.fromkeys(states)},
    )
