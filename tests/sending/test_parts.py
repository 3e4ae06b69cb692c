"""Sends of which some recipients wait for other moments: planned once, begun as planned."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.base.errors import AnswerMissing
from shared.messages import facts
from shared.messages.facts import Intent
from shared.messages.request import Asked, SendRequest
from shared.rules.segments import measure
from shared.sending.attempts import Attempt, ended, new_intent, taken_over
from shared.sending.scheduled import part_intent, split_by_moment
from shared.sending.timetable import Wait

NOW = datetime(2026, 11, 22, 13, 1, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
PEOPLE = [f"+1425555010{n}" for n in range(6)]
# For each person the hour at which they may be texted; None for now.
NIGHTS = st.lists(st.none() | st.integers(1, 3), min_size=6, max_size=6)


class StoredRow(dict[str, Any]):
    """A row as the table's client brings it."""

    metadata = {"etag": "1"}  # noqa: RUF012  # as a row has it


def order(**members: Any) -> Intent:
    request = SendRequest(
        sender="+12065550100",
        message="Hello",
        asked=tuple(Asked(person, person) for person in PEOPLE),
        tag="",
        wants_report=False,
        report_timeout_seconds=None,
        category="marketing",
        digest="digest",
    )
    request = replace(request, **members)
    return new_intent(
        "01JD8Z0W0Q4T9V6X2Y3N5M7K8P",
        request,
        measure(request.message),
        keyed=True,
        trace=None,
        now=NOW,
        nonce="first",
    )


def waits(nights: list[int | None]) -> dict[str, Wait]:
    return {
        person: Wait(NOW + hours * HOUR, f"Quiet hours until {hours}")
        for person, hours in zip(PEOPLE, nights, strict=True)
        if hours is not None
    }


@given(nights=NIGHTS, scheduled=st.booleans(), lives=st.none() | st.integers(60, 90_000))
def test_each_is_texted_by_one_send_at_their_moment(
    nights: list[int | None], *, scheduled: bool, lives: int | None
) -> None:
    """By the send itself or by one that carries a part of it, which is no other for a repeat."""
    live = timedelta(seconds=lives) if lives is not None else None
    intent = split_by_moment(
        order(send_at=NOW + HOUR if scheduled else None, time_to_live=live), waits(nights)
    )
    carriers = [part_intent(intent, part) for part in intent.parts]
    sends = [intent, *carriers]
    texted = [address for send in sends for address in send.addresses()]
    assert sorted(texted) == PEOPLE
    assert len({send.send_id for send in sends}) == len(sends)
    wanted = dict(zip(PEOPLE, nights, strict=True))
    for send in sends:
        for address in send.addresses():
            hours = wanted[address]
            start = NOW + HOUR if scheduled and hours is None else None
            assert send.send_at == (NOW + hours * HOUR if hours is not None else start)
    assert all(carrier.waiting and carrier.doubt_since is None for carrier in carriers)


@given(nights=NIGHTS, lives=st.none() | st.integers(60, 90_000))
def test_what_a_repeat_begins_is_what_was_planned(
    nights: list[int | None], lives: int | None
) -> None:
    """From the row, whatever has become of the send since: the same sends, with the same moment,
    reason and end."""
    live = timedelta(seconds=lives) if lives is not None else None
    intent = split_by_moment(order(send_at=NOW + HOUR, time_to_live=live), waits(nights))
    planned = [part_intent(intent, part) for part in intent.parts]
    for carrier, part in zip(planned, intent.parts, strict=True):
        assert carrier.expires_at == part.expires_at
        assert (carrier.expires_at is None) == (lives is None)
    begun = taken_over(intent, NOW + 9 * HOUR, "second")
    over = ended(Attempt(begun), AnswerMissing("none"), now=NOW + 10 * HOUR, in_doubt=True)
    read = facts.read_intent(StoredRow(facts.intent_row(over, 4)))
    assert [part_intent(read, part) for part in read.parts] == planned
