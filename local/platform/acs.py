"""Azure Communication Services SMS as its REST interface shows it (docs/platform.md 1.3 to 1.7).

`Acs` is the service without HTTP: bodies in, `Answer`s out. `routes.py` puts it on the wire.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from local.platform.behaviour import Behaviour
from local.platform.carriers import Carriers, Outgoing
from local.platform.clock import NewId, Now, stamp
from local.platform.recipients import fate_of, is_textable
from local.platform.segments import count_segments
from local.platform.senders import Sender

MAX_RECIPIENTS: Final = 100
MAX_MESSAGE: Final = 2048
_RATE_WINDOW: Final = timedelta(seconds=60)
_REPORT_TIMEOUT: Final = range(60, 43_201)
# api-versions that have no `deliveryReportTimeoutInSeconds`
# (Azure/azure-rest-api-specs, specification/communication/data-plane/Sms).
_WITHOUT_REPORT_TIMEOUT: Final = frozenset({"2021-03-07", "2022-07-07", "2024-01-02", "2024-02-05"})
_NEWEST: Final = "2026-01-23"
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_RFC1123: Final = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT"
)
_BAD_TO: Final = "Invalid To phone number format."
_BAD_FIRST_SENT: Final = (
    "Request sent with Invalid DateTime value for repeatability-first-sent. Expected is DateTime"
    " ,RFC1123 pattern."
)
_ITEM_FAULTS: Final = {400: "Bad Request", 429: "TooManyRequests", 503: "ServiceUnavailable"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and the JSON body that goes with it."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class _Remembered:
    message_id: str
    until: datetime


class Acs:
    """One Communication Services resource: its senders, its memory, its opt-outs."""

    def __init__(
        self,
        *,
        senders: Mapping[str, Sender],
        carriers: Carriers,
        behaviour: Behaviour,
        now: Now,
        new_id: NewId,
    ) -> None:
        self._senders = senders
        self._carriers = carriers
        self._behaviour = behaviour
        self._now = now
        self._new_id = new_id
        self._seen: dict[tuple[str, str], _Remembered] = {}
        self._sent: dict[str, list[tuple[datetime, int]]] = {}
        self._opt_out_operations: dict[str, Callable[[str, str], dict[str, Any]]] = {
            "add": self._add_opt_out,
            "remove": self._remove_opt_out,
            "check": self._check_opt_out,
        }

    def send(
        self, body: bytes, *, item_status: int | None = None, version: str = _NEWEST
    ) -> Answer:
        """`POST /sms`. With `item_status`, every recipient is refused with it."""
        request = _parse(body)
        errors = _Errors()
        if request is None:
            return self._invalid({"$": ["The body is not a JSON object."]})
        sender = errors.text(request, "from", "From")
        message = errors.text(request, "message", "Message", may_be_empty=True)
        if len(message) > MAX_MESSAGE:
            errors.add("Message", f"The message is longer than {MAX_MESSAGE} characters.")
        recipients = errors.recipients(request, "smsRecipients", "SmsRecipients")
        options = errors.options(request, version)
        if errors.found:
            return self._invalid(errors.found)
        if sender not in self._senders:
            return unauthorized("The sender does not belong to this resource.")
        if self._is_over_rate(self._senders[sender], len(recipients)):
            return error(429, "TooManyRequests", "The sender's limit of messages is reached.")
        send_one = _Sending(self, sender, message, options, item_status)
        return Answer(202, {"value": [send_one(recipient) for recipient in recipients]})

    def opt_outs(self, operation: str, body: bytes) -> Answer:
        """`POST /sms/optouts:{operation}`."""
        act = self._opt_out_operations.get(operation)
        if act is None:
            return self.not_found()
        request = _parse(body)
        errors = _Errors()
        if request is None:
            return self._invalid({"$": ["The body is not a JSON object."]})
        sender = errors.text(request, "from", "From")
        recipients = errors.recipients(request, "recipients", "Recipients")
        if errors.found:
            return self._invalid(errors.found)
        if sender not in self._senders:
            return unauthorized("The sender does not belong to this resource.")
        return Answer(200, {"value": [_opt_out_item(act, sender, item) for item in recipients]})

    def delivery_report(self, message_id: str) -> Answer:
        """`GET /deliveryReports/{id}`: the latest report, 404 until there is one."""
        message = self._carriers.outgoing.get(message_id)
        if message is None or message.report is None:
            return self.not_found()
        return Answer(200, message.report)

    def not_found(self) -> Answer:
        """The problem shape of a 404."""
        return not_found(self._trace_id())

    def invalid_version(self) -> Answer:
        """The 400 of a request without a well-formed api-version."""
        return self._invalid({"api-version": ["The api-version is missing or malformed."]})

    def clear(self) -> None:
        """Forget every repeatability id, and how much was sent."""
        self._seen.clear()
        self._sent.clear()

    def as_json(self) -> list[list[str]]:
        """The repeatability memory, for the time between two runs."""
        return [
            [request_id, to, memory.message_id, memory.until.isoformat()]
            for (request_id, to), memory in self._seen.items()
            if memory.until > self._now()
        ]

    def load(self, stored: list[list[str]]) -> None:
        """Take over what `as_json` gave."""
        for request_id, to, message_id, until in stored:
            self._seen[request_id, to] = _Remembered(message_id, datetime.fromisoformat(until))

    def remembered(self, request_id: str, to: str) -> str | None:
        """The message id that this recipient's id led to, if it is still remembered."""
        memory = self._seen.get((request_id.lower(), to))
        if memory is None or memory.until <= self._now():
            return None
        return memory.message_id

    def text(
        self, sender: str, to: str, message: str, options: Mapping[str, Any], request_id: str | None
    ) -> str:
        """Hand one text to the carriers and remember it under its repeatability id."""
        moment = self._now()
        message_id = f"Outgoing_{moment:%Y%m%d%H%M%S}{self._new_id()}"
        memory = self._behaviour["repeatabilitySeconds"]
        if request_id is not None and memory > 0:
            until = moment + timedelta(seconds=memory)
            self._seen[request_id.lower(), to] = _Remembered(message_id, until)
        self._carriers.accept(
            Outgoing(
                id=message_id,
                sender=sender,
                to=to,
                text=message,
                at=stamp(moment),
                segments=count_segments(message),
                wants_report=options.get("enableDeliveryReport", False),
                tag=options.get("tag"),
                timeout_seconds=options.get("deliveryReportTimeoutInSeconds"),
            )
        )
        return message_id

    def _is_over_rate(self, sender: Sender, count: int) -> bool:
        if not self._behaviour["enforceRates"]:
            return False
        since = self._now() - _RATE_WINDOW
        recent = [entry for entry in self._sent.get(sender.address, ()) if entry[0] > since]
        self._sent[sender.address] = recent
        if sum(entry[1] for entry in recent) + count > sender.rate_per_minute:
            return True
        recent.append((self._now(), count))
        return False

    def _add_opt_out(self, sender: str, number: str) -> dict[str, Any]:
        self._carriers.block(sender, number)
        return {}

    def _remove_opt_out(self, sender: str, number: str) -> dict[str, Any]:
        self._carriers.unblock(sender, number)
        return {}

    def _check_opt_out(self, sender: str, number: str) -> dict[str, Any]:
        return {"isOptedOut": self._carriers.is_opted_out(sender, number)}

    def _invalid(self, errors: Mapping[str, list[str]]) -> Answer:
        return invalid(errors, self._trace_id())

    def _trace_id(self) -> str:
        trace = uuid.UUID(self._new_id()).hex
        return f"00-{trace}-{uuid.UUID(self._new_id()).hex[:16]}-00"


