"""Conversations, those with something new first.

Candidates come from the index, and from the messages themselves where the fold that writes it has
not come yet. Each candidate costs one look at the top of its conversation, which has the last
message and the read mark and settles whether it stands here: it does where no later message would
have it stand further up. So the list is exact and fresh, whatever the fold is about.

A listing has a beginning, which its pages share: what is said meanwhile moves nobody out of it.
"""

from __future__ import annotations

import asyncio
import heapq
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from shared.base import ids
from shared.base.clock import Clock, iso
from shared.base.errors import InvalidRequest
from shared.base.pages import Page, PageKeys
from shared.base.tasks import few_at_once
from shared.conversations.entries import BEFORE_ALL, BEHIND_ALL, Conversations, Entry, Top, place
from shared.conversations.index import ConversationIndex, Spoken, minute_of, spoken_in
from shared.messages.record import Record
from shared.rules.addresses import BadAddress, normal

# Of a conversation's messages, so many are looked at.
TOP: Final = 5
# Looks that a page may cost, and candidates that it may pass over.
MOST_LOOKS: Final = 600
MOST_PASSED: Final = 20_000
# The fold comes within two and a half minutes; where it is far behind, only this much is read past
# it.
_FARTHEST: Final = timedelta(hours=2)
_AHEAD: Final = timedelta(minutes=16)
# From a late fact to the moment at which its mark is due, and a little.
_LATE: Final = timedelta(minutes=10)
_CURSOR: Final = re.compile(r"([0-9]{18})~([0-9]{18})~([^~]{1,16})~([^~]{1,16})")


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
class Cursor:
    """Where a page begins.

    Attributes:
        began: the place of the moment at which the listing began.
        after: the last candidate that was looked at.
    """

    began: str
    after: Spoken

    def __str__(self) -> str:
        return "~".join((self.began, *self.after))


