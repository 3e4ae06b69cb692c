"""Plays a scenario: everywhere it can be stopped it is stopped, then repeated, then judged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.crash.calls import Plan, Trace
from tests.crash.counts import Counts
from tests.crash.observed import Findings, Observed
from tests.crash.rig import Rig, Run, queue_step
from tests.crash.scenarios import INTENT, SENDER, TAKEN_OVER, Case, Scenario, in_doubt

# Two cores bear no more.
_AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """Under which circumstances a scenario is played.

    Attributes:
        name: for the figures.
        memory: for how many seconds ACS remembers repeatability ids.
        repeats: at how many seconds after the crash the step is repeated.
        settings: of the app, where others than the stack's are wanted.
        meanwhile: what happens between crash and repeat.
        only: where it is stopped, if not everywhere.
    """

    name: str
    memory: float
    repeats: Sequence[float]
    settings: Mapping[str, str] = field(default_factory=dict)
    meanwhile: Callable[[Rig, Sequence[Case]], Awaitable[None]] | None = None
    only: Callable[[Plan], bool] = lambda _: True


class Runner:
    """One scenario in one variant."""

    def __init__(self, scenario: Scenario, variant: Variant, rig: Rig, counts: Counts) -> None:
        self.scenario = scenario
        self.variant = variant
        self.rig = rig
        self.faults: list[str] = []
        self._counts = counts
        self._order: dict[str, Any] = {
            "settings": dict(variant.settings),
            "unreachable": list(scenario.unreachable),
        }

    async def __call__(self) -> list[Case]:
        """Play; the cases. What is wrong is in `faults`."""
        await self.rig.platform.call("POST", "/reset")
        await self.rig.clear("dispatch")
        await self.rig.forget("due")
        await self.rig.free(SENDER)
        await self.rig.platform.call(
            "PATCH",
            "/settings",
            {"deliverySeconds": 0, "repeatabilitySeconds": self.variant.memory},
        )
        plans = await self._rehearse()
        cases: list[Case] = []
        for batch in [[plan] for plan in plans] if self.scenario.fresh else [plans]:
            cases += await self._stop_and_repeat(batch)
        self._counts.add(
            self.variant.name, points=len({plan.point for plan in plans}), crashes=len(plans)
        )
        return cases

    def plans(self, peaceful: Trace) -> list[Plan]:
        """Where to stop, from what a run did that was left in peace."""
        return [
            plan
            for plan in peaceful.plans()
            if (plan.beside == "unsent" or self.scenario.both_ways) and self.variant.only(plan)
        ]

    async def stop(self, case: Case, plan: Plan) -> None:
        """Stop a case where the plan says."""
        case.crash = await self.rig.forks.crash(case.step, plan, **self._order)

    async def repeat(self, case: Case) -> None:
        """Repeat a case as often as the variant wants."""
        steps = [case.step.after(seconds) for seconds in self.variant.repeats]
        trace = await self.rig.forks.run(steps, settings=self._order["settings"])
        case.answers += trace.answers

    async def _rehearse(self) -> list[Plan]:
        await self.rig.forget(*self.scenario.fresh)
        [case] = await self.scenario.prepare(self.rig, 1)
        case.crash = await self.rig.forks.run([case.step], **self._order)
        case.answers += case.crash.answers
        await self._settle([])
        await self._judge([case])
        return self.plans(case.crash)

    async def _stop_and_repeat(self, plans: Sequence[Plan]) -> list[Case]:
        await self.rig.forget(*self.scenario.fresh)
        cases = await self.scenario.prepare(self.rig, len(plans))
        for case, plan in zip(cases, plans, strict=True):
            case.name = str(plan)
        await _a_few_at_once(self.stop(*pair) for pair in zip(cases, plans, strict=True))
        if self.variant.meanwhile is not None:
            await self.variant.meanwhile(self.rig, cases)
        await self._settle(cases)
        await self._judge(cases)
        return cases

    async def _settle(self, cases: Sequence[Case]) -> None:
        """The queue, the repeats, and the queue again: it keeps what could not be done before."""
        left = await self._work_off(await self.rig.queued())
        await _a_few_at_once(self.repeat(case) for case in cases)
        left = await self._work_off([*left, *await self.rig.queued()])
        self.faults += [f"the queue's message cannot be worked off: {text}" for text in left]
        if self.scenario.dispatches:
            async for texts in self.rig.arriving("dispatch"):
                done = await self.rig.forks.run(
                    [queue_step(text, "dispatch") for text in texts],
                    settings=self._order["settings"],
                )
                assert all(answer["ok"] for answer in done.answers)
        await self.scenario.wind_up(self.rig)

    async def _work_off(self, messages: Sequence[str]) -> list[str]:
        """Have the queue's messages done; those that failed."""
        # Equal messages are one piece of work, left twice.
        messages = list(dict.fromkeys(messages))
        done = await self.rig.forks.run([queue_step(text) for text in messages])
        return [
            text for text, answer in zip(messages, done.answers, strict=True) if not answer["ok"]
        ]

    async def _judge(self, cases: Sequence[Case]) -> None:
        seen = await Observed.look(self.rig)
        reads = [self.scenario.reads(case) for case in cases]
        read = await self.rig.forks.run([step for steps in reads for step in steps])
        answers = iter(read.answers)
        for case, steps in zip(cases, reads, strict=True):
            found = Findings()
            self.scenario.judge(case, seen, [next(answers) for _ in steps], found)
            self.blame(case.name, found)
        self.blame("all", Findings(wrong=seen.ledger_faults()))

    def blame(self, name: str, found: Findings) -> None:
        """Keep what was found."""
        self._counts.judge(self.variant.name, found)
        self.faults += [f"{self.scenario.name}, {name}: {text}" for text in found.all]


class Race(Runner):
    """Two repeats at the same time, each of which has seen what the other has seen."""

    async def repeat(self, case: Case) -> None:
        start = Plan(TAKEN_OVER if in_doubt(case) else INTENT, "before", how="pause")
        [later] = self.variant.repeats
        runs = [await self.rig.forks.pause(case.step.after(later), start) for _ in range(2)]
        for run in runs:
            await self.rig.forks.resume(run)
        answers = [answer for run in runs for answer in (await run.trace()).answers]
        found = Findings()
        statuses = sorted(answer["status"] for answer in answers)
        found.equal(statuses in ([202, 202], [202, 503]), True, f"{statuses} as two answers")
        self.blame(case.name, found)
        await super().repeat(case)


class Revenant(Runner):
    """The process that was thought dead goes on when its repeat has long been answered."""

    def __init__(self, scenario: Scenario, variant: Variant, rig: Rig, counts: Counts) -> None:
        super().__init__(scenario, variant, rig, counts)
        self._paused: dict[str, Run] = {}

    def plans(self, peaceful: Trace) -> list[Plan]:
        """Every point; what is beside it goes on by itself."""
        return [
            Plan(plan.point, plan.when, how="pause")
            for plan in super().plans(peaceful)
            if plan.beside == "unsent"
        ]

    async def stop(self, case: Case, plan: Plan) -> None:
        run = await self.rig.forks.pause(case.step, plan)
        self._paused[case.label] = run
        case.crash = run.so_far()

    async def repeat(self, case: Case) -> None:
        await super().repeat(case)
        run = self._paused.pop(case.label)
        await self.rig.forks.resume(run)
        case.answers += (await run.trace()).answers


async def _a_few_at_once(work: Iterable[Awaitable[None]]) -> None:
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(item: Awaitable[None]) -> None:
        async with room:
            await item

    await asyncio.gather(*map(one, work))
