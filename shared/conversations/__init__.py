"""Conversations: what two addresses have said to each other, and which of them are new."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shared.conversations.api import ConversationApi
from shared.conversations.entries import Entry, Kind
from shared.conversations.index import ConversationIndex
from shared.conversations.listing import Listing
from shared.conversations.looks import IndexedUpTo
from shared.conversations.pending import PendingSend, PendingSends
from shared.conversations.replies import Replies
from shared.conversations.store import Conversations
from shared.messages.api import MessageApi
from shared.messages.parts import Parts
from shared.rules.conversation_ids import ConversationIds

__all__ = [
    "ConversationRoom",
    "Conversations",
    "Entry",
    "Kind",
    "PendingSend",
    "PendingSends",
    "Replies",
    "wire",
]


@dataclass(frozen=True, slots=True)
class ConversationRoom:
    """Conversations, and how they are read.

    Attributes:
        entries: the rows.
        pending: sends to many whose rows are yet to be written.
        replies: what a person's text answers.
        index: the list of conversations, as analytics' timer makes it.
        api: one conversation, for the interface.
        listing: the list, for the interface.
    """

    entries: Conversations
    pending: PendingSends
    replies: Replies
    index: ConversationIndex
    api: ConversationApi
    listing: Listing


def wire(
    parts: Parts, messages: MessageApi, indexed: Callable[[], Awaitable[IndexedUpTo | None]]
) -> ConversationRoom:
    """The room, wired.

    Args:
        parts: shared ones.
        messages: what an entry's text has become.
        indexed: how far the index is.
    """
    conversation_ids = ConversationIds(parts.id_key)
    entries = Conversations(parts.tables, conversation_ids)
    pending = PendingSends(parts.tables, entries, parts.id_key)
    index = ConversationIndex(parts.tables, conversation_ids)
    return ConversationRoom(
        entries=entries,
        pending=pending,
        replies=Replies(entries, pending, messages),
        index=index,
        api=ConversationApi(
            clock=parts.clock, conversations=entries, messages=messages, ledger=parts.ledger
        ),
        listing=Listing(
            clock=parts.clock,
            conversations=entries,
            index=index,
            record=parts.record,
            progress=indexed,
            senders=parts.senders,
        ),
    )
