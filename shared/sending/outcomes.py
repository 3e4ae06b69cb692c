"""Concluding: the outcome of a send is recorded, and what follows from it.

An outcome is written beside what it changes in the conversations' entries, and the events about
who was blocked. Ids derive from the send, so that doing any of it again doubles nothing. What
storage does not take now is left to the `record` queue: the texts have left, and the caller must
hear so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from shared.azure import telemetry
from shared.azure.acs import AcsItem
from shared.azure.packing import message_text
from shared.azure.storage import StorageDown
from shared.azure.topic import QUEUE, OutgoingEvent
from shared.base import ids, log
from shared.base.clock import from_iso, iso
from shared.base.errors import Unintelligible
from shared.base.tasks import few_at_once, settled
from shared.messages import facts
from shared.messages.events import BLOCKED_DETAILS, delivery_report
from shared.messages.facts import Intent, Outcome
from shared.messages.parts import Parts
from shared.messages.record import Send
from shared.rules.delivery_codes import CODES, OPTED_OUT
from shared.rules.message_states import State
from shared.sending.attempts import Attempt, uncertain
from shared.sending.entries import SendEntries

# The queue had them to write, and has not.
_LEFT_LONG_AGO: Final = timedelta(minutes=10)


class Outcomes:
    """Records outcomes, and what follows from them.

    Args:
        parts: shared ones.
        entries: writes those of conversations.
    """

    def __init__(self, parts: Parts, entries: SendEntries) -> None:
        self._id_key = parts.id_key
        self._clock = parts.clock
        self._queues = parts.queues
        self._record = parts.record
        self._topic = parts.topic
        self._entries = entries

    async def conclude(self, attempt: Attempt, outcomes: list[Outcome]) -> bool:
        """Record the outcome and what follows. False if another attempt had recorded one."""
        at, intent = self._clock(), attempt.intent
        results = await settled(
            self._record.conclude(intent.send_id, outcomes, at),
            self._entries.conclude(intent, outcomes, attempt.written),
            self._topic.publish_or_queue(self._blocked_events(intent, outcomes)),
        )
        down = [result for result in results if isinstance(result, StorageDown)]
        for result in results:
            if isinstance(result, BaseException) and result not in down:
                raise result
        if down:
            await self._leave_to_queue(intent, outcomes, at)
        return results[0] is not False

    async def _leave_to_queue(
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

    async def conclude_left(self, message: dict[str, Any]) -> None:
        """Record an outcome that was left to the queue, and what follows.

        Raises:
            Unintelligible: there is no such send.
            StorageDown: trying again is safe.
        """
        outcomes = facts.unpacked_outcomes(message["outcomes"])
        await self._record.conclude(message["sendId"], outcomes, from_iso(message["at"]))
        send = await self.recorded_send(message["sendId"])
        recorded = list(send.outcomes.values()) if send.outcomes is not None else outcomes
        await self.write_entries_and_events(send.intent, recorded)

    async def write_entries_and_events(self, intent: Intent, outcomes: Sequence[Outcome]) -> None:
        """What follows from an outcome, all of it again. Entries of many are left to the queue."""
        await self._entries.write_or_queue(intent, outcomes)
        await self._topic.publish_or_queue(self._blocked_events(intent, outcomes))

    async def write_left_entries(
        self, send_id: str, *, etag: str | None = None, undecided: bool = False
    ) -> bool:
        """Write the entries that a send has left to others. False if it is under way.

        Args:
            send_id: the send's.
            etag: of the row that stands for them, where it is known.
            undecided: whether to write them without an outcome, too, as the send stands now.

        Raises:
            Unintelligible: there is no such send.
            StorageDown: trying again is safe.
        """
        send = await self.recorded_send(send_id)
        if send.outcomes is None and not send.intent.waiting and not undecided:
            return False
        await self._entries.write_all(send, etag)
        return True

    async def write_old_entries(self, senders: Iterable[str]) -> int:
        """Write the entries of sends to many that nobody wrote within ten minutes; of how many.

        One query for each sender. What stands for a send that is not on record is dropped: its
        attempt never began.

        Raises:
            StorageDown: trying again is safe.
        """
        before = self._clock() - _LEFT_LONG_AGO

        async def one(sender: str) -> int:
            old = await self._entries.waiting_since(sender, before)
            for send_id, etag in old:
                send = await self._record.send(send_id)
                if send is not None:
                    await self._entries.write_all(send, etag)
                else:
                    await self._entries.drop_waiting(sender, send_id, etag)
            return len(old)

        return sum(await few_at_once(one, senders))

    async def recorded_send(self, send_id: str) -> Send:
        """A send that must be there.

        Raises:
            Unintelligible: it is not.
        """
        send = await self._record.send(send_id)
        if send is None:
            raise Unintelligible(f"the send {send_id} is not on record")
        return send

    async def give_up(self, intent: Intent, outcomes: list[Outcome]) -> bool:
        """Record the outcome of a send that is given up. False if it has another one.

        The application is told of those whom it has not reached, where it asked for reports.

        Raises:
            StorageDown: trying again is safe.
        """
        if not await self._record.conclude(intent.send_id, outcomes, self._clock()):
            return False
        await self.write_entries_and_events(intent, outcomes)
        await self._tell_given_up(intent, outcomes)
        return True

    async def _tell_given_up(self, intent: Intent, outcomes: Sequence[Outcome]) -> None:
        if not intent.request.wants_report:
            return
        events = [
            delivery_report(
                message_id=ids.message_id(self._id_key, intent.send_id, outcome.address),
                ours=intent.request.sender,
                theirs=outcome.address,
                status="Failed",
                details=outcome.error or "",
                received=intent.first_attempt_at,
                attempts=[],
                tag=intent.request.tag,
                state=State.FAILED,
                code=None,
                platform_id=None,
                retry_of=intent.retry.of if intent.retry is not None else None,
            )
            for outcome in outcomes
            if outcome.state is State.FAILED and not ids.is_erased(outcome.address)
        ]
        await self._topic.publish_or_queue(events)

    def _blocked_events(self, intent: Intent, outcomes: Sequence[Outcome]) -> list[OutgoingEvent]:
        if not intent.request.wants_report:
            return []
        return [
            delivery_report(
                message_id=ids.message_id(self._id_key, intent.send_id, outcome.address),
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
            if outcome.ledger_sequence is not None and not ids.is_erased(outcome.address)
        ]


def outcome_of_item(address: str, item: AcsItem | None) -> Outcome:
    """What ACS's answer means for a recipient; None, where it said nothing of them."""
    if item is None:
        return uncertain(address)
    return Outcome(
        address,
        State.SENT if item.successful else State.FAILED,
        item.status,
        error=item.error,
        platform_id=item.message_id,
    )


def count_outcomes(intent: Intent, outcomes: Sequence[Outcome]) -> None:
    """Say in metrics and in the log how a send has ended."""
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
