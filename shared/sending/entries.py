"""The conversations' entries of a send, as its attempts come and go.

They are written beside the row that begins an attempt, before ACS is asked, so that whoever answers
a moment after the text is known to have answered it: of up to four recipients each by itself, of
more one row that stands for them all, whose entries the `record` queue has written. They say `sent`
until it is certain of somebody that nothing was.

An entry that storage does not take stops no send: the queue is told of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from shared.azure.packing import message_text
from shared.azure.storage import Changed, StorageDown
from shared.azure.topic import QUEUE
from shared.base import ids, log
from shared.base.tasks import few_at_once
from shared.conversations import ConversationRoom, Entry, Kind, PendingSend
from shared.messages.facts import Intent, Outcome
from shared.messages.parts import Parts
from shared.messages.record import Send
from shared.messages.views import recipients_of
from shared.rules.message_states import MAY_HAVE_LEFT, State

# Of so many recipients each entry is written by itself.
FEW: Final = 4


@dataclass(frozen=True, slots=True)
class Written:
    """What the beginning of an attempt has written.

    Attributes:
        etags: of entries, by message id, and of the row that stands for many, by send id.
        failed: whether something could not be written.
    """

    etags: Mapping[str, str] = field(default_factory=dict)
    failed: bool = False


NOTHING: Final = Written()


class SendEntries:
    """Writes the entries of sends.

    Args:
        parts: shared ones.
        conversations: where they go.
    """

    def __init__(self, parts: Parts, conversations: ConversationRoom) -> None:
        self._id_key = parts.id_key
        self._clock = parts.clock
        self._acs_timeout = parts.acs_timeout
        self._queues = parts.queues
        self._entries = conversations.entries
        self._pending = conversations.pending

    # Beginning ----------------------------------------------------------------------------------

    async def begin(self, intent: Intent) -> Written:
        """Write what a first attempt of a send writes; what is there already stays. Never raises.

        One operation for each of a few recipients, one for all of many.
        """
        return await self._begin(intent, self._entries.insert)

    async def begin_again(self, intent: Intent) -> Written:
        """Write what a further attempt writes: an earlier one may have said `notSent`."""
        return await self._begin(intent, self._entries.write)

    async def _begin(
        self, intent: Intent, write: Callable[[Entry], Awaitable[str | None]]
    ) -> Written:
        addresses = intent.addresses()
        if len(addresses) > FEW:
            return await self._begin_many(intent, addresses)
        entries = self._entries_of(intent, dict.fromkeys(addresses, Kind.SENT))
        etags: dict[str, str] = {}

        async def one(entry: Entry) -> bool:
            try:
                etag = await write(entry)
            except StorageDown:
                return False
            if etag is not None:
                etags[entry.message_id] = etag
            return True

        # Each by itself: a transaction would be one more thing that a crash can cut in two.
        done = await few_at_once(one, entries)
        return Written(etags, failed=not all(done))

    async def _begin_many(self, intent: Intent, addresses: Sequence[str]) -> Written:
        request = intent.request
        whom = [address for address in addresses if not ids.is_erased(address)]
        pending = PendingSend(
            intent.send_id, request.sender, whom, request.tag or None, intent.first_attempt_at
        )
        try:
            etag = await self._pending.insert(pending)
        except StorageDown:
            return Written(failed=True)
        return Written({intent.send_id: etag} if etag is not None else {})

    async def begin_waiting(self, intent: Intent) -> None:
        """Write that a send was accepted to leave later; it leaves whatever becomes of this.

        An operation for each of a few recipients; for many, the queue is told. The entries stay
        where they are when the send leaves, and the texts have others then.
        """
        try:
            addresses = intent.addresses()
            if len(addresses) > FEW:
                await self._enqueue(intent.send_id)
            else:
                entries = self._entries_of(intent, dict.fromkeys(addresses, Kind.WAITING))
                await few_at_once(self._entries.insert, entries)
        except StorageDown:
            await self.report_failed(intent, Written(failed=True))

    async def report_failed(self, intent: Intent, written: Written) -> None:
        """Have the queue write what could not be written beside an attempt that has begun."""
        if not written.failed:
            return
        log.trouble("send.entries_deferred", sendId=intent.send_id)
        try:
            await self._enqueue(intent.send_id)
        except StorageDown:
            # A repeat of the request writes them, too.
            log.trouble("send.entries_not_recorded", sendId=intent.send_id)

    async def withdraw(self, intent: Intent, written: Written) -> None:
        """Take back what was written for an attempt that never began: it was another's send."""
        try:
            if etag := written.etags.get(intent.send_id):
                await self._pending.remove(intent.request.sender, intent.send_id, etag)
            for entry in self._entries_of(intent, dict.fromkeys(intent.addresses(), Kind.SENT)):
                if etag := written.etags.get(entry.message_id):
                    await self._entries.remove(entry, etag)
        except (Changed, StorageDown):
            # It stays beside the other one: the same text, shown twice.
            log.trouble("send.entries_not_withdrawn", sendId=intent.send_id)

    # Ends ---------------------------------------------------------------------------------------

    async def conclude(self, intent: Intent, outcomes: Sequence[Outcome], written: Written) -> None:
        """Have the entries say what became of everybody; they say already that it was sent.

        Raises:
            StorageDown: doing it again is safe.
        """
        if len(intent.addresses()) > FEW:
            await self._enqueue(intent.send_id, written.etags.get(intent.send_id))
            return
        unsent = {o.address: Kind.NOT_SENT for o in outcomes if o.state not in MAY_HAVE_LEFT}
        await few_at_once(self._entries.write, self._entries_of(intent, unsent))

    async def end_unsent(self, intent: Intent, written: Written) -> None:
        """Have the entries say that an attempt has ended and texted nobody. Never raises.

        Only those are changed that this attempt wrote, and nobody else since. A row that stands for
        many stays: the timer has it finished, unless another attempt comes first.
        """
        kind = Kind.WAITING if intent.send_at is not None else Kind.NOT_SENT
        for entry in self._entries_of(intent, dict.fromkeys(intent.addresses(), kind)):
            etag = written.etags.get(entry.message_id)
            try:
                if etag is not None:
                    await self._entries.set_kind(entry, etag)
            except Changed:
                continue
            except StorageDown:
                log.trouble("send.entries_not_recorded", sendId=intent.send_id)
                return

    # Whole --------------------------------------------------------------------------------------

    async def write_or_queue(self, intent: Intent, outcomes: Sequence[Outcome]) -> None:
        """Write all entries of a send that has an outcome; those of many are left to the queue.

        Raises:
            StorageDown: doing it again is safe.
        """
        if len(intent.addresses()) > FEW:
            await self._enqueue(intent.send_id)
        else:
            await few_at_once(self._entries.write, entries_of(intent, outcomes, self._id_key))

    async def write_all(self, send: Send, etag: str | None = None) -> None:
        """Write all entries of a send as it stands now, and take the row away that stood for them.

        Args:
            send: all its facts.
            etag: of that row, where it is known.

        Raises:
            StorageDown: doing it again is safe.
        """
        intent = send.intent
        if send.outcomes is not None:
            entries = entries_of(intent, list(send.outcomes.values()), self._id_key)
        else:
            seen = recipients_of(
                send, id_key=self._id_key, now=self._clock(), acs_timeout=self._acs_timeout
            )
            kinds = {
                one.address: Kind.SENT if one.may_have_left else _kind_unsent(one.state)
                for one in seen
            }
            entries = self._entries_of(intent, kinds)
        if len(intent.addresses()) > FEW:
            await self._pending.finish(intent.request.sender, intent.send_id, entries, etag)
        else:
            await few_at_once(self._entries.write, entries)

    async def waiting_since(self, sender: str, before: datetime) -> list[tuple[str, str]]:
        """Sends to many of a sender whose entries wait since before a moment, with ETags."""
        return await self._pending.older_than(sender, before)

    async def drop_waiting(self, sender: str, send_id: str, etag: str) -> None:
        """Take away what stands for a send that is not there, unless somebody changed it since."""
        try:
            await self._pending.remove(sender, send_id, etag)
        except Changed:
            log.event("send.entries_begun_again", sendId=send_id)

    async def _enqueue(self, send_id: str, etag: str | None = None) -> None:
        message = {"kind": "conversations", "sendId": send_id}
        if etag is not None:
            message["pending"] = etag
        await self._queues.enqueue(QUEUE, message_text(message))

    def _entries_of(self, intent: Intent, kinds: Mapping[str, Kind]) -> list[Entry]:
        return _entries(intent, kinds, self._id_key)


def entries_of(intent: Intent, outcomes: Sequence[Outcome], id_key: bytes) -> list[Entry]:
    """The conversation entries of a send that has an outcome."""
    kinds = {
        outcome.address: Kind.SENT if outcome.state in MAY_HAVE_LEFT else Kind.NOT_SENT
        for outcome in outcomes
    }
    return _entries(intent, kinds, id_key)


def _entries(intent: Intent, kinds: Mapping[str, Kind], id_key: bytes) -> list[Entry]:
    request = intent.request
    return [
        Entry(
            message_id=ids.message_id(id_key, intent.send_id, address),
            ours=request.sender,
            theirs=address,
            kind=kind,
            text=request.shown,
            at=intent.first_attempt_at,
            segments=intent.segments,
            tag=request.tag or None,
        )
        for address, kind in kinds.items()
        if not ids.is_erased(address)
    ]


def _kind_unsent(state: State) -> Kind:
    return Kind.WAITING if state is State.SCHEDULED else Kind.NOT_SENT
