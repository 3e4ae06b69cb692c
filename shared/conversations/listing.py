"""Conversations, those with something new first.

Candidates come from the index, and from the messages themselves where the fold that writes it has
not come yet. Each candidate costs one look at the top of its conversation, which has the last
message and the read mark and settles whether it stands here: it does where no later message would
have it stand further up. So the list is exact and fresh, whatever the fold is about.

A listing has a beginning, which its pages share: what is said meanwhile moves nobody out of it.
Order goes by when something was said, unread by when it arrived.
"""

from __future__ import annotations

import asyncio
import heapq
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.base.clock import Clock
from shared.base.errors import InvalidRequest
from shared.base.pages import Page, PageKeys
from shared.base.tasks import few_at_once
from shared.conversations.entries import BEFORE_ALL, BEHIND_ALL, place
from shared.conversations.index import ConversationIndex, Spoken, minute_of, spoken_in
from shared.conversations.looks import Fresh, IndexedUpTo, Looks
from shared.conversations.store import Conversations
from shared.messages.record import Record
from shared.rules.addresses import BadAddress, from_query, normal
from shared.rules.conversation_ids import read_conversation_id

# Looks that a page may cost, and candidates that it may pass over.
MOST_LOOKS: Final = 600
MOST_PASSED: Final = 20_000
# The fold comes within two and a half minutes; where it is far behind, only this much is read past
# it.
_FARTHEST: Final = timedelta(hours=2)
_AHEAD: Final = timedelta(minutes=16)
_CURSOR: Final = re.compile(r"([0-9]{18})~([0-9]{18})~(cv_[0-9a-f]{22})")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins.

    Attributes:
        began: the place of the moment at which the listing began.
        at: the place of the last candidate that was looked at.
        conversation: its id.
    """

    began: str
    at: str
    conversation: str

    def __str__(self) -> str:
        return f"{self.began}~{self.at}~{self.conversation}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which conversations are wanted.

    Attributes:
        sender: of this one alone; None: of all.
        unread: with something that nobody has read.
        unanswered: in which the person had the last word, keywords left aside.
    """

    sender: str | None = None
    unread: bool = False
    unanswered: bool = False

    def wants(self, item: dict[str, Any]) -> bool:
        """Whether a conversation is one of them."""
        return (item["unread"] or not self.unread) and (item["unanswered"] or not self.unanswered)


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

    async def list_conversations(self, wanted: Wanted, *, after: Cursor | None, limit: int) -> Page:
        """A page of conversations, newest first. It may hold fewer than there are.

        One query for the fold's progress, one for each sender and for each shard of what is newer,
        and one for each conversation looked at; another one where the last messages do not show
        whether there is anything unread or unanswered.
        """
        now = self._clock()
        senders = self._senders if wanted.sender is None else [wanted.sender]
        progress = await self._progress()
        since = minute_of(now - _FARTHEST)
        if progress is not None:
            since = max(since, progress.facts)
        fresh = await self._fresh(since, now + _AHEAD, set(senders))
        low = after.at if after is not None else BEFORE_ALL
        candidates = _merged(
            [
                _iterated(sorted(fresh.values())),
                *(self._index.newest(ours, since=low) for ours in senders),
            ]
        )
        began = (
            after.began
            if after is not None
            else min([place(now), *(spoken.at for spoken in fresh.values())])
        )
        looks = Looks(self._conversations, self._index, began, Fresh(since, progress, fresh))
        found: list[tuple[Spoken, dict[str, Any]]] = []
        last = (after.at, after.conversation) if after is not None else None
        passed, ended = 0, False
        while not ended and len(found) <= limit and looks.count < MOST_LOOKS:
            batch: list[Spoken] = []
            ended = True
            async for candidate in candidates:
                passed += 1
                is_next = last is None or candidate[:2] > last
                if is_next and candidate.conversation not in looks.settled:
                    batch.append(candidate)
                if len(batch) > limit - len(found) or passed > MOST_PASSED:
                    ended = False
                    break
            await looks.at(batch)
            for candidate in batch:
                last = candidate[:2]
                item = await looks.item(candidate)
                if item is not None and wanted.wants(item):
                    found.append((candidate, item))
            if passed > MOST_PASSED:
                break
        if len(found) > limit:
            found, ended = found[:limit], False
            last = found[-1][0][:2]
        following = Cursor(began, *last) if last is not None and not ended else None
        return Page([item for _, item in found], str(following) if following else None)

    async def list_with(self, theirs: str, wanted: Wanted) -> Page:
        """The conversations with one person, newest first; one query for each sender.

        Where the sender is named, too, there is always one: nothing may have been said in it yet.
        """
        senders = self._senders if wanted.sender is None else [wanted.sender]
        looks = Looks(self._conversations, self._index, BEFORE_ALL, Fresh(self._clock(), None, {}))
        spoken = [self._index.spoken(BEHIND_ALL, ours, theirs) for ours in senders]
        await looks.at(spoken)

        async def look(candidate: Spoken) -> dict[str, Any]:
            return await looks.view(candidate)

        found = await few_at_once(look, spoken)
        if wanted.sender is None:
            found = [item for item in found if item["lastMessage"] is not None]
        chosen = [item for item in found if wanted.wants(item)]
        return Page(
            sorted(
                chosen, key=lambda item: (item["lastMessage"] or {"at": ""})["at"], reverse=True
            ),
            None,
        )

    async def _fresh(
        self, since: datetime, until: datetime, senders: set[str]
    ) -> dict[str, Spoken]:
        """Where the last messages stand that the index does not have, by conversation."""
        newest: dict[str, Spoken] = {}
        async for _, fact in self._record.span(since, until):
            for at, ours, theirs in spoken_in([fact]):
                if ours in senders:
                    spoken = self._index.spoken(place(at), ours, theirs)
                    known = newest.get(spoken.conversation, spoken)
                    newest[spoken.conversation] = min(spoken, known)
        return newest


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
    if found is None or read_conversation_id(found[3]) is None:
        return None
    return Cursor(found[1], found[2], found[3])


PAGES: Final[PageKeys[Cursor | None]] = PageKeys(None, _cursor)


def read_sender(text: str | None, senders: Iterable[str]) -> str | None:
    """The sender that `ours` names.

    Raises:
        InvalidRequest: it is none of those configured.
    """
    if text is None:
        return None
    try:
        sender = normal(from_query(text))
    except BadAddress:
        sender = ""
    if sender not in set(senders):
        raise InvalidRequest.of("ours", "This sender is not configured here.")
    return sender


def read_person(text: str | None) -> str | None:
    """The person that `theirs` names.

    Raises:
        InvalidRequest: it is no address.
    """
    if text is None:
        return None
    try:
        return normal(from_query(text))
    except BadAddress as error:
        raise InvalidRequest.of("theirs", str(error)) from None


def read_choice(name: str, text: str | None) -> bool:
    """Whether a query parameter says `true`.

    Raises:
        InvalidRequest: it says neither `true` nor `false`.
    """
    if text not in {None, "true", "false"}:
        raise InvalidRequest.of(name, "This is true or false.")
    return text == "true"
