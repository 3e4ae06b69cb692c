"""Sending: a request becomes rules, rules become one call of ACS, and every end has a name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from shared.conversations import Conversations
from shared.limits import Limits
from shared.messages.parts import Parts
from shared.sending.follow_up import FollowUp
from shared.sending.idempotency import IdempotencyKeys
from shared.sending.preview import Preview
from shared.sending.retries import Retries
from shared.sending.scheduled import CampaignStanding, Waiting
from shared.sending.scheduled_job import Due
from shared.sending.send import Rules, Sending
from shared.sending.timetable import Timetable

__all__ = ["SendingRoom", "wire"]


@dataclass(frozen=True, slots=True)
class SendingRoom:
    """One send: now, later, again.

    Attributes:
        sending: sends.
        preview: says what a send would come to.
        keys: the idempotency keys, of orders, too.
        follow_up: does again what follows from a send.
        retries: sends again what failed for a passing reason.
        timetable: who may be texted when.
    """

    sending: Sending
    preview: Preview
    keys: IdempotencyKeys
    follow_up: FollowUp
    retries: Retries
    timetable: Timetable


def wire(
    parts: Parts,
    conversations: Conversations,
    limits: Limits,
    *,
    standing: Callable[[str], Awaitable[CampaignStanding]],
) -> SendingRoom:
    """The room, wired; it does the work of scheduled sends.

    Args:
        parts: shared ones.
        conversations: where entries go.
        limits: what holds texts back.
        standing: whether a campaign still runs, for those of its texts that waited.
    """
    settings = parts.settings
    timetable = Timetable(settings.quiet_hours)
    retries = Retries(
        clock=parts.clock,
        id_key=parts.id_key,
        record=parts.record,
        dispatch=parts.dispatch,
        timetable=timetable,
        pauses=settings.retry_after,
    )
    waiting = Waiting(
        clock=parts.clock,
        id_key=parts.id_key,
        record=parts.record,
        dispatch=parts.dispatch,
        timetable=timetable,
        standing=standing,
        retries=retries,
    )
    keys = IdempotencyKeys(parts.tables)
    sending = Sending(
        parts,
        rules=Rules(
            acs_timeout=parts.acs_timeout,
            repeat_window=timedelta(seconds=settings.repeat_window_seconds),
            send_again=settings.send_again_when_uncertain,
        ),
        conversations=conversations,
        keys=keys,
        waiting=waiting,
        guards=limits.guards,
        pacing=limits.pacing,
    )
    due = Due(
        clock=parts.clock,
        sending=sending,
        waiting=waiting,
        pacing=limits.pacing,
        dispatch=parts.dispatch,
    )
    parts.dispatch.register("scheduled", due.take)
    return SendingRoom(
        sending=sending,
        preview=Preview(
            clock=parts.clock,
            settings=settings,
            ledger=parts.ledger,
            guards=limits.guards,
            timetable=timetable,
        ),
        keys=keys,
        follow_up=FollowUp(
            queues=parts.queues,
            id_key=parts.id_key,
            record=parts.record,
            conversations=conversations,
            topic=parts.topic,
            sending=sending,
        ),
        retries=retries,
        timetable=timetable,
    )
