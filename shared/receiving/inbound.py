"""What happens when somebody texts us.

    1. What it answers; then the message, beside its conversation's entry.
    2. The ledger, if it revokes or resumes, in whatever words.
    3. The reply. (Parley answers nobody yet: carriers and ACS answer the keywords they own.)
    4. The relay to the application, keywords included.

A crash between two steps is repaired by Event Grid's repeat: each step has an id that follows from
the event, so that what is missing is done and nothing is doubled. What a text answers is decided by
the message that is recorded first: a repeat finds it there, whatever has been said since.

What the topic does not take goes through the queue. An event is refused only where it could not be
kept: after some refusals Event Grid holds new events back, STOPs among them, for hours.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

from opentelemetry.trace import SpanKind

from shared.azure import telemetry
from shared.azure.event_grid import Envelope, Received, read_received
from shared.azure.storage import Changed
from shared.azure.topic import OutgoingEvent, Topic
from shared.base import ids, log
from shared.base.clock import Clock
from shared.base.errors import Unintelligible
from shared.base.tasks import every
from shared.conversations import Conversations, Entry, Kind, Replies
from shared.messages.events import sms_received
from shared.messages.record import Record
from shared.optouts import Change, Channel, Direction, Effect, Ledger
from shared.optouts.events import opt_out_changed
from shared.receiving.quarantine import Quarantine
from shared.rules import keywords
from shared.rules.addresses import is_address, masked
from shared.rules.keywords import Keyword
from shared.rules.senders import Programs

HANDLER: Final = "inbound"


class Inbound:
    """Takes people's texts in.

    Args:
        record: where messages go.
        conversations: where entries go.
        replies: finds what a text answers.
        ledger: where opt-outs go.
        topic: the way to the application.
        quarantine: where what is not understood goes.
        programs: the program of each sender.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        record: Record,
        conversations: Conversations,
        replies: Replies,
        ledger: Ledger,
        topic: Topic,
        quarantine: Quarantine,
        programs: Programs,
    ) -> None:
        self._clock = clock
        self._record = record
        self._conversations = conversations
        self._replies = replies
        self._ledger = ledger
        self._topic = topic
        self._quarantine = quarantine
        self._programs = programs

    async def record_text(self, envelope: Envelope) -> None:
        """Take one `SMSReceived` event in. Raises only where a repeat can help."""
        with telemetry.span(HANDLER, kind=SpanKind.CONSUMER):
            try:
                await self.record_or_refuse(envelope)
            except Unintelligible as error:
                await self._quarantine.keep(HANDLER, envelope, str(error))

    async def record_or_refuse(self, envelope: Envelope) -> None:
        """Take one in, or say why not.

        Raises:
            Unintelligible: it makes no sense; nothing has been done.
        """
        received = read_received(envelope, self._clock())
        message_id = ids.inbound_id(received.platform_id, received.received)
        keyword = keywords.read(received.text)
        telemetry.annotate(messageId=message_id)
        # 1. The record.
        received, first = await self._store(message_id, received, keyword)
        # The same id with other words: the first ones count, everywhere.
        keyword = keywords.read(received.text)
        # 2. The ledger.
        changed = await self._change_ledger(message_id, received)
        # 4. The relay.
        events = [sms_received(message_id, received, keyword), *changed]
        await self._topic.publish_or_queue(events)
        telemetry.INBOUND.add(
            1, {"sender": received.ours, "intent": str(keyword.intent) if keyword else "none"}
        )
        log.event(
            "inbound.taken",
            messageId=message_id,
            sender=received.ours,
            recipient=masked(received.theirs) if is_address(received.theirs) else None,
            keyword=keyword.word if keyword else None,
            repeated=not first,
        )

    async def _store(
        self, message_id: str, received: Received, keyword: Keyword | None
    ) -> tuple[Received, bool]:
        """Record the message; as it is recorded, and whether this was the first time."""
        answered = await self._replies.answered_by(received)
        if answered is not None:
            received = replace(received, in_reply_to=answered)
        entry = entry_of(message_id, received, keyword, self._clock())
        # Together they mark it unread: the one where it is looked for, the other where it is late.
        first, written, _ = await every(
            self._record.inbound(message_id, received),
            self._conversations.insert(entry),
            self._conversations.note_late(entry),
        )
        if first:
            if written is None:
                # An attempt that died before it recorded the text may have found another answer.
                await self._conversations.write(entry)
            return received, True
        recorded = await self._record.inbound_message(message_id)
        if recorded is None:
            return received, False
        if ids.is_erased(recorded.theirs):
            # The words stand nowhere any more; they still may opt the person out.
            if written is not None:
                with suppress(Changed):
                    await self._conversations.remove(entry, written)
            return received, False
        same = replace(received, in_reply_to=recorded.in_reply_to, text=recorded.text)
        if same == received:
            return received, False
        received, keyword = same, keywords.read(same.text)
        if written is not None:
            # What this repeat has just written; what stood there already is as it was recorded.
            again = entry_of(message_id, received, keyword, entry.arrived)
            await self._conversations.write(again)
        return received, False

    async def _change_ledger(self, message_id: str, received: Received) -> list[OutgoingEvent]:
        # Its files are read at the first text, not where a process starts.
        from shared.rules.reading import Verdict, read_reply  # noqa: PLC0415

        reading = read_reply(received.text)
        if reading.verdict is Verdict.REVOKE:
            # Whatever its scope: what was closed too widely is opened by a word, no text is unsent.
            direction = Direction.OUT
        elif reading.opts_in:
            direction = Direction.IN
        else:
            return []
        if not is_address(received.theirs):
            # An e-mail gateway's or a long name: no text could go there, and none need be held.
            return []
        change = Change(
            change_id=ids.derived(Channel.KEYWORD, message_id),
            address=received.theirs,
            sender=received.ours,
            program=self._programs.of(received.ours),
            direction=direction,
            channel=Channel.KEYWORD,
            rule=reading.rule or "",
            said_at=min(received.received, self._clock()),
            cause={"messageId": message_id, "platformMessageId": received.platform_id},
            words=received.text,
            span="-".join(map(str, reading.span or ())),
            language=reading.language or "",
        )
        made = (await self._ledger.change([change]))[0]
        return [opt_out_changed(change, made)] if made.effect is Effect.APPLIED else []


def entry_of(
    message_id: str, received: Received, keyword: Keyword | None, arrived: datetime | None
) -> Entry:
    """The entry that a person's text has in its conversation."""
    return Entry(
        message_id=message_id,
        ours=received.ours,
        theirs=received.theirs,
        kind=Kind.RECEIVED,
        text=received.text,
        at=received.received,
        segments=received.segments,
        keyword=keyword.word if keyword else None,
        in_reply_to=received.in_reply_to.message_id if received.in_reply_to else None,
        arrived=arrived,
    )
