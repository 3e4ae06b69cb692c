"""Reading the order for a campaign: who is to be told what, from whom, when.

As with a send, a request that makes no sense is refused with every member at fault. What only
concerns one recipient is found when the list is read, and spoils that recipient's row alone.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from shared.base.clock import from_iso, iso
from shared.base.errors import ForeignSender, InvalidRequest
from shared.campaigns.list_format import LONGEST_NAME, MOST_COLUMNS, Format, Shape, same_name
from shared.campaigns.templates import BadTemplate, Template, parse
from shared.limits.frequency_caps import MOST_HOURS
from shared.messages.request import SendRequest
from shared.rules.categories import CATEGORIES
from shared.rules.senders import Sender, SenderKind
from shared.rules.timing.local_time import zone as zone_named
from shared.rules.timing.when import read_send_at
from shared.rules.timing.windows import Window, read_window, written
from shared.sending.request_body import MAX_TAG, MAX_TIME_TO_LIVE, MIN_TIME_TO_LIVE, check_text

MOST_INLINE: Final = 10_000
MOST_SENDERS: Final = 20
_SHORTEST_SPREAD: Final = 60
_LONGEST_SPREAD: Final = 31 * 86_400
_NUMBER: Final = "to"
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LIST_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SHOWN: Final = 100
_TOP: Final = frozenset(
    {
        "campaignId",
        "from",
        "senders",
        "message",
        "recipients",
        "list",
        "category",
        "tag",
        "enableDeliveryReport",
        "startAt",
        "timeZone",
        "timeToLiveInSeconds",
        "spreadOverSeconds",
        "atMostOncePerHours",
        "window",
        "planHash",
    }
)


@dataclass(frozen=True, slots=True)
class Definition:
    """What a campaign is, once its list has been found.

    Attributes:
        senders: addresses; more than one is a pool.
        message: the text with placeholders.
        category: marketing, transactional, oneTimeCode, or None.
        tag: the application's; empty where it gave none.
        wants_report: whether the application asked for delivery reports.
        start_at: when it is to begin; None for at once.
        zone: IANA zone of the recipients, where the caller knows it.
        time_to_live: for how long after its start its texts are worth sending.
        spread: over how long it is to be spread at least.
        cap_hours: at most one text a person in so many hours.
        window: hours in which its texts may leave.
        list_name: of an uploaded list; None where the recipients came inline.
        blob: the list's blob in the container `lists`.
        etag: of that blob.
        shape: how the list is written.
    """

    senders: tuple[str, ...]
    message: str
    category: str | None = None
    tag: str = ""
    wants_report: bool = False
    start_at: datetime | None = None
    zone: str | None = None
    time_to_live: timedelta | None = None
    spread: timedelta | None = None
    cap_hours: int | None = None
    window: Window | None = None
    list_name: str | None = None
    blob: str = ""
    etag: str = ""
    shape: Shape | None = None

    @property
    def layout(self) -> Shape:
        """The shape of a list that has been found."""
        if self.shape is None:
            raise ValueError("the list has not been found yet")
        return self.shape

    def template(self) -> Template:
        """The text, understood."""
        return parse(self.message)

    def send(self, campaign_id: str, sender: str, text: str) -> SendRequest:
        """A send of the campaign, without its recipients."""
        return SendRequest(
            sender=sender,
            message=text,
            asked=(),
            tag=self.tag,
            wants_report=self.wants_report,
            report_timeout_seconds=None,
            category=self.category,
            digest=hashlib.sha256(f"{campaign_id}\n{sender}\n{text}".encode()).hexdigest(),
            zone=self.zone,
            window=self.window,
            campaign=campaign_id,
        )

    def to_json(self) -> dict[str, Any]:
        """A form that JSON can keep; `from_json` reads it."""
        return {
            "senders": list(self.senders),
            "message": self.message,
            "category": self.category,
            "tag": self.tag,
            "report": self.wants_report,
            "startAt": iso(self.start_at) if self.start_at else None,
            "zone": self.zone,
            "ttl": self.time_to_live.total_seconds() if self.time_to_live else None,
            "spread": self.spread.total_seconds() if self.spread else None,
            "cap": self.cap_hours,
            "window": written(self.window) if self.window else None,
            "list": self.list_name,
            "blob": self.blob,
            "etag": self.etag,
            "shape": self.shape.to_json() if self.shape else None,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Definition:
        """What `to_json` wrote."""
        return cls(
            senders=tuple(value["senders"]),
            message=value["message"],
            category=value["category"],
            tag=value["tag"],
            wants_report=value["report"],
            start_at=from_iso(value["startAt"]) if value["startAt"] else None,
            zone=value["zone"],
            time_to_live=_seconds(value["ttl"]),
            spread=_seconds(value["spread"]),
            cap_hours=value["cap"],
            window=read_window(value["window"]) if value["window"] else None,
            list_name=value["list"],
            blob=value["blob"],
            etag=value["etag"],
            shape=Shape.from_json(value["shape"]) if value["shape"] else None,
        )


def _seconds(value: float | None) -> timedelta | None:
    return None if value is None else timedelta(seconds=value)


@dataclass(frozen=True, slots=True)
class Order:
    """An order for a campaign, before its list has been looked at.

    Attributes:
        definition: without blob, ETag and shape.
        campaign_id: the caller's; None where it gave none.
        inline: the recipients as JSON Lines; None where a list is named.
        number_column: the list's column with the number, where the caller names it.
        plan_hash: of the dry run that the caller has seen.
    """

    definition: Definition
    campaign_id: str | None
    inline: bytes | None
    number_column: str | None
    plan_hash: str | None


def inline_shape(columns: tuple[str, ...]) -> Shape:
    """How recipients that came with the request are kept."""
    return Shape(
        format=Format.JSON_LINES,
        encoding="utf-8",
        delimiter="",
        header=False,
        columns=columns,
        number=_NUMBER,
        start=0,
        first_line=1,
    )


def read_order(body: Any, *, senders: Mapping[str, Sender], now: datetime) -> Order:
    """The order that a body holds.

    Args:
        body: what JSON made of it.
        senders: those configured.
        now: for times that must not have passed.

    Raises:
        InvalidRequest: with every member at fault.
        ForeignSender: a sender is not configured.
    """
    return _Reader(body, senders, now).order()


def check_campaign_id(text: str) -> str:
    """The id, if it can be one.

    Raises:
        InvalidRequest: it cannot.
    """
    if not _ID.fullmatch(text):
        raise InvalidRequest.of(
            "campaignId", "This is 1 to 64 letters, digits, dots, underscores or hyphens."
        )
    return text


def check_list_name(text: Any, member: str = "list.name") -> str:
    """The name, if a list can have it.

    Raises:
        InvalidRequest: it cannot.
    """
    if not isinstance(text, str) or not _LIST_NAME.fullmatch(text):
        raise InvalidRequest.of(
            member, "This is 1 to 200 letters, digits, dots, underscores or hyphens."
        )
    return text


class _Reader:
    """Collects what is wrong while it reads."""

    def __init__(self, body: Any, senders: Mapping[str, Sender], now: datetime) -> None:
        if not isinstance(body, dict):
            raise InvalidRequest.of("", "The body must be a JSON object.")
        self._errors: dict[str, list[str]] = {}
        self._body = body
        self._senders = senders
        self._now = now
        for name in sorted(body.keys() - _TOP):
            self._wrong(name[:_SHOWN], "This member is not known here.")

    def order(self) -> Order:
        definition = Definition(
            senders=self._pool(),
            message=self._message(),
            category=self._category(),
            tag=self._tag(),
            wants_report=self._flag("enableDeliveryReport"),
            time_to_live=self._time_span("timeToLiveInSeconds", MIN_TIME_TO_LIVE, MAX_TIME_TO_LIVE),
            spread=self._time_span("spreadOverSeconds", _SHORTEST_SPREAD, _LONGEST_SPREAD),
            cap_hours=self._whole("atMostOncePerHours", 1, MOST_HOURS),
            window=self._window(),
        )
        start_at, zone = self._time()
        definition = replace(definition, start_at=start_at, zone=zone)
        inline, shape, list_name, column = self._people()
        order = Order(
            definition=replace(definition, shape=shape, list_name=list_name),
            campaign_id=self._campaign_id(),
            inline=inline,
            number_column=column,
            plan_hash=self._text("planHash"),
        )
        if self._errors:
            raise InvalidRequest(self._errors)
        if any(sender not in self._senders for sender in definition.senders):
            raise ForeignSender
        self._check_pool(definition.senders)
        return order

    # Members ------------------------------------------------------------------------------------

    def _pool(self) -> tuple[str, ...]:
        one, many = self._body.get("from"), self._body.get("senders")
        if (one is None) == (many is None):
            self._wrong("from", "A sender is required: `from`, or `senders` for a pool.")
            return ()
        if one is not None:
            many, member = [one], "from"
        else:
            member = "senders"
        if not isinstance(many, list) or not 1 <= len(many) <= MOST_SENDERS:
            self._wrong(member, f"This is a list of 1 to {MOST_SENDERS} senders.")
            return ()
        if not all(isinstance(sender, str) and sender.strip() for sender in many):
            self._wrong(member, "A sender is a text.")
            return ()
        found = tuple(sender.strip() for sender in many)
        if len(set(found)) != len(found):
            self._wrong(member, "A sender is named twice.")
        return found

    def _check_pool(self, pool: tuple[str, ...]) -> None:
        known = [self._senders[sender] for sender in pool]
        if sum(sender.kind is SenderKind.TOLL_FREE for sender in known) > 1:
            raise InvalidRequest.of(
                "senders",
                "One campaign spread over several toll-free numbers is what carriers call"
                " snowshoeing: they filter it, and take the numbers away. Use one of them, or a"
                " short code.",
                code="TollFreePool",
            )
        if len({sender.program for sender in known}) > 1:
            raise InvalidRequest.of(
                "senders",
                "The senders of a pool belong to one program: whoever opts out of one of them has"
                " opted out of what it is for.",
            )

    def _message(self) -> str:
        value = self._body.get("message")
        if value is None:
            self._wrong("message", "A message is required.")
            return ""
        problems = check_text(value)
        for problem in problems:
            self._wrong("message", problem)
        if problems:
            return ""
        try:
            parse(value)
        except BadTemplate as error:
            self._wrong("message", str(error))
        return str(value)

    def _category(self) -> str | None:
        value = self._body.get("category")
        if value is not None and value not in CATEGORIES:
            self._wrong("category", f"This is one of {', '.join(CATEGORIES)}.")
            return None
        return value

    def _tag(self) -> str:
        value = self._body.get("tag")
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > MAX_TAG or _CONTROL.search(value):
            self._wrong(
                "tag",
                f"A tag is a text of at most {MAX_TAG} characters without control characters.",
            )
            return ""
        return value

    def _time(self) -> tuple[datetime | None, str | None]:
        moment, zone = self._body.get("startAt"), self._body.get("timeZone")
        try:
            if moment is not None:
                return read_send_at(moment, self._now, time_zone=zone), zone
            return None, zone_named(zone).key if zone is not None else None
        except InvalidRequest as error:
            for member, reasons in error.errors.items():
                for reason in reasons:
                    self._wrong(
                        member.replace("sendAt", "startAt"), reason.replace("sendAt", "startAt")
                    )
        except (ValueError, TypeError):
            self._wrong("timeZone", "This is an IANA time zone, such as America/New_York.")
        return None, None

    def _window(self) -> Window | None:
        value = self._body.get("window")
        if value is None:
            return None
        try:
            return read_window(value)
        except ValueError as error:
            self._wrong("window", f"{error}.")
            return None

    def _campaign_id(self) -> str | None:
        value = self._text("campaignId")
        try:
            return None if value is None else check_campaign_id(value)
        except InvalidRequest as error:
            self._errors |= error.errors
            return None

    # Recipients ---------------------------------------------------------------------------------

    def _people(self) -> tuple[bytes | None, Shape | None, str | None, str | None]:
        inline, named = self._body.get("recipients"), self._body.get("list")
        if (inline is None) == (named is None):
            self._wrong("recipients", "Recipients are required: `recipients`, or a `list`.")
            return None, None, None, None
        if named is not None:
            return None, None, *self._list(named)
        if not isinstance(inline, list) or not 1 <= len(inline) <= MOST_INLINE:
            self._wrong(
                "recipients", f"This is a list of 1 to {MOST_INLINE} objects; upload a longer one."
            )
            return None, None, None, None
        columns: dict[str, None] = {_NUMBER: None}
        for index, entry in enumerate(inline):
            self._check_recipient(f"recipients[{index}]", entry, columns)
        if len(columns) > MOST_COLUMNS:
            self._wrong(
                "recipients",
                f"Together they have {len(columns)} different members; at most {MOST_COLUMNS} are"
                " read. Leave out those that the text does not need.",
            )
        lines = "".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in inline)
        return lines.encode(), inline_shape(tuple(columns)), None, None

    def _check_recipient(self, where: str, entry: Any, columns: dict[str, None]) -> None:
        if not isinstance(entry, dict):
            self._wrong(where, "A recipient is an object with `to` and the values of placeholders.")
            return
        if not isinstance(entry.get(_NUMBER), str):
            self._wrong(f"{where}.to", "A recipient is required.")
        if len({same_name(name) for name in entry}) != len(entry):
            self._wrong(where, "Two members have one name.")
        for name, value in entry.items():
            if isinstance(value, bool) or not isinstance(value, str | int | float | None):
                self._wrong(f"{where}.{name}"[:_SHOWN], "A value is a text or a number.")
            if len(name) > LONGEST_NAME:
                self._wrong(
                    f"{where}.{name}"[:_SHOWN], f"A name has at most {LONGEST_NAME} characters."
                )
            columns.setdefault(name)

    def _list(self, value: Any) -> tuple[str | None, str | None]:
        if not isinstance(value, dict):
            self._wrong("list", "This is an object with `name`, and `numberColumn` where needed.")
            return None, None
        for name in sorted(value.keys() - {"name", "numberColumn"}):
            self._wrong(f"list.{name}"[:_SHOWN], "This member is not known here.")
        column = value.get("numberColumn")
        if column is not None and not isinstance(column, str):
            self._wrong("list.numberColumn", "This is the name of a column.")
        try:
            return check_list_name(value.get("name")), column
        except InvalidRequest as error:
            self._errors |= error.errors
            return None, None

    # Forms --------------------------------------------------------------------------------------

    def _text(self, name: str) -> str | None:
        value = self._body.get(name)
        if value is not None and not isinstance(value, str):
            self._wrong(name, "This is a text.")
            return None
        return value

    def _flag(self, name: str) -> bool:
        value = self._body.get(name, False)
        if not isinstance(value, bool):
            self._wrong(name, "This is true or false.")
        return value is True

    def _whole(self, name: str, low: int, high: int) -> int | None:
        value = self._body.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self._wrong(name, f"This is a whole number from {low} to {high}.")
            return None
        return value

    def _time_span(self, name: str, low: int, high: int) -> timedelta | None:
        seconds = self._whole(name, low, high)
        return None if seconds is None else timedelta(seconds=seconds)

    def _wrong(self, member: str, reason: str) -> None:
        self._errors.setdefault(member, []).append(reason)
