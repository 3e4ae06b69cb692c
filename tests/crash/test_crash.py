"""A process may die at any moment: nobody is texted twice for it, and no fact is lost.

Every run is a process that is forked, serves one invocation on Microsoft's runtime library, and is
killed before or after one of the calls that it makes. The points are not listed anywhere: a run
that is left in peace shows them.

Each scenario is stopped at every point that it has. One scenario of each kind is always played; all
the others are what `make check-all` is for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus

import pytest
from _pytest.mark.structures import ParameterSet

from tests.crash.calls import Plan
from tests.crash.counts import Counts
from tests.crash.dispatch_scenarios import (
    DEAD_RUN,
    DISPATCHED,
    DUE,
    DUE_RETRY,
    FAST,
    LATER,
    CampaignChunk,
    LateScheduledSend,
    RetryOrdered,
    RetrySent,
    ScheduledOrder,
    TimerRun,
)
from tests.crash.handlers import HANDLERS, InboundStop
from tests.crash.observed import Findings
from tests.crash.rig import Rig, event_step, http_step
from tests.crash.run import Race, Revenant, Runner, Variant
from tests.crash.scenarios import (
    ASKED,
    INTENT,
    NEWS,
    OUTCOME,
    QUEUED,
    Case,
    Scenario,
    judge_message,
    opt_out,
    tag_of,
)
from tests.crash.sends import (
    LATE_SENDS,
    SENDS,
    ClosedMeanwhile,
    LateCode,
    LateReportedMeanwhile,
    LateSendToOne,
    LateTakenOver,
    ReportedMeanwhile,
    Send,
    SendToOne,
    TakenOver,
)

# The app's own rules: ACS's time-out is 30 s, the window 240 s.
TOO_EARLY = 1.0
DEAD_ATTEMPT = 31.0
AFTER_THE_WINDOW = 300.0


ALWAYS = (SendToOne, LateSendToOne, InboundStop, CampaignChunk, ScheduledOrder, TimerRun)


def each(kinds: Sequence[type[Scenario]]) -> list[ParameterSet]:
    """Every scenario, by its name; those that are not always played are slow."""
    return [
        pytest.param(
            kind,
            id=kind.name.replace(" ", "-"),
            marks=[] if kind in ALWAYS else [pytest.mark.slow],
        )
        for kind in kinds
    ]


@pytest.mark.parametrize("kind", each(SENDS))
async def test_a_repeat_completes_a_send_that_was_cut_off(
    kind: type[Send], rig: Rig, counts: Counts
) -> None:
    """Repeated while ACS remembers the ids, everybody has been texted once and all is on record.

    A repeat that comes while the attempt may still be at work is told to wait.
    """
    variant = Variant(
        name="A. sends, ACS remembers, repeated after 1 s and 31 s",
        memory=300,
        repeats=[TOO_EARLY, DEAD_ATTEMPT],
    )
    scenario = kind()
    runner = Runner(scenario, variant, rig, counts)
    for case in await runner():
        found = Findings()
        lost = OUTCOME in scenario.unreachable
        judge_patience(case, found, outcome_call=QUEUED if lost else OUTCOME)
        runner.blame(case.name, found)
    assert not runner.faults, "\n".join(runner.faults)


def judge_patience(case: Case, found: Findings, *, outcome_call: str) -> None:
    early = case.answers[0]
    if case.left_open(INTENT) and not case.did(INTENT):
        # Whether the row of the attempt has arrived nobody can say: it was under way.
        found.equal(early["status"] in {202, 409, 503}, True, "the status of an early repeat")
        return
    if case.left_open(outcome_call) and early["status"] == HTTPStatus.ACCEPTED:
        # It was under way beside the call that the process died at, and has arrived all the same.
        return
    if case.did(INTENT) and not case.did(outcome_call):
        # 503 where the ids are ACS's, 409 where an Idempotency-Key guards the send.
        expected = 409 if case.step.access_key is None else 503
        found.equal(early["status"], expected, "the status of an early repeat")
        wait = int(early["headers"].get("retry-after", -1))
        found.equal(0 < wait <= DEAD_ATTEMPT, True, f"a pause of {wait} s that is long enough")
    else:
        found.equal(early["status"], 202, "the status of an early repeat")


@pytest.mark.parametrize("kind", each(HANDLERS))
async def test_a_repeat_completes_a_handler_that_was_cut_off(
    kind: type[Scenario], rig: Rig, counts: Counts
) -> None:
    """Event Grid and the queue bring again what was not done; each fact is then there once."""
    variant = Variant(name="A. events, queue, opt-outs, repeated", memory=300, repeats=[0])
    runner = Runner(kind(), variant, rig, counts)
    await runner()
    assert not runner.faults, "\n".join(runner.faults)


@pytest.mark.parametrize("kind", each(DISPATCHED))
async def test_a_message_of_the_dispatch_queue_comes_again(
    kind: type[Scenario], rig: Rig, counts: Counts
) -> None:
    """What waited for its moment is sent once, however often its process dies on the way."""
    due = DUE_RETRY if kind is RetrySent else DUE
    dead = DEAD_RUN if kind is CampaignChunk else DEAD_ATTEMPT
    variant = Variant(
        name=f"A. what waits, repeated after {dead:.0f} s",
        memory=300,
        repeats=[due + dead],
        settings={"PARLEY_SENDERS": FAST["PARLEY_SENDERS"]},
    )
    runner = Runner(kind(), variant, rig, counts)
    await runner()
    assert not runner.faults, "\n".join(runner.faults)


@pytest.mark.parametrize("kind", each([ScheduledOrder, TimerRun]))
async def test_what_is_ordered_for_later_leaves_once(
    kind: type[Scenario], rig: Rig, counts: Counts
) -> None:
    """Wherever its order or the timer dies: it is queued in time, leaves once, and its row goes."""
    variant = Variant(
        name="A. what is due, its order or its timer stopped",
        memory=300,
        repeats=[DEAD_ATTEMPT] if kind is ScheduledOrder else [LATER + 5],
        settings={"PARLEY_SENDERS": FAST["PARLEY_SENDERS"]},
    )
    runner = Runner(kind(), variant, rig, counts)
    await runner()
    assert not runner.faults, "\n".join(runner.faults)


@pytest.mark.slow
async def test_what_waited_is_not_texted_on_a_guess(rig: Rig, counts: Counts) -> None:
    """Where nothing runs for ten minutes, who is in doubt reads uncertain."""
    variant = Variant(
        name="B. what waits, ACS remembers nothing, repeated after 600 s",
        memory=0,
        repeats=[DUE + 600],
        settings={"PARLEY_SENDERS": FAST["PARLEY_SENDERS"]},
    )
    runner = Runner(LateScheduledSend(), variant, rig, counts)
    await runner()
    assert not runner.faults, "\n".join(runner.faults)


@pytest.mark.slow
async def test_a_failure_that_may_pass_leads_to_one_retry(rig: Rig, counts: Counts) -> None:
    """Wherever the report's process dies, the text is sent again, once."""
    variant = Variant(
        name="A. reports that lead to a retry, repeated", memory=300, repeats=[0], settings=FAST
    )
    runner = Runner(RetryOrdered(), variant, rig, counts)
    await runner()
    assert not runner.faults, "\n".join(runner.faults)