@dataclass(frozen=True, slots=True)
class _Sending:
    """One request's texts, recipient by recipient."""

    acs: Acs
    sender: str
    message: str
    options: Mapping[str, Any]
    item_status: int | None

    def __call__(self, recipient: Mapping[str, Any]) -> dict[str, Any]:
        to, request_id = recipient["to"], recipient.get("repeatabilityRequestId")
        if not is_textable(to):
            return _refused(to, 400, _BAD_TO)
        if request_id is not None and (fault := _repeatability_fault(recipient)):
            return _refused(to, 400, fault, repeatability="rejected")
        status = self.item_status or fate_of(to).item_status
        if status != 202:  # noqa: PLR2004  # HTTP's own number
            return _refused(to, status, _ITEM_FAULTS.get(status, "InternalError"))
        message_id = None if request_id is None else self.acs.remembered(request_id, to)
        if message_id is None:
            message_id = self.acs.text(self.sender, to, self.message, self.options, request_id)
        return {
            "to": to,
            "messageId": message_id,
            "httpStatusCode": 202,
            "repeatabilityResult": None if request_id is None else "accepted",
            "successful": True,
            "errorMessage": None,
        }


class _Errors:
    """Collects what is wrong with a request while its members are read."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}

    def add(self, member: str, reason: str) -> None:
        self.found.setdefault(member, []).append(reason)

    def text(
        self, request: Mapping[str, Any], name: str, shown: str, *, may_be_empty: bool = False
    ) -> str:
        value = request.get(name)
        if isinstance(value, str) and (value or may_be_empty):
            return value
        self.add(shown, f"The {shown} field is required.")
        return ""

    def recipients(
        self, request: Mapping[str, Any], name: str, shown: str
    ) -> list[Mapping[str, Any]]:
        value = request.get(name)
        if not isinstance(value, list) or not value:
            self.add(shown, f"The {shown} field is required.")
            return []
        if len(value) > MAX_RECIPIENTS:
            self.add(shown, f"Max of {MAX_RECIPIENTS} phone are allowed in the To field.")
        for index, item in enumerate(value):
            if not isinstance(item, dict) or not isinstance(item.get("to"), str) or not item["to"]:
                self.add(f"{shown}[{index}].To", "The To field is required.")
        return value

    def options(self, request: Mapping[str, Any], version: str) -> Mapping[str, Any]:
        value = request.get("smsSendOptions")
        if value is None:
            return {}
        if not isinstance(value, dict) or not isinstance(value.get("enableDeliveryReport"), bool):
            self.add("SmsSendOptions.EnableDeliveryReport", "The field is required.")
            return {}
        if not isinstance(value.get("tag"), str | None):
            self.add("SmsSendOptions.Tag", "The field must be a text.")
        if version in _WITHOUT_REPORT_TIMEOUT:
            # What becomes of a member that a version does not have is documented nowhere.
            return {n: v for n, v in value.items() if n != "deliveryReportTimeoutInSeconds"}
        timeout = value.get("deliveryReportTimeoutInSeconds")
        if timeout is not None and (type(timeout) is not int or timeout not in _REPORT_TIMEOUT):
            self.add(
                "SmsSendOptions.DeliveryReportTimeoutInSeconds",
                "The field must be between 60 and 43200.",
            )
        return value


def invalid(errors: Mapping[str, list[str]], trace_id: str) -> Answer:
    """The problem shape of a 400."""
    body = {
        "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
        "title": "One or more validation errors occurred.",
        "status": 400,
        "errors": errors,
        "traceId": trace_id,
    }
    return Answer(400, body)


def not_found(trace_id: str) -> Answer:
    """The problem shape of a 404."""
    body = {
        "type": "https://tools.ietf.org/html/rfc9110#section-15.5.5",
        "title": "Not Found",
        "status": 404,
        "traceId": trace_id,
    }
    return Answer(404, body)


def unauthorized(reason: str) -> Answer:
    """The error shape of a 401."""
    return error(401, "Unauthorized", reason)


def error(status: int, code: str, message: str) -> Answer:
    """ACS's other error shape: `{"error": {"code", "message"}}`."""
    return Answer(status, {"error": {"code": code, "message": message}})


