"""What the `record` queue brings: work that a request left for after its answer.

- `conversations`: write the entries of a send to many.
- `outcome`: write an outcome that storage did not take when ACS had answered.
- `relay`: publish an event that the topic did not take.

Each can be done twice and is then done once. A message that cannot be read raises: after its
attempts the host puts it on `record-poison`, where an operator finds it.
"""

from __future__ import annotations

import json
from typing import Any

from shared.clock import from_iso
from shared.conversations import Conversations
from shared.errors import Unintelligible
from shared.messages import facts
from shared.messages.record import Record, Send
from shared.relay import Relay, event_from_json
from shared.sending.send import Sending, entries_of


class FollowUp:
    """Does what was left for later.

    Args:
        id_key: from which message ids are derived.
        record: the messages.
        conversations: their entries.
        relay: the way to the application.
        sending: what follows from an outcome.
    """

    def __init__(
        self,
        *,
        id_key: bytes,
        record: Record,
        conversations: Conversations,
        relay: Relay,
        sending: Sending,
    ) -> None:
        self._id_key = id_key
        self._record = record
        self._conversations = conversations
        self._relay = relay
        self._sending = sending

    async def take(self, text: str) -> None:
        """Do the work of one queue message.

        Raises:
            Unintelligible: it makes no sense.
            StorageDown, TopicDown: trying again helps.
        """
        try:
            message = json.loads(text)
            kind = message["kind"]
        except (ValueError, TypeError, KeyError) as error:
            raise Unintelligible("a queue message that is no JSON object with a kind") from error
        if kind == "relay":
            await self._relay.publish([event_from_json(message["event"])])
        elif kind == "conversations":
            await self._write_entries(message["sendId"])
        elif kind == "outcome":
            await self._conclude(message)
        else:
            raise Unintelligible(f"a queue message of unknown kind {kind!r}")

    async def _write_entries(self, send_id: str) -> None:
        send = await self._send(send_id)
        if send.outcomes is None:
            # The outcome was written beside this message; it may be a moment behind.
            raise Unintelligible(f"the send {send_id} has no outcome yet")
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
