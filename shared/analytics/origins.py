"""What messages were sent for, looked up in the record and remembered for a while."""

from __future__ import annotations

from typing import Final

from shared.analytics.minute import UNASKED, Origin, answers
from shared.base import ids
from shared.messages.record import MinuteFacts, Record

_MOST_KNOWN: Final = 10_000


class Origins:
    """Finds the origin of a message: of ours, or of the one that a person's text answers."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._known: dict[str, Origin] = {}

    async def of_answered(self, facts: MinuteFacts) -> dict[str, Origin]:
        """The origins of the sends that one minute's texts from people answer, by send id."""
        found = {}
        for _, received in facts.inbound:
            if (answered := answers(received)) is not None:
                found[answered[: ids.ULID_LENGTH]] = await self.of_message(answered)
        return found

    async def of_message(self, message_id: str) -> Origin:
        """What the text with this id was sent for; of nothing where there is none."""
        if ids.split_message_id(message_id) is None:
            return UNASKED
        if message_id.endswith(ids.INBOUND_SUFFIX):
            received = await self._record.inbound_message(message_id)
            answered = answers(received) if received is not None else None
            return await self.of_message(answered) if answered is not None else UNASKED
        send_id = message_id[: ids.ULID_LENGTH]
        if send_id not in self._known:
            intent = await self._record.intent(send_id)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[send_id] = Origin.from_intent(intent) if intent is not None else UNASKED
        return self._known[send_id]
