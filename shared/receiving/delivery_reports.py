"""What happens when the platform reports on a text.

    1. The report, beside a look at the send that it is about; a retry first, if it calls for one.
    2. The ledger, if the platform says that the person has opted out.
    3. The relay to the application, where it asked for reports.

A report finds its message by computation from the tag and the recipient, even before the send's
own outcome is stored. One for a message that Parley never sent is kept and counted. One with a
retryable code reads the facts of its message before it is stored, so that its row can name the
retry.
"""

from __future__ import annotations

from typing import Final

from opentelemetry.trace import SpanKind

from shared.azure import telemetry
from shared.azure.event_grid import Envelope, PlatformReport, read_report
from shared.azure.topic import OutgoingEvent
from shared.base import ids, log
from shared.base.errors import Unavailable, Unintelligible
from shared.base.tasks import every
from shared.limits.pacing import Pacing
from shared.messages.events import delivery_report
from shared.messages.facts import MOST_DETAILS, Intent
from shared.messages.parts import Parts
from shared.messages.state import outcome_of
from shared.optouts import Change, Channel, Direction, Effect
from shared.optouts.events import opt_out_changed
from shared.receiving.quarantine import Quarantine
from shared.rules.addresses import masked
from shared.rules.delivery_codes import DELIVERED, DeliveryCode, code_in
from shared.rules.message_states import State
from shared.sending.retries import Retries, wants_retry

HANDLER: Final = "delivery_report"
# More than the profile allows; more than the carrier takes.
TOO_FAST: Final = frozenset({4008, 4020})


class DeliveryReports:
    """Takes delivery reports in.

    Args:
        quarantine: where goes what cannot be understood.
        pacing: told when a report says that a sender is too fast.
        retries: sends again what failed for a passing reason.
    """

    def __init__(
        self, parts: Parts, *, quarantine: Quarantine, pacing: Pacing, retries: Retries
    ) -> None:
        self._clock = parts.clock
        self._id_key = parts.id_key
        self._record = parts.record
        self._ledger = parts.ledger
        self._topic = parts.topic
        self._programs = parts.programs
        self._quarantine = quarantine
        self._pacing = pacing
        self._retries = retries

    async def record_report(self, envelope: Envelope) -> None:
        """Take one `SMSDeliveryReportReceived` event in. Raises only where a repeat can help."""
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
        report = read_report(envelope, self._clock())
        code = code_in(report.details, delivered=report.status == DELIVERED)
        # 1. The record.
        intent, message_id, retried_by = await self._store(report, code)
        # 2. The ledger.
        events = await self._change_ledger(report, code, message_id)
        if code is not None and code.code in TOO_FAST:
            await self._slow_down(report.ours)
        # 3. The relay.
        if intent is not None and intent.request.wants_report:
            events = [_event(report, code, intent, message_id, retried_by), *events]
        await self._topic.publish_or_queue(events)
        telemetry.REPORTS.add(
            1,
            {
                "sender": report.ours,
                "outcome": str(outcome_of(report.status, code)),
                "code": code.code if code else 0,
            },
        )
        log.event(
            "report.taken",
            messageId=message_id,
            sender=report.ours,
            recipient=masked(report.theirs),
            status=report.status,
            code=code.code if code else None,
        )

    async def _store(
        self, report: PlatformReport, code: DeliveryCode | None
    ) -> tuple[Intent | None, str, str | None]:
        """Record the report; the intent of its send, if there is one, our message id, its retry."""
        found = ids.read_platform_tag(report.tag)
        if found is None:
            await self._stray(report, "no tag of ours")
            return None, "", None
        send_id, _ = found
        message_id = ids.message_id(self._id_key, send_id, report.theirs)
        retried_by = None
        if wants_retry(report, code):
            intent, retried_by = await self._store_failure(report, message_id)
        else:
            intent, _ = await every(
                self._record.intent(send_id), self._record.report(message_id, report)
            )
        if intent is None or not intent.has_message(self._id_key, report.theirs, message_id):
            await self._stray(report, "no such message")
            return None, message_id, None
        telemetry.link_to(intent.trace)
        telemetry.annotate(sendId=send_id, messageId=message_id)
        return intent, message_id, retried_by

    async def _store_failure(
        self, report: PlatformReport, message_id: str
    ) -> tuple[Intent | None, str | None]:
        """Record a report of a failure that may pass, with the retry that it leads to."""
        send = await self._record.message(message_id)
        retried_by = None
        if send is not None and report.theirs in send.intent.addresses():
            retried_by = await self._retries.order(send, message_id, report)
        await self._record.report(message_id, report, retried_by=retried_by)
        return (send.intent if send is not None else None), retried_by

    async def _slow_down(self, sender: str) -> None:
        try:
            await self._pacing.slow(sender)
        except Unavailable:
            # The next such report, or the next 429, says it again.
            log.trouble("pacing.not_slowed", sender=sender)

    async def _stray(self, report: PlatformReport, why: str) -> None:
        await self._record.stray(report)
        log.trouble("report.stray", sender=report.ours, recipient=masked(report.theirs), why=why)

    async def _change_ledger(
        self, report: PlatformReport, code: DeliveryCode | None, message_id: str
    ) -> list[OutgoingEvent]:
        if code is None or not code.opts_out or report.status != "Failed":
            return []
        change = Change(
            change_id=ids.derived(
                Channel.PLATFORM_REPORT,
                message_id or report.platform_id,
                report.theirs,
                report.received_text,
            ),
            address=report.theirs,
            sender=report.ours,
            program=self._programs.of(report.ours),
            direction=Direction.OUT,
            channel=Channel.PLATFORM_REPORT,
            rule=f"code/{code.code}",
            said_at=min(report.received, self._clock()),
            cause={"messageId": message_id, "platformMessageId": report.platform_id},
            words=report.details,
        )
        made = (await self._ledger.change([change]))[0]
        return [opt_out_changed(change, made)] if made.effect is Effect.APPLIED else []


def _event(
    report: PlatformReport,
    code: DeliveryCode | None,
    intent: Intent,
    message_id: str,
    retried_by: str | None,
) -> OutgoingEvent:
    return delivery_report(
        message_id=message_id,
        ours=report.ours,
        theirs=report.theirs,
        status=report.status,
        details=report.details[:MOST_DETAILS],
        received=report.received,
        attempts=report.attempts,
        tag=intent.request.tag,
        state=outcome_of(report.status, code) or State.UNKNOWN,
        code=code,
        platform_id=report.platform_id or None,
        retry_of=intent.retry.of if intent.retry is not None else None,
        retried_by=retried_by,
    )