@pytest.mark.parametrize("kind", each(LATE_SENDS))
async def test_nobody_is_texted_on_a_guess_after_the_window(
    kind: type[Send], rig: Rig, counts: Counts
) -> None:
    """With an ACS that remembers nothing: who is in doubt reads uncertain until a report comes."""
    variant = Variant(
        name="B. sends, ACS remembers nothing, repeated after 300 s",
        memory=0,
        repeats=[AFTER_THE_WINDOW],
    )
    scenario = kind()
    runner = Runner(scenario, variant, rig, counts)
    await judge_reported(runner, await bring_reports(rig, scenario, await runner()))
    assert not runner.faults, "\n".join(runner.faults)


async def bring_reports(rig: Rig, scenario: Send, cases: Sequence[Case]) -> list[tuple[Case, str]]:
    """Deliver ACS's reports of those who are shown; whose came."""
    shown = {(case.label, number): case for case in cases for number in scenario.shown_of(case)}
    reports = {
        place: event
        for event in await rig.platform.events()
        if (place := (tag_of(event), event["data"]["to"])) in shown
    }
    brought = await rig.forks.run([event_step("delivery_report", e) for e in reports.values()])
    assert all(answer["ok"] for answer in brought.answers)
    return [(shown[place], place[1]) for place in reports]


