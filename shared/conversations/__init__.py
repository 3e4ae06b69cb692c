"""Conversations: what two addresses have said to each other, and which of them are new."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shared.conversations.api import ConversationApi
from shared.conversations.entries import Conversations, Entry, Top
from shared.conversations.index import ConversationIndex
from shared.conversations.listing import IndexedUpTo, Listing
from shared.messages.api import MessageApi
from shared.messages.parts import Parts

__all__ = ["ConversationRoom", "Conversations", "Entry", "Top", "wire"]


@dataclass(frozen=True, slots=True)
class ConversationRoom:
    """Conversations, and how they are read.

    Attributes:
        entries: the rows.
        index: the list of conversations, as analytics' timer makes it.
        api: one conversation, for the interface.
        listing: the list, for the interface.
    """

    entries: Conversations
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
    entries, index = Conversations(parts.tables), ConversationIndex(parts.tables)
    return ConversationRoom(
        entries=entries,
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
