"""Rows of facts: what was written is what is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.base import ulid
from shared.messages import facts
from shared.messages.facts import Intent, Part, Retry
from shared.messages.request import Asked, SendRequest
from shared.rules.timing.windows import read_window

FIRST = datetime(2000, 1, 1, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=36_525)).map(lambda past: FIRST + past)
WHOLE = MOMENTS.map(lambda moment: moment.replace(microsecond=0))
# Any text of a request, as JSON can bring it.
WORDS = st.text(max_size=20)
ADDRESSES = st.sampled_from([f"+1425555010{n}" for n in range(10)])
IDS = st.builds(ulid.new, MOMENTS, st.binary(min_size=10, max_size=10))
WINDOWS = st.sampled_from(
    [
        read_window({"from": "10:00", "to": "18:00"}),
        read_window(
            {"from": "09:30", "to": "17:00", "days": {"sunday": None}, "closedOn": ["12-25"]}
        ),
    ]
)
ASKED = st.one_of(
    st.builds(Asked, to=WORDS, address=ADDRESSES),
    st.builds(Asked, to=ADDRESSES, address=ADDRESSES),
    st.builds(Asked, to=WORDS, address=ADDRESSES, repeat_id=st.uuids().map(str), first_sent=WHOLE),
    st.builds(
        Asked,
        to=WORDS,
        address=st.none(),
        repeat_id=st.none() | WORDS,
        refusal=st.text(min_size=1),
        rejected=st.booleans(),
    ),
)
REQUESTS = st.builds(
    SendRequest,
    sender=ADDRESSES,
    message=WORDS,
    asked=st.lists(ASKED, min_size=1, max_size=4).map(tuple),
    tag=WORDS,
    wants_report=st.booleans(),
    report_timeout_seconds=st.none() | st.integers(60, 43_200),
    category=st.none() | st.sampled_from(["marketing", "transactional", "oneTimeCode"]),
    digest=st.binary(min_size=32, max_size=32).map(bytes.hex),
    send_at=st.none() | MOMENTS,
    time_to_live=st.none() | st.integers(60, 2_678_400).map(lambda s: timedelta(seconds=s)),
    zone=st.none() | st.just("America/New_York"),
    expires_at=st.none() | MOMENTS,
    window=st.none() | WINDOWS,
    campaign=st.none() | st.just("spring"),
    ignored=st.lists(WORDS, max_size=2).map(tuple),
)
PARTS = st.builds(
    Part,
    send_id=IDS,
    addresses=st.lists(ADDRESSES, max_size=3).map(tuple),
    send_at=MOMENTS,
    why_waiting=WORDS,
    expires_at=st.none() | MOMENTS,
)
INTENTS = st.builds(
    Intent,
    send_id=IDS,
    request=REQUESTS,
    segments=st.integers(1, 20),
    encoding=st.sampled_from(["GSM-7", "UCS-2"]),
    keyed=st.booleans(),
    created_at=MOMENTS,
    first_attempt_at=MOMENTS,
    attempt_at=MOMENTS,
    doubt_since=st.none() | MOMENTS,
    ended_at=st.none() | MOMENTS,
    error=st.none() | st.just("Throttled"),
    attempt=st.just("") | st.just("0123456789abcdef"),
    trace=st.none() | st.just("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    send_at=st.none() | MOMENTS,
    why_waiting=st.none() | st.text(min_size=1),
    expires_at=st.none() | MOMENTS,
    canceled=st.frozensets(ADDRESSES, max_size=3),
    parts=st.lists(PARTS, max_size=3).map(tuple),
    retry=st.none() | st.builds(Retry, of=WORDS, number=st.integers(1, 3), at=MOMENTS),
    etag=st.just("1"),
)


class StoredRow(dict[str, Any]):
    """A row as the table's client brings it."""

    metadata = {"etag": "1"}  # noqa: RUF012  # as a row has it


@given(intent=INTENTS)
def test_an_intent_keeps_everything_that_was_asked_and_planned(intent: Intent) -> None:
    """Whatever is in it is in its row: nobody who reads it has to find anything out again."""
    assert facts.read_intent(StoredRow(facts.intent_row(intent, 4))) == intent
