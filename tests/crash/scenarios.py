"""What is stopped on the way: each kind of request, event and queue message, and what must be true.

A scenario prepares cases (people and texts of their own for each, so that one case cannot hide
another's fault), says how each is repeated, and judges the world afterwards.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final
from urllib.parse import quote

from shared.clock import http_date, utc_now
from tests.crash.calls import Plan, Trace
from tests.crash.lab import Lab, Step, event_step, http_step, queue_step
from tests.crash.world import Findings, World, body_of

SENDER: Final = "+18005550100"
REPORT: Final = "Parley.SMSDeliveryReportReceived"
RECEIVED: Final = "Parley.SMSReceived"
OPT_OUT: Final = "Parley.OptOutChanged"
BLOCKED: Final = "Sender blocked for given recipient."
_SEND: Final = "/sms?api-version=2021-03-07"
_LONG_AGO: Final = -600.0
INTENT, ASKED, OUTCOME = "POST messages intent", "POST acs", "POST messages outcome"
ENTRY: Final = "PUT conversations row"
NEWS: Final = "GET optouts"
TAKEN_OVER, QUEUED = "PATCH messages intent", "POST queue record"


@dataclass(slots=True)
class Case:
    """One crash with its repeat.

    Attributes:
        label: a word that its texts and tags hold, and no others do.
        step: what is stopped.
        open: who may be texted.
        closed: who has opted out.
        platform_id: ACS's id of the message that an event is about.
        name: where it was stopped, for people.
        crash: what the stopped process left.
        answers: of the repeats.
    """

    label: str
    step: Step
    open: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    platform_id: str = ""
    name: str = "no crash"
    crash: Trace = field(default_factory=Trace)
    answers: list[dict[str, Any]] = field(default_factory=list)

    @property
    def items(self) -> dict[str, dict[str, Any]]:
        """The last answer's items by recipient; empty if it has none."""
        last = self.answers[-1]
        return {item["to"]: item for item in (body_of(last) or {}).get("value", [])}

    @property
    def stopped(self) -> bool:
        """Whether it was; the rehearsal is not."""
        return not self.crash.answers

    def did(self, call: str) -> bool:
        """Whether a call was carried out before the process stopped."""
        return call in self.crash.carried_out

    def message_id(self, number: str) -> str:
        return str(self.items.get(number, {}).get("messageId"))


class Scenario(ABC):
    """A kind of invocation."""

    name: ClassVar[str]
    # What is out of reach while the process runs that is stopped.
    unreachable: ClassVar[tuple[str, ...]] = ()
    # Tables that are to be missing at the start; such cases run one by one.
    fresh: ClassVar[tuple[str, ...]] = ()
    # Whether each point is visited with the calls beside it unsent and done, or unsent only.
    both_ways: ClassVar[bool] = True

    @abstractmethod
    async def prepare(self, lab: Lab, count: int) -> list[Case]:
        """Cases, ready to be stopped."""

    def reads(self, case: Case) -> list[Step]:  # noqa: ARG002  # some depend on it
        """What to read back when all is done."""
        return []

    @abstractmethod
    def judge(
        self, case: Case, world: World, read: Sequence[dict[str, Any]], found: Findings
    ) -> None:
        """Say what is wrong."""


# Sending ----------------------------------------------------------------------------------------


