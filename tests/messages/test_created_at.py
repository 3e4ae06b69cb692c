"""When a message was accepted: one moment, whatever happens to the message afterwards."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from local.stack import Stack
from shared.base import ids, ulid
from shared.base.clock import iso
from shared.base.errors import PlatformDenied, Throttled
from shared.messages import facts
from shared.messages.facts import Intent, Retry
from shared.messages.request import Asked, SendRequest
from shared.rules.segments import measure
from shared.sending import attempts
from shared.sending.attempts import Attempt
from shared.sending.retries import retry_intent
from tests.support.client import send_body
from tests.support.due import run_due
from tests.support.parts import parts_of, send_request
from tests.support.people import People

ACCEPTED = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
WRONG_KEY = "d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3I="
FIVE_MINUTES = timedelta(minutes=5)


class Clock:
    """A clock that is moved on by hand; it starts at the real time, by which ACS checks."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


def an_intent() -> Intent:
    request = SendRequest(
        sender="+18005550100",
        message="Hello",
        asked=(Asked("+14255550123", "+14255550123"),),
        tag="",
        wants_report=True,
        report_timeout_seconds=None,
        category=None,
        digest="0" * 64,
    )
    return attempts.new_intent(
        ulid.new(ACCEPTED, bytes(10)),
        request,
        measure("Hello"),
        keyed=False,
        trace=None,
        now=ACCEPTED,
        nonce="00",
    )


def test_no_attempt_changes_the_moment_of_acceptance() -> None:
    """Waiting, a first attempt, its end and a takeover leave it; no attempt's row has it."""
    waiting = attempts.waiting_intent(an_intent(), send_at=ACCEPTED + FIVE_MINUTES, why="sendAt")
    first = attempts.taken_over(waiting, ACCEPTED + FIVE_MINUTES, "01")
    over = attempts.ended(
        Attempt(first), Throttled(1), now=ACCEPTED + 2 * FIVE_MINUTES, in_doubt=False
    )
    second = attempts.taken_over(over, ACCEPTED + 3 * FIVE_MINUTES, "02")
    for intent in (waiting, first, over, second):
        assert intent.created_at == ACCEPTED
        assert "createdAt" not in facts.attempt_row(intent, 4)
        assert facts.intent_row(intent, 4)["createdAt"] == iso(ACCEPTED)


def test_a_retry_is_accepted_when_it_is_ordered() -> None:
    """A retry is a message of its own, made when the report of the failure was taken in."""
    ordered = ACCEPTED + FIVE_MINUTES
    intent = an_intent()
    failed = ids.message_id(b"k" * 32, intent.send_id, "+14255550123")
    retry = retry_intent(
        intent, "+14255550123", Retry(failed, 1, ordered), moment=ordered + FIVE_MINUTES
    )
    assert retry.created_at == ordered
    assert attempts.taken_over(retry, ordered + FIVE_MINUTES, "01").created_at == ordered


async def test_a_scheduled_message_shows_one_moment_before_and_after_it_left(
    stack: Stack, clock: Clock, person: str
) -> None:
    """`createdAt` is when the request was accepted; `history` begins with it."""
    accepted = clock.moment
    when = accepted + FIVE_MINUTES
    async with parts_of(stack, clock=clock) as parts:
        body = send_body(person, sendAt=when.isoformat())
        answer = await parts.sending.api.send(send_request(parts, body))
        message_id = str(answer.items[0].message_id)
        before = await parts.messages.get_message(message_id)
        assert (before["state"], before["createdAt"]) == ("scheduled", iso(accepted))

        clock.moment = when
        await run_due(parts, answer.send_id)
        after = await parts.messages.get_message(message_id)
    assert after["state"] in {"sent", "delivered"}
    assert after["createdAt"] == iso(accepted)
    assert [(entry["event"], entry["at"]) for entry in after["history"][:2]] == [
        ("scheduled", iso(accepted)),
        ("accepted", iso(when)),
    ]


@pytest.mark.parametrize("waits", [False, True])
async def test_a_message_that_was_taken_over_shows_the_moment_of_its_request(
    stack: Stack, clock: Clock, person: str, *, waits: bool
) -> None:
    """Neither an attempt that failed nor the repeat that takes the send over moves `createdAt`."""
    accepted = clock.moment
    when = accepted + FIVE_MINUTES
    body = send_body(person) | ({"sendAt": when.isoformat()} if waits else {})
    key = f"created-{person}"
    async with parts_of(stack, clock=clock, PARLEY_ACS_ACCESS_KEY=WRONG_KEY) as parts:
        request = send_request(parts, body)
        if waits:
            send_id = (await parts.sending.api.send(request, key=key)).send_id
            clock.moment = when
            with pytest.raises(PlatformDenied):
                await run_due(parts, send_id)
        else:
            with pytest.raises(PlatformDenied):
                await parts.sending.api.send(request, key=key)
    clock.moment += timedelta(minutes=1)
    async with parts_of(stack, clock=clock) as parts:
        answer = await parts.sending.api.send(request, key=key)
        message = await parts.messages.get_message(str(answer.items[0].message_id))
    assert "attemptedAgain" in [entry["event"] for entry in message["history"]]
    assert message["createdAt"] == iso(accepted)


async def test_those_who_wait_apart_show_the_moment_of_their_request(
    stack: Stack, clock: Clock, people: People
) -> None:
    """Who may not be texted yet is carried by another send, and was asked for with the first."""
    there = clock.moment.astimezone(ZoneInfo("America/New_York")) + timedelta(hours=12)
    rules = {
        "default": {"from": "00:00", "to": "24:00"},
        "+1212": {"from": f"{there.hour:02}:00", "to": f"{there.hour + 1:02}:00"},
    }
    accepted = clock.moment
    async with parts_of(stack, clock=clock, PARLEY_QUIET_HOURS=json.dumps(rules)) as parts:
        body = send_body("+12125550124", people.one(), category="marketing")
        answer = await parts.sending.api.send(send_request(parts, body))
        sleeping, awake = [
            await parts.messages.get_message(str(item.message_id)) for item in answer.items
        ]
        carrier = await parts.parts.record.intent(sleeping["messageId"][: ids.ULID_LENGTH])
    assert sleeping["messageId"][: ids.ULID_LENGTH] != awake["messageId"][: ids.ULID_LENGTH]
    assert sleeping["createdAt"] == awake["createdAt"] == iso(accepted)
    assert carrier is not None
    left = attempts.taken_over(carrier, accepted + timedelta(hours=12), "01")
    assert left.created_at == accepted
