"""Handlers that are stopped: events, queue messages, opt-outs by the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

from shared.rules.conversation_ids import PARTITIONS
from tests.crash.observed import Findings, Observed, body_of
from tests.crash.rig import Rig, Step, event_step, http_step, queue_step
from tests.crash.scenarios import (
    OPT_OUT,
    OUTCOME,
    RECEIVED,
    REPORT,
    SENDER,
    Case,
    Scenario,
    conversation_step,
    entries_in,
    judge_change,
    judge_message,
    opt_out_step,
    partition_of_talk,
    tag_of,
)
from tests.crash.sends import Send, SendToOne


class Inbound(Scenario):
    """A person texts us."""

    name = "inbound message"
    text = "Is it open today?"
    direction: ClassVar[str | None] = None

    async def prepare(self, rig: Rig, count: int) -> list[Case]:
        return await self.spoken(rig, [rig.number() for _ in range(count)])

    async def spoken(self, rig: Rig, people: Sequence[str]) -> list[Case]:
        ids = [await rig.platform.speak(number, self.text, SENDER) for number in people]
        events = {event["data"]["messageId"]: event for event in await rig.platform.events()}
        return [
            Case(number, event_step("inbound", events[platform_id]), [number], [], platform_id)
            for number, platform_id in zip(people, ids, strict=True)
        ]

    def reads(self, case: Case) -> list[Step]:
        return [conversation_step(case.label)]

    def judge(
        self, case: Case, seen: Observed, read: Sequence[dict[str, Any]], found: Findings
    ) -> None:
        found.equal(case.answers[-1], {"ok": True}, "the repeat")
        entries = [entry for entry in entries_in(read[0]) if entry.get("message") == self.text]
        found.once(len(entries), "the conversation's entry")
        found.told_once(seen.told(RECEIVED, platformMessageId=case.platform_id), "the text")
        if self.direction is not None:
            judge_change(case.label, seen, found, direction=self.direction, channel="keyword")


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

    async def prepare(self, rig: Rig, count: int) -> list[Case]:
        people = [rig.number() for _ in range(count)]
        stops = await InboundStop().spoken(rig, people)
        await rig.forks.run([case.step for case in stops])
        return await self.spoken(rig, people)


class Report(Scenario):
    """The platform reports that a text was delivered."""

    name = "delivery report Delivered"
    state = "delivered"
    status = "Delivered"

    async def prepare(self, rig: Rig, count: int) -> list[Case]:
        cases = await SendToOne().prepare(rig, count)
        await self.before(rig, cases)
        sent = await rig.forks.run([case.step for case in cases])
        reports = {tag_of(event): event for event in await rig.platform.events()}
        for case, answer in zip(cases, sent.answers, strict=True):
            case.answers = [answer]
            case.platform_id = case.message_id(case.open[0])
            case.step = event_step("delivery_report", reports[case.label])
        return cases

    async def before(self, rig: Rig, cases: Sequence[Case]) -> None:
        """What happens before the text is sent."""

    def reads(self, case: Case) -> list[Step]:
        return [http_step("GET", f"/messages/{case.platform_id}")]

    def judge(
        self, case: Case, seen: Observed, read: Sequence[dict[str, Any]], found: Findings
    ) -> None:
        found.equal(case.answers[-1], {"ok": True}, "the repeat")
        judge_message(read[0], self.state, found)
        history = (body_of(read[0]) or {}).get("history", [])
        found.once([entry["event"] for entry in history].count("deliveryReport"), "the report")
        told = seen.told(REPORT, tag=case.label, deliveryStatus=self.status)
        found.told_once(told, "the report")


class Report4007(Report):
    """The platform reports an opt-out that it alone knew of."""

    name = "delivery report 4007"
    state = "blocked"
    status = "Failed"

    async def before(self, rig: Rig, cases: Sequence[Case]) -> None:
        for case in cases:
            await rig.platform.speak(case.open[0], "STOP", SENDER)

    def judge(
        self, case: Case, seen: Observed, read: Sequence[dict[str, Any]], found: Findings
    ) -> None:
        super().judge(case, seen, read, found)
        judge_change(case.open[0], seen, found, direction="out", channel="platformReport")


class StrayReport(Report):
    """The platform reports on a text that Parley has not sent."""

    name = "delivery report of a stranger's text"

    async def prepare(self, rig: Rig, count: int) -> list[Case]:
        cases = await super().prepare(rig, count)
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
        seen: Observed,
        read: Sequence[dict[str, Any]],  # noqa: ARG002  # nothing was read
        found: Findings,
    ) -> None:
        found.equal(case.answers[-1], {"ok": True}, "the repeat")
        found.once([row["tag"] for row in seen.strays].count(case.label), "the stray report")


class Unintelligible(Inbound):
    """An event that nobody understands."""

    name = "inbound event that names no number of ours"

    async def prepare(self, rig: Rig, count: int) -> list[Case]:
        cases = await super().prepare(rig, count)
        for case in cases:
            event = case.step.members["event"]
            data = {name: value for name, value in event["data"].items() if name != "to"}
            case.step = event_step("inbound", event | {"data": data})
        return cases

    def reads(self, case: Case) -> list[Step]:  # noqa: ARG002
        return []

    def judge(
        self,
        case: Case,
        seen: Observed,
        read: Sequence[dict[str, Any]],  # noqa: ARG002  # nothing was read
        found: Findings,
    ) -> None:
        found.equal(case.answers[-1], {"ok": True}, "the repeat")
        kept = [blob["event"]["id"] for blob in seen.quarantined]
        found.once(kept.count(case.platform_id), "the event in quarantine")


# The record queue -------------------------------------------------------------------------------


class QueuedEntries(Send):
    """The queue's message about the conversations of a send to many."""

    name = "queue message about conversations"
    people = 4
    lost: ClassVar[tuple[str, ...]] = ()

    def numbers(self, rig: Rig, count: int) -> list[str]:
        """As many in each partition in every case, so that all make the same calls."""
        left = [place % PARTITIONS for place in range(count)]
        found: list[str] = []
        while left:
            number = rig.number()
            if (partition := partition_of_talk(number)) in left:
                left.remove(partition)
                found.append(number)
        return found

    async def prepare(self, rig: Rig, count: int) -> list[Case]:
        cases = await super().prepare(rig, count)
        sent = await rig.forks.run([case.step for case in cases], unreachable=self.lost)
        queued = await rig.queued()
        for case, answer in zip(cases, sent.answers, strict=True):
            case.answers = [answer]
            send_id = case.message_id(case.open[0] if case.open else case.closed[0])[:26]
            case.step = queue_step(next(text for text in queued if send_id in text))
        return cases

    def judge(
        self, case: Case, seen: Observed, read: Sequence[dict[str, Any]], found: Findings
    ) -> None:
        found.equal(case.answers[-1], {"ok": True}, "the repeat")
        super().judge(replace(case, answers=case.answers[:1]), seen, read, found)

    def reads(self, case: Case) -> list[Step]:
        return super().reads(replace(case, answers=case.answers[:1]))


class QueuedOutcome(QueuedEntries):
    """The queue's message about an outcome that the tables did not take."""

    name = "queue message about an outcome"
    people = 1
    strangers = ()
    opted_out = 0
    twice = False
    lost = (OUTCOME,)


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

    async def prepare(self, rig: Rig, count: int) -> list[Case]:
        numbers = [rig.number() for _ in range(count)]
        return [Case(n, opt_out_step(rig, [n]), [n]) for n in numbers]

    def judge(
        self,
        case: Case,
        seen: Observed,
        read: Sequence[dict[str, Any]],  # noqa: ARG002  # nothing was read
        found: Findings,
    ) -> None:
        found.equal(case.answers[-1]["status"], 200, "the repeat's status")
        changes = seen.changes(case.label)
        # Two, if the first request's transaction went through; another's commit may have beaten it.
        most = 2 if case.stopped and case.did("POST $batch") else 1
        if not 1 <= len(changes) <= most:
            found.wrong.append(f"there are {len(changes)} changes, not 1 to {most}")
        if not seen.told(OPT_OUT, recipient=case.label, isOptedOut=True):
            found.lost.append("the opt-out was never relayed")


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
