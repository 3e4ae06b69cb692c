"""What a person's text answers: the last text that its sender had sent them.

The entry of a text, or the row that stands for it, is there before ACS is asked for it. So a reply
that comes a moment after the text finds it, and never an older one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from shared.azure.event_grid import Answered, Received
from shared.base.tasks import every
from shared.conversations.pending import PendingSends
from shared.conversations.store import Conversations
from shared.messages.api import MessageApi

# A text within this time after one of ours is taken for its answer.
ANSWERS_WITHIN: Final = timedelta(hours=72)


class Replies:
    """Finds what texts answer.

    Args:
        conversations: the entries.
        pending: sends whose entries are yet to be written.
        messages: whether one of these has left.
    """

    def __init__(
        self, conversations: Conversations, pending: PendingSends, messages: MessageApi
    ) -> None:
        self._conversations = conversations
        self._pending = pending
        self._messages = messages

    async def answered_by(self, received: Received) -> Answered | None:
        """The text that one answers, as far as can be said: one sent in the 72 hours before it.

        Two queries; one more where a send whose entries are yet to be written may be it.
        """
        ours, theirs, before = received.ours, received.theirs, received.received
        since = before - ANSWERS_WITHIN
        entry, pending = await every(
            self._conversations.last_sent(ours, theirs, since=since, before=before),
            self._pending.texts_to(ours, theirs, since=since, before=before),
        )
        for text in pending:
            if entry is not None and text.at <= entry.at:
                break
            if await self._messages.may_have_left(text.message_id):
                return Answered(text.message_id, text.tag)
        return Answered(entry.message_id, entry.tag) if entry is not None else None