class Send(Scenario):
    """`POST /sms` as every ACS library makes it, to a mixed crowd."""

    name = "send to a few"
    people = 2
    strangers: ClassVar[tuple[str, ...]] = ("+1425",)
    opted_out = 1
    twice = True
    # How many of the open recipients are read back, from the front.
    shown: ClassVar[int] = 100
    category: ClassVar[str | None] = None

    async def prepare(self, lab: Lab, count: int) -> list[Case]:
        cases = []
        for _ in range(count):
            label = lab.label()
            people = [lab.number() for _ in range(self.people)]
            closed = [lab.number() for _ in range(self.opted_out)]
            to = [*people, *self.strangers, *closed, *(people[:1] if self.twice else ())]
            cases.append(Case(label, self.step(lab, label, to), open=people, closed=closed))
        await opt_out(lab, [number for case in cases for number in case.closed], later=_LONG_AGO)
        return cases

    def step(self, lab: Lab, label: str, to: Sequence[str]) -> Step:
        """The request."""
        first_sent = http_date(utc_now())
        # A recipient who is listed twice brings two ids, as every library has it.
        recipients = [
            {
                "to": number,
                "repeatabilityRequestId": str(uuid.uuid4()),
                "repeatabilityFirstSent": first_sent,
            }
            for number in to
        ]
        return http_step("POST", _SEND, self.content(label, recipients), access_key=lab.access_key)

    def content(self, label: str, recipients: list[dict[str, str]]) -> dict[str, Any]:
        """The body."""
        content: dict[str, Any] = {
            "from": SENDER,
            "smsRecipients": recipients,
            "message": f"Hello {label}",
            "smsSendOptions": {"enableDeliveryReport": True, "tag": label},
        }
        if self.category is not None:
            content["category"] = self.category
        return content

    def reads(self, case: Case) -> list[Step]:
        return [
            step
            for number in self.shown_of(case)
            for step in (
                http_step("GET", f"/messages/{case.message_id(number)}"),
                conversation_step(number),
            )
        ]

    def shown_of(self, case: Case) -> list[str]:
        """Those whose messages and conversations are read back."""
        return [*case.open[: self.shown], *case.closed]

    def judge(
        self, case: Case, world: World, read: Sequence[dict[str, Any]], found: Findings
    ) -> None:
        for number in (*case.open, *case.closed):
            texts, state = self._expected_of(case, number)
            found.text_count(world, number, f"Hello {case.label}", texts)
            self._judge_item(case, number, state, found)
        for number, message, talk in zip(self.shown_of(case), read[::2], read[1::2], strict=True):
            _, state = self._expected_of(case, number)
            judge_message(message, state, found)
            entries = [e for e in body_of(talk)["value"] if e["tag"] == case.label]
            if state == "blocked":
                found.equal(len(entries), 0, "the number of entries of a blocked text")
            else:
                found.once(len(entries), "the conversation's entry")
            if state == "blocked":
                told = world.told(REPORT, tag=case.label, to=number, deliveryStatus="Failed")
                found.told_once(told, "the report of a blocked text")
        for stranger in self.strangers:
            found.equal(case.items.get(stranger, {}).get("httpStatusCode"), 400, stranger)
        wanted = len(case.open) + len(self.strangers) + len(case.closed) + self.twice
        answered = len((body_of(case.answers[-1]) or {}).get("value", []))
        found.equal(answered, wanted, "the number of items")

    def _expected_of(self, case: Case, number: str) -> tuple[int, str]:
        return (0, "blocked") if number in case.closed else self.expected(case)

    def _judge_item(self, case: Case, number: str, state: str, found: Findings) -> None:
        item = case.items.get(number)
        if item is None:
            found.lost.append(f"{number} has no item in the answer")
        elif state == "blocked":
            found.equal((item["successful"], item["errorMessage"]), (False, BLOCKED), "the item")
        else:
            found.equal((item["successful"], item["httpStatusCode"]), (True, 202), "the item")

    def expected(self, case: Case) -> tuple[int, str]:  # noqa: ARG002  # some depend on it
        """How often an open recipient is texted in all, and how the message reads then."""
        return 1, "sent"


class SendToOne(Send):
    """`POST /sms` to one person."""

    name = "send to one"
    people = 1
    strangers = ()
    opted_out = 0
    twice = False


class SendToAHundred(Send):
    """As many as a request may have."""

    name = "send to a hundred"
    people = 97
    both_ways = False
    shown = 2


class SendWithKey(SendToOne):
    """`POST /messages` with an Idempotency-Key and no repeatability ids."""

    name = "send with an Idempotency-Key"
    both_ways = False

    def step(self, lab: Lab, label: str, to: Sequence[str]) -> Step:  # noqa: ARG002
        content = self.content(label, [{"to": number} for number in to])
        return http_step("POST", "/messages", content, headers={"idempotency-key": label})


class FirstSendWithKey(SendWithKey):
    """The first send of a day and a month: their tables are yet to be made."""

    name = "first send of a month"
    fresh = ("messages", "keys")


class SendWithoutOutcome(SendToOne):
    """ACS has answered and the tables take nothing: the queue is to keep the outcome."""

    name = "send whose outcome goes through the queue"
    unreachable = (OUTCOME, ENTRY)


class LateSend(Send):
    """Repeated after the window: who is in doubt is texted no more."""

    name = "late repeat to a few"

    def expected(self, case: Case) -> tuple[int, str]:
        return (int(case.did(ASKED)), "uncertain") if in_doubt(case) else (1, "sent")


