"""The rules of attempts, without anything around them: who is at work, what is in doubt, what is
too late."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.base.errors import AnswerMissing, Throttled
from shared.messages.facts import Intent
from shared.messages.request import Asked, SendRequest
from shared.rules.message_states import State
from shared.rules.segments import measure
from shared.sending.attempts import (
    Attempt,
    AttemptRules,
    ended,
    new_intent,
    taken_over,
    time_left,
    waiting_intent,
    when_time_is_up,
)

NOW = datetime(2026, 11, 22, 13, 1, 7, tzinfo=UTC)
RULES = AttemptRules(
    timeout=timedelta(seconds=30),
    repeat_window=timedelta(minutes=5),
    send_again=frozenset({"oneTimeCode"}),
)
SECOND = timedelta(seconds=1)
NOTHING = timedelta(0)


def first(category: str | None = None) -> Intent:
    """A send whose first attempt begins now."""
    request = SendRequest(
        sender="+12065550100",
        message="Hello",
        asked=(Asked("+12065550101", "+12065550101"),),
        tag="",
        wants_report=False,
        report_timeout_seconds=None,
        category=category,
        digest="digest",
    )
    return new_intent(
        "01JD8Z0W0Q4T9V6X2Y3N5M7K8P",
        request,
        measure(request.message),
        keyed=False,
        trace=None,
        now=NOW,
        nonce="first",
    )


def test_an_attempt_is_dead_when_it_has_ended_or_is_too_old() -> None:
    """Until then nobody takes it over. A send that waits has none."""
    intent = first()
    assert time_left(intent, RULES, NOW) == RULES.timeout
    assert time_left(intent, RULES, NOW + RULES.timeout - SECOND) == SECOND
    assert time_left(intent, RULES, NOW + RULES.timeout) == NOTHING
    assert time_left(intent, RULES, NOW + RULES.timeout + SECOND) == NOTHING
    over = ended(Attempt(intent), Throttled(1), now=NOW, in_doubt=False)
    assert time_left(over, RULES, NOW) == NOTHING
    waits = waiting_intent(intent, send_at=NOW, why="sendAt")
    assert time_left(waits, RULES, NOW) == NOTHING


def test_doubt_begins_with_the_row_and_an_end_that_sent_nothing_takes_it_away() -> None:
    """Only that of its own attempt: what an earlier one may have sent stays in doubt."""
    intent = first()
    assert intent.doubt_since == NOW
    sure = ended(Attempt(intent), Throttled(1), now=NOW + SECOND, in_doubt=False)
    assert (sure.doubt_since, sure.ended_at, sure.error) == (None, NOW + SECOND, Throttled.code)
    unsure = ended(Attempt(intent), AnswerMissing("no answer"), now=NOW + SECOND, in_doubt=True)
    assert unsure.doubt_since == NOW
    second = taken_over(unsure, NOW + 2 * SECOND, "second")
    still = ended(
        Attempt(second, earlier_doubt=unsure.doubt_since),
        Throttled(1),
        now=NOW + 3 * SECOND,
        in_doubt=False,
    )
    assert still.doubt_since == NOW


def test_who_takes_over_asks_as_the_first_attempt_did() -> None:
    """Doubt counts from the first attempt in doubt, whose time tells ACS that it is a repeat."""
    unsure = ended(Attempt(first()), AnswerMissing("no answer"), now=NOW, in_doubt=True)
    second = taken_over(unsure, NOW + SECOND, "second")
    assert (second.first_attempt_at, second.attempt_at) == (NOW, NOW + SECOND)
    assert (second.attempt, second.ended_at, second.error) == ("second", None, None)
    assert second.doubt_since == NOW
    sure = ended(Attempt(first()), Throttled(1), now=NOW, in_doubt=False)
    assert taken_over(sure, NOW + SECOND, "second").doubt_since == NOW + SECOND


def test_the_first_attempt_of_what_waited_is_when_its_time_has_come() -> None:
    """Until then nothing is in doubt."""
    waits = waiting_intent(first(), send_at=NOW + SECOND, why="sendAt")
    assert (waits.waiting, waits.doubt_since) == (True, None)
    begun = taken_over(waits, NOW + SECOND, "first")
    assert (begun.waiting, begun.first_attempt_at) == (False, NOW + SECOND)
    assert begun.doubt_since == NOW + SECOND


@pytest.mark.parametrize(
    ("category", "doubt", "lives", "then"),
    [
        (None, None, None, None),
        (None, None, SECOND, None),
        (None, None, -SECOND, State.EXPIRED),
        (None, RULES.repeat_window, None, None),
        (None, RULES.repeat_window + SECOND, None, State.UNCERTAIN),
        ("oneTimeCode", RULES.repeat_window + SECOND, None, None),
        (None, SECOND, -SECOND, State.UNCERTAIN),
        ("oneTimeCode", SECOND, -SECOND, State.UNCERTAIN),
    ],
    ids=[
        "no time to live",
        "lives",
        "expired",
        "in doubt, ACS remembers",
        "in doubt, ACS has forgotten",
        "in doubt, a second code is better than none",
        "in doubt, expired",
        "in doubt, an expired code",
    ],
)
def test_what_is_too_late(
    category: str | None, doubt: timedelta | None, lives: timedelta | None, then: State | None
) -> None:
    """Nobody is texted on a guess, nor told that they were not texted when they may have been."""
    intent = replace(first(category), expires_at=NOW + lives if lives is not None else None)
    attempt = Attempt(intent, earlier_doubt=NOW - doubt if doubt is not None else None)
    assert when_time_is_up(attempt, RULES, NOW) is then


def test_a_text_that_was_taken_out_of_the_record_is_not_sent() -> None:
    """Even a code of which a second one is better than silence: there is nothing to send."""
    intent = first("oneTimeCode")
    blank = replace(intent, request=replace(intent.request, message=""))
    assert when_time_is_up(Attempt(blank), RULES, NOW) is State.EXPIRED
    assert when_time_is_up(Attempt(blank, earlier_doubt=NOW), RULES, NOW) is State.UNCERTAIN
