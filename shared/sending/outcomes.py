"""Concluding: the outcome of a send is recorded, and what follows from it.

An outcome is written beside the conversation's entries and the events about who was blocked. Ids
derive from the send, so that doing any of it again doubles nothing. What storage does not take now
is left to the `record` queue: the texts have left, and the caller must hear so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from shared.azure import telemetry
from shared.azure.acs import AcsItem
from shared.azure.packing import message_text
from shared.azure.storage import StorageDown
from shared.azure.topic import QUEUE, OutgoingEvent
from shared.base import ids, log
from shared.base.clock import from_iso, iso
from shared.base.errors import Unintelligible
from shared.base.tasks import both
from shared.conversations import Conversations, Entry
from shared.messages import facts
from shared.messages.events import BLOCKED_DETAILS, delivery_report
from shared.messages.facts import Intent, Outcome
from shared.messages.parts import Parts
from shared.messages.record import Send
from shared.rules.delivery_codes import CODES, OPTED_OUT
from shared.rules.message_states import MAY_HAVE_LEFT, State
from shared.sending.attempts import uncertain


class Outcomes:
    """Records outcomes, and what follows from them.

    Args:
        parts: shared ones.
        conversations: where entries go.
    """

    def __init__(self, parts: Parts, conversations: Conversations) -> None:
        self._id_key = parts.id_key
        self._clock = parts.clock
        self._queues = parts.queues
        self._record = parts.record
        self._topic = parts.topic
        self._conversations = conversations

    async def conclude(self, intent: Intent, outcomes: list[Outcome]) -> bool:
        """Record the outcome and what follows. False if another attempt had recorded one."""
        at = self._clock()
        concluded, followed = await both(
            self._record.conclude(intent.send_id, outcomes, at),
            self.write_entries_and_events(intent, outcomes),
        )
        for result in (concluded, followed):
            if isinstance(result, BaseException) and not isinstance(result, StorageDown):
                raise result
        if isinstance(concluded, StorageDown) or isinstance(followed, StorageDown):
            await self._leave_to_queue(intent, outcomes, at)
        return concluded is not False

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
        """What follows from an outcome. Entries of a send to many are left to the queue."""
        entries = entries_of(intent, outcomes, self._id_key)
        if len(entries) == 1:
            await self._conversations.write(entries[0])
        elif entries:
            await self._queues.enqueue(
                QUEUE, json.dumps({"kind": "conversations", "sendId": intent.send_id})
            )
        await self._topic.publish_or_queue(self._blocked_events(intent, outcomes))

    async def write_left_entries(self, send_id: str) -> bool:
        """Write the entries of a send to many. False if it has no outcome yet.

        Raises:
            Unintelligible: there is no such send.
            StorageDown: trying again is safe.
        """
        send = await self.recorded_send(send_id)
        if send.outcomes is None:
            return False
        await self._conversations.write_all(
            entries_of(send.intent, list(send.outcomes.values()), self._id_key)
        )
        return True

    async def recorded_send(self, send_id: str) -> Send:
        """A send that must be there.

        Raises:
            Unintelligible: it is not.
        """
        send = await self._record.send(send_id)
        if send is None:
            raise Unintelligible(f"the send {send_id} is not on record")
        return send

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
            if outcome.ledger_sequence is not None
        ]


def entries_of(intent: Intent, outcomes: Sequence[Outcome], id_key: bytes) -> list[Entry]:
    """The conversation entries of a send: what has reached ACS, or may have."""
    request = intent.request
    return [
        Entry(
            message_id=ids.message_id(id_key, intent.send_id, outcome.address),
            ours=request.sender,
            theirs=outcome.address,
            inbound=False,
            text=request.shown,
            at=intent.first_attempt_at,
            segments=intent.segments,
            tag=request.tag or None,
        )
        for outcome in outcomes
        if outcome.state in MAY_HAVE_LEFT
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
