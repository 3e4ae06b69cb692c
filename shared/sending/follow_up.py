"""What the `record` queue brings: work that a request left for after its answer.

- `conversations`: write the entries of a send to many.
- `outcome`: write an outcome that storage did not take when ACS had answered.
- `relay`: publish an event that the topic did not take.

Each can be done twice and is then done once. What the topic or storage does not take now is put
back with a longer and longer pause. A message that makes no sense raises: after its attempts the
host puts it on `record-poison`, where an operator finds it.
"""

from __future__ import annotations

from typing import Any, Final

from shared.azure.packing import message_text, read_message
from shared.azure.queues import Queues
from shared.azure.topic import QUEUE, Topic, event_from_json
from shared.base import log
from shared.base.clock import from_iso
from shared.base.errors import Unavailable, Unintelligible
from shared.conversations import Conversations
from shared.messages import facts
from shared.messages.record import Record, Send
from shared.sending.send import Sending, entries_of

# Seconds; together more than a day.
_FIRST_PAUSE: Final = 5
_LONGEST_PAUSE: Final = 3600
_MOST_TRIES: Final = 34
_TRIES_WITHOUT_OUTCOME: Final = 5


class _NotYet(Unavailable):
    """What a message builds on is not there yet."""


class FollowUp:
    """Does what was left for later.

    Args:
        queues: the queue.
        id_key: from which message ids are derived.
        record: the messages.
        conversations: their entries.
        topic: the way to the application.
        sending: what follows from an outcome.
    """

    def __init__(
        self,
        *,
        queues: Queues,
        id_key: bytes,
        record: Record,
        conversations: Conversations,
        topic: Topic,
        sending: Sending,
    ) -> None:
        self._queues = queues
        self._id_key = id_key
        self._record = record
        self._conversations = conversations
        self._topic = topic
        self._sending = sending

    async def take(self, text: str) -> None:
        """Do the work of one queue message.

        Raises:
            Unintelligible: it makes no sense.
            StorageDown, TopicDown: it could not even be put back, or has been too often.
        """
        try:
            message = read_message(text)
            kind, tries = message["kind"], int(message.get("tries", 0))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Unintelligible("a queue message that is no JSON object with a kind") from error
        try:
            await self._do(kind, message)
        except _NotYet:
            if tries < _TRIES_WITHOUT_OUTCOME:
                await self._put_back(message, tries)
            else:
                # Its process died before the outcome. Whatever brings the outcome, the repeat of
                # the request or a message of its own, brings the entries again.
                log.trouble("record.without_outcome", sendId=str(message["sendId"]))
        except Unavailable:
            if tries >= _MOST_TRIES:
                raise
            await self._put_back(message, tries)

    async def _put_back(self, message: dict[str, Any], tries: int) -> None:
        pause = min(_FIRST_PAUSE * 2**tries, _LONGEST_PAUSE)
        again = message_text({**message, "tries": tries + 1})
        await self._queues.enqueue(QUEUE, again, delay_seconds=pause)

    async def _do(self, kind: str, message: dict[str, Any]) -> None:
        if kind == "relay":
            await self._topic.publish([event_from_json(message["event"])])
        elif kind == "conversations":
            await self._write_entries(message["sendId"])
        elif kind == "outcome":
            await self._conclude(message)
        else:
            raise Unintelligible(f"a queue message of unknown kind {kind!r}")

    async def _write_entries(self, send_id: str) -> None:
        send = await self._send(send_id)
        if send.outcomes is None:
            # The outcome is written beside this message; it may be a moment behind.
            raise _NotYet(f"The send {send_id} has no outcome yet.")
        await self._conversations.write_all(
            entries_of(send.intent, list(send.outcomes.values()), self._id_key)
        )

    async def _conclude(self, message: dict[str, Any]) -> None:
        outcomes = facts.unpacked_outcomes(message["outcomes"])
        await self._record.conclude(message["sendId"], outcomes, from_iso(message["at"]))
        send = await self._send(message["sendId"])
        recorded = list(send.outcomes.values()) if send.outcomes is not None else outcomes
        await self._sending.follow_up(send.intent, recorded)

    async def _send(self, send_id: str) -> Send:
        send = await self._record.send(send_id)
        if send is None:
            raise Unintelligible(f"the send {send_id} is not on record")
        return send
