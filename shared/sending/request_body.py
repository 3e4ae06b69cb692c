"""Reading a send request: ACS's body with Parley's optional members beside ACS's own.

A request that makes no sense as a whole is refused as a whole, with every member at fault. A bad
recipient only spoils its own item.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn

from shared.azure.acs import MAX_RECIPIENTS
from shared.base.clock import from_http_date, from_iso
from shared.base.errors import ForeignSender, InvalidRequest
from shared.base.json_body import parse_json
from shared.messages.request import Asked, SendRequest
from shared.rules.addresses import BadAddress, recipient
from shared.rules.categories import CATEGORIES
from shared.rules.senders import Sender
from shared.rules.timing.local_time import zone as zone_named
from shared.rules.timing.when import read_send_at

MAX_MESSAGE_UNITS: Final = 2048
MAX_TAG: Final = 256
# More than any number, id or date has; what is refused is kept as it was written.
MAX_RECIPIENT_TEXT: Final = 64
MIN_REPORT_TIMEOUT: Final = 60
MAX_REPORT_TIMEOUT: Final = 43_200
MIN_TIME_TO_LIVE: Final = 60
MAX_TIME_TO_LIVE: Final = 31 * 86_400
OLDEST_FIRST_SENT: Final = timedelta(hours=24)
NEWEST_FIRST_SENT: Final = timedelta(minutes=15)

# ACS's own sentence for an id without a usable first-sent time.
_BAD_FIRST_SENT: Final = (
    "Request sent with Invalid DateTime value for repeatability-first-sent. Expected is DateTime"
    " ,RFC1123 pattern."
)
_FAR_FIRST_SENT: Final = (
    "repeatabilityFirstSent must be at most 24 hours ago and at most 15 minutes ahead."
)
# How azure-communication-sms 1.0.0 for Python writes that time: its `str` of a naive UTC datetime.
_NAIVE_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}(?:[.][0-9]{6})?")
REPORT_TIMEOUT: Final = "smsSendOptions.deliveryReportTimeoutInSeconds"
_BAD_REPEAT_ID: Final = "repeatabilityRequestId must be a UUID of 36 characters."
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Line feed, carriage return, tab and form feed can stand in a text; no other control can.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_TOP: Final = frozenset(
    {
        "from",
        "smsRecipients",
        "message",
        "smsSendOptions",
        "category",
        "sendAt",
        "timeZone",
        "timeToLiveInSeconds",
    }
)
_RECIPIENT: Final = frozenset({"to", "repeatabilityRequestId", "repeatabilityFirstSent"})
_OPTIONS: Final = frozenset({"enableDeliveryReport", "tag", "deliveryReportTimeoutInSeconds"})


def read_send(
    body: bytes, *, senders: Mapping[str, Sender], now: datetime, knows_report_timeout: bool
) -> SendRequest:
    """A send request from its body.

    Args:
        body: raw JSON.
        senders: those configured.
        now: for the age of repeatability ids.
        knows_report_timeout: whether ACS, as configured, takes `deliveryReportTimeoutInSeconds`;
            where it does not, that wish is left out and noted.

    Raises:
        InvalidRequest: with every member at fault.
        ForeignSender: if the sender is not configured.
    """
    request = _Reader(parse_json(body))
    sender = request.sender()
    message = request.message()
    asked = request.recipients(now)
    wants_report, tag, report_timeout = request.options()
    heeds_timeout = report_timeout is None or knows_report_timeout
    category = request.category()
    send_at, zone = request.time(now)
    time_to_live = request.time_to_live()
    request.finish()
    if sender not in senders:
        raise ForeignSender
    return SendRequest(
        sender=sender,
        message=message,
        asked=asked,
        tag=tag,
        wants_report=wants_report,
        report_timeout_seconds=report_timeout if heeds_timeout else None,
        category=category,
        digest=_digest(
            sender, message, asked, tag, wants_report, report_timeout, category, *request.timing()
        ),
        send_at=send_at,
        time_to_live=time_to_live,
        zone=zone,
        ignored=() if heeds_timeout else (REPORT_TIMEOUT,),
    )


def check_text(message: Any) -> list[str]:
    """What is wrong with a message's text; nothing if it can be sent."""
    if not isinstance(message, str):
        return ["The message must be a text."]
    problems = []
    if not message:
        problems.append("The message is empty.")
    if found := _SURROGATE.search(message):
        problems.append(
            f"The message has half a surrogate pair at position {found.start()}; it is no text."
        )
    elif (units := len(message.encode("utf-16-le")) // 2) > MAX_MESSAGE_UNITS:
        problems.append(
            f"The message has {units} characters; at most {MAX_MESSAGE_UNITS} are sent."
        )
    if found := _CONTROL.search(message):
        problems.append(
            f"The message has the control character U+{ord(found[0]):04X} at position"
            f" {found.start()}."
        )
    return problems


class _Reader:
    """Collects what is wrong while it reads, so that one answer names all of it."""

    def __init__(self, body: Any) -> None:
        self._errors: dict[str, list[str]] = {}
        if not isinstance(body, dict):
            raise InvalidRequest.of("", "The body must be a JSON object.")
        self._body = body
        self._unknown("", body, _TOP)

    def finish(self) -> None:
        """Raise what was collected, if anything was."""
        if self._errors:
            raise InvalidRequest(self._errors)

    def sender(self) -> str:
        value = self._body.get("from")
        if not isinstance(value, str) or not value.strip():
            self._wrong("from", "A sender is required.")
            return ""
        return value.strip()

    def message(self) -> str:
        value = self._body.get("message")
        if value is None:
            self._wrong("message", "A message is required.")
            return ""
        for problem in check_text(value):
            self._wrong("message", problem)
        return value if isinstance(value, str) else ""

    def recipients(self, now: datetime) -> tuple[Asked, ...]:
        entries = self._body.get("smsRecipients")
        if not isinstance(entries, list) or not entries:
            self._wrong("smsRecipients", "At least one recipient is required, in a list.")
            return ()
        if len(entries) > MAX_RECIPIENTS:
            self._wrong(
                "smsRecipients", f"Max of {MAX_RECIPIENTS} phone are allowed in the To field."
            )
            return ()
        asked = []
        for index, entry in enumerate(entries):
            where = f"smsRecipients[{index}]"
            if not isinstance(entry, dict):
                self._wrong(where, "A recipient must be an object with `to`.")
                continue
            self._unknown(where + ".", entry, _RECIPIENT)
            bad = [
                n for n in _RECIPIENT if entry.get(n) is not None and not isinstance(entry[n], str)
            ]
            for name in sorted(bad):
                self._wrong(f"{where}.{name}", "This must be a text.")
            self._too_long(where, entry)
            if "to" not in entry or entry["to"] is None:
                self._wrong(f"{where}.to", "A recipient is required.")
            elif not bad:
                asked.append(_asked(entry, now))
        return tuple(asked)

    def _too_long(self, where: str, entry: Mapping[str, Any]) -> None:
        for name in sorted(_RECIPIENT):
            value = entry.get(name)
            if isinstance(value, str) and len(value) > MAX_RECIPIENT_TEXT:
                self._wrong(
                    f"{where}.{name}",
                    f"This has {len(value)} characters; at most {MAX_RECIPIENT_TEXT} are read.",
                )

    def options(self) -> tuple[bool, str, int | None]:
        options = self._body.get("smsSendOptions")
        if options is None:
            return False, "", None
        if not isinstance(options, dict):
            self._wrong("smsSendOptions", "The options must be an object.")
            return False, "", None
        if options.get("messagingConnect") is not None:
            self._wrong(
                "smsSendOptions.messagingConnect",
                "Messaging Connect hands the text to another provider, whose opt-outs and reports"
                " Parley cannot answer for; it is not supported.",
            )
        self._unknown("smsSendOptions.", options, _OPTIONS | {"messagingConnect"})
        wants_report = options.get("enableDeliveryReport")
        if not isinstance(wants_report, bool):
            self._wrong("smsSendOptions.enableDeliveryReport", "This is required: true or false.")
        tag = options.get("tag")
        if tag is not None and (
            not isinstance(tag, str)
            or len(tag) > MAX_TAG
            or _CONTROL.search(tag)
            or _SURROGATE.search(tag)
        ):
            self._wrong(
                "smsSendOptions.tag",
                f"A tag is a text of at most {MAX_TAG} characters without control characters.",
            )
            tag = None
        timeout = options.get("deliveryReportTimeoutInSeconds")
        if timeout is not None:
            self._report_timeout(timeout)
        return wants_report is True, tag or "", timeout

    def _report_timeout(self, timeout: Any) -> None:
        if (
            not isinstance(timeout, int)
            or isinstance(timeout, bool)
            or not MIN_REPORT_TIMEOUT <= timeout <= MAX_REPORT_TIMEOUT
        ):
            self._wrong(
                REPORT_TIMEOUT,
                f"This is a whole number from {MIN_REPORT_TIMEOUT} to {MAX_REPORT_TIMEOUT}.",
            )

    def category(self) -> str | None:
        value = self._body.get("category")
        if value is not None and value not in CATEGORIES:
            self._wrong("category", f"This is one of {', '.join(CATEGORIES)}.")
            return None
        return value

    def time(self, now: datetime) -> tuple[datetime | None, str | None]:
        """When it is to leave, and the zone of the recipients, where the caller says so."""
        moment, zone = self._body.get("sendAt"), self._body.get("timeZone")
        try:
            if moment is not None:
                return read_send_at(moment, now, time_zone=zone), zone
            return None, _zone(zone)
        except InvalidRequest as error:
            self._errors |= error.errors
            return None, None

    def time_to_live(self) -> timedelta | None:
        value = self._body.get("timeToLiveInSeconds")
        if value is None:
            return None
        if (
            not isinstance(value, int)
            or isinstance(value, bool)
            or not MIN_TIME_TO_LIVE <= value <= MAX_TIME_TO_LIVE
        ):
            self._wrong(
                "timeToLiveInSeconds",
                f"This is a whole number from {MIN_TIME_TO_LIVE} to {MAX_TIME_TO_LIVE}.",
            )
            return None
        return timedelta(seconds=value)

    def timing(self) -> list[Any]:
        """The members about time as written, if there are any: they are part of the meaning."""
        names = ("sendAt", "timeZone", "timeToLiveInSeconds")
        values = [self._body.get(name) for name in names]
        return [values] if any(value is not None for value in values) else []

    def _wrong(self, member: str, reason: str) -> None:
        self._errors.setdefault(member, []).append(reason)

    def _unknown(self, prefix: str, found: Mapping[str, Any], known: frozenset[str]) -> None:
        # A wish that would be dropped silently is worse than one that is refused.
        for name in sorted(found.keys() - known):
            self._wrong(f"{prefix}{name}"[:100], "This member is not known here.")


def _zone(name: Any) -> str | None:
    if name is None:
        return None
    try:
        return zone_named(name).key if isinstance(name, str) else _no_zone()
    except ValueError:
        return _no_zone()


def _no_zone() -> NoReturn:
    raise InvalidRequest.of("timeZone", "This is an IANA time zone, such as America/New_York.")


def _asked(entry: Mapping[str, Any], now: datetime) -> Asked:
    to, repeat_id, first_text = (
        entry.get(name) for name in ("to", "repeatabilityRequestId", "repeatabilityFirstSent")
    )
    to = str(to)
    first_sent = None
    if repeat_id is not None:
        repeat_id = repeat_id.lower()
        if not _UUID.fullmatch(repeat_id):
            return Asked(to, None, repeat_id, refusal=_BAD_REPEAT_ID, rejected=True)
        try:
            first_sent = _first_sent(first_text or "")
        except ValueError:
            return Asked(to, None, repeat_id, refusal=_BAD_FIRST_SENT, rejected=True)
        if not now - OLDEST_FIRST_SENT <= first_sent <= now + NEWEST_FIRST_SENT:
            return Asked(to, None, repeat_id, refusal=_FAR_FIRST_SENT, rejected=True)
    try:
        address = recipient(to)
    except BadAddress as error:
        return Asked(to, None, repeat_id, first_sent, refusal=str(error))
    return Asked(to, address, repeat_id, first_sent)


def _first_sent(text: str) -> datetime:
    if _NAIVE_TIME.fullmatch(text):
        return from_iso(text).replace(microsecond=0)
    return from_http_date(text)


def _digest(*parts: Any) -> str:
    text = json.dumps(parts, ensure_ascii=True, separators=(",", ":"), default=_meaning)
    return hashlib.sha256(text.encode()).hexdigest()


def _meaning(asked: Any) -> list[str | None]:
    # As written: what follows from it, a refusal included, may change with the time.
    return [asked.to, asked.repeat_id]
