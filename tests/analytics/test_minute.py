"""The fold of one minute: pure, and indifferent to the order and the repetition of its facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from shared.analytics.count_rows import MINUTES, entity_of
from shared.analytics.minute import Tariff, fold_minute
from shared.azure.event_grid import Received
from shared.azure.tables import Entity
from shared.base import ids, ulid
from shared.messages.facts import Intent, Outcome, StoredReport
from shared.messages.record import MinuteFacts, Send
from shared.messages.request import Asked, SendRequest
from shared.rules.cost.countries import country_of
from shared.rules.cost.prices import own_prices
from shared.rules.message_states import State

MINUTE = datetime(2026, 11, 22, 13, 7, tzinfo=UTC)
ID_KEY = bytes(32)
TARIFF = Tariff({}, own_prices(), country_of)
PEOPLE = ["+14255550123", "+14255550124", "+447400123456"]
FATES = st.sampled_from(
    [State.SENT, State.SENT, State.UNCERTAIN, State.FAILED, State.BLOCKED, State.EXPIRED]
)
REPORTS = st.tuples(
    st.sampled_from(PEOPLE),
    st.sampled_from(["Delivered", "Failed"]),
    st.sampled_from(["2000", "4004", "4007", "5002", "odd"]),
    st.integers(0, 300),
    st.integers(0, 300),
)
SENDS = st.tuples(
    st.integers(0, 300), st.lists(FATES, min_size=3, max_size=3), st.lists(REPORTS, max_size=6)
)


def send(
    number: int, later: int, fates: list[State], reports: list[tuple[str, str, str, int, int]]
) -> Send:
    send_id = ulid.new(MINUTE, number.to_bytes(10))
    asked = tuple(Asked(person, person) for person in PEOPLE)
    at = MINUTE + timedelta(seconds=later)
    request = SendRequest("+18005550100", "Hi", asked, f"tag-{number}", True, None, None, "0")
    outcomes = {
        person: Outcome(person, fate, 202, error="x")
        for person, fate in zip(PEOPLE, fates, strict=True)
    }
    stored = tuple(
        StoredReport(
            ids.message_id(ID_KEY, send_id, person),
            "Outgoing_1",
            status,
            details,
            at + timedelta(seconds=took),
            [],
            at + timedelta(seconds=arrived),
        )
        for person, status, details, took, arrived in reports
    )
    answered = frozenset({ids.message_id(ID_KEY, send_id, PEOPLE[0])})
    intent = Intent(send_id, request, 2, "GSM-7", False, at, at, at, at, attempt="1")
    return Send(intent, outcomes, at, stored, answered)


def inbound(number: int) -> tuple[str, Received]:
    text = ("Yes", "HELP")[number % 2]
    received = Received(f"Incoming_{number}", PEOPLE[0], "+18005550100", text, MINUTE, 1)
    return ids.inbound_id(received.platform_id, MINUTE), received


def folded(facts: MinuteFacts) -> list[Entity]:
    found = fold_minute(facts, id_key=ID_KEY, tariff=TARIFF, origins={})
    return [entity_of(MINUTES, minute, found[minute], cause="x") for minute in sorted(found)]


@given(st.lists(SENDS, max_size=4), st.integers(0, 3), st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(
    parts: list[tuple[int, list[State], list[tuple[str, str, str, int, int]]]],
    texts: int,
    random: Random,
) -> None:
    """Facts read in another order, and reports read twice, make the same bytes."""
    sends = [send(number, *part) for number, part in enumerate(parts)]
    people = [inbound(number) for number in range(texts)]
    mixed = [
        replace(one, reports=tuple(random.sample(one.reports * 2, len(one.reports) * 2)))
        for one in random.sample(sends, len(sends))
    ]
    facts = MinuteFacts(MINUTE, sends, people)
    assert folded(facts) == folded(MinuteFacts(MINUTE, mixed, people[::-1]))


@given(st.lists(SENDS, max_size=3), st.lists(REPORTS, max_size=4))
def test_more_facts_change_counts_and_nothing_else(
    parts: list[tuple[int, list[State], list[tuple[str, str, str, int, int]]]],
    late: list[tuple[str, str, str, int, int]],
) -> None:
    """Whatever comes late, the same rows are written, so that none of an earlier fold stays."""
    early = [send(number, *part) for number, part in enumerate(parts)]
    after = [
        send(number, later, fates, [*reports, *late])
        for number, (later, fates, reports) in enumerate(parts)
    ]
    before, now = (folded(MinuteFacts(MINUTE, sends, [])) for sends in (early, after))
    assert [row["RowKey"] for row in before] == [row["RowKey"] for row in now]


def test_what_waits_is_not_counted() -> None:
    """A text counts when it is first attempted, and not before."""
    one = send(0, 0, [State.SENT] * 3, [])
    waiting = replace(one, intent=replace(one.intent, attempt=""), outcomes=None)
    assert folded(MinuteFacts(MINUTE, [waiting], [])) == []
