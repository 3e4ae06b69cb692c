"""States: what late, repeated and contradictory reports make of a message."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messages.state import TERMINAL, Report, State, aged, state_after
from shared.rules.delivery_codes import CODES, DeliveryCode

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
OPEN = sorted(set(State) - TERMINAL)
moments = st.integers(0, 20).map(lambda minutes: NOON + timedelta(minutes=minutes))
reports = st.builds(
    Report,
    status=st.sampled_from(["Delivered", "Failed", "Pending"]),
    code=st.none() | st.sampled_from(list(CODES.values())),
    at=moments,
    arrived=moments,
)
histories = st.lists(reports, max_size=8)
# Arrivals one after the other; of two at the very same moment none was there before the other.
arrivals = st.lists(reports, max_size=8, unique_by=lambda report: report.arrived).map(
    lambda history: sorted(history, key=lambda report: report.arrived)
)
starts = st.sampled_from(list(State))


def _report(said: str, minute: int) -> Report:
    status, _, number = said.partition(" ")
    code: DeliveryCode | None = CODES[int(number)] if number else None
    return Report(status, code, at=NOON, arrived=NOON + timedelta(minutes=minute))


def test_values_are_the_words_of_the_interface() -> None:
    """Applications and stored rows know these words."""
    assert " ".join(State) == (
        "scheduled queued sending sent delivered undelivered failed blocked expired canceled"
        " uncertain unknown"
    )
    assert sorted(TERMINAL) == sorted(
        ["delivered", "undelivered", "failed", "blocked", "expired", "canceled"]
    )


@pytest.mark.parametrize(
    ("start", "said", "state"),
    [
        ("sent", [], "sent"),
        ("sent", ["Delivered 2000"], "delivered"),
        ("sent", ["Delivered"], "delivered"),
        ("sent", ["Failed"], "undelivered"),
        ("sent", ["Failed 4006"], "undelivered"),
        ("sent", ["Failed 4007"], "blocked"),
        ("sent", ["Failed 4010"], "failed"),
        ("sent", ["Failed 5002"], "unknown"),
        ("sent", ["Failed 5002", "Failed 5002"], "unknown"),
        ("sent", ["Failed 5002", "Delivered"], "delivered"),
        ("sent", ["Failed 5002", "Failed 4004"], "undelivered"),
        ("sent", ["Delivered", "Failed 5002"], "delivered"),
        ("sent", ["Delivered", "Failed 4004"], "delivered"),
        ("sent", ["Failed 4004", "Delivered"], "undelivered"),
        ("sent", ["Failed 2000"], "undelivered"),
        ("sent", ["Pending"], "sent"),
        ("sent", ["delivered"], "sent"),
        ("sending", ["Delivered"], "delivered"),
        ("queued", ["Delivered"], "delivered"),
        ("uncertain", ["Delivered"], "delivered"),
        ("uncertain", ["Failed 4007"], "blocked"),
        ("unknown", ["Delivered"], "delivered"),
        ("unknown", ["Failed"], "undelivered"),
        ("blocked", ["Delivered"], "blocked"),
        ("canceled", ["Failed 5002"], "canceled"),
        ("expired", ["Delivered"], "expired"),
    ],
)
def test_reports_fold_into_a_state(start: str, said: list[str], state: str) -> None:
    """The first definite word counts; only ignorance gives way to it later."""
    history = [_report(words, minute) for minute, words in enumerate(said)]
    assert state_after(State(start), history) is State(state)


@given(starts, arrivals)
def test_a_terminal_state_never_changes(start: State, history: list[Report]) -> None:
    """No prefix of the arrivals has a terminal state that a longer prefix leaves."""
    states = [state_after(start, history[:count]) for count in range(len(history) + 1)]
    for earlier, later in pairwise(states):
        assert earlier is later or earlier not in TERMINAL


@given(starts, histories, st.data())
def test_repeats_change_nothing(start: State, history: list[Report], data: st.DataObject) -> None:
    """Event Grid delivers at least once: a report that comes again, now or later, adds nothing."""
    repeats = data.draw(st.lists(st.sampled_from(history), max_size=4)) if history else []
    delays = data.draw(st.lists(st.integers(0, 30), min_size=len(repeats), max_size=len(repeats)))
    again = [
        Report(r.status, r.code, r.at, r.arrived + timedelta(minutes=delay))
        for r, delay in zip(repeats, delays, strict=True)
    ]
    assert state_after(start, [*history, *again]) is state_after(start, history)


@pytest.mark.parametrize("listed", [(0, 1), (1, 0)])
@pytest.mark.parametrize(
    ("said", "state"),
    [(("Failed 4004", "Delivered"), "undelivered"), (("Delivered", "Failed"), "delivered")],
)
def test_the_first_to_arrive_is_the_first(
    said: tuple[str, str], state: str, listed: tuple[int, int]
) -> None:
    """Rows may be read in any order; the moment of arrival says which word came first."""
    history = [_report(words, minute) for minute, words in enumerate(said)]
    assert state_after(State.SENT, [history[place] for place in listed]) is State(state)


@pytest.mark.parametrize("others", [["Failed 4004"], ["Failed 4007", "Failed 4010"]])
def test_of_one_moment_the_delivery_counts(others: list[str]) -> None:
    """Where nothing tells which came first, no text is called lost that may have arrived."""
    history = [_report(words, 0) for words in [*others, "Delivered"]]
    assert (
        state_after(State.SENT, history)
        is state_after(State.SENT, history[::-1])
        is State.DELIVERED
    )


def test_of_one_moment_the_order_of_failures_is_fixed() -> None:
    """Two failures of one moment give one answer, however they are listed."""
    history = [_report("Failed 4007", 0), _report("Failed 4004", 0)]
    assert state_after(State.SENT, history) is state_after(State.SENT, history[::-1])


@given(starts, histories.flatmap(lambda h: st.tuples(st.just(h), st.permutations(h))))
def test_the_order_of_the_list_does_not_matter(
    start: State, both: tuple[list[Report], list[Report]]
) -> None:
    """The moment of arrival decides, not the order in which rows are read."""
    history, shuffled = both
    assert state_after(start, shuffled) is state_after(start, history)


@given(st.sampled_from(OPEN), histories)
def test_a_definite_report_settles_everything_open(start: State, history: list[Report]) -> None:
    """Whatever was believed before, `Delivered` at the end leaves nothing open."""
    last = Report("Delivered", None, NOON, NOON + timedelta(days=1))
    assert state_after(start, [*history, last]) in TERMINAL


@given(starts, histories)
def test_only_delivered_delivers(start: State, history: list[Report]) -> None:
    """No failure, whatever its details say, is read as a delivery."""
    failures = [report for report in history if report.status != "Delivered"]
    assert state_after(start, failures) is not State.DELIVERED or start is State.DELIVERED


@pytest.mark.parametrize(
    ("hours", "state"), [(0, State.SENT), (71.99, State.SENT), (72, State.UNKNOWN)]
)
def test_silence_for_three_days_is_unknown(hours: float, state: State) -> None:
    """72 hours without a report: nobody will say any more."""
    assert aged(State.SENT, NOON, NOON + timedelta(hours=hours)) is state


@pytest.mark.parametrize("state", sorted(set(State) - {State.SENT}))
def test_only_sent_ages(state: State) -> None:
    """A state that a report or we ourselves have set stays as it is for ever."""
    assert aged(state, NOON, NOON + timedelta(days=400)) is state
