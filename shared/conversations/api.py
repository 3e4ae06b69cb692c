"""Reading a conversation: its messages with what became of them, and the person's opt-outs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.base import ids
from shared.base.clock import Clock, from_iso, iso
from shared.base.errors import InvalidRequest, NotFound
from shared.base.json_body import Body, Member, Parsed, parse_json
from shared.base.pages import Page, PageKeys
from shared.base.tasks import few_at_once
from shared.conversations.entries import BEHIND_ALL, Entry, Kind, place
from shared.conversations.store import Conversations, Stretch
from shared.messages.api import MessageApi, Standing
from shared.optouts import Ledger
from shared.optouts.standing import Said
from shared.rules.conversation_ids import ConversationId, read_conversation_id

_NO_CONVERSATION: Final = (
    "There is no conversation with this id here: nothing has been said in it, or the id is of"
    " another deployment."
)
_NO_ID: Final = "This is cv_ and 22 hexadecimal digits, an id as GET /conversations shows it."
_SURELY_ON_RECORD: Final = timedelta(days=1)
_MOST_CHANGES: Final = 10**16 - 1
_PAGE_KEY: Final = re.compile(r"[0-9]{18}(?:~(?:![0-9]{16}|([0-9A-Z]{26}\.[0-9a-z]{2,10})))?")


@dataclass(frozen=True, slots=True)
class _Change:
    """A change of the ledger, at its place among the messages."""

    said: Said

    @property
    def key(self) -> str:
        # Said later than the message that said it, if that has the same moment.
        return f"{place(self.said.at)}~!{_MOST_CHANGES - self.said.sequence:016d}"


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """A page of one conversation.

    Attributes:
        conversation_id: which.
        ours: the sender.
        theirs: the person, as written in the latest of its messages.
        page: the items.
    """

    conversation_id: str
    ours: str
    theirs: str
    page: Page


class ConversationApi:
    """Reads conversations.

    Args:
        conversations: their messages.
        messages: what became of a message.
        ledger: the opt-outs.
    """

    def __init__(
        self, *, clock: Clock, conversations: Conversations, messages: MessageApi, ledger: Ledger
    ) -> None:
        self._clock = clock
        self._conversations = conversations
        self._messages = messages
        self._ledger = ledger

    async def read_conversation(
        self,
        conversation: ConversationId,
        *,
        after: str,
        limit: int,
        newest_first: bool,
        hidden: bool = False,
    ) -> ConversationPage:
        """A page of what the two have said, and of the person's changes of mind in between.

        One query for the messages (a few for the oldest ones of a long conversation), one for the
        changes, and one for each outgoing text shown.

        Args:
            conversation: which.
            after: the key of a message or a change after which it begins; empty for the first page.
            limit: how many at most.
            newest_first: in which order.
            hidden: texts that were not sent and those that wait, too.

        Raises:
            NotFound: there is no such conversation.
        """
        read = self._conversations.newest if newest_first else self._conversations.oldest
        found = await read(conversation, after=after, limit=limit + 1, hidden=hidden)
        if found.entries:
            latest = min(found.entries, key=lambda entry: entry.key)
            pair: tuple[str, str] | None = (latest.ours, latest.theirs)
        else:
            pair = await self._conversations.pair(conversation)
        if pair is None:
            raise NotFound(_NO_CONVERSATION)
        ours, theirs = pair
        said = await self._ledger.said(theirs, ours)
        items = _merged(found, [_Change(one) for one in said], after, newest_first=newest_first)
        shown = items[:limit]
        value = await self._views(shown)
        following = shown[-1].key if len(items) > limit else found.end
        return ConversationPage(str(conversation), ours, theirs, Page(value, following))

    async def mark_read(self, conversation: ConversationId, body: bytes) -> dict[str, Any]:
        """Note until when an operator has read; the body may name the moment.

        Raises:
            InvalidRequest: the body makes no sense.
            NotFound: there is no such conversation.
        """
        now = self._clock()
        moment = min(read_mark(body, now), now)
        marked = await self._conversations.mark_read(conversation, moment)
        if marked is None:
            raise NotFound(_NO_CONVERSATION)
        return {"conversationId": str(conversation), "readUpTo": iso(marked)}

    async def _views(self, items: Sequence[Entry | _Change]) -> list[dict[str, Any]]:
        async def view(item: Entry | _Change) -> dict[str, Any] | None:
            if isinstance(item, _Change):
                return _change_view(item.said)
            if item.inbound:
                return _message_view(item, "received")
            standing = await self._messages.get_standing(item.message_id)
            if not self._is_of_its_message(item, standing):
                return None
            return _message_view(item, standing.state if standing is not None else None)

        found = await few_at_once(view, items)
        return [shown for shown in found if shown is not None]

    def _is_of_its_message(self, entry: Entry, standing: Standing | None) -> bool:
        """Whether an attempt has begun of which this is the entry.

        It is written beside the row that begins one. A process that dies in between may leave it
        alone, or as a second one beside that of the repeat.
        """
        if standing is None:
            # Messages are kept for months: what is younger and not on record never was.
            return self._clock() - entry.at > _SURELY_ON_RECORD
        return entry.kind is Kind.WAITING or entry.at == standing.attempted_at


def _merged(
    found: Stretch, changes: list[_Change], after: str, *, newest_first: bool
) -> list[Entry | _Change]:
    """Messages and the changes that lie where the messages are complete, in order."""
    if newest_first:
        low, high = after, found.end or BEHIND_ALL
    else:
        low, high = found.end or "", after or BEHIND_ALL
    between = [change for change in changes if low < change.key < high]
    items: list[Entry | _Change] = [*found.entries, *between]
    return sorted(items, key=lambda item: item.key, reverse=not newest_first)


def _message_view(entry: Entry, state: str | None) -> dict[str, Any]:
    return {
        "type": "message",
        "messageId": entry.message_id,
        "direction": "inbound" if entry.inbound else "outbound",
        "kind": str(entry.kind),
        "from": entry.theirs if entry.inbound else entry.ours,
        "to": entry.ours if entry.inbound else entry.theirs,
        "message": entry.text,
        "at": iso(entry.at),
        "arrivedAt": iso(entry.arrived) if entry.arrived is not None else None,
        "state": state,
        "segments": entry.segments,
        "keyword": entry.keyword,
        "tag": entry.tag,
        "inReplyTo": entry.in_reply_to,
    }


def _change_view(said: Said) -> dict[str, Any]:
    return {
        "type": "optOutChange",
        "at": iso(said.at),
        "direction": said.direction,
        "channel": said.channel,
        "rule": said.rule,
        "sequence": said.sequence,
        "effect": said.effect,
    }


def _since_1970(text: str) -> datetime:
    moment = from_iso(text)
    if moment.year < 1970:  # noqa: PLR2004  # before any message
        raise ValueError(text)
    return moment


_MARK: Final = (
    Member(
        "readUpTo",
        Parsed(_since_1970, of=str),
        "This is an ISO 8601 time, such as 2026-11-22T13:00Z.",
    ),
)


def read_mark(content: bytes, now: datetime) -> datetime:
    """Until when an operator has read; now, where the body is empty or does not say.

    Raises:
        InvalidRequest: with every member at fault.
    """
    if not content.strip():
        return now
    body = Body(parse_json(content), _MARK)
    body.finish()
    moment: datetime | None = body["readUpTo"]
    return now if moment is None else moment


def _page_key(text: str) -> str | None:
    found = _PAGE_KEY.fullmatch(text)
    if found is None or (found[1] is not None and ids.split_message_id(found[1]) is None):
        return None
    return text


PAGES: Final = PageKeys("", _page_key)


def read_id(text: str) -> ConversationId:
    """The conversation that a path names.

    Raises:
        InvalidRequest: it is no id; a part of one, or one with something more, is none.
    """
    found = read_conversation_id(text)
    if found is None:
        raise InvalidRequest.of("conversationId", _NO_ID)
    return found


def read_include(text: str | None) -> bool:
    """Whether `include` wants texts that were not sent and those that wait, too.

    Raises:
        InvalidRequest: it is anything else than `hidden`.
    """
    if text not in {None, "hidden"}:
        raise InvalidRequest.of("include", "This is hidden, or left out.")
    return text is not None


def read_order(text: str | None) -> bool:
    """Whether `order` wants the newest first.

    Raises:
        InvalidRequest: it is neither `asc` nor `desc`.
    """
    if text not in {None, "asc", "desc"}:
        raise InvalidRequest.of("order", "This is asc or desc.")
    return text == "desc"
