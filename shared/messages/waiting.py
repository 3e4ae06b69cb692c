"""What waits to be sent: the messages whose sends have a row in the table `due`, soonest first.

A send that waits is found by its due row (`shared.jobs.due`), which says until when and why; what
it is, by its own rows. A row that its send does not name, or whose send is over, shows nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.base import ids
from shared.base.clock import Clock, iso
from shared.base.errors import InvalidRequest
from shared.base.pages import Page, PageKeys
from shared.base.tasks import few_at_once
from shared.jobs.due import Due, names_here
from shared.jobs.due_table import DueTable
from shared.messages import views
from shared.messages.record import Record, Send
from shared.messages.views import Seen
from shared.rules.conversation_ids import ConversationIds
from shared.rules.message_states import State

# The kind of work that a send that waits is.
SCHEDULED: Final = "scheduled"
MOST_COUNTED: Final = 10_000
_AT_ONCE: Final = 16
_PLACE: Final = re.compile(r"([0-9]{12}-[0-9])~(.+)")


@dataclass(frozen=True, slots=True)
class ListedUpTo:
    """How far a reader has come: a partition of the table, and the last message shown from it."""

    place: str = ""
    message_id: str = ""


class WaitingMessages:
    """Lists and counts what waits.

    Args:
        due: the rows of what is due.
        record: the sends.
        acs_timeout: after which an attempt is dead.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        id_key: bytes,
        acs_timeout: timedelta,
        record: Record,
        due: DueTable,
    ) -> None:
        self._clock = clock
        self._id_key = id_key
        self._acs_timeout = acs_timeout
        self._conversations = ConversationIds(id_key)
        self._record = record
        self._due = due

    async def list_waiting(self, *, after: ListedUpTo, limit: int) -> Page:
        """Messages that wait, by the minute in which they were to leave, a page of them.

        Each has `waits` beside its other members: `until` and `why`.
        """
        value: list[dict[str, Any]] = []
        last = after
        async for due, view in self._views(after, limit):
            if len(value) == limit:
                return Page(value, f"{last.place}~{last.message_id}")
            value.append(view)
            last = ListedUpTo(due.place, view["messageId"])
        return Page(value, None)

    async def count_waiting(self) -> dict[str, Any]:
        """How many sends wait, why, and between which moments; no more than 10,000 are counted."""
        reasons: Counter[str] = Counter()
        moments: list[datetime] = []
        more = False
        async for due in self._due.after("", "", 1000):
            if due.kind != SCHEDULED:
                continue
            if len(moments) == MOST_COUNTED:
                more = True
                break
            reasons[due.why] += 1
            moments.append(due.moment)
        return {
            "sends": len(moments),
            "more": more,
            "reasons": [{"why": why, "sends": count} for why, count in reasons.most_common()],
            "first": iso(min(moments)) if moments else None,
            "last": iso(max(moments)) if moments else None,
        }

    async def _views(
        self, after: ListedUpTo, limit: int
    ) -> AsyncIterator[tuple[Due, dict[str, Any]]]:
        # The send of the last message that was shown is read again: it may have others.
        row = f"{SCHEDULED}~{after.message_id[: ids.ULID_LENGTH]}"[:-1] if after.place else ""
        group: list[Due] = []
        async for due in self._due.after(after.place, row, limit):
            if due.kind != SCHEDULED:
                continue
            group.append(due)
            if len(group) == _AT_ONCE:
                for found in await self._shown(group, after):
                    yield found
                group = []
        for found in await self._shown(group, after):
            yield found

    async def _shown(
        self, group: Sequence[Due], after: ListedUpTo
    ) -> list[tuple[Due, dict[str, Any]]]:
        shown = await few_at_once(self._of_send, group, _AT_ONCE)
        return [
            (due, view)
            for due, found in zip(group, shown, strict=True)
            for view in found
            if due.place != after.place or view["messageId"] > after.message_id
        ]

    async def _of_send(self, due: Due) -> list[dict[str, Any]]:
        send = await self._record.send(due.work_id)
        if send is None or send.intent.due_at is None or not names_here(due, send.intent.due_at):
            return []
        waits = {"until": iso(due.moment), "why": due.why}
        found = [
            {**self._view(send, seen), "waits": waits}
            for seen in views.recipients_of(
                send, id_key=self._id_key, now=self._clock(), acs_timeout=self._acs_timeout
            )
            if seen.state is State.SCHEDULED
        ]
        return sorted(found, key=lambda view: str(view["messageId"]))

    def _view(self, send: Send, seen: Seen) -> dict[str, Any]:
        conversation = self._conversations.of(send.intent.request.sender, seen.address)
        return views.outgoing(send, seen, conversation, None)


def _read_key(text: str) -> ListedUpTo | None:
    found = _PLACE.fullmatch(text)
    if found is None or ids.split_message_id(found[2]) is None:
        return None
    return ListedUpTo(found[1], found[2])


PAGES: Final = PageKeys(ListedUpTo(), _read_key)


def check_state(state: str, *others: str | None) -> None:
    """Refuse what the list of what waits does not know.

    Args:
        state: the query parameter.
        others: parameters that say something of a span of time.

    Raises:
        InvalidRequest: naming `state`.
    """
    if state != SCHEDULED:
        raise InvalidRequest.of("state", "Only messages in the state scheduled can be listed.")
    if any(other is not None for other in others):
        raise InvalidRequest.of(
            "state", "Leave startTime and endTime out: what is scheduled is listed as a whole."
        )