class LateSendToOne(LateSend, SendToOne):
    """The same to one person."""

    name = "late repeat to one"


class LateSendWithKey(LateSend, SendWithKey):
    """The same with an Idempotency-Key."""

    name = "late repeat with an Idempotency-Key"


class LateCode(SendToOne):
    """A one-time code, where the operator prefers a second text to silence."""

    name = "send a one-time code"
    category = "oneTimeCode"

    def expected(self, case: Case) -> tuple[int, str]:
        return 1 + (in_doubt(case) and case.did(ASKED)), "sent"


class ClosedMeanwhile(SendToOne):
    """The person opts out between the crash and the repeat."""

    name = "send to somebody who then opts out"

    def expected(self, case: Case) -> tuple[int, str]:
        if in_doubt(case):
            return int(case.did(ASKED)), "uncertain"
        return (1, "sent") if case.did(OUTCOME) else (0, "blocked")


class ReportedMeanwhile(SendToOne):
    """The delivery report comes before the repeat."""

    name = "send that is reported on before its repeat"
    both_ways = False

    def expected(self, case: Case) -> tuple[int, str]:
        texts, state = super().expected(case)
        return texts, "delivered" if case.did(ASKED) and case.stopped else state


class LateReportedMeanwhile(ReportedMeanwhile, LateSend):
    """The same with a repeat that comes after the window."""

    name = "send that is reported on before its late repeat"


class TakenOver(SendToOne):
    """The first attempt has died before it asked ACS, and the repeat is stopped, too."""

    name = "repeat that takes over"
    both_ways = False

    async def prepare(self, lab: Lab, count: int) -> list[Case]:
        cases = await super().prepare(lab, count)
        for case in cases:
            await lab.zygote.crash(case.step, Plan(ASKED, "before"))
            case.step = case.step.after(31)
        return cases


class LateTakenOver(TakenOver):
    """The same with a third attempt that comes after the window: nobody is texted on a guess."""

    name = "repeat that takes over and is repeated late"

    def expected(self, case: Case) -> tuple[int, str]:
        return (1, "sent") if case.did(OUTCOME) else (int(case.did(ASKED)), "uncertain")


# Events -----------------------------------------------------------------------------------------


class Inbound(Scenario):
    """A person texts us."""

    name = "inbound message"
    text = "Is it open today?"
    direction: ClassVar[str | None] = None

    async def prepare(self, lab: Lab, count: int) -> list[Case]:
        return await self.spoken(lab, [lab.number() for _ in range(count)])

    async def spoken(self, lab: Lab, people: Sequence[str]) -> list[Case]:
        ids = [await lab.platform.speak(number, self.text, SENDER) for number in people]
        events = {event["data"]["messageId"]: event for event in await lab.platform.events()}
        return [
            Case(number, event_step("inbound", events[platform_id]), [number], [], platform_id)
            for number, platform_id in zip(people, ids, strict=True)
        ]

    def reads(self, case: Case) -> list[Step]:
        return [conversation_step(case.label)]

    def judge(
        self, case: Case, world: World, read: Sequence[dict[str, Any]], found: Findings
    ) -> None:
        found.equal(case.answers[-1], {"ok": True}, "the repeat")
        entries = [entry for entry in body_of(read[0])["value"] if entry["message"] == self.text]
        found.once(len(entries), "the conversation's entry")
        found.told_once(world.told(RECEIVED, platformMessageId=case.platform_id), "the text")
        if self.direction is not None:
            judge_change(case.label, world, found, direction=self.direction, channel="keyword")


class InboundStop(Inbound):
    """A person opts out."""

    name = "inbound STOP"
    text = "Stop."
    direction = "out"


class FirstStop(InboundStop):
    """The first change that the ledger sees."""

    name = "inbound STOP that begins the ledger"
    both_ways = False
    fresh = ("optouts",)


class InboundStart(Inbound):
    """A person opts in again."""

    name = "inbound START"
    both_ways = False
    text = "Start"
    direction = "in"

    async def prepare(self, lab: Lab, count: int) -> list[Case]:
        people = [lab.number() for _ in range(count)]
        stops = await InboundStop().spoken(lab, people)
        await lab.zygote.run([case.step for case in stops])
        return await self.spoken(lab, people)


