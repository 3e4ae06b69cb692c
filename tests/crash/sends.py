"""Sends that are stopped: the requests of applications, and what must have become of them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from shared.base.clock import http_date, utc_now
from tests.crash.calls import Plan
from tests.crash.observed import Findings, Observed, body_of
from tests.crash.rig import Rig, Step, http_step
from tests.crash.scenarios import (
    ASKED,
    BLOCKED,
    ENTRY,
    INTENT,
    OUTCOME,
    PENDING,
    REPORT,
    SENDER,
    Case,
    Scenario,
    conversation_step,
    entries_in,
    in_doubt,
    judge_message,
    opt_out,
)

_SEND: Final = "/sms?api-version=2021-03-07"
_LONG_AGO: Final = -600.0


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

    async def prepare(self, rig: Rig, count: int) -> list[Case]:
        cases = []
        for _ in range(count):
            label = rig.label()
            everybody = self.numbers(rig, self.people + self.opted_out)
            people, closed = everybody[: self.people], everybody[self.people :]
            to = [*people, *self.strangers, *closed, *(people[:1] if self.twice else ())]
            cases.append(Case(label, self.step(rig, label, to), open=people, closed=closed))
        await opt_out(rig, [number for case in cases for number in case.closed], later=_LONG_AGO)
        return cases

    def numbers(self, rig: Rig, count: int) -> list[str]:
        """So many people for one case."""
        return [rig.number() for _ in range(count)]

    def step(self, rig: Rig, label: str, to: Sequence[str]) -> Step:
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
        return http_step("POST", _SEND, self.content(label, recipients), access_key=rig.access_key)

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
        self, case: Case, seen: Observed, read: Sequence[dict[str, Any]], found: Findings
    ) -> None:
        if case.left_open(OUTCOME) and "sent" in map(_state_of, read[::2]):
            # Nobody can say of a call under way whether it arrives. A second text is counted below.
            case.arrived.add(OUTCOME)
        if case.left_open(INTENT) and "uncertain" in map(_state_of, read[::2]):
            # The same of the row that begins the attempt.
            case.arrived.add(INTENT)
        for number in (*case.open, *case.closed):
            texts, state = self._expected_of(case, number)
            found.text_count(seen, number, f"Hello {case.label}", texts)
            self._judge_item(case, number, state, found)
        for number, message, talk in zip(self.shown_of(case), read[::2], read[1::2], strict=True):
            _, state = self._expected_of(case, number)
            judge_message(message, state, found)
            entries = [e for e in entries_in(talk) if e.get("tag") == case.label]
            if state == "blocked":
                found.equal(len(entries), 0, "the number of entries of a blocked text")
            else:
                found.once(len(entries), "the conversation's entry")
            if state == "blocked":
                told = seen.told(REPORT, tag=case.label, to=number, deliveryStatus="Failed")
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

    def step(self, rig: Rig, label: str, to: Sequence[str]) -> Step:  # noqa: ARG002
        content = self.content(label, [{"to": number} for number in to])
        return http_step("POST", "/messages", content, headers={"idempotency-key": label})


class FirstSendWithKey(SendWithKey):
    """The first send of a day and a month: their tables are yet to be made."""

    name = "first send of a month"
    fresh = ("messages", "keys")


class SendWithoutOutcome(SendToOne):
    """ACS has answered and the tables take nothing: the queue is to keep the outcome."""

    name = "send whose outcome goes through the queue"
    unreachable = (OUTCOME,)


class SendWithoutEntry(SendToOne):
    """Conversations take nothing: the text leaves, and the queue is to write the entry."""

    name = "send whose entry goes through the queue"
    unreachable = (ENTRY,)


class SendWithoutPending(SendToAHundred):
    """The same of a send to many."""

    name = "send to a hundred whose entries are not announced"
    people = 6
    unreachable = (PENDING,)


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

    async def prepare(self, rig: Rig, count: int) -> list[Case]:
        cases = await super().prepare(rig, count)
        for case in cases:
            await rig.forks.crash(case.step, Plan(ASKED, "before"))
            case.step = case.step.after(31)
        return cases


class LateTakenOver(TakenOver):
    """The same with a third attempt that comes after the window: nobody is texted on a guess."""

    name = "repeat that takes over and is repeated late"

    def expected(self, case: Case) -> tuple[int, str]:
        return (1, "sent") if case.did(OUTCOME) else (int(case.did(ASKED)), "uncertain")


SENDS: Final = (
    SendToOne,
    Send,
    SendToAHundred,
    SendWithKey,
    SendWithoutOutcome,
    SendWithoutEntry,
    SendWithoutPending,
    FirstSendWithKey,
)
LATE_SENDS: Final = (LateSendToOne, LateSend, LateSendWithKey)


def _state_of(answer: dict[str, Any]) -> str | None:
    return (body_of(answer) or {}).get("state")
