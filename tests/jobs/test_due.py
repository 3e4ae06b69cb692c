"""The decisions about what is due: when it is queued, what is done with what a message names."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.jobs.due import (
    HORIZON,
    MOST_QUEUED,
    WORKS_A_MESSAGE,
    Due,
    Standing,
    Turn,
    Verdict,
    again_after,
    decide,
    first_messages,
    had_its_turn,
    pause_of,
    placed,
    queued_again,
    turn_of,
)

NOW = datetime(2026, 11, 29, 12, 0, 30, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
MOMENTS = st.timedeltas(-timedelta(days=1), timedelta(days=1)).map(lambda span: NOW + span)
WORKS = st.builds(Due, st.just("work"), st.from_regex(r"[0-9A-Z]{1,8}", fullmatch=True), MOMENTS)


@given(WORKS)
def test_what_is_soon_brings_its_message_and_the_rest_waits_for_the_timer(due: Due) -> None:
    """Within two minutes it counts as queued once, when its message becomes visible: not early."""
    written = placed(due, NOW)
    if due.moment - NOW > HORIZON:
        assert (written.queued, written.queued_at) == (0, None)
        assert turn_of(written, NOW) is Turn.REST
    else:
        assert written.queued == 1
        assert written.queued_at is not None
        assert due.moment <= written.queued_at <= max(due.moment + SECOND, NOW)


@given(WORKS, st.integers(0, 300))
def test_the_timer_sees_in_time_what_it_has_to_queue(due: Due, late: int) -> None:
    """A run each minute queues everything before its moment, and nothing two minutes before."""
    due = replace(due, moment=NOW + HORIZON + timedelta(seconds=late))
    runs = [NOW + number * MINUTE for number in range(10)]
    first = next(run for run in runs if turn_of(due, run) is Turn.FIRST)
    assert MINUTE < due.moment - first <= HORIZON


@given(st.lists(WORKS, max_size=200))
def test_a_message_names_works_of_one_second_and_fifty_at_most(dues: list[Due]) -> None:
    """Each work is named once, and not seen before its moment."""
    messages = list(first_messages(dues, NOW))
    assert sorted(d.row for m in messages for d in m) == sorted(d.row for d in dues)
    for message in messages:
        assert 1 <= len(message) <= WORKS_A_MESSAGE
        (visible,) = {due.queued_at for due in message}
        assert visible is not None
        assert all(due.queued == 1 and due.moment <= visible for due in message)


@pytest.mark.parametrize(
    ("queued", "minutes"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (6, 8), (50, 8)]
)
def test_what_is_still_there_is_queued_again(queued: int, minutes: int) -> None:
    """1, 2, 4 and then every 8 minutes after it was queued last, in a message of its own."""
    due = Due("work", "w", NOW, queued=queued, queued_at=NOW)
    assert again_after(queued) == minutes * MINUTE
    assert turn_of(due, NOW + minutes * MINUTE - SECOND) is Turn.REST
    then = NOW + minutes * MINUTE
    assert turn_of(due, then) is Turn.AGAIN
    again = queued_again(due, then)
    assert again.queued == queued + 1
    assert again.queued_at is not None
    # Spread over half a minute.
    assert then <= again.queued_at < then + 30 * SECOND


def test_what_had_not_its_turn_is_not_queued_again() -> None:
    """The queue's first message became visible before the work's, or is the work's."""
    due = Due("work", "w", NOW, queued=1, queued_at=NOW)
    assert had_its_turn(due, None)
    assert had_its_turn(due, NOW + SECOND)
    assert not had_its_turn(due, NOW)
    assert not had_its_turn(due, NOW - SECOND)


HERE = Due("work", "w", NOW, queued=1)
LAST = replace(HERE, queued=MOST_QUEUED)
ELSEWHERE = NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("due", "standing", "verdict"),
    [
        (HERE, Standing(NOW), Verdict.RUN),
        (replace(HERE, queued=4), Standing(NOW), Verdict.RUN),
        (LAST, Standing(NOW), Verdict.GIVE_UP),
        (HERE, Standing(NOW, lives=True), Verdict.SET_BACK),
        (LAST, Standing(NOW, lives=True), Verdict.SET_BACK),
        (HERE, None, Verdict.LEAVE),
        (replace(HERE, queued=4), None, Verdict.LEAVE),
        (LAST, None, Verdict.DROP_ROW),
        (HERE, Standing(ELSEWHERE), Verdict.DROP_ROW),
        (LAST, Standing(ELSEWHERE, lives=True), Verdict.DROP_ROW),
        (HERE, Standing(None), Verdict.DROP_ROW),
        (HERE, Standing(NOW + SECOND), Verdict.DROP_MESSAGE),
        (replace(HERE, moment=ELSEWHERE, partition=HERE.place), Standing(NOW), Verdict.RUN),
    ],
    ids=[
        "its time has come",
        "the fourth time",
        "the fifth time",
        "somebody is at work at it",
        "somebody is at work at it the fifth time",
        "its own row is not there yet",
        "nor the fourth time",
        "nor the fifth time",
        "it names another row",
        "it names another row, and lives",
        "it names no row",
        "it was put off since",
        "it was put off to a near moment",
    ],
)
def test_what_becomes_of_a_work(due: Due, standing: Standing | None, verdict: Verdict) -> None:
    """Only deaths count, a row that its work does not name goes, and a work without a row waits."""
    assert decide(due, standing) is verdict


@given(st.integers(0, 10_000), st.none() | st.integers(1, 3600))
def test_trouble_puts_off_for_longer_each_time_and_two_minutes_at_most(
    tries: int, asked_for: int | None
) -> None:
    """At least as long as whoever is in trouble asks for."""
    pause = pause_of(tries, asked_for)
    assert pause >= timedelta(seconds=asked_for or 1)
    assert pause <= max(HORIZON, timedelta(seconds=asked_for or 0))
    assert pause <= pause_of(tries + 1, asked_for)


@given(WORKS, MOMENTS)
def test_a_place_follows_from_the_work_and_its_moment(due: Due, moment: datetime) -> None:
    """The minute, and a digit that stays the same for one work."""
    minute, _, shard = due.place.partition("-")
    assert minute == f"{due.moment:%Y%m%d%H%M}"
    assert replace(due, moment=moment).place.partition("-")[2] == shard
    assert shard in set("01234567")
