"""Texts that failed for a passing reason, sent again while they are still worth sending.

Only where the sender wished it: a send without a time to live is never sent again. Only for codes
that the table calls retryable, which tell for certain that nothing arrived; a text that may have
arrived (5002) is never among them. At most as often as there are pauses in the settings, which are
spread a little, so that a carrier's outage does not end in a crowd.

A retry is a send of its own to one person that waits (`shared.sending.scheduled`): at its moment
it is paced, and the ledger, quiet hours, limits, budgets, the campaign's standing and the time to
live hold for it as for any other. Its id derives from the text that it repeats, so that a report
that comes twice makes one retry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from shared.azure.event_grid import PlatformReport
from shared.base import ids, log
from shared.base.clock import Clock
from shared.base.errors import InvalidRequest
from shared.jobs.due import Due
from shared.jobs.due_table import DueTable
from shared.messages.facts import Intent, Retry
from shared.messages.record import Record, Send
from shared.messages.state import outcome_of, state_after
from shared.messages.waiting import SCHEDULED
from shared.rules.delivery_codes import DeliveryCode
from shared.rules.message_states import TERMINAL, State
from shared.sending.attempts import waiting_intent
from shared.sending.timetable import Timetable

# A pause grows by up to this share of itself.
SPREAD: Final = 0.2
_PARTS: Final = 1 << 32


def retry_id(message_id: str) -> str:
    """The send that repeats one text; computed, so that nobody has to look it up."""
    return ids.child_send_id(message_id[: ids.ULID_LENGTH], f"retry {message_id}")


def wants_retry(report: PlatformReport, code: DeliveryCode | None) -> bool:
    """Whether a report alone allows that its text is sent again."""
    return report.status == "Failed" and code is not None and code.retryable


def pause_before(send_id: str, planned: timedelta) -> timedelta:
    """How long a retry waits: as planned and up to a fifth more, always the same for one id."""
    drawn = int.from_bytes(hashlib.sha256(send_id.encode()).digest()[:4]) / _PARTS
    return planned * (1 + SPREAD * drawn)


def retry_intent(intent: Intent, address: str, retry: Retry, *, moment: datetime) -> Intent:
    """The send that repeats the text of one recipient of `intent` at `moment`.

    The application's repeatability id stays behind: with it ACS would take the text for a repeat
    of the first one, and send nothing.
    """
    asked = next(a for a in intent.request.asked if a.address == address)
    send_id = retry_id(retry.of)
    request = replace(
        intent.request,
        asked=(replace(asked, repeat_id=None, first_sent=None),),
        digest=f"{intent.request.digest}:{send_id}",
        send_at=None,
        ordered_at=intent.ordered_at,
    )
    fresh = replace(
        intent,
        send_id=send_id,
        request=request,
        keyed=False,
        created_at=retry.at,
        first_attempt_at=retry.at,
        attempt_at=retry.at,
        ended_at=None,
        error=None,
        parts=(),
        canceled=frozenset(),
        retry=retry,
        etag=None,
    )
    return waiting_intent(fresh, send_at=moment, why="sent again")


class Retries:
    """Orders retries.

    Args:
        clock: the time.
        id_key: from which message ids are derived.
        record: where they are written down.
        due: where they wait.
        timetable: when they may leave.
        pauses: before the first, the second, … retry; as many as there may be.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        id_key: bytes,
        record: Record,
        due: DueTable,
        timetable: Timetable,
        pauses: Sequence[timedelta],
    ) -> None:
        self._clock = clock
        self._id_key = id_key
        self._record = record
        self._due = due
        self._timetable = timetable
        self._pauses = pauses

    async def order(self, send: Send, message_id: str, report: PlatformReport) -> str | None:
        """Have a text that failed sent again, if it is to be; the message id of its retry.

        Called before the report is recorded; a report that comes again finds the same retry.

        Args:
            send: the facts of this one message.
            message_id: its id.
            report: one that `wants_retry`.

        Raises:
            StorageDown: repeating is safe.
        """
        if known := retried_by(send):
            return known
        # A text that has arrived after all, or has failed for good before, is left alone.
        if state_after(State.SENT, [stored.report for stored in send.reports]) in TERMINAL:
            return None
        intent, address = send.intent, report.theirs
        number = intent.retry.number + 1 if intent.retry is not None else 1
        now = self._clock()
        retry = Retry(message_id, number, now)
        moment = self._moment(intent, address, retry, min(report.received, now))
        if moment is None:
            return None
        child = retry_intent(intent, address, retry, moment=moment)
        await self._due.begin(due_of(child), partial(self._record.begin, child))
        following = ids.message_id(self._id_key, child.send_id, address)
        log.event("retry.ordered", messageId=message_id, retriedBy=following, number=number)
        return following

    def _moment(
        self, intent: Intent, address: str, retry: Retry, failed_at: datetime
    ) -> datetime | None:
        """When to try again; None if that is not worth it any more."""
        if intent.expires_at is None or retry.number > len(self._pauses):
            return None
        wait = pause_before(retry_id(retry.of), self._pauses[retry.number - 1])
        try:
            moment = self._timetable.allowed_for_all(intent.request, [address], failed_at + wait)
        except InvalidRequest:
            return None
        return moment if moment < intent.expires_at else None

    async def is_needed(self, retry: Retry) -> bool:
        """Whether the text that is to be sent again has still not arrived."""
        first = await self._record.message(retry.of)
        return first is None or all(
            outcome_of(stored.status, stored.report.code) is not State.DELIVERED
            for stored in first.reports
        )


def retried_by(send: Send) -> str | None:
    """The message id of the retry that one of these reports has led to."""
    return next((report.retried_by for report in send.reports if report.retried_by), None)


def due_of(intent: Intent) -> Due:
    """The work that a send that waits is, as it is written down."""
    return Due(
        SCHEDULED,
        intent.send_id,
        intent.send_at or intent.created_at,
        why=intent.why_waiting or "",
    )