def _parse(body: bytes) -> dict[str, Any] | None:
    try:
        request = json.loads(body)
    except ValueError:
        return None
    return request if isinstance(request, dict) else None


def _repeatability_fault(recipient: Mapping[str, Any]) -> str | None:
    request_id = recipient["repeatabilityRequestId"]
    if not isinstance(request_id, str) or not _UUID.fullmatch(request_id):
        return "Request sent with an invalid repeatability-request-id. Expected is a UUID."
    first_sent = recipient.get("repeatabilityFirstSent")
    if not isinstance(first_sent, str) or not _RFC1123.fullmatch(first_sent):
        return _BAD_FIRST_SENT
    try:
        parsedate_to_datetime(first_sent)
    except ValueError:
        return _BAD_FIRST_SENT
    return None


def _refused(
    to: str, status: int, reason: str, *, repeatability: str | None = None
) -> dict[str, Any]:
    return {
        "to": to,
        "messageId": None,
        "httpStatusCode": status,
        "repeatabilityResult": repeatability,
        "successful": False,
        "errorMessage": reason,
    }


def _opt_out_item(
    act: Callable[[str, str], dict[str, Any]], sender: str, item: Mapping[str, Any]
) -> dict[str, Any]:
    to = item["to"]
    if not is_textable(to):
        fault = "Invalid recipient phone number format"
        return {"to": to, "httpStatusCode": 400, "errorMessage": fault}
    return {"to": to, "httpStatusCode": 200, **act(sender, to)}
