"""Sends whose time has not come: how they begin to wait, what they are when it comes, taking back.

A send that waits is an intent without an attempt and a row in the table `due`, written before it
(`shared.jobs.due`). Where some recipients may be texted now and others only later, those who wait
are carried by sends of their own, whose ids derive from the first. Its row says which those are,
for whom, when and until when: who repairs what a crash has left begins exactly those.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Final

from shared.azure.storage import Changed
from shared.base import ids, log
from shared.base.clock import Clock, iso
from shared.base.errors import NotCancelable, NotFound, StillSending
from shared.jobs.due import Due, names_here, pause_of
from shared.jobs.due_table import DueTable
from shared.messages.facts import Intent, Part
from shared.messages.record import Record
from shared.messages.request import SendRequest
from shared.sending.attempts import waiting_intent
from shared.sending.entries import SendEntries
from shared.sending.retries import Retries, due_of, retry_id
from shared.sending.timetable import Timetable, Wait

_SOON: Final = timedelta(seconds=1)
# How soon a text that waited asks again whether its campaign has been resumed.
_PAUSE: Final = timedelta(seconds=30)
CAMPAIGN_PAUSED: Final = "The campaign is paused."


class CampaignStanding(StrEnum):
    """Whether a campaign's texts may leave."""

    RUNS = "runs"
    PAUSED = "paused"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Pause:
    """A campaign's pause.

    Attributes:
        until: the moment to ask again.
        why: what the message waits for.
    """

    until: datetime
    why: str = CAMPAIGN_PAUSED


