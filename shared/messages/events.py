"""The events about messages that the application hears: texts from people, delivery reports."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from shared.azure.event_grid import Received
from shared.azure.topic import OutgoingEvent
from shared.base import ids
from shared.base.clock import iso
from shared.rules.delivery_codes import DeliveryCode
from shared.rules.keywords import Keyword
from shared.rules.message_states import State

BLOCKED_DETAILS: Final = "ErrorCode: 4007. ErrorMessage: Sender blocked for given recipient."
SMS_RECEIVED: Final = "Parley.SMSReceived"
DELIVERY_REPORT_RECEIVED: Final = "Parley.SMSDeliveryReportReceived"


def sms_received(message_id: str, received: Received, keyword: Keyword | None) -> OutgoingEvent:
    """A person's text, with ACS's data members and ours."""
    answered = received.in_reply_to
    return OutgoingEvent(
        id=ids.derived(SMS_RECEIVED, message_id),
        type=SMS_RECEIVED,
        subject=f"/messages/{message_id}",
        time=iso(received.received),
        data={
            "messageId": message_id,
            "from": received.theirs,
            "canBeAnswered": received.can_be_answered,
            "to": received.ours,
            "message": received.text,
            "receivedTimestamp": iso(received.received),
            "segmentCount": received.segments,
            "platformMessageId": received.platform_id,
            "keyword": {"intent": keyword.intent, "word": keyword.word} if keyword else None,
            "inReplyTo": (
                {"messageId": answered.message_id, "tag": answered.tag} if answered else None
            ),
        },
    )


def delivery_report(
    *,
    message_id: str,
    ours: str,
    theirs: str,
    status: str,
    details: str,
    received: datetime,
    attempts: list[Any],
    tag: str,
    state: State,
    code: DeliveryCode | None,
    platform_id: str | None,
    retry_of: str | None = None,
    retried_by: str | None = None,
) -> OutgoingEvent:
    """A delivery report, with ACS's data members and ours."""
    return OutgoingEvent(
        id=ids.derived(DELIVERY_REPORT_RECEIVED, message_id, status, details, iso(received)),
        type=DELIVERY_REPORT_RECEIVED,
        subject=f"/messages/{message_id}",
        time=iso(received),
        data={
            "messageId": message_id,
            "from": ours,
            "to": theirs,
            "deliveryStatus": status,
            "deliveryStatusDetails": details,
            "deliveryAttempts": attempts,
            "receivedTimestamp": iso(received),
            "tag": tag,
            "state": str(state),
            "code": code.code if code else None,
            "meaning": code.meaning if code else None,
            "nextStep": (code.next_step or None) if code else None,
            "retryable": code.retryable if code else None,
            "platformMessageId": platform_id,
            "retryOf": retry_of,
            "retriedBy": retried_by,
        },
    )
