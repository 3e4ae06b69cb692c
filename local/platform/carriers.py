"""The carriers: they carry texts both ways, and some of them listen for STOP.

Who listens depends on the sender (docs/platform.md 4). `CONDUCTS` is that table: the words that a
carrier or ACS acts upon, and what the person is answered. Whatever is said is relayed to Parley as
well. A toll-free STOP closes two gates, the carrier's and ACS's own; ACS's opt-out interface opens
only the latter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final

from local.platform.behaviour import Behaviour
from local.platform.clock import NewId, Now, Timeline, stamp
from local.platform.handsets import Account, Origin, Text
from local.platform.payloads import Received, Reported, report_body
from local.platform.recipients import (
    BLOCKED,
    CODES,
    DELIVERED,
    UNREACHED,
    Fate,
    Report,
    country_of,
    fate_of,
)
from local.platform.segments import count_segments
from local.platform.senders import Sender, SenderKind, StopAnsweredBy

_TIMED_OUT: Final = 5002


@dataclass(frozen=True, slots=True)
class Conduct:
    """What happens on the way between a person and one kind of sender.

    Attributes:
        out: words (upper case, whole text) that block the sender for the person.
        back: words that lift the block.
        help: words answered with the sender's help text.
        origin: who answers; it is also who blocks.
        out_text, back_text, help_text: the answers; `{brand}` and `{help}` are the sender's.
        carrier_blocks: whether the carrier keeps a block beside ACS's own.
    """

    origin: Origin = "carrier"
    out: frozenset[str] = frozenset()
    back: frozenset[str] = frozenset()
    help: frozenset[str] = frozenset()
    out_text: str = ""
    back_text: str = ""
    help_text: str = ""
    carrier_blocks: bool = False


RELAYS_ONLY: Final = Conduct()
_TOLL_FREE: Final = Conduct(
    out=frozenset({"STOP"}),
    back=frozenset({"START", "UNSTOP"}),
    out_text=(
        "NETWORK MSG: You replied with the word STOP, which blocks all texts sent from this"
        " number. Text back UNSTOP to receive messages again."
    ),
    back_text=(
        "NETWORK MSG: You have replied UNSTOP and will begin receiving messages again from this"
        " number."
    ),
    carrier_blocks=True,
)
_MANAGED_BY_ACS: Final = Conduct(
    origin="platform",
    out=frozenset({"STOP", "QUIT", "END", "REVOKE", "OPT OUT", "CANCEL", "UNSUBSCRIBE"}),
    back=frozenset({"START", "UNSTOP"}),
    help=frozenset({"HELP"}),
    out_text="{brand}: You are opted out and get no more texts. Reply START to come back.",
    back_text="{brand}: You are opted in again. Reply HELP for help, STOP to end.",
    help_text="{help}",
)
CONDUCTS: Final[dict[tuple[SenderKind, StopAnsweredBy], Conduct]] = {
    # No setting of ours overrides a toll-free carrier.
    **{(SenderKind.TOLL_FREE, who): _TOLL_FREE for who in StopAnsweredBy},
    (SenderKind.SHORT_CODE, StopAnsweredBy.PLATFORM): _MANAGED_BY_ACS,
    (SenderKind.TEN_DLC, StopAnsweredBy.PLATFORM): _MANAGED_BY_ACS,
    (SenderKind.LONG_CODE, StopAnsweredBy.PLATFORM): _MANAGED_BY_ACS,
}


@dataclass(slots=True)
class Outgoing:
    """One text that ACS accepted from an application, and what became of it.

    Attributes:
        state: `accepted`, `delivered`, `failed` or `lost`.
        report: the latest report, as `GET /deliveryReports/{id}` answers it.
    """

    id: str
    sender: str
    to: str
    text: str
    at: str
    segments: int
    wants_report: bool
    tag: str | None
    timeout_seconds: int | None = None
    state: str = "accepted"
    details: str = ""
    report: dict[str, Any] | None = None


class Undeliverable(Exception):
    """A person cannot text that address; the text says why."""


class Carriers:
    """Every carrier at once, and the opt-outs that they and ACS keep."""

    def __init__(
        self,
        *,
        senders: Mapping[str, Sender],
        account: Account,
        behaviour: Behaviour,
        emit: Callable[[Received | Reported], None],
        changed: Callable[[Outgoing], None],
        timeline: Timeline,
        now: Now,
        new_id: NewId,
    ) -> None:
        self._senders = senders
        self._account = account
        self._behaviour = behaviour
        self._emit = emit
        self._changed = changed
        self._timeline = timeline
        self._now = now
        self._new_id = new_id
        self.outgoing: dict[str, Outgoing] = {}
        self._acs_blocks: set[tuple[str, str]] = set()
        self._carrier_blocks: set[tuple[str, str]] = set()

    def accept(self, message: Outgoing) -> None:
        """Take over a text from ACS; its fate comes true after the delivery moment."""
        self.outgoing[message.id] = message
        self._changed(message)
        delay = self._behaviour.delivery_seconds(message.to)
        self._timeline.after(delay, lambda: self._arrive(message))

    def hear(self, number: str, sender_address: str, text: str) -> str:
        """A person texts one of our senders.

        Returns:
            The id that the SMSReceived event carries.

        Raises:
            Undeliverable: there is no such sender, or it cannot be texted.
        """
        sender = self._senders.get(sender_address)
        if sender is None:
            raise Undeliverable(f"{sender_address} is no sender of this resource.")
        if sender.kind is SenderKind.ALPHANUMERIC:
            raise Undeliverable(f"{sender_address} is alphanumeric: nobody can answer it.")
        moment = self._now()
        message_id = f"Incoming_{moment:%Y%m%d%H%M%S}{self._new_id()}"
        segments = count_segments(text)
        self._account.record(
            Text(
                id=message_id,
                handset=number,
                peer=sender_address,
                direction="sent",
                text=text,
                at=stamp(moment),
                segments=segments,
                origin="person",
            )
        )
        self._listen(number, sender, text)
        self._emit(Received(message_id, number, sender_address, text, moment, segments))
        return message_id

    def block(self, sender: str, number: str) -> None:
        """ACS's own opt-out entry is made."""
        self._acs_blocks.add((sender, number))

    def unblock(self, sender: str, number: str) -> None:
        """ACS's own entry is deleted; a carrier's stays (docs/platform.md 4)."""
        self._acs_blocks.discard((sender, number))

    def is_opted_out(self, sender: str, number: str) -> bool:
        """What ACS's opt-out interface knows."""
        return (sender, number) in self._acs_blocks

    def is_blocked(self, sender: str, number: str) -> bool:
        """Whether a text would be stopped, by either."""
        return self.is_opted_out(sender, number) or (sender, number) in self._carrier_blocks

    def clear(self) -> None:
        """Forget texts and opt-outs."""
        self.outgoing.clear()
        self._acs_blocks.clear()
        self._carrier_blocks.clear()

    def as_json(self) -> dict[str, Any]:
        """What is kept between runs."""
        return {
            "outgoing": [asdict(message) for message in self.outgoing.values()],
            "optedOut": sorted(map(list, self._acs_blocks)),
            "blockedByCarrier": sorted(map(list, self._carrier_blocks)),
        }

    def load(self, stored: Mapping[str, Any]) -> None:
        """Take over what `as_json` gave; texts on the way when the process ended go on."""
        self._acs_blocks = {(sender, number) for sender, number in stored["optedOut"]}
        self._carrier_blocks = {(sender, number) for sender, number in stored["blockedByCarrier"]}
        for members in stored["outgoing"]:
            message = Outgoing(**members)
            self.outgoing[message.id] = message
            if message.state == "accepted":
                self.accept(message)

    def _arrive(self, message: Outgoing) -> None:
        fate = BLOCKED if self.is_blocked(message.sender, message.to) else self._fate(message)
        if fate.arrives:
            self._put_on_handset(message.id, message.sender, message.to, message.text, "acs")
        message.state = "delivered" if fate.arrives else "failed" if fate.reports else "lost"
        self._changed(message)
        self._schedule_reports(message, fate)
        if fate.reply:
            self._answer_back(message, fate.reply)

    def _fate(self, message: Outgoing) -> Fate:
        fate = fate_of(message.to)
        reaches = self._senders[message.sender].reaches
        country = country_of(message.to) if reaches is not None else None
        if reaches is not None and country is not None and country not in reaches:
            return UNREACHED
        if fate.fails_first is None:
            return fate
        # Here alone it matters how many texts the number was sent before.
        return fate.of_text(sum(other.to == message.to for other in self.outgoing.values()))

    def _schedule_reports(self, message: Outgoing, fate: Fate) -> None:
        arrived_at = self._now()
        reports = fate.reports
        if not reports and message.timeout_seconds is not None:
            late = float(message.timeout_seconds)
            reports = (Report(_TIMED_OUT, after=late, said=late),)
        for report in reports:
            fact = Reported(
                message_id=message.id,
                sender=message.sender,
                recipient=message.to,
                code=report.code,
                tag=message.tag,
                at=arrived_at + timedelta(seconds=report.said),
                attempted_at=arrived_at,
                segments=message.segments,
            )
            if report.after:
                self._timeline.after(report.after, lambda fact=fact: self._report(message, fact))  # type: ignore[misc]
            else:
                self._report(message, fact)

    def _report(self, message: Outgoing, fact: Reported) -> None:
        message.report = report_body(fact)
        message.details = "" if fact.code == DELIVERED else f"{fact.code}: {CODES[fact.code]}"
        self._changed(message)
        if message.wants_report:
            self._emit(fact)

    def _answer_back(self, message: Outgoing, reply: str) -> None:
        sender = self._senders.get(message.sender)
        if sender is not None and sender.kind is not SenderKind.ALPHANUMERIC:
            self.hear(message.to, message.sender, reply)

    def _listen(self, number: str, sender: Sender, text: str) -> None:
        conduct = CONDUCTS.get((sender.kind, sender.stop_answered_by), RELAYS_ONLY)
        word, pair = text.strip().upper(), (sender.address, number)
        answer = ""
        if word in conduct.out:
            # Confirmed once: a second STOP changes nothing and is answered by nobody.
            answer = "" if self.is_blocked(*pair) else conduct.out_text
            self._acs_blocks.add(pair)
            if conduct.carrier_blocks:
                self._carrier_blocks.add(pair)
        elif word in conduct.back:
            answer = conduct.back_text
            self._acs_blocks.discard(pair)
            self._carrier_blocks.discard(pair)
        elif word in conduct.help:
            answer = conduct.help_text
        if answer:
            brand = sender.brand or sender.address
            filled = answer.format(brand=brand, help=sender.help_text or f"{brand}: no help yet.")
            answer_id = f"Network_{self._new_id()}"
            self._put_on_handset(answer_id, sender.address, number, filled, conduct.origin)

    def _put_on_handset(
        self, text_id: str, sender: str, number: str, text: str, origin: Origin
    ) -> None:
        self._account.record(
            Text(
                id=text_id,
                handset=number,
                peer=sender,
                direction="received",
                text=text,
                at=stamp(self._now()),
                segments=count_segments(text),
                origin=origin,
            )
        )


def as_message_json(message: Outgoing) -> dict[str, Any]:
    """One accepted text as the control interface shows it."""
    return {
        "id": message.id,
        "from": message.sender,
        "to": message.to,
        "text": message.text,
        "at": message.at,
        "segments": message.segments,
        "tag": message.tag,
        "enableDeliveryReport": message.wants_report,
        "deliveryReportTimeoutInSeconds": message.timeout_seconds,
        "state": message.state,
        "details": message.details,
        "report": message.report,
    }
