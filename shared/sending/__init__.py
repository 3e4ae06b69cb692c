"""Sending: a request becomes rules, rules become one call of ACS, and every end has a name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from shared.conversations import ConversationRoom
from shared.limits import Limits
from shared.messages.parts import Parts
from shared.messages.waiting import SCHEDULED
from shared.sending.api import Sending
from shared.sending.attempts import AttemptRules
from shared.sending.decisions import Gates
from shared.sending.entries import SendEntries
from shared.sending.follow_up import FollowUp
from shared.sending.idempotency import IdempotencyKeys
from shared.sending.outcomes import Outcomes
from shared.sending.preview import Preview
from shared.sending.retries import Retries
from shared.sending.runner import AttemptRunner
from shared.sending.scheduled import CampaignStanding, ScheduledSends
from shared.sending.scheduled_job import ScheduledJob
from shared.sending.timetable import Timetable

__all__ = ["SendingRoom", "wire"]


@dataclass(frozen=True, slots=True)
class SendingRoom:
    """One send: now, later, again.

    Attributes:
        api: sends.
        scheduled: knows of the sends that wait.
        preview: says what a send would come to.
        keys: the idempotency keys, of orders, too.
        follow_up: does again what follows from a send.
        job: does what is due.
        retries: sends again what failed for a passing reason.
        timetable: who may be texted when.
    """

    api: Sending
    scheduled: ScheduledSends
    preview: Preview
    keys: IdempotencyKeys
    follow_up: FollowUp
    job: ScheduledJob
    retries: Retries
    timetable: Timetable


def wire(
    parts: Parts,
    conversations: ConversationRoom,
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
        due=parts.jobs.due,
        timetable=timetable,
        pauses=settings.retry_after,
    )
    entries = SendEntries(parts, conversations)
    scheduled = ScheduledSends(
        clock=parts.clock,
        id_key=parts.id_key,
        record=parts.record,
        due=parts.jobs.due,
        timetable=timetable,
        standing=standing,
        retries=retries,
        entries=entries,
    )
    keys = IdempotencyKeys(parts.tables, parts.id_key)
    rules = AttemptRules(
        timeout=parts.acs_timeout,
        repeat_window=timedelta(seconds=settings.repeat_window_seconds),
        send_again=settings.send_again_when_uncertain,
    )
    outcomes = Outcomes(parts, entries)
    api = Sending(
        parts,
        runner=AttemptRunner(
            parts,
            rules=rules,
            gates=Gates(parts, rules=rules, guards=limits.guards),
            entries=entries,
            outcomes=outcomes,
        ),
        outcomes=outcomes,
        scheduled=scheduled,
        keys=keys,
        pacing=limits.pacing,
    )
    job = ScheduledJob(
        parts,
        rules=rules,
        sending=api,
        outcomes=outcomes,
        scheduled=scheduled,
        pacing=limits.pacing,
    )
    parts.jobs.worker.register(SCHEDULED, job)
    return SendingRoom(
        api=api,
        scheduled=scheduled,
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
            topic=parts.topic,
            outcomes=outcomes,
            senders=parts.senders,
            ledger=parts.ledger,
        ),
        job=job,
        retries=retries,
        timetable=timetable,
    )
