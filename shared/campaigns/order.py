"""Reading the order for a campaign: who is to be told what, from whom, when.

As with a send, a request that makes no sense is refused with every member at fault. What only
concerns one recipient is found when the list is read, and spoils that recipient's row alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.base.clock import from_iso, iso
from shared.base.errors import ForeignSender, InvalidRequest
from shared.base.json_body import (
    CONTROLS,
    Body,
    Checked,
    Flag,
    ListOf,
    Member,
    Object,
    OneOf,
    Parsed,
    Place,
    Text,
    Whole,
    WrittenFloat,
    is_text,
)
from shared.campaigns.list_format import (
    ENCODINGS,
    LONGEST_NAME,
    MOST_COLUMNS,
    Format,
    Shape,
    same_name,
)
from shared.campaigns.list_sniffing import Told
from shared.campaigns.templates import BadTemplate, Template, parse
from shared.limits.frequency_caps import MOST_HOURS
from shared.messages.request import SendRequest
from shared.rules.categories import ONE_TIME_CODE
from shared.rules.senders import Sender, SenderKind
from shared.rules.timing.when import TIME_ZONE, moment_member, read_moment
from shared.rules.timing.windows import Window, read_window, written
from shared.sending.request_body import (
    BAD_TAG,
    CATEGORY,
    MAX_TAG,
    SENDER,
    TIME_TO_LIVE,
    check_text,
)

MOST_INLINE: Final = 10_000
MOST_SENDERS: Final = 20
_SHORTEST_SPREAD: Final = 60
_LONGEST_SPREAD: Final = 31 * 86_400
_LONGEST_SOURCE: Final = 500
_NUMBER: Final = "to"
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_BAD_ID: Final = "This is 1 to 64 letters, digits, dots, underscores or hyphens."
_LIST_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_BAD_LIST_NAME: Final = "This is 1 to 200 letters, digits, dots, underscores or hyphens."


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

    @property
    def shown(self) -> str | None:
        """The text for whoever reads about it; None for one-time codes, which nobody is shown."""
        return None if self.category == ONE_TIME_CODE else self.message

    def template(self) -> Template:
        """The text, understood."""
        return parse(self.message)

    def send(self, campaign_id: str, sender: str, text: str, digest: str = "") -> SendRequest:
        """A send of the campaign, without its recipients."""
        return SendRequest(
            sender=sender,
            message=text,
            asked=(),
            tag=self.tag,
            wants_report=self.wants_report,
            report_timeout_seconds=None,
            category=self.category,
            digest=digest,
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
        told: what the caller says of the list.
        plan_hash: of the dry run that the caller has seen.
    """

    definition: Definition
    campaign_id: str | None
    inline: bytes | None
    told: Told
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


def check_list_name(text: str) -> str:
    """The name of a list that is to be uploaded, if it can have it.

    Raises:
        InvalidRequest: it cannot.
    """
    if not _LIST_NAME.fullmatch(text):
        raise InvalidRequest.of("name", _BAD_LIST_NAME)
    return text


# The table of the body ----------------------------------------------------------------------------


class _InlineRecipient:
    """An object with `to` and the values of placeholders, whatever they are called."""

    def read(self, value: Any, place: Place) -> dict[str, Any] | None:
        """The object as it is."""
        if not isinstance(value, dict):
            place.wrong("This must be an object.")
            return None
        if not isinstance(value.get(_NUMBER), str):
            place.member(_NUMBER).say("A recipient is required.")
        if len({same_name(name) for name in value}) != len(value):
            place.say("Two members have one name.")
        for name in value:
            if len(name) > LONGEST_NAME:
                place.member(name).say(f"A name has at most {LONGEST_NAME} characters.")
        return value


def _template_problems(message: Any) -> list[str]:
    problems = check_text(message)
    if not problems:
        try:
            parse(message)
        except BadTemplate as error:
            problems.append(str(error))
    return problems


def _window(value: Any) -> Window:
    window = read_window(value)
    # It is kept in a row with the rest of the order, and told with what quiet hours hold up.
    if len(window.source) > _LONGEST_SOURCE or not is_text(window.source):
        raise ValueError(f"window.source must be a text of at most {_LONGEST_SOURCE} characters")
    return window