class Listing:
    """Lists conversations.

    Args:
        conversations: their messages.
        index: which have something new.
        record: what is newer than the index.
        progress: how far the index is; None where it has not begun.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        conversations: Conversations,
        index: ConversationIndex,
        record: Record,
        progress: Callable[[], Awaitable[IndexedUpTo | None]],
        senders: Iterable[str],
    ) -> None:
        self._clock = clock
        self._conversations = conversations
        self._index = index
        self._record = record
        self._progress = progress
        self._senders = list(senders)

    async def list_conversations(
        self, *, sender: str | None, unread: bool, after: Cursor | None, limit: int
    ) -> Page:
        """A page of conversations, newest first. It may hold fewer than there are.

        One query for the fold's progress, one for each sender and for each shard of what is newer,
        and one for each conversation looked at; another one where the last messages do not show
        whether there is anything unread.
        """
        now = self._clock()
        senders = self._senders if sender is None else [sender]
        progress = await self._progress()
        since = minute_of(now - _FARTHEST)
        if progress is not None:
            since = max(since, progress.facts)
        fresh = await self._fresh(since, now + _AHEAD, set(senders))
        low = after.after[0] if after is not None else BEFORE_ALL
        candidates = _merged(
            [
                _iterated(sorted((at, *pair) for pair, at in fresh.items())),
                *(self._index.newest(ours, since=low) for ours in senders),
            ]
        )
        began = after.began if after is not None else min([place(now), *fresh.values()])
        looks = _Looks(self._conversations, self._index, began, since, progress, fresh)
        found: list[tuple[Spoken, dict[str, Any]]] = []
        last, passed, ended = after.after if after is not None else None, 0, False
        while not ended and len(found) <= limit and looks.count < MOST_LOOKS:
            batch: list[Spoken] = []
            ended = True
            async for candidate in candidates:
                passed += 1
                if (last is None or candidate > last) and candidate[1:] not in looks.settled:
                    batch.append(candidate)
                if len(batch) > limit - len(found) or passed > MOST_PASSED:
                    ended = False
                    break
            await looks.at(batch)
            for candidate in batch:
                last = candidate
                item = await looks.item(candidate)
                if item is not None and (item["unread"] or not unread):
                    found.append((candidate, item))
            if passed > MOST_PASSED:
                break
        if len(found) > limit:
            found, ended = found[:limit], False
            last = found[-1][0]
        following = Cursor(began, last) if last is not None and not ended else None
        return Page([item for _, item in found], str(following) if following else None)

    async def _fresh(
        self, since: datetime, until: datetime, senders: set[str]
    ) -> dict[tuple[str, str], str]:
        """The places of the last messages that the index does not have, by sender and person."""
        newest: dict[tuple[str, str], str] = {}
        async for _, fact in self._record.span(since, until):
            for at, ours, theirs in spoken_in([fact]):
                if ours in senders:
                    newest[ours, theirs] = min(place(at), newest.get((ours, theirs), BEHIND_ALL))
        return newest


@dataclass(slots=True)
class _Looks:
    """Looks at the tops of conversations, each once a page.

    Attributes:
        conversations: where they are.
        index: what has been folded.
        began: the place of the moment at which the listing began.
        since: facts from this minute on are fresh, older ones are the index's.
        progress: how far that is.
        fresh: the places of the last fresh messages.
        settled: of whom it is known whether and where they stand.
        count: looks so far.
    """

    conversations: Conversations
    index: ConversationIndex
    began: str
    since: datetime
    progress: IndexedUpTo | None
    fresh: dict[tuple[str, str], str]
    settled: set[tuple[str, str]] = field(default_factory=set)
    count: int = 0
    _heads: dict[tuple[str, str], Top] = field(default_factory=dict)

    async def at(self, candidates: Iterable[Spoken]) -> None:
        """Look at their conversations."""
        pairs = {(ours, theirs) for _, ours, theirs in candidates} - self._heads.keys()

        async def one(pair: tuple[str, str]) -> None:
            self._heads[pair] = await self.conversations.head(*pair, TOP)

        self.count += len(pairs)
        await few_at_once(one, sorted(pairs))

    async def item(self, candidate: Spoken) -> dict[str, Any] | None:
        """The conversation, if it stands where this candidate does."""
        at, ours, theirs = candidate
        if (ours, theirs) in self.settled:
            return None
        head = self._heads[ours, theirs]
        entries = [entry for entry in head.entries if place(entry.at) >= self.began]
        if not entries and len(head.entries) == TOP:
            # All of these have been said since the listing began.
            self.count += 1
            before = await self.conversations.newest(ours, theirs, after=self.began, limit=TOP)
            entries = before.entries
        for entry in entries:
            if place(entry.at) > at:
                # The candidate's own entry is not there yet; an older one will do.
                return None
            if place(entry.at) == at or await self._stands_further_up(entry):
                self.settled.add((ours, theirs))
                return await self._view(head, ours, theirs) if place(entry.at) == at else None
        return None

    async def _stands_further_up(self, entry: Entry) -> bool:
        """Whether there is a candidate for a message, so that it has been listed there."""
        facts_of = minute_of(ids.time_of(entry.message_id))
        if facts_of >= self.since:
            return self.fresh.get((entry.ours, entry.theirs), BEHIND_ALL) <= place(entry.at)
        if self.progress is not None and entry.at + _LATE <= self.progress.late:
            return True
        self.count += 1
        return await self.index.has(entry.ours, entry.theirs, entry.at, facts_of)

    async def _view(self, head: Top, ours: str, theirs: str) -> dict[str, Any]:
        newest, mark = head.entries[0], head.read_up_to
        return {
            "ours": ours,
            "theirs": theirs,
            "lastMessage": {
                "messageId": newest.message_id,
                "direction": "inbound" if newest.inbound else "outbound",
                "message": newest.text,
                "at": iso(newest.at),
                "keyword": newest.keyword,
            },
            "unread": await self._unread(head, ours, theirs),
            "readUpTo": iso(mark) if mark is not None else None,
        }

    async def _unread(self, head: Top, ours: str, theirs: str) -> bool:
        mark = head.read_up_to
        since = [entry for entry in head.entries if mark is None or entry.at > mark]
        if any(entry.inbound for entry in since):
            return True
        if len(since) < TOP:
            return False
        self.count += 1
        return await self.conversations.spoken_after(ours, theirs, mark)


async def _iterated(candidates: Iterable[Spoken]) -> AsyncIterator[Spoken]:
    for candidate in candidates:
        yield candidate


async def _merged(streams: list[AsyncIterator[Spoken]]) -> AsyncIterator[Spoken]:
    """Several ordered streams as one."""
    heads = await asyncio.gather(*(anext(stream, None) for stream in streams))
    heap = [(head, i) for i, head in enumerate(heads) if head is not None]
    heapq.heapify(heap)
    while heap:
        candidate, i = heapq.heappop(heap)
        yield candidate
        following = await anext(streams[i], None)
        if following is not None:
            heapq.heappush(heap, (following, i))


def _cursor(text: str) -> Cursor | None:
    found = _CURSOR.fullmatch(text)
    return None if found is None else Cursor(found[1], (found[2], found[3], found[4]))


PAGES: Final[PageKeys[Cursor | None]] = PageKeys(None, _cursor)


def read_sender(text: str | None, senders: Iterable[str]) -> str | None:
    """The sender that `from` names.

    Raises:
        InvalidRequest: it is none of those configured.
    """
    if text is None:
        return None
    try:
        sender = normal(text)
    except BadAddress:
        sender = ""
    if sender not in set(senders):
        raise InvalidRequest.of("from", "This sender is not configured here.")
    return sender


def read_unread(text: str | None) -> bool:
    """Whether only unread conversations are wanted.

    Raises:
        InvalidRequest: it is neither `true` nor `false`.
    """
    if text not in {None, "true", "false"}:
        raise InvalidRequest.of("unread", "This is true or false.")
    return text == "true"
