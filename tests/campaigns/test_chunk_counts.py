"""However a campaign's chunks are cut short and run again, its counts add up to its list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.base.errors import (
    AnswerMissing,
    LedgerUnavailable,
    ParleyError,
    PlatformDenied,
    StillSending,
    Throttled,
)
from shared.campaigns.campaign import Campaign, Chunk, Fate, Phase, Piece, Totals
from shared.campaigns.chunk_counts import Result, after_run
from shared.campaigns.order import Definition, inline_shape
from shared.campaigns.progress import ChunkSum, progress_of
from shared.messages.request import Asked, SendRequest
from shared.rules.message_states import MAY_HAVE_LEFT, State
from shared.sending.answers import Answer, Item
from tests.support.client import SHORT_CODE

BEGIN = datetime(2026, 11, 22, 12, tzinfo=UTC)
ENDS = (State.SENT, State.FAILED, State.BLOCKED, State.EXPIRED, State.SCHEDULED, State.UNCERTAIN)
ERRORS: tuple[ParleyError, ...] = (
    Throttled(1),
    PlatformDenied(401, "no"),
    LedgerUnavailable("away"),
    AnswerMissing("lost"),
    StillSending("at work"),
)


@dataclass
class Sends:
    """A chunk's sends, and what the platform made of each: the first answer stands.

    Attributes:
        people: of each send.
        capped: those who are in no send, because a cap held them back when it was made.
        answers: by send.
    """

    people: Mapping[str, list[str]]
    capped: set[str] = field(default_factory=set)
    answers: dict[str, Answer] = field(default_factory=dict)

    def requests(self) -> dict[str, SendRequest]:
        """What a run asks for; a send whose people are all held back is not made."""
        found = {}
        for send_id, people in self.people.items():
            asked = [Asked(one, one) for one in people if one not in self.capped]
            if asked:
                found[send_id] = request_to(tuple(asked))
        return found

    def answer(self, send_id: str, people: list[str], states: list[State]) -> Answer:
        """The answer, again the same."""
        if send_id not in self.answers:
            items = tuple(
                Item(one, 202, successful=True, state=states[place % len(states)])
                for place, one in enumerate(people)
            )
            self.answers[send_id] = Answer(send_id, items, 1, "GSM-7", replayed=False)
        return self.answers[send_id]


def request_to(asked: tuple[Asked, ...]) -> SendRequest:
    return SendRequest(SHORT_CODE, "Hello", asked, "", False, None, None, "digest")


@dataclass(frozen=True)
class RunPlan:
    """What happens in one run of a chunk: of each send, an error, an answer or nothing.

    Attributes:
        fates: for the sends in their order; "cut" ends the run.
        states: for those who are answered.
        freed: whether nobody is held back by the cap any more.
    """

    fates: list[Any]
    states: list[State]
    freed: bool


plans = st.builds(
    RunPlan,
    st.lists(st.sampled_from([*range(len(ERRORS)), "answered", "answered", "cut"]), min_size=1),
    st.lists(st.sampled_from(ENDS), min_size=1),
    st.booleans(),
)
sizes = st.lists(st.integers(1, 4), min_size=1, max_size=4)
chunks = st.lists(st.tuples(sizes, st.integers(0, 3)), min_size=1, max_size=4)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(0, 3), plans),
        st.tuples(st.just("count"), st.integers(0, 3), st.none()),
        st.tuples(st.just("look"), st.just(0), st.none()),
    ),
    max_size=12,
)


def run(chunk: Chunk, sends: Sends, plan: RunPlan) -> Chunk:
    """The chunk after a run."""
    if plan.freed:
        sends.capped.clear()
    requests = sends.requests()
    results: dict[str, Result] = {}
    goes_on = True
    for place, (send_id, request) in enumerate(requests.items()):
        fate = plan.fates[place % len(plan.fates)]
        goes_on = goes_on and fate != "cut"
        if not goes_on:
            results[send_id] = None
        elif fate == "answered":
            results[send_id] = sends.answer(send_id, request.addresses(), plan.states)
        else:
            results[send_id] = ERRORS[fate]
    return applied(chunk, after_run(chunk, requests, results))


def applied(chunk: Chunk, members: Mapping[str, Any]) -> Chunk:
    if not members:
        return chunk
    return replace(
        chunk,
        fate=Fate(members.get("fate", chunk.fate)),
        counts=members["counts"],
        errors=members.get("errors", chunk.errors),
        left=members["left"],
        sends=tuple(members["sends"]),
        settled=False,
        done_at=BEGIN,
    )


def counted(chunk: Chunk, sends: Sends) -> Chunk:
    """The chunk with its counts folded anew from what has become of its sends."""
    counts: Counter[str] = Counter()
    for send_id in chunk.sends:
        answer = sends.answers.get(send_id)
        if answer is None:
            counts[State.UNCERTAIN] += sum(chunk.left[send_id].values())
        else:
            counts.update(str(item.state) for item in answer.items)
    if capped := chunk.counts.get("capped"):
        counts["capped"] = capped
    settled = chunk.fate is Fate.DONE
    return replace(chunk, counts=dict(counts), settled=settled)


@given(chunks, steps, st.sampled_from([Phase.PAUSED, Phase.CANCELED, Phase.DONE]))
def test_the_counts_add_up_to_the_list(
    shape: list[tuple[list[int], int]], story: list[tuple[str, int, Any]], end: Phase
) -> None:
    """After every run, cut short by a pause, a cancel, errors or doubts, and after every look: the
    states add up to the recipients. Whoever has left stays counted, and is never called queued or
    canceled; who was held back by a cap is counted as that."""
    all_sends, known = [], []
    for number, (sizes_of, held_back) in enumerate(shape):
        people = {
            f"send {number}.{place}": [f"+1425{number}{place}{one:05}" for one in range(size)]
            for place, size in enumerate(sizes_of)
        }
        everybody = [one for some in people.values() for one in some]
        all_sends.append(Sends(people, set(everybody[:held_back])))
        units = {SHORT_CODE: len(everybody)}
        known.append(Chunk(Piece(number, 0, 1, 1, (), 0.0, units, len(everybody))))
    recipients = sum(chunk.piece.recipients for chunk in known)
    campaign = Campaign(
        "a campaign",
        Definition((SHORT_CODE,), "Hello", shape=inline_shape(("to",))),
        Phase.RUNNING,
        BEGIN,
        "attempt",
        expanded=True,
        totals=Totals(recipients, recipients, 0, 0, {SHORT_CODE: recipients}),
        chunks=len(known),
        next=len(known),
    )
    kept = ChunkSum()
    for kind, place, plan in [*story, ("look", 0, None)]:
        number = place % len(known)
        if kind == "run" and known[number].fate is not Fate.DONE:
            known[number] = run(known[number], all_sends[number], plan)
        elif kind == "count":
            known[number] = counted(known[number], all_sends[number])
        elif kind == "look":
            read = [known[at] for at in sorted(kept.open)] + known[kept.upto :]
            kept.add_final(read)
        for phase in (Phase.RUNNING, end):
            rest = [chunk for chunk in known if not kept.holds(chunk.piece.number)]
            seen = progress_of(replace(campaign, phase=phase), kept, rest).counts
            assert sum(seen.values()) == recipients
            left = {
                item.to
                for sends in all_sends
                for answer in sends.answers.values()
                for item in answer.items
                if item.state in MAY_HAVE_LEFT
            }
            waiting = seen.get("queued", 0) + seen.get("canceled", 0)
            assert waiting <= recipients - len(left)
    for chunk in known:
        if chunk.fate is Fate.DONE:
            assert sum(chunk.counts.values()) == chunk.piece.recipients
