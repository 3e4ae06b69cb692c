"""Looks at the tops of conversations: where each stands in the list, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.base import ids
from shared.base.clock import iso
from shared.base.tasks import few_at_once
from shared.conversations.entries import BEHIND_ALL, Entry, place
from shared.conversations.index import ConversationIndex, Spoken, minute_of
from shared.conversations.store import Conversations, Top, is_unread, may_be_unread_since
from shared.rules import keywords
from shared.rules.conversation_ids import ConversationId
from shared.rules.keywords import Meaning

# Of a conversation's messages, so many are looked at.
TOP: Final = 5
# What is settled by having been said.
_ANSWERED_BY_ITSELF: Final = frozenset({Meaning.STOP, Meaning.START})
# And so many where these are keywords alone.
_FURTHER: Final = 50
# From a late fact to the moment at which its mark is due, and a little.
_LATE: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class IndexedUpTo:
    """How far the index is.

    Attributes:
        facts: of all minutes before this one are in it.
        late: facts that came late are in it if they came ten minutes before this.
    """

    facts: datetime
    late: datetime


@dataclass(frozen=True, slots=True)
class Fresh:
    """What the index does not have.

    Attributes:
        since: facts from this minute on are fresh, older ones are the index's.
        progress: how far that is; None where it has not begun.
        spoken: where the last fresh messages stand, by conversation.
    """

    since: datetime
    progress: IndexedUpTo | None
    spoken: Mapping[str, Spoken]


class Looks:
    """Looks at the tops of conversations, each once a page.

    Args:
        conversations: where they are.
        index: what has been folded.
        began: the place of the moment at which the listing began.
        fresh: what has not.
    """

    def __init__(
        self, conversations: Conversations, index: ConversationIndex, began: str, fresh: Fresh
    ) -> None:
        self._conversations = conversations
        self._index = index
        self._began = began
        self._fresh = fresh
        self._heads: dict[str, Top] = {}
        # Of whom it is known whether and where they stand.
        self.settled: set[str] = set()
        # Looks so far.
        self.count = 0

    async def at(self, candidates: Iterable[Spoken]) -> None:
        """Look at their conversations."""
        wanted = {c.conversation: c for c in candidates if c.conversation not in self._heads}

        async def one(candidate: Spoken) -> None:
            head = await self._conversations.head(self._id(candidate), TOP)
            self._heads[candidate.conversation] = head

        self.count += len(wanted)
        await few_at_once(one, [wanted[name] for name in sorted(wanted)])

    async def item(self, candidate: Spoken) -> dict[str, Any] | None:
        """The conversation, if it stands where this candidate does."""
        if candidate.conversation in self.settled:
            return None
        head = self._heads[candidate.conversation]
        entries = [entry for entry in head.entries if place(entry.at) >= self._began]
        if not entries and len(head.entries) == TOP:
            # All of these have been said since the listing began.
            self.count += 1
            before = await self._conversations.newest(
                self._id(candidate), after=self._began, limit=TOP
            )
            entries = before.entries
        for entry in entries:
            if place(entry.at) > candidate.at:
                # The candidate's own entry is not there yet; an older one will do.
                return None
            stands_here = place(entry.at) == candidate.at
            if stands_here or await self._stands_further_up(candidate, entry):
                self.settled.add(candidate.conversation)
                return await self.view(candidate) if stands_here else None
        return None

    async def _stands_further_up(self, candidate: Spoken, entry: Entry) -> bool:
        """Whether there is a candidate for a message, so that it has been listed there."""
        facts_of = minute_of(ids.time_of(entry.message_id))
        if facts_of >= self._fresh.since:
            known = self._fresh.spoken.get(candidate.conversation)
            return (known.at if known is not None else BEHIND_ALL) <= place(entry.at)
        progress = self._fresh.progress
        if progress is not None and entry.at + _LATE <= progress.late:
            return True
        self.count += 1
        return await self._index.has(entry.ours, entry.theirs, entry.at, facts_of)

    async def view(self, candidate: Spoken) -> dict[str, Any]:
        """What the list says of a conversation that was looked at."""
        head = self._heads[candidate.conversation]
        newest, mark = head.entries[0] if head.entries else None, head.mark.read_up_to
        return {
            "conversationId": candidate.conversation,
            "ours": candidate.ours,
            "theirs": newest.theirs if newest is not None else candidate.theirs,
            "lastMessage": _message_view(newest) if newest is not None else None,
            "unread": await self._is_unread(candidate, head),
            "unanswered": await self._is_unanswered(candidate, head),
            "readUpTo": iso(mark) if mark is not None else None,
        }

    async def _is_unread(self, candidate: Spoken, head: Top) -> bool:
        mark = head.mark
        if mark.read_up_to is not None and (mark.late_at or mark.read_up_to) > mark.read_up_to:
            return True
        if any(is_unread(entry, mark) for entry in head.entries):
            return True
        since = may_be_unread_since(mark)
        if len(head.entries) < TOP or place(head.entries[-1].at) > since:
            return False
        self.count += 1
        return await self._conversations.has_unread(self._id(candidate), mark.read_up_to)

    async def _is_unanswered(self, candidate: Spoken, head: Top) -> bool:
        """Whether the person had the last word; a STOP wants no answer."""
        last = _last_word(head.entries)
        if last is None and len(head.entries) == TOP:
            self.count += 1
            further = await self._conversations.newest(
                self._id(candidate), after=head.entries[-1].key, limit=_FURTHER
            )
            last = _last_word(further.entries)
        return last is not None and last.inbound

    def _id(self, candidate: Spoken) -> ConversationId:
        return self._conversations.ids.of(candidate.ours, candidate.theirs)


def _last_word(entries: Iterable[Entry]) -> Entry | None:
    return next((entry for entry in entries if not _wants_no_answer(entry)), None)


def _wants_no_answer(entry: Entry) -> bool:
    asked = entry.inbound and entry.keyword is not None and entry.text is not None
    keyword = keywords.read(entry.text or "") if asked else None
    return keyword is not None and keyword.intent in _ANSWERED_BY_ITSELF


def _message_view(entry: Entry) -> dict[str, Any]:
    return {
        "messageId": entry.message_id,
        "direction": "inbound" if entry.inbound else "outbound",
        "message": entry.text,
        "at": iso(entry.at),
        "keyword": entry.keyword,
    }
