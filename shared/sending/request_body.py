"""Reading a send request: ACS's body with Parley's optional members beside ACS's own.

A request that makes no sense as a whole is refused as a whole, with every member at fault. A bad
recipient only spoils its own item.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from shared.azure.acs import MAX_RECIPIENTS
from shared.base.clock import from_http_date, from_iso
from shared.base.digests import keyed_digest
from shared.base.errors import ForeignSender
from shared.base.json_body import (
    CONTROLS_IN_LINES,
    HALF_A_PAIR,
    Body,
    Checked,
    Flag,
    ListOf,
    Member,
    Object,
    OneOf,
    Text,
    Unsupported,
    Whole,
    parse_json,
)
from shared.messages.request import Asked, SendRequest
from shared.rules.addresses import BadAddress, recipient
from shared.rules.categories import CATEGORIES
from shared.rules.invisible import prints_nothing
from shared.rules.persons import person
from shared.rules.senders import Sender
from shared.rules.timing.when import TIME_ZONE, moment_member, read_moment

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
# The name under which its requests are digested.
OPERATION: Final = "send"
REPORT_TIMEOUT: Final = "smsSendOptions.deliveryReportTimeoutInSeconds"
_BAD_REPEAT_ID: Final = "repeatabilityRequestId must be a UUID of 36 characters."
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def check_text(message: Any) -> list[str]:
    """What is wrong with a message's text; nothing if it can be sent."""
    if not isinstance(message, str):
        return ["The message must be a text."]
    problems = []
    if not message:
        problems.append("The message is empty.")
    elif prints_nothing(message):
        problems.append(
            "The message prints nothing: it is white space or characters that nobody sees."
        )
    if found := HALF_A_PAIR.search(message):
        problems.append(
            f"The message has half a surrogate pair at position {found.start()}; it is no text."
        )
    elif (units := len(message.encode("utf-16-le")) // 2) > MAX_MESSAGE_UNITS:
        problems.append(
            f"The message has {units} characters; at most {MAX_MESSAGE_UNITS} are sent."
        )
    if found := CONTROLS_IN_LINES.search(message):
        problems.append(
            f"The message has the control character U+{ord(found[0]):04X} at position"
            f" {found.start()}."
        )
    return problems


# The tables of bodies -----------------------------------------------------------------------------

# Whoever it is compared with decides, so that another text is a sender that is not configured.
SENDER: Final = Text(1, strip=True, halves=True)
CATEGORY: Final = Member("category", OneOf(CATEGORIES))
TIME_TO_LIVE: Final = Member("timeToLiveInSeconds", Whole(MIN_TIME_TO_LIVE, MAX_TIME_TO_LIVE))
BAD_TAG: Final = f"A tag is a text of at most {MAX_TAG} characters without control characters."

# What one of these says spoils its own item, and is answered as it was written.
_AS_WRITTEN: Final = Text(most=MAX_RECIPIENT_TEXT, halves=True)
_RECIPIENT: Final = Object(
    (
        Member("to", _AS_WRITTEN, required=True, missing="A recipient is required."),
        Member("repeatabilityRequestId", _AS_WRITTEN),
        Member("repeatabilityFirstSent", _AS_WRITTEN),
    )
)
_OPTIONS: Final = Object(
    (
        Member(
            "messagingConnect",
            Unsupported(),
            "Messaging Connect hands the text to another provider, whose opt-outs and reports"
            " Parley cannot answer for; it is not supported.",
        ),
        Member("enableDeliveryReport", Flag(), "This is required: true or false.", required=True),
        Member("tag", Text(most=MAX_TAG, without=CONTROLS_IN_LINES), BAD_TAG),
        Member("deliveryReportTimeoutInSeconds", Whole(MIN_REPORT_TIMEOUT, MAX_REPORT_TIMEOUT)),
    )
)
_SEND: Final = (
    Member("from", SENDER, "A sender is required.", required=True),
    Member("message", Checked(check_text), required=True, missing="A message is required."),
    Member(
        "smsRecipients",
        ListOf(
            _RECIPIENT,
            1,
            MAX_RECIPIENTS,
            each="A recipient must be an object with `to`.",
            # As ACS says it.
            too_many=f"Max of {MAX_RECIPIENTS} phone are allowed in the To field.",
        ),
        "At least one recipient is required, in a list.",
        required=True,
    ),
    Member("smsSendOptions", _OPTIONS, "The options must be an object."),
    CATEGORY,
    TIME_ZONE,
    moment_member("sendAt"),
    TIME_TO_LIVE,
)


def read_send(
    body: bytes,
    *,
    senders: Mapping[str, Sender],
    now: datetime,
    knows_report_timeout: bool,
    id_key: bytes,
) -> SendRequest:
    """A send request from its body; whether its `sendAt` has passed is for the caller to ask.

    Args:
        body: raw JSON.
        senders: those configured.
        now: for the age of repeatability ids.
        knows_report_timeout: whether ACS, as configured, takes `deliveryReportTimeoutInSeconds`;
            where it does not, that wish is left out and noted.
        id_key: under which the request's digest is made.

    Raises:
        InvalidRequest: with every member at fault.
        ForeignSender: if the sender is not configured.
    """
    read = Body(parse_json(body), _SEND)
    # One that has passed can be that of a repeat, which is answered as its first request was.
    send_at = read_moment(read, "sendAt", now, also_past=True)
    read.finish()
    sender = read["from"]
    if sender not in senders:
        raise ForeignSender
    asked = _by_person([_asked(entry, now) for entry in read["smsRecipients"]])
    options = read["smsSendOptions"] or {}
    tag, wants_report = options.get("tag") or "", options.get("enableDeliveryReport") is True
    report_timeout = options.get("deliveryReportTimeoutInSeconds")
    heeds_timeout = report_timeout is None or knows_report_timeout
    time_to_live = read["timeToLiveInSeconds"]
    return SendRequest(
        sender=sender,
        message=read["message"],
        asked=asked,
        tag=tag,
        wants_report=wants_report,
        report_timeout_seconds=report_timeout if heeds_timeout else None,
        category=read["category"],
        digest=keyed_digest(
            id_key,
            OPERATION,
            sender,
            read["message"],
            # As written: what follows from it, a refusal included, may change with the time.
            # Without repeatability ids: where they make the send's id they are in that, and beside
            # an Idempotency-Key they say nothing: Microsoft's clients draw new ones each time.
            [one.to for one in asked],
            tag,
            wants_report,
            report_timeout,
            read["category"],
            [read[name] for name in ("sendAt", "timeZone", "timeToLiveInSeconds")],
        ).hex(),
        send_at=send_at,
        time_to_live=None if time_to_live is None else timedelta(seconds=time_to_live),
        zone=read["timeZone"],
        ignored=() if heeds_timeout else (REPORT_TIMEOUT,),
    )


def _by_person(entries: Sequence[Asked]) -> tuple[Asked, ...]:
    """The entries; one person, however the number is written, has the address written first."""
    first: dict[str, str] = {}
    return tuple(
        asked
        if asked.address is None
        else replace(asked, address=first.setdefault(person(asked.address), asked.address))
        for asked in entries
    )


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