class Report(Scenario):
    """The platform reports that a text was delivered."""

    name = "delivery report Delivered"
    state = "delivered"
    status = "Delivered"

    async def prepare(self, lab: Lab, count: int) -> list[Case]:
        cases = await SendToOne().prepare(lab, count)
        await self.before(lab, cases)
        sent = await lab.zygote.run([case.step for case in cases])
        reports = {tag_of(event): event for event in await lab.platform.events()}
        for case, answer in zip(cases, sent.answers, strict=True):
            case.answers = [answer]
            case.platform_id = case.message_id(case.open[0])
            case.step = event_step("delivery_report", reports[case.label])
        return cases

    async def before(self, lab: Lab, cases: Sequence[Case]) -> None:
        """What happens before the text is sent."""

    def reads(self, case: Case) -> list[Step]:
        return [http_step("GET", f"/messages/{case.platform_id}")]

    def judge(
        self, case: Case, world: World, read: Sequence[dict[str, Any]], found: Findings
    ) -> None:
        found.equal(case.answers[-1], {"ok": True}, "the repeat")
        judge_message(read[0], self.state, found)
        history = (body_of(read[0]) or {}).get("history", [])
        found.once([entry["event"] for entry in history].count("deliveryReport"), "the report")
        told = world.told(REPORT, tag=case.label, deliveryStatus=self.status)
        found.told_once(told, "the report")


class Report4007(Report):
    """The platform reports an opt-out that it alone knew of."""

    name = "delivery report 4007"
    state = "blocked"
    status = "Failed"

    async def before(self, lab: Lab, cases: Sequence[Case]) -> None:
        for case in cases:
            await lab.platform.speak(case.open[0], "STOP", SENDER)

    def judge(
        self, case: Case, world: World, read: Sequence[dict[str, Any]], found: Findings
    ) -> None:
        super().judge(case, world, read, found)
        judge_change(case.open[0], world, found, direction="out", channel="platformReport")


class StrayReport(Report):
    """The platform reports on a text that Parley has not sent."""

    name = "delivery report of a stranger's text"

    async def prepare(self, lab: Lab, count: int) -> list[Case]:
        cases = await super().prepare(lab, count)
        for case in cases:
            event = case.step.members["event"]
            stranger = event | {"data": event["data"] | {"Tag": case.label}}
            case.step = event_step("delivery_report", stranger)
        return cases

    def reads(self, case: Case) -> list[Step]:  # noqa: ARG002
        return []

    def judge(
        self,
        case: Case,
        world: World,
        read: Sequence[dict[str, Any]],  # noqa: ARG002  # nothing was read
        found: Findings,
    ) -> None:
        found.equal(case.answers[-1], {"ok": True}, "the repeat")
        found.once([row["tag"] for row in world.strays].count(case.label), "the stray report")


class Unintelligible(Inbound):
    """An event that nobody understands."""

    name = "inbound event without a sender"

    async def prepare(self, lab: Lab, count: int) -> list[Case]:
        cases = await super().prepare(lab, count)
        for case in cases:
            event = case.step.members["event"]
            data = {name: value for name, value in event["data"].items() if name != "from"}
            case.step = event_step("inbound", event | {"data": data})
        return cases

    def reads(self, case: Case) -> list[Step]:  # noqa: ARG002
        return []

    def judge(
        self,
        case: Case,
        world: World,
        read: Sequence[dict[str, Any]],  # noqa: ARG002  # nothing was read
        found: Findings,
    ) -> None:
        found.equal(case.answers[-1], {"ok": True}, "the repeat")
        kept = [blob["event"]["id"] for blob in world.quarantined]
        found.once(kept.count(case.platform_id), "the event in quarantine")


# The record queue -------------------------------------------------------------------------------


class QueuedEntries(Send):
    """The queue's message about the conversations of a send to many."""

    name = "queue message about conversations"
    people = 4
    lost: ClassVar[tuple[str, ...]] = ()

    async def prepare(self, lab: Lab, count: int) -> list[Case]:
        cases = await super().prepare(lab, count)
        sent = await lab.zygote.run([case.step for case in cases], unreachable=self.lost)
        queued = await lab.queued()
        for case, answer in zip(cases, sent.answers, strict=True):
            case.answers = [answer]
            send_id = case.message_id(case.open[0] if case.open else case.closed[0])[:26]
            case.step = queue_step(next(text for text in queued if send_id in text))
        return cases

    def judge(
        self, case: Case, world: World, read: Sequence[dict[str, Any]], found: Findings
    ) -> None:
        found.equal(case.answers[-1], {"ok": True}, "the repeat")
        super().judge(replace(case, answers=case.answers[:1]), world, read, found)

    def reads(self, case: Case) -> list[Step]:
        return super().reads(replace(case, answers=case.answers[:1]))