_NO_SENDER: Final = "A sender is a text."
_LIST: Final = Object(
    (
        Member("name", Text(form=_LIST_NAME), _BAD_LIST_NAME, required=True),
        Member("numberColumn", Text(most=LONGEST_NAME), "This is the name of a column."),
        Member("encoding", OneOf(tuple(ENCODINGS))),
        Member("header", Flag()),
    )
)
_ORDER: Final = (
    Member("campaignId", Text(form=_ID), _BAD_ID),
    Member("from", SENDER, _NO_SENDER),
    Member(
        "senders",
        ListOf(SENDER, 1, MOST_SENDERS, each=_NO_SENDER),
        f"This is a list of 1 to {MOST_SENDERS} senders.",
    ),
    Member("message", Checked(_template_problems), required=True, missing="A message is required."),
    Member(
        "recipients",
        ListOf(
            _InlineRecipient(),
            1,
            MOST_INLINE,
            each="A recipient is an object with `to` and the values of placeholders.",
        ),
        f"This is a list of 1 to {MOST_INLINE} objects; upload a longer one.",
    ),
    Member("list", _LIST, "This is an object with `name`, and `numberColumn` where needed."),
    CATEGORY,
    Member("tag", Text(most=MAX_TAG, without=CONTROLS), BAD_TAG),
    Member("enableDeliveryReport", Flag()),
    TIME_ZONE,
    moment_member("startAt"),
    TIME_TO_LIVE,
    Member("spreadOverSeconds", Whole(_SHORTEST_SPREAD, _LONGEST_SPREAD)),
    Member("atMostOncePerHours", Whole(1, MOST_HOURS)),
    Member("window", Parsed(_window)),
    Member("planHash", Text(halves=True), "This is a text."),
)


def read_order(value: Any, *, senders: Mapping[str, Sender], now: datetime) -> Order:
    """The order that a body holds.

    Args:
        value: what JSON made of the body.
        senders: those configured.
        now: for times that must not have passed.

    Raises:
        InvalidRequest: with every member at fault.
        ForeignSender: a sender is not configured.
    """
    body = Body(value, _ORDER)
    pool = _pool(body)
    columns = _columns(body)
    start_at = read_moment(body, "startAt", now)
    body.finish()
    if any(sender not in senders for sender in pool):
        raise ForeignSender
    _check_pool([senders[sender] for sender in pool])
    inline, uploaded = body["recipients"], body["list"] or {}
    return Order(
        definition=Definition(
            senders=pool,
            message=body["message"],
            category=body["category"],
            tag=body["tag"] or "",
            wants_report=body["enableDeliveryReport"] is True,
            start_at=start_at,
            zone=body["timeZone"],
            time_to_live=_seconds(body["timeToLiveInSeconds"]),
            spread=_seconds(body["spreadOverSeconds"]),
            cap_hours=body["atMostOncePerHours"],
            window=body["window"],
            list_name=uploaded.get("name"),
            shape=None if inline is None else inline_shape(columns),
        ),
        campaign_id=body["campaignId"],
        inline=None if inline is None else _json_lines(inline),
        told=Told(uploaded.get("numberColumn"), uploaded.get("encoding"), uploaded.get("header")),
        plan_hash=body["planHash"],
    )


def _pool(body: Body) -> tuple[str, ...]:
    if body.given("from") == body.given("senders"):
        body.wrong("from", "A sender is required: `from`, or `senders` for a pool.")
    if not body.sound("from", "senders"):
        return ()
    pool = tuple(body["senders"] or [body["from"]])
    if len(set(pool)) != len(pool):
        body.wrong("senders", "A sender is named twice.")
    return pool


def _check_pool(pool: Sequence[Sender]) -> None:
    if sum(sender.kind is SenderKind.TOLL_FREE for sender in pool) > 1:
        raise InvalidRequest.of(
            "senders",
            "One campaign spread over several toll-free numbers is what carriers call"
            " snowshoeing: they filter it, and take the numbers away. Use one of them, or a"
            " short code.",
            code="TollFreePool",
        )
    if len({sender.program for sender in pool}) > 1:
        raise InvalidRequest.of(
            "senders",
            "The senders of a pool belong to one program: whoever opts out of one of them has"
            " opted out of what it is for.",
        )


def _columns(body: Body) -> tuple[str, ...]:
    """The members that inline recipients have together, the number first."""
    if body.given("recipients") == body.given("list"):
        body.wrong("recipients", "Recipients are required: `recipients`, or a `list`.")
    columns: dict[str, None] = {_NUMBER: None}
    if body.sound("recipients"):
        for entry in body["recipients"] or ():
            columns.update(dict.fromkeys(entry))
    if len(columns) > MOST_COLUMNS:
        body.wrong(
            "recipients",
            f"Together they have {len(columns)} different members; at most {MOST_COLUMNS} are"
            " read. Leave out those that the text does not need.",
        )
    return tuple(columns)


def _json_lines(entries: Sequence[Mapping[str, Any]]) -> bytes:
    lines = (
        json.dumps(
            {
                name: value.written if isinstance(value, WrittenFloat) else value
                for name, value in entry.items()
            },
            separators=(",", ":"),
        )
        + "\n"
        for entry in entries
    )
    return "".join(lines).encode()
