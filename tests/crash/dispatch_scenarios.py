"""Work of the `dispatch` queue that is stopped: sends whose time has come, retries, chunks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar, Final

from shared.base.clock import iso, utc_now
from tests.crash.observed import Findings, Observed, body_of
from tests.crash.rig import (
    Rig,
    Step,
    dispatch_step,
    due_step,
    event_step,
    http_step,
    queue_step,
    timer_step,
)
from tests.crash.scenarios import (
    ASKED,
    OUTCOME,
    REPORT,
    SENDER,
    TAKEN_OVER,
    Case,
    Scenario,
    judge_message,
    tag_of,
)
from tests.crash.sends import Send, SendToOne

# The clock of a message's first delivery: later than anything that was put off.
DUE: Final = 60.0
# After which a chunk's run that was cut off counts as dead.
DEAD_RUN: Final = 71.0
# When a send leaves that is ordered for later.
LATER: Final = 600.0
# A retry waits for five minutes and a fifth at most.
DUE_RETRY: Final = 400.0
_BEFORE_A_CHUNK: Final = frozenset({"due"})
_UNREACHABLE: Final = "ErrorCode: 4006. ErrorMessage: Destination not reachable."
# Its places in time are then a matter of milliseconds: cases do not wait for each other.
FAST: Final = {
    "PARLEY_SENDERS": json.dumps([{"sender": SENDER, "ratePerMinute": 60_000}]),
    "PARLEY_RETRY_AFTER_SECONDS": "1",
}


def taken_over_in_doubt(case: Case) -> bool:
    """Whether the attempt had begun, and nothing says what became of it."""
    return case.did(TAKEN_OVER) and not case.did(OUTCOME)


class ScheduledSend(Send):
    """A send whose time has come."""

    name = "message about a send whose time has come"
    strangers = ()
    opted_out = 0
    twice = False

    async def prepare(self, rig: Rig, count: int) -> list[Case]:
        cases = await super().prepare(rig, count)
        ordered = await rig.forks.run([case.step for case in cases])
        for case, answer in zip(cases, ordered.answers, strict=True):
            case.answers = [answer]
        due = await rig.due()
        for case in cases:
            case.step = due_step(due[case.message_id(case.open[0])[:26]]).after(DUE)
        return cases

    def content(self, label: str, recipients: list[dict[str, str]]) -> dict[str, Any]:
        soon = iso(utc_now() + timedelta(seconds=DUE / 2))
        return super().content(label, recipients) | {"sendAt": soon}

    def judge(
        self, case: Case, seen: Observed, read: Sequence[dict[str, Any]], found: Findings
    ) -> None:
        found.equal(case.answers[-1], {"ok": True}, "the repeat")
        super().judge(replace(case, answers=case.answers[:1]), seen, read, found)

    def reads(self, case: Case) -> list[Step]:
        return super().reads(replace(case, answers=case.answers[:1]))


class ScheduledOrder(SendToOne):
    """A send that is to leave later; its time comes, and the timer runs, after the repeats."""

    name = "send to one that is to leave later"

    def content(self, label: str, recipients: list[dict[str, str]]) -> dict[str, Any]:
        later = iso(utc_now() + timedelta(seconds=LATER))
        return super().content(label, recipients) | {"sendAt": later}

    async def wind_up(self, rig: Rig) -> None:
        """The time comes; the timer runs, and the queue is worked off."""
        timer = await rig.forks.run([timer_step("due_timer").after(LATER + 10)], settings=FAST)
        assert timer.answers == [{"ok": True}]
        async for texts in rig.arriving("dispatch"):
            steps = [queue_step(text, "dispatch").after(LATER + 20) for text in texts]
            done = await rig.forks.run(steps, settings=FAST)
            assert all(answer["ok"] for answer in done.answers)
        # Nothing is left that names a send that is over.
        assert await rig.due() == {}


class TimerRun(ScheduledOrder):
    """The timer that queues what is due."""

    name = "timer of what is due"
    fresh = ("due",)

    async def prepare(self, rig: Rig, count: int) -> list[Case]:
        cases = await super().prepare(rig, count)
        ordered = await rig.forks.run([case.step for case in cases])
        for case, answer in zip(cases, ordered.answers, strict=True):
            case.answers = [answer]
            case.step = timer_step("due_timer").after(LATER)
        return cases

    def judge(
        self, case: Case, seen: Observed, read: Sequence[dict[str, Any]], found: Findings
    ) -> None:
        found.equal(case.answers[-1], {"ok": True}, "the repeat")
        super().judge(replace(case, answers=case.answers[:1]), seen, read, found)

    def reads(self, case: Case) -> list[Step]:
        return super().reads(replace(case, answers=case.answers[:1]))


class LateScheduledSend(ScheduledSend):
    """The message comes when nothing has run for ten minutes, which is after the window."""

    name = "message about a send whose time has come, seen again late"

    def expected(self, case: Case) -> tuple[int, str]:
        if taken_over_in_doubt(case):
            return int(case.did(ASKED)), "uncertain"
        return 1, "sent"


class Failed(Scenario):
    """A text with a time to live, and the report that it failed."""

    texts: ClassVar[int]

    async def prepare(self, rig: Rig, count: int) -> list[Case]:
        cases = await _Living().prepare(rig, count)
        sent = await rig.forks.run([case.step for case in cases])
        reports = {tag_of(event): event for event in await rig.platform.events()}
        for case, answer in zip(cases, sent.answers, strict=True):
            case.answers = [answer]
            case.platform_id = case.message_id(case.open[0])
            event = reports[case.label]
            data = event["data"] | {
                "DeliveryStatus": "Failed",
                "DeliveryStatusDetails": _UNREACHABLE,
            }
            case.step = event_step("delivery_report", event | {"data": data})
        return cases

    def reads(self, case: Case) -> list[Step]:
        return [http_step("GET", f"/messages/{case.platform_id}")]

    def judge(
        self, case: Case, seen: Observed, read: Sequence[dict[str, Any]], found: Findings
    ) -> None:
        found.equal(case.answers[-1], {"ok": True}, "the repeat")
        judge_message(read[0], "undelivered", found)
        retried_by = (body_of(read[0]) or {}).get("retriedBy")
        if retried_by is None:
            found.lost.append("the message does not name its retry")
        found.told_once(
            seen.told(REPORT, messageId=case.platform_id, retriedBy=retried_by), "the failure"
        )
        found.text_count(seen, case.open[0], f"Hello {case.label}", self.texts)


class _Living(SendToOne):
    """A send with a time to live."""

    def content(self, label: str, recipients: list[dict[str, str]]) -> dict[str, Any]:
        return super().content(label, recipients) | {"timeToLiveInSeconds": 3600}


class RetryOrdered(Failed):
    """The report of a failure that may pass; what it puts into the queue is then done."""

    name = "delivery report 4006 of a text with a time to live"
    texts = 2
    dispatches = True


class RetrySent(Failed):
    """The message about a retry whose time has come."""

    name = "message about a retry whose time has come"
    texts = 2

    async def prepare(self, rig: Rig, count: int) -> list[Case]:
        cases = await super().prepare(rig, count)
        reported = await rig.forks.run([case.step for case in cases])
        assert all(answer["ok"] for answer in reported.answers)
        read = await rig.forks.run([step for case in cases for step in self.reads(case)])
        due = await rig.due()
        for case, answer in zip(cases, read.answers, strict=True):
            case.step = due_step(due[body_of(answer)["retriedBy"][:26]]).after(DUE_RETRY)
        return cases


class CampaignChunk(Scenario):
    """The message about a chunk of a campaign."""

    name = "message about a chunk of a campaign"
    people = 2
    both_ways = False

    async def prepare(self, rig: Rig, count: int) -> list[Case]:
        cases = []
        for _ in range(count):
            label, people = rig.label(), [rig.number() for _ in range(self.people)]
            order = {
                "campaignId": label,
                "from": SENDER,
                "message": f"Hello {label}",
                "recipients": [{"to": number} for number in people],
            }
            cases.append(Case(label, http_step("POST", "/campaigns", order), open=people))
        await rig.clear("dispatch")
        ordered = await rig.forks.run([case.step for case in cases])
        assert all(answer["status"] == 202 for answer in ordered.answers), ordered.answers
        chunks: dict[str, dict[str, Any]] = {}
        async for texts in rig.arriving("dispatch"):
            first = [text for text in texts if json.loads(text)["kind"] in _BEFORE_A_CHUNK]
            done = await rig.forks.run([queue_step(t, "dispatch") for t in first], settings=FAST)
            assert all(answer["ok"] for answer in done.answers)
            found = [json.loads(text) for text in texts]
            chunks |= {m["campaignId"]: m for m in found if m["kind"] == "campaign.chunk"}
            if len(chunks) == count:
                break
        for case in cases:
            case.step = dispatch_step(chunks[case.label]).after(DUE)
        return cases

    def reads(self, case: Case) -> list[Step]:
        return [http_step("GET", f"/campaigns/{case.label}")]

    def judge(
        self, case: Case, seen: Observed, read: Sequence[dict[str, Any]], found: Findings
    ) -> None:
        found.equal(case.answers[-1], {"ok": True}, "the repeat")
        for number in case.open:
            found.text_count(seen, number, f"Hello {case.label}", 1)
        counts = (body_of(read[0]) or {}).get("counts")
        found.equal(counts, {"sent": len(case.open)}, "the campaign's counts")


DISPATCHED: Final = (ScheduledSend, RetrySent, CampaignChunk)
