"""Answering readers: one message, a span of messages, a delivery report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.azure.event_grid import Received
from shared.base import ids
from shared.base.clock import Clock, from_iso
from shared.base.errors import InvalidRequest, NotFound
from shared.base.pages import Page, PageKeys
from shared.messages import views
from shared.messages.record import Record, Send
from shared.messages.views import Seen
from shared.optouts import Ledger
from shared.rules.conversation_ids import ConversationIds

_DEFAULT_SPAN: Final = timedelta(days=1)
_LONGEST_SPAN: Final = timedelta(days=366)
_YEARS: Final = range(1970, 9999)
_NO_MESSAGE: Final = "There is no message with this id."


@dataclass(frozen=True, slots=True)
class ListedTime:
    """What a list of messages covers: from `start` inclusive to `end` exclusive."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """What has become of an outgoing message, in short.

    Attributes:
        state: the word for it.
        attempted_at: when its first attempt began; when it was accepted, if none has.
    """

    state: str
    attempted_at: datetime


class MessageApi:
    """Reads messages.

    Args:
        acs_timeout: after which an attempt is dead.
        record: the messages.
        ledger: why one was blocked.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        id_key: bytes,
        acs_timeout: timedelta,
        record: Record,
        ledger: Ledger,
    ) -> None:
        self._clock = clock
        self._id_key = id_key
        self._conversations = ConversationIds(id_key)
        self._acs_timeout = acs_timeout
        self._record = record
        self._ledger = ledger

    async def get_message(self, message_id: str) -> dict[str, Any]:
        """One message with its state, history and, if it was blocked, the reason.

        Raises:
            NotFound: if there is none.
        """
        found = ids.split_message_id(message_id)
        if found is None:
            raise NotFound(_NO_MESSAGE)
        if message_id.endswith(ids.INBOUND_SUFFIX):
            received = await self._record.inbound_message(message_id)
            if received is None:
                raise NotFound(_NO_MESSAGE)
            return self._inbound(message_id, received)
        send, seen = await self._seen(message_id)
        sequence = seen.outcome.ledger_sequence if seen.outcome is not None else None
        blocked_by = await self._ledger.entry(sequence) if sequence is not None else None
        return self._outgoing(send, seen, blocked_by)

    async def get_standing(self, message_id: str) -> Standing | None:
        """What has become of an outgoing message; None if it is not on record. One query."""
        try:
            send, seen = await self._seen(message_id)
        except NotFound:
            return None
        return Standing(str(seen.state), send.intent.first_attempt_at)

    async def may_have_left(self, message_id: str) -> bool:
        """Whether ACS took an outgoing message, or may have; not if there is none. One query."""
        try:
            _, seen = await self._seen(message_id)
        except NotFound:
            return False
        return seen.may_have_left

    async def get_delivery_report(self, message_id: str) -> dict[str, Any]:
        """The delivery report of an outgoing message, in ACS's shape.

        Raises:
            NotFound: if there is no such message, or no report yet.
        """
        found = ids.split_message_id(message_id)
        if found is None or message_id.endswith(ids.INBOUND_SUFFIX):
            raise NotFound(_NO_MESSAGE)
        report = views.acs_delivery_report(*await self._seen(message_id))
        if report is None:
            raise NotFound("There is no delivery report for this message yet.")
        return report

    async def list_messages(self, span: ListedTime, *, after: str, limit: int) -> Page:
        """Messages in the order of time, a page of them.

        Args:
            span: the time they are from.
            after: the id after which to begin; empty for the first page.
            limit: how many at most.
        """
        value: list[dict[str, Any]] = []
        # A page may end inside a send to many, whose id sorts before those of its messages: the
        # send is then read again, and what was shown of it passed over.
        found = self._record.span(span.start, span.end, after=after)
        async for key, what in found:
            for view in self._views(key, what, span):
                if view["messageId"] <= after:
                    continue
                if len(value) == limit:
                    return Page(value, value[-1]["messageId"])
                value.append(view)
        return Page(value, None)

    def _views(self, key: str, what: Send | Received, span: ListedTime) -> list[dict[str, Any]]:
        # By the id's time, which is where the rows lie: a client's clock may be a little off.
        if not span.start <= ids.time_of(key) < span.end:
            return []
        if isinstance(what, Received):
            return [self._inbound(key, what)]
        found = [self._outgoing(what, seen, None) for seen in self._all(what)]
        return sorted(found, key=lambda view: str(view["messageId"]))

    def _inbound(self, message_id: str, received: Received) -> dict[str, Any]:
        conversation = self._conversations.of(received.ours, received.theirs)
        return views.inbound(message_id, received, conversation)

    def _outgoing(
        self, send: Send, seen: Seen, blocked_by: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        conversation = self._conversations.of(send.intent.request.sender, seen.address)
        return views.outgoing(send, seen, conversation, blocked_by)

    def _all(self, send: Send) -> list[Seen]:
        return list(
            views.recipients_of(
                send, id_key=self._id_key, now=self._clock(), acs_timeout=self._acs_timeout
            )
        )

    async def _seen(self, message_id: str) -> tuple[Send, Seen]:
        send = await self._record.message(message_id)
        if send is not None:
            for seen in self._all(send):
                if seen.message_id == message_id:
                    return send, seen
        raise NotFound(_NO_MESSAGE)


def read_span(start: str | None, end: str | None, now: datetime) -> ListedTime:
    """The span that two query parameters name; the last 24 hours where they are silent.

    Raises:
        InvalidRequest: a time that is none, a span that ends before it begins or is over a year.
    """
    errors: dict[str, list[str]] = {}
    moments: dict[str, datetime] = {}
    for name, text in (("startTime", start), ("endTime", end)):
        if text is not None:
            try:
                moments[name] = _sensible(from_iso(text.replace(" ", "+")))
            except ValueError:
                errors[name] = ["This is an ISO 8601 time, such as 2026-11-22T13:00:00Z."]
    if errors:
        raise InvalidRequest(errors)
    until = moments.get("endTime", now + timedelta(minutes=1))
    since = moments.get("startTime", until - _DEFAULT_SPAN)
    if not since < until:
        raise InvalidRequest.of("endTime", "The span ends before it begins.")
    if until - since > _LONGEST_SPAN:
        raise InvalidRequest.of("startTime", "A span is at most 366 days.")
    return ListedTime(since, until)


def _sensible(moment: datetime) -> datetime:
    # A day or a month more or less must still be a date.
    if moment.year not in _YEARS:
        raise ValueError("a moment of which there can be no message")
    return moment


PAGES: Final = PageKeys("", lambda text: text if ids.split_message_id(text) else None)
