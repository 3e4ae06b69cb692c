"""What a scenario is: something that is stopped on the way, and what must be true afterwards.

A scenario prepares cases (people and texts of their own for each, so that one case cannot hide
another's fault), says how each is repeated, and judges the world afterwards.
"""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from shared.rules.conversation_ids import ConversationIds
from tests.crash.calls import Trace
from tests.crash.observed import Findings, Observed, body_of
from tests.crash.rig import Rig, Step, http_step

SENDER: Final = "+18005550100"
# The deployment's, so that the id of a conversation is known.
ID_KEY: Final = base64.b64encode(b"thirty-two bytes for crash tests").decode()
_CONVERSATIONS: Final = ConversationIds(base64.b64decode(ID_KEY))
REPORT: Final = "Parley.SMSDeliveryReportReceived"
RECEIVED: Final = "Parley.SMSReceived"
OPT_OUT: Final = "Parley.OptOutChanged"
BLOCKED: Final = "Sender blocked for given recipient."
# Calls that a case's fate depends on, by the names that `calls.py` gives them.
NEWS: Final = "GET optouts"
INTENT: Final = "POST messages intent"
TAKEN_OVER: Final = "PATCH messages intent"
ASKED: Final = "POST acs"
OUTCOME: Final = "POST messages outcome"
ENTRY: Final = "POST conversations row"
PENDING: Final = "POST conversations pending"
QUEUED: Final = "POST queue record"


@dataclass(slots=True)
class Case:
    """One crash with its repeat.

    Attributes:
        label: a word that its texts and tags hold, and no others do.
        step: what is stopped.
        open: who may be texted.
        closed: who has opted out.
        platform_id: ACS's id of the message that an event is about.
        name: where it was stopped, for people.
        crash: what the stopped process left.
        answers: of the repeats.
        arrived: calls that were under way when it was stopped, and were carried out all the same.
    """

    label: str
    step: Step
    open: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    platform_id: str = ""
    name: str = "no crash"
    crash: Trace = field(default_factory=Trace)
    answers: list[dict[str, Any]] = field(default_factory=list)
    arrived: set[str] = field(default_factory=set)

    @property
    def items(self) -> dict[str, dict[str, Any]]:
        """The last answer's items by recipient; empty if it has none."""
        last = self.answers[-1]
        return {item["to"]: item for item in (body_of(last) or {}).get("value", [])}

    @property
    def stopped(self) -> bool:
        """Whether it was; the rehearsal is not."""
        return not self.crash.answers

    def did(self, call: str) -> bool:
        """Whether a call was carried out before the process stopped."""
        return call in self.crash.carried_out or call in self.arrived

    def left_open(self, call: str) -> bool:
        """Whether a call was sent and its answer never came: it may have been carried out."""
        return any(c.name.partition("#")[0] == call and c.status is None for c in self.crash.calls)

    def message_id(self, number: str) -> str:
        return str(self.items.get(number, {}).get("messageId"))


class Scenario(ABC):
    """A kind of invocation."""

    name: ClassVar[str]
    # What is out of reach while the process runs that is stopped.
    unreachable: ClassVar[tuple[str, ...]] = ()
    # Tables that are to be missing at the start; such cases run one by one.
    fresh: ClassVar[tuple[str, ...]] = ()
    # Whether each point is visited with the calls beside it unsent and done, or unsent only.
    both_ways: ClassVar[bool] = True
    # Whether what lies in the `dispatch` queue at the end is done, too, at its moment.
    dispatches: ClassVar[bool] = False

    @abstractmethod
    async def prepare(self, rig: Rig, count: int) -> list[Case]:
        """Cases, ready to be stopped."""

    async def wind_up(self, rig: Rig) -> None:  # noqa: B027  # few need anything
        """What has to happen after the repeats, for everything to be done."""

    def reads(self, case: Case) -> list[Step]:  # noqa: ARG002  # some depend on it
        """What to read back when all is done."""
        return []

    @abstractmethod
    def judge(
        self, case: Case, seen: Observed, read: Sequence[dict[str, Any]], found: Findings
    ) -> None:
        """Say what is wrong."""


def in_doubt(case: Case) -> bool:
    """Whether nothing on record says what became of the send that was stopped."""
    return case.did(INTENT) and not case.did(OUTCOME)


def conversation_step(number: str) -> Step:
    """Reads what the sender and a person have said."""
    return http_step("GET", f"/conversations/{_CONVERSATIONS.of(SENDER, number)}")


def partition_of_talk(number: str) -> int:
    """In which of the sender's partitions the conversation with a person lies."""
    return int(_CONVERSATIONS.of(SENDER, number).partition[-1])


def entries_in(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """What an answer to that shows; nothing where there is no conversation."""
    return list(body_of(answer).get("value", []))


def opt_out_step(rig: Rig, numbers: Sequence[str]) -> Step:
    """Opts people out by the API."""
    content = {"from": SENDER, "recipients": [{"to": number} for number in numbers]}
    target = "/sms/optouts:add?api-version=2026-01-23"
    return http_step("POST", target, content, access_key=rig.access_key)


async def opt_out(rig: Rig, numbers: Sequence[str], *, later: float) -> None:
    """Opt people out, at another time."""
    if numbers:
        done = await rig.forks.run(
            [
                opt_out_step(rig, numbers[start : start + 100]).after(later)
                for start in range(0, len(numbers), 100)
            ]
        )
        assert all(answer["status"] == 200 for answer in done.answers), done.answers


def tag_of(event: dict[str, Any]) -> str:
    """The application's part of the tag that an event of ACS's carries."""
    return str(event["data"].get("Tag", "")).partition(":")[2]


def judge_message(answer: dict[str, Any], state: str, found: Findings) -> None:
    """A message must be readable and in a state."""
    if answer["status"] != 200:
        found.lost.append("the message is not on record")
        return
    found.equal(body_of(answer)["state"], state, "the message's state")


def judge_change(
    number: str, seen: Observed, found: Findings, *, direction: str, channel: str
) -> None:
    """A person's will must be in the ledger once, decide, and be told."""
    changes = [row for row in seen.changes(number) if row["direction"] == direction]
    found.once(len(changes), "the ledger's change")
    for change in changes:
        found.equal((change["channel"], change["effect"]), (channel, "applied"), "the change")
    told = seen.told(OPT_OUT, recipient=number, isOptedOut=direction == "out")
    found.told_once(told, "the opt-out's change")