async def judge_reported(runner: Runner, reported: Sequence[tuple[Case, str]]) -> None:
    """Every text that left must read delivered, once its report has come."""
    read = await runner.rig.forks.run(
        [http_step("GET", f"/messages/{case.message_id(number)}") for case, number in reported]
    )
    for (case, _), answer in zip(reported, read.answers, strict=True):
        found = Findings()
        judge_message(answer, "delivered", found)
        runner.blame(f"{case.name}, after its report", found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "memory", "later"),
    [
        (ReportedMeanwhile, 300, DEAD_ATTEMPT),
        (LateReportedMeanwhile, 0, AFTER_THE_WINDOW),
    ],
    ids=["while ACS remembers", "after the window"],
)
async def test_a_report_is_not_undone_by_the_repeat(
    kind: type[Send], memory: float, later: float, rig: Rig, counts: Counts
) -> None:
    """A report that came before the send had an outcome stands, whatever the repeat concludes."""
    scenario = kind()

    async def meanwhile(rig: Rig, cases: Sequence[Case]) -> None:
        await bring_reports(rig, scenario, cases)

    variant = Variant(
        name=f"{'B' if memory == 0 else 'A'}. reported on before the repeat",
        memory=memory,
        repeats=[later],
        meanwhile=meanwhile,
    )
    runner = Runner(scenario, variant, rig, counts)
    await runner()
    assert not runner.faults, "\n".join(runner.faults)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "memory", "later"),
    # 260 s is past the window of the first attempt and within that of the takeover.
    [(TakenOver, 300, 62.0), (LateTakenOver, 0, 260.0)],
    ids=["while ACS remembers", "after the window"],
)
async def test_a_repeat_may_die_like_a_first_attempt(
    kind: type[Send], memory: float, later: float, rig: Rig, counts: Counts
) -> None:
    """What was in doubt before a takeover is still in doubt after it."""
    variant = Variant(
        name=f"{'B' if memory == 0 else 'A'}. the repeat that takes over dies, too",
        memory=memory,
        repeats=[later],
    )
    runner = Runner(kind(), variant, rig, counts)
    await runner()
    assert not runner.faults, "\n".join(runner.faults)


@pytest.mark.slow
async def test_a_code_is_sent_again_where_the_operator_prefers_that(
    rig: Rig, counts: Counts
) -> None:
    """PARLEY_SEND_AGAIN_WHEN_UNCERTAIN: a possible second text is better than silence."""
    variant = Variant(
        name="B. one-time codes, to be sent again",
        memory=0,
        repeats=[AFTER_THE_WINDOW],
        settings={"PARLEY_SEND_AGAIN_WHEN_UNCERTAIN": "oneTimeCode"},
    )
    runner = Runner(LateCode(), variant, rig, counts)
    await runner()
    assert not runner.faults, "\n".join(runner.faults)


@pytest.mark.slow
@pytest.mark.parametrize("later", [DEAD_ATTEMPT, AFTER_THE_WINDOW])
async def test_an_opt_out_between_crash_and_repeat_leaves_doubt(
    later: float, rig: Rig, counts: Counts
) -> None:
    """Who may have been texted before opting out reads uncertain, not blocked, and gets no more."""

    async def meanwhile(rig: Rig, cases: Sequence[Case]) -> None:
        await opt_out(rig, [number for case in cases for number in case.open], later=20)

    variant = Variant(
        name="B. opted out between crash and repeat",
        memory=300,
        repeats=[later],
        meanwhile=meanwhile,
    )
    runner = Runner(ClosedMeanwhile(), variant, rig, counts)
    await runner()
    assert not runner.faults, "\n".join(runner.faults)


def leaves_the_platform_unasked(plan: Plan) -> bool:
    return plan.point in {INTENT, NEWS} or (plan.point, plan.when) == (ASKED, "before")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("memory", "only"),
    [(300, lambda _: True), (0, leaves_the_platform_unasked)],
    ids=["everywhere", "before ACS is asked, which remembers nothing"],
)
async def test_of_two_repeats_at_once_one_sends(
    memory: int, only: Callable[[Plan], bool], rig: Rig, counts: Counts
) -> None:
    """Two repeats that have both found a dead attempt: one takes over, one is told to wait."""
    variant = Variant(
        name=f"C. two repeats at once, memory {memory} s",
        memory=memory,
        repeats=[DEAD_ATTEMPT],
        only=only,
    )
    runner = Race(SendToOne(), variant, rig, counts)
    await runner()
    assert not runner.faults, "\n".join(runner.faults)


@pytest.mark.slow
async def test_an_attempt_that_was_thought_dead_changes_nothing(rig: Rig, counts: Counts) -> None:
    """It finds the outcome of the repeat that took over, and answers with it."""
    variant = Variant(
        name="C. the first attempt goes on after its repeat", memory=300, repeats=[DEAD_ATTEMPT]
    )
    runner = Revenant(SendToOne(), variant, rig, counts)
    await runner()
    assert not runner.faults, "\n".join(runner.faults)