class QueuedOutcome(QueuedEntries):
    """The queue's message about an outcome that the tables did not take."""

    name = "queue message about an outcome"
    people = 1
    strangers = ()
    opted_out = 0
    twice = False
    lost = (OUTCOME, ENTRY)


class QueuedEvent(QueuedEntries):
    """The queue's message about an event that the topic did not take."""

    name = "queue message about an event"
    people = 0
    strangers = ()
    twice = False
    lost = ("POST topic",)


# The opt-outs API -------------------------------------------------------------------------------


class AddOptOut(Scenario):
    """`POST /sms/optouts:add`. It brings no id, so that a repeat is a second request."""

    name = "optouts:add"

    async def prepare(self, lab: Lab, count: int) -> list[Case]:
        numbers = [lab.number() for _ in range(count)]
        return [Case(n, opt_out_step(lab, [n]), [n]) for n in numbers]

    def judge(
        self,
        case: Case,
        world: World,
        read: Sequence[dict[str, Any]],  # noqa: ARG002  # nothing was read
        found: Findings,
    ) -> None:
        found.equal(case.answers[-1]["status"], 200, "the repeat's status")
        changes = world.changes(case.label)
        before = case.stopped and case.did("POST $batch")
        found.equal(len(changes), 1 + before, "the number of changes")
        if not world.told(OPT_OUT, recipient=case.label, isOptedOut=True):
            found.lost.append("the opt-out was never relayed")


SENDS: Final = (SendToOne, Send, SendToAHundred, SendWithKey, SendWithoutOutcome, FirstSendWithKey)
LATE_SENDS: Final = (LateSendToOne, LateSend, LateSendWithKey)
HANDLERS: Final = (
    Inbound,
    InboundStop,
    FirstStop,
    InboundStart,
    Report,
    Report4007,
    StrayReport,
    Unintelligible,
    QueuedEntries,
    QueuedOutcome,
    QueuedEvent,
    AddOptOut,
)


# What several of them need ----------------------------------------------------------------------


def in_doubt(case: Case) -> bool:
    """Whether nothing on record says what became of the send that was stopped."""
    return case.did(INTENT) and not case.did(OUTCOME)


def conversation_step(number: str) -> Step:
    """Reads what the sender and a person have said."""
    return http_step("GET", f"/conversations/{quote(SENDER, safe='')}/{quote(number, safe='')}")


def opt_out_step(lab: Lab, numbers: Sequence[str]) -> Step:
    """Opts people out by the API."""
    content = {"from": SENDER, "recipients": [{"to": number} for number in numbers]}
    target = "/sms/optouts:add?api-version=2026-01-23"
    return http_step("POST", target, content, access_key=lab.access_key)


async def opt_out(lab: Lab, numbers: Sequence[str], *, later: float) -> None:
    """Opt people out, at another time."""
    if numbers:
        done = await lab.zygote.run(
            [
                opt_out_step(lab, numbers[start : start + 100]).after(later)
                for start in range(0, len(numbers), 100)
            ]
        )
        assert all(answer["status"] == 200 for answer in done.answers), done.answers


def tag_of(event: dict[str, Any]) -> str:
    """The application's part of the tag that an event of ACS's carries."""
    return str(event["data"].get("Tag", "")).partition(":")[2]


def judge_message(answer: dict[str, Any], state: str, found: Findings) -> None:
    """A message must be readable and in a state."""
    if answer["status"] != 200:
        found.lost.append("the message is not on record")
        return
    found.equal(body_of(answer)["state"], state, "the message's state")


def judge_change(
    number: str, world: World, found: Findings, *, direction: str, channel: str
) -> None:
    """A person's will must be in the ledger once, decide, and be told."""
    changes = [row for row in world.changes(number) if row["direction"] == direction]
    found.once(len(changes), "the ledger's change")
    for change in changes:
        found.equal((change["channel"], change["effect"]), (channel, "applied"), "the change")
    told = world.told(OPT_OUT, recipient=number, isOptedOut=direction == "out")
    found.told_once(told, "the opt-out's change")