class ScheduledSends:
    """Has sends wait.

    Args:
        clock: the time.
        id_key: from which message ids are derived.
        record: where they are written down.
        due: where they wait.
        timetable: who waits.
        standing: whether a campaign still runs, for those of its texts that waited.
        retries: asked whether a retry is still needed.
        entries: writes those of conversations.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        id_key: bytes,
        record: Record,
        due: DueTable,
        timetable: Timetable,
        standing: Callable[[str], Awaitable[CampaignStanding]],
        retries: Retries,
        entries: SendEntries,
    ) -> None:
        self._entries = entries
        self._clock = clock
        self._id_key = id_key
        self._record = record
        self._due = due
        self._timetable = timetable
        self._standing = standing
        self._retries = retries

    # Beginning ----------------------------------------------------------------------------------

    def waits(self, request: SendRequest, now: datetime) -> dict[str, Wait]:
        """Who may not be texted when the request wants it, and until when.

        Raises:
            InvalidRequest: a recipient's window does not open within eight days.
        """
        return self._timetable.waits(request, request.send_at or now)

    async def record_parts(self, intent: Intent, *, fresh: bool) -> None:
        """Write down the sends that were planned for a send's parts.

        Doing it again changes nothing, so that a crash in between is repaired by doing it again.

        Args:
            intent: of the send.
            fresh: whether none of them can be there yet.
        """
        for part in intent.parts:
            if fresh or await self._record.intent(part.send_id) is None:
                await self.begin(part_intent(intent, part))
        if intent.waiting and not fresh:
            # Its process may have died before it wrote them.
            await self._entries.begin_waiting(intent)

    async def begin(self, intent: Intent) -> Intent | None:
        """Write down a send that waits; it with its ETag. None if there is one with its id."""
        begun = await self._due.begin(due_of(intent), partial(self._record.begin, intent))
        if begun is not None:
            await self._entries.begin_waiting(begun)
        return begun

    # When its time has come ---------------------------------------------------------------------

    async def intent_when_due(self, intent: Intent, tries: int = 0) -> Intent | Wait | Pause:
        """The intent to be attempted now; or until when it has to wait, and what for.

        Asked before every attempt: what was put off, or has failed, may have come into quiet hours
        or into a pause meanwhile. Of what is in doubt, `asleep` says who may not be asked for.

        Args:
            intent: of a send without an outcome.
            tries: how often in a row it has met a pause.
        """
        now = self._clock()
        if intent.doubt_since is None and (wait := self._hours(intent, now)):
            return wait
        standing = await self._standing_of(intent)
        if standing is CampaignStanding.PAUSED:
            return Pause(now + max(_PAUSE, pause_of(tries, None)))
        arrived = intent.retry is not None and not await self._retries.is_needed(intent.retry)
        if arrived:
            log.event("retry.not_needed", sendId=intent.send_id)
        if arrived or standing is CampaignStanding.ENDED:
            # An attempt, in which nobody is left to be texted.
            return replace(intent, canceled=frozenset(intent.addresses()))
        return intent

    def _hours(self, intent: Intent, now: datetime) -> Wait | None:
        start = max(now, intent.send_at or now)
        moment = self._timetable.allowed_for_all(intent.request, intent.addresses(), start)
        if moment <= now + _SOON:
            return None
        waits = self._timetable.waits(intent.request, start)
        why = next((wait.why for wait in waits.values()), intent.why_waiting or "sendAt")
        return Wait(moment, why)

    def asleep(self, intent: Intent) -> frozenset[str]:
        """Those whose quiet hours have begun since an attempt that is in doubt; else nobody."""
        if intent.doubt_since is None:
            return frozenset()
        return frozenset(self._timetable.waits(intent.request, self._clock()))

    async def put_off(self, intent: Intent, wait: Wait | Pause) -> Intent:
        """Have a send wait again that was attempted; of no attempt it is unknown what it did.

        Raises:
            StillSending: somebody else has taken it over.
        """
        waits = waiting_intent(intent, send_at=wait.until, why=wait.why)
        try:
            if intent.due_at is None:
                write = partial(self._record.record_attempt, waits)
                written = await self._due.begin(due_of(waits), write)
            else:
                # It has its row in `due`, where whoever does that work puts it off.
                keeps = replace(waits, due_at=intent.due_at)
                written = await self._record.record_attempt(keeps)
        except Changed:
            raise StillSending("Another repeat of this send is at work.", retry_after=1) from None
        log.event("send.put_off", sendId=intent.send_id)
        return written

    async def _standing_of(self, intent: Intent) -> CampaignStanding:
        campaign = intent.request.campaign
        return CampaignStanding.RUNS if campaign is None else await self._standing(campaign)

    async def name(self, due: Due, later: Due) -> None:
        """Have a send, which names one due row, name another one in its place.

        Raises:
            Changed: it names another one, or others were always faster.
        """
        named = False

        async def step() -> None:
            nonlocal named
            intent = await self._record.intent(due.work_id)
            if intent is None or intent.due_at is None or not names_here(due, intent.due_at):
                return
            await self._record.record_attempt(replace(intent, due_at=later.moment))
            named = True

        await self._record.change(step)
        if not named:
            raise Changed

    # Taking back --------------------------------------------------------------------------------

    async def cancel(self, message_id: str) -> None:
        """Take one recipient out of a send that waits, or out of its retry. Doing it twice is once.

        Raises:
            NotFound: there is no such message.
            NotCancelable: its time has come; it has left or is leaving.
        """
        if ids.split_message_id(message_id) is None:
            raise NotFound("There is no message with this id.")
        send_id = message_id[: ids.ULID_LENGTH]

        async def step() -> None:
            intent = await self._record.intent(send_id)
            address = self._address_of(intent, message_id)
            if intent is None or address is None:
                raise NotFound("There is no message with this id.")
            if address in intent.canceled:
                return
            if not intent.waiting:
                await self._cancel_retry(intent, message_id, address)
                return
            await self._record.record_attempt(replace(intent, canceled=intent.canceled | {address}))
            log.event("send.canceled", messageId=message_id)

        try:
            await self._record.change(step)
        except Changed:
            raise StillSending("Somebody else is changing this send; repeat it.") from None

    async def _cancel_retry(self, intent: Intent, message_id: str, address: str) -> None:
        """What has left cannot be canceled, but what waits to be sent again after it can."""
        if intent.expires_at is None:
            raise NotCancelable
        try:
            await self.cancel(ids.message_id(self._id_key, retry_id(message_id), address))
        except NotFound:
            raise NotCancelable from None

    def _address_of(self, intent: Intent | None, message_id: str) -> str | None:
        if intent is None:
            return None
        return next(
            (
                a
                for a in intent.addresses()
                if ids.message_id(self._id_key, intent.send_id, a) == message_id
            ),
            None,
        )


def split_by_moment(intent: Intent, waits: Mapping[str, Wait]) -> Intent:
    """A new send as its time has it: it waits, or leaves now, or has parts that others carry.

    Args:
        intent: of a first attempt now.
        waits: who may not be texted when the request wants it.
    """
    request = intent.request
    moments = {wait.until for wait in waits.values()}
    if len(moments) == 1 and len(waits) == len(request.addresses()):
        wait = next(iter(waits.values()))
        return waiting_intent(intent, send_at=wait.until, why=wait.why)
    parts = tuple(_part(intent, moment, waits) for moment in sorted(moments))
    parent = replace(intent, parts=parts)
    if request.send_at is not None:
        return waiting_intent(parent, send_at=request.send_at, why="sendAt")
    return parent


def _part(intent: Intent, moment: datetime, waits: Mapping[str, Wait]) -> Part:
    """Those recipients of a send who wait for `moment`."""
    return Part(
        send_id=ids.child_send_id(intent.send_id, iso(moment)),
        addresses=tuple(address for address, wait in waits.items() if wait.until == moment),
        send_at=moment,
        why_waiting=next(wait.why for wait in waits.values() if wait.until == moment),
        expires_at=intent.request.expiry(moment),
    )


def part_intent(intent: Intent, part: Part) -> Intent:
    """The send that carries a part of another one: the same, whenever it is made and by whom."""
    whom = frozenset(part.addresses)
    request = replace(
        intent.request,
        asked=tuple(asked for asked in intent.request.asked if asked.address in whom),
        digest=f"{intent.request.digest}:{iso(part.send_at)}",
    )
    carrier = replace(
        intent,
        send_id=part.send_id,
        request=request,
        keyed=False,
        first_attempt_at=intent.created_at,
        attempt_at=intent.created_at,
        ended_at=None,
        error=None,
        parts=(),
        canceled=frozenset(),
        expires_at=part.expires_at,
        etag=None,
    )
    return waiting_intent(carrier, send_at=part.send_at, why=part.why_waiting)
