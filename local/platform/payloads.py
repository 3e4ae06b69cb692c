"""The two events that ACS emits, in every form in which they have been seen.

Sources of the forms: docs/platform.md 2.1 (payloads), 2.2 (what varies), 2.3 (CloudEvents).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from local.platform.behaviour import Behaviour
from local.platform.clock import stamp
from local.platform.recipients import CODES, DELIVERED

SMS_RECEIVED: Final = "Microsoft.Communication.SMSReceived"
SMS_REPORT: Final = "Microsoft.Communication.SMSDeliveryReportReceived"
SOURCE: Final = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/parley-local"
    "/providers/Microsoft.Communication/CommunicationServices/parley-local"
)
_OPT_OUT_CODE: Final = 4007


@dataclass(frozen=True, slots=True)
class Received:
    """A person's text reached one of the resource's senders."""

    message_id: str
    sender: str
    recipient: str
    text: str
    at: datetime
    segments: int


@dataclass(frozen=True, slots=True)
class Reported:
    """ACS learned what became of a text; `sender` is the resource's, `recipient` the person's."""

    message_id: str
    sender: str
    recipient: str
    code: int
    tag: str | None
    at: datetime
    attempted_at: datetime
    segments: int


def event_of(fact: Received | Reported, behaviour: Behaviour, emitted_at: datetime) -> Any:
    """The fact as the event that the current settings ask for."""
    if isinstance(fact, Received):
        kind, data = SMS_RECEIVED, _received_data(fact, behaviour)
        subject = fact.recipient
    else:
        kind, data = SMS_REPORT, _report_data(fact, behaviour)
        subject = fact.sender
    if behaviour["casing"] == "pascal":
        data = _pascal(data)
    subject = f"/phonenumber/{subject.removeprefix('+')}"
    # ACS's event id is the message id, so two reports of one message share it.
    return _envelope(
        kind, fact.message_id, subject, data=data, behaviour=behaviour, emitted_at=emitted_at
    )


def report_body(fact: Reported) -> dict[str, Any]:
    """The fact as `GET /deliveryReports/{id}` answers it."""
    body = {
        "messageId": fact.message_id,
        "from": fact.sender,
        "to": fact.recipient,
        "deliveryStatus": _status(fact.code),
        "deliveryStatusDetails": f"{fact.code}: {CODES[fact.code]}",
        "deliveryAttempts": _attempts(fact, 7),
        "receivedTimestamp": stamp(fact.at),
    }
    if fact.tag is not None:
        body["tag"] = fact.tag
    return body


def details_of(code: int, form: str) -> str:
    """`deliveryStatusDetails` in one of the forms of the setting `details`."""
    meaning = CODES[code]
    if form == "sentence" or (form == "mixed" and code in {DELIVERED, _OPT_OUT_CODE}):
        return meaning
    if form == "codeColon":
        return f"{code}: {'No Error' if code == DELIVERED else meaning}"
    return f"ErrorCode: {code}. ErrorMessage: {meaning}"


def _envelope(
    kind: str,
    event_id: str,
    subject: str,
    *,
    data: Mapping[str, Any],
    behaviour: Behaviour,
    emitted_at: datetime,
) -> dict[str, Any]:
    time = stamp(emitted_at, behaviour["fractionDigits"])
    if behaviour["schema"] == "cloudEvents":
        return {
            "id": event_id,
            "source": SOURCE,
            "subject": subject,
            "data": data,
            "type": kind,
            "time": time,
            "specVersion" if behaviour["specVersionTypo"] else "specversion": "1.0",
        }
    return {
        "id": event_id,
        "topic": SOURCE,
        "subject": subject,
        "data": data,
        "eventType": kind,
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "eventTime": time,
    }


def _received_data(fact: Received, behaviour: Behaviour) -> dict[str, Any]:
    plus = behaviour["plus"] == "both"
    data: dict[str, Any] = {
        "messageId": fact.message_id,
        "from": _number(fact.sender, plus=plus),
        "to": _number(fact.recipient, plus=plus),
        "message": fact.text,
        "receivedTimestamp": stamp(fact.at, behaviour["fractionDigits"]),
    }
    if behaviour["segmentCount"]:
        data["segmentCount"] = fact.segments
    return data


def _report_data(fact: Reported, behaviour: Behaviour) -> dict[str, Any]:
    digits: int = behaviour["fractionDigits"]
    data: dict[str, Any] = {
        "messageId": fact.message_id,
        "from": _number(fact.sender, plus=behaviour["plus"] == "both"),
        "to": _number(fact.recipient, plus=behaviour["plus"] != "none"),
        "deliveryStatus": _status(fact.code),
        "deliveryStatusDetails": details_of(fact.code, behaviour["details"]),
        "deliveryAttempts": _attempts(fact, digits),
    }
    if behaviour["reportReceivedTimestamp"]:
        data["receivedTimestamp"] = stamp(fact.at, digits)
    if fact.tag is not None and behaviour["tag"] != "absent":
        data[behaviour["tag"]] = fact.tag
    return data


def _attempts(fact: Reported, digits: int) -> list[dict[str, Any]]:
    arrived = fact.segments if fact.code == DELIVERED else 0
    return [
        {
            "timestamp": stamp(fact.attempted_at, digits),
            "segmentsSucceeded": arrived,
            "segmentsFailed": fact.segments - arrived,
        }
    ]


def _status(code: int) -> str:
    return "Delivered" if code == DELIVERED else "Failed"


def _number(address: str, *, plus: bool) -> str:
    return address if plus else address.removeprefix("+")


def _pascal(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[:1].upper() + name[1:]: _pascal(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_pascal(member) for member in value]
    return value
