"""Reading what Event Grid brings, in every form that ACS has been seen to write it.

Members come in camelCase or PascalCase, numbers with or without +, times with 0 to 7 fractional
digits, newer members or none, the payload as an object, as JSON text or as base64. One tolerant
reader takes them all; what is missing beyond doubt is `Unintelligible`, with the reason.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from shared.base.clock import from_iso
from shared.base.errors import Unintelligible
from shared.base.json_body import DEEPEST, is_deep
from shared.rules.addresses import BadAddress, is_number, normal
from shared.rules.delivery_codes import code_in
from shared.rules.invisible import visible

SMS_RECEIVED: Final = "Microsoft.Communication.SMSReceived"
SMS_DELIVERY_REPORT_RECEIVED: Final = "Microsoft.Communication.SMSDeliveryReportReceived"
_STATUSES: Final = {"delivered": "Delivered", "failed": "Failed"}
# ACS did not exist before; and no clock of theirs is a quarter of an hour ahead of ours.
_EARLIEST: Final = datetime(2019, 1, 1, tzinfo=UTC)
_AHEAD: Final = timedelta(minutes=15)
# What a network can carry: 255 parts of 153 characters (3GPP TS 23.040, 9.2.3.24.1).
_LONGEST_TEXT: Final = 255 * 153
# Of a sender that is no number: an e-mail address has 254 characters at most.
_LONGEST_SENDER: Final = 254
_LONGEST_ID: Final = 512
_MOST_ATTEMPTS: Final = 100
_LONGEST_COUNT: Final = 9
_LONGEST_ATTEMPTS: Final = 20_000
_SHOWN: Final = 100
_AMERICAN: Final = re.compile(
    r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4}) ([0-9]{1,2}):([0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)"
    r"(?:Z|[+-]00:00)?"
)
_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event as it came, in either schema; JSON holds what it likes in each of its members.

    Attributes:
        id: the event's id, if any.
        type: `eventType` or `type`.
        time: `eventTime` or `time`, as it is written, or the moment it names.
        data: the payload, whatever it is; the whole event as text where it is unreadable.
        unreadable: why the event could not be taken apart, if it could not.
    """

    id: Any
    type: Any
    time: Any
    data: Any
    unreadable: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The text that a person's text answers.

    Attributes:
        message_id: ours.
        tag: the application's; None where it gave none.
    """

    message_id: str
    tag: str | None


@dataclass(frozen=True, slots=True)
class Received:
    """A text from a person.

    Attributes:
        platform_id: ACS's message id.
        theirs: the person's number, E.164; or a short code or a name; or what came in place of
            one, as it came: an e-mail address, a long name, nothing.
        ours: the sender that was answered.
        text: as received; may be empty.
        received: when the platform got it.
        segments: how many it came in, where the platform says so.
        in_reply_to: what it answers, as far as Parley has found out.
    """

    platform_id: str
    theirs: str
    ours: str
    text: str
    received: datetime
    segments: int | None
    in_reply_to: Answered | None = None

    @property
    def can_be_answered(self) -> bool:
        """Whether it came from a number that a text could go back to."""
        return is_number(self.theirs)


@dataclass(frozen=True, slots=True)
class PlatformReport:
    """A delivery report.

    Attributes:
        platform_id: ACS's message id; empty if it is missing.
        ours: the sender.
        theirs: the recipient, E.164.
        status: `Delivered` or `Failed`.
        details: the platform's free text; may be empty.
        attempts: as given.
        received: the platform's time.
        received_text: the same as it was written, for the report's identity; empty where nothing
            that was written is a time.
        tag: what ACS echoes of our tag; empty if it is missing.
    """

    platform_id: str
    ours: str
    theirs: str
    status: str
    details: str
    attempts: list[Any]
    received: datetime
    received_text: str
    tag: str


def read_received(envelope: Envelope, now: datetime) -> Received:
    """The text that an `SMSReceived` event brings.

    A text without words (`null`, as for a picture alone) is an empty one. One whose time cannot be
    read counts as said now: a STOP must be heard, even if a repeat then stands there twice. A START
    must not, because it would undo a STOP that was said after it.

    Raises:
        Unintelligible: with the member that is missing or makes no sense.
    """
    data = _data(envelope, SMS_RECEIVED)
    segments = data.get("segmentcount")
    if data.get("message", "") is None:
        data["message"] = ""
    text = _text(data, "message")
    try:
        received, _ = _moment(data, envelope, now)
    except Unintelligible as error:
        # Its files are read for such a text alone, not where a process starts.
        from shared.rules.reading import read_reply  # noqa: PLC0415

        if read_reply(text).opts_in:
            raise Unintelligible(f"this text opts in, and it is not known when: {error}") from None
        received = now
    return Received(
        platform_id=_platform_id(data, envelope, required=True),
        theirs=_sender(data.get("from")),
        ours=_address(data, "to"),
        text=text,
        received=received,
        segments=segments if type(segments) is int else None,
    )


def read_report(envelope: Envelope, now: datetime) -> PlatformReport:
    """The report that an `SMSDeliveryReportReceived` event brings.

    One that opts a person out counts as made now where its time cannot be read; any other would not
    find its place among the reports of its message.

    Raises:
        Unintelligible: with the member that is missing or makes no sense.
    """
    data = _data(envelope, SMS_DELIVERY_REPORT_RECEIVED)
    status = _STATUSES.get(_text(data, "deliverystatus").strip().lower())
    if status is None:
        raise Unintelligible("data.deliveryStatus is neither Delivered nor Failed")
    attempts, details, tag = (
        data.get(name) for name in ("deliveryattempts", "deliverystatusdetails", "tag")
    )
    try:
        moment, moment_text = _moment(data, envelope, now)
    except Unintelligible:
        code = code_in(details, delivered=False) if isinstance(details, str) else None
        if status != "Failed" or code is None or not code.opts_out:
            raise
        # Without a text of its own: however often it comes, it is the same report.
        moment, moment_text = now, ""
    return PlatformReport(
        platform_id=_platform_id(data, envelope, required=False),
        ours=_address(data, "from"),
        theirs=_address(data, "to"),
        status=status,
        details=details if isinstance(details, str) else "",
        attempts=_attempts(attempts),
        received=moment,
        received_text=moment_text,
        tag=tag if isinstance(tag, str) else "",
    )


def _data(envelope: Envelope, expected: str) -> dict[str, Any]:
    if envelope.unreadable is not None:
        raise Unintelligible(envelope.unreadable)
    kind = envelope.type
    if not isinstance(kind, str) or kind.lower() != expected.lower():
        raise Unintelligible(f"the event's type is {str(kind)[:_SHOWN]}, not {expected}")
    data = envelope.data if isinstance(envelope.data, Mapping) else _unpacked(envelope.data)
    if data is None:
        raise Unintelligible("the event has no data object")
    if is_deep(data):
        raise Unintelligible(f"the event's data is nested deeper than {DEEPEST}")
    return {str(name).lower(): _whole(value) for name, value in data.items()}


def _unpacked(data: Any) -> Mapping[str, Any] | None:
    """The object in JSON text, plain or as base64; None if it holds none."""
    if not isinstance(data, str):
        return None
    for read in (str, _from_base64):
        try:
            found = json.loads(read(data))
        except (ValueError, RecursionError):
            continue
        if isinstance(found, Mapping):
            return found
    return None


def _from_base64(text: str) -> str:
    return base64.b64decode(text, validate=True).decode()


def _whole(value: Any) -> Any:
    """The value with every half of a surrogate pair replaced: neither rows nor topics take one."""
    if isinstance(value, str):
        return _HALF_PAIR.sub("\ufffd", value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(item) for name, item in value.items()}
    return value


def _text(data: Mapping[str, Any], member: str) -> str:
    value = data.get(member)
    if not isinstance(value, str):
        raise Unintelligible(f"data.{member} is missing or no text")
    if len(value) > _LONGEST_TEXT:
        raise Unintelligible(f"data.{member} is longer than any text")
    return value


def _address(data: Mapping[str, Any], member: str) -> str:
    try:
        return normal(data.get(member))
    except BadAddress as error:
        raise Unintelligible(f"data.{member}: {error}") from None


def _sender(value: Any) -> str:
    """Who texted; what is no address stays as it came, since nobody who texts us is unheard."""
    try:
        return normal(value)
    except BadAddress:
        return visible(value)[:_LONGEST_SENDER] if isinstance(value, str) else ""


def _platform_id(data: Mapping[str, Any], envelope: Envelope, *, required: bool) -> str:
    # In every sample that Microsoft shows, the event's id is the message's.
    for candidate in (data.get("messageid"), _whole(envelope.id)):
        if isinstance(candidate, str) and 0 < len(candidate.strip()) <= _LONGEST_ID:
            return candidate.strip()
    if required:
        raise Unintelligible("data.messageId is missing or absurd, and so is the event's id")
    return ""


def _attempts(value: Any) -> list[Any]:
    """What the platform says of its attempts; nothing rather than too much for a row."""
    given = value[:_MOST_ATTEMPTS] if isinstance(value, list) else []
    attempts = [_attempt(one) for one in given if isinstance(one, Mapping)]
    return attempts if len(json.dumps(attempts)) <= _LONGEST_ATTEMPTS else []


def _attempt(value: Mapping[Any, Any]) -> dict[str, Any]:
    """One attempt: its three members in camelCase, numbers as numbers, what else it has left out.

    Client libraries of ACS read a missing member as nothing and stumble over one of another type.
    """
    members = {str(name).lower(): one for name, one in value.items()}
    found: dict[str, Any] = {}
    told = members.get("timestamp")
    if (moment := _read_moment(told)) is not None:
        found["timestamp"] = str(told).strip() if _is_iso(told) else moment.isoformat()
    for name in ("segmentsSucceeded", "segmentsFailed"):
        if (count := _whole_number(members.get(name.lower()))) is not None:
            found[name] = count
    return found


def _is_iso(text: Any) -> bool:
    try:
        from_iso(str(text).strip())
    except ValueError:
        return False
    return True


def _whole_number(value: Any) -> int | None:
    if isinstance(value, str) and value.strip().isdecimal() and len(value) <= _LONGEST_COUNT:
        return int(value)
    if isinstance(value, float) and value.is_integer() and value >= 0:
        return int(value)
    return value if type(value) is int and value >= 0 else None


def _moment(data: Mapping[str, Any], envelope: Envelope, now: datetime) -> tuple[datetime, str]:
    """When the platform spoke, and how it wrote that."""
    told = data.get("receivedtimestamp")
    for written in (told, envelope.time):
        moment = _read_moment(written)
        if moment is not None and _EARLIEST <= moment <= now + _AHEAD:
            if written is told and isinstance(told, str):
                return moment, told.strip()
            return moment, moment.isoformat()
    raise Unintelligible("data.receivedTimestamp is missing or absurd, and so is the event's time")


def _read_moment(written: Any) -> datetime | None:
    """The moment that a text names, in any form in which events have been seen to write it."""
    if isinstance(written, datetime):
        return written.replace(tzinfo=UTC) if written.tzinfo is None else written.astimezone(UTC)
    if not isinstance(written, str):
        return None
    for read in (from_iso, _from_american_date, _from_mail_date):
        try:
            return read(written.strip())
        except (ValueError, OverflowError, LookupError, TypeError):
            # What the standard library's readers raise for what is no time at all.
            continue
    return None


def _from_mail_date(text: str) -> datetime:
    """RFC 1123 and its looser kin; a date without a zone is UTC."""
    moment = parsedate_to_datetime(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _from_american_date(text: str) -> datetime:
    """`11/29/2026 08:30:00` is UTC, as azure-functions reads it."""
    found = _AMERICAN.fullmatch(text)
    if found is None:
        raise ValueError("not an American date")
    month, day, year, hour, rest = found.groups()
    return from_iso(f"{year}-{month:0>2}-{day:0>2}T{hour:0>2}:{rest}")
