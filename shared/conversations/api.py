"""Reading a conversation: its messages with what became of them, and the person's opt-outs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.base import ids
from shared.base.clock import Clock, from_iso, iso
from shared.base.errors import InvalidRequest
from shared.base.json_body import Body, Member, Parsed, parse_json
from shared.base.pages import Page, PageKeys
from shared.base.tasks import every, few_at_once
from shared.conversations.entries import BEHIND_ALL, Conversations, Entry, Stretch, place
from shared.messages.api import MessageApi
from shared.optouts import Ledger
from shared.optouts.standing import Said

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
        self, ours: str, theirs: str, *, after: str, limit: int, newest_first: bool
    ) -> Page:
        """A page of what the two have said, and of the person's changes of mind in between.

        One query for the messages (a few for the oldest ones of a long conversation), one for the
        changes, and one for each outgoing text shown.
        """
        read = self._conversations.newest if newest_first else self._conversations.oldest
        found, said = await every(
            read(ours, theirs, after=after, limit=limit + 1),
            self._ledger.said(theirs, ours),
        )
        items = _merged(found, [_Change(one) for one in said], after, newest_first=newest_first)
        shown = items[:limit]
        value = await self._views(ours, theirs, shown)
        if len(items) > limit:
            return Page(value, shown[-1].key)
        return Page(value, found.end)

    async def mark_read(self, ours: str, theirs: str, body: bytes) -> dict[str, Any]:
        """Note until when an operator has read; the body may name the moment.

        Raises:
            InvalidRequest: the body makes no sense.
        """
        now = self._clock()
        moment = min(read_mark(body, now), now)
        marked = await self._conversations.mark_read(ours, theirs, moment)
        return {"ours": ours, "theirs": theirs, "readUpTo": iso(marked)}

    async def _views(
        self, ours: str, theirs: str, items: Sequence[Entry | _Change]
    ) -> list[dict[str, Any]]:
        async def view(item: Entry | _Change) -> dict[str, Any]:
            if isinstance(item, _Change):
                return _change_view(item.said)
            state: str | None = "received"
            if not item.inbound:
                state = await self._messages.get_state(item.message_id)
            return _message_view(ours, theirs, item, state)

        return await few_at_once(view, items)


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


def _message_view(ours: str, theirs: str, entry: Entry, state: str | None) -> dict[str, Any]:
    return {
        "type": "message",
        "messageId": entry.message_id,
        "direction": "inbound" if entry.inbound else "outbound",
        "from": theirs if entry.inbound else ours,
        "to": ours if entry.inbound else theirs,
        "message": entry.text,
        "at": iso(entry.at),
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


def read_order(text: str | None) -> bool:
    """Whether `order` wants the newest first.

    Raises:
        InvalidRequest: it is neither `asc` nor `desc`.
    """
    if text not in {None, "asc", "desc"}:
        raise InvalidRequest.of("order", "This is asc or desc.")
    return text == "desc"
