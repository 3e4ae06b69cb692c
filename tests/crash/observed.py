"""What is to be seen from outside after a crash and its repeat, and what a case finds in it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

from shared.base.clock import utc_now
from shared.messages.record import STRAY
from shared.optouts import rows
from tests.crash.rig import Rig


@dataclass(frozen=True, slots=True)
class Observed:
    """The simulator's account, the outgoing topic, and the ledger's rows, at one moment.

    Attributes:
        accepted: how often ACS took a text from Parley, by recipient and text.
        arrived: how often a handset got it.
        relayed: what Parley has published, in order.
        ledger: all rows of the ledger's table.
        strays: the reports on messages that Parley never sent.
        quarantined: the events that were not understood.
    """

    accepted: Counter[tuple[str, str]]
    arrived: Counter[tuple[str, str]]
    relayed: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    strays: list[dict[str, Any]]
    quarantined: list[dict[str, Any]]

    @classmethod
    async def look(cls, rig: Rig) -> Self:
        """Look at everything."""
        account = await rig.platform.call("GET", "/account")
        return cls(
            accepted=Counter((text["to"], text["text"]) for text in account["messages"]),
            arrived=Counter(
                (text["handset"], text["text"])
                for handset in account["handsets"]
                for text in handset["texts"]
                if (text["direction"], text["origin"]) == ("received", "acs")
            ),
            relayed=await rig.platform.relayed(),
            ledger=await rig.rows(rows.TABLE),
            strays=await rig.rows(f"messages{utc_now():%Y%m}", STRAY),
            quarantined=await rig.quarantined(),
        )

    def changes(self, address: str) -> list[dict[str, Any]]:
        """The ledger's log of one address."""
        return [
            row
            for row in self.ledger
            if row["RowKey"].startswith("log:") and row.get("address") == address
        ]

    def told(self, kind: str, **members: Any) -> Counter[str]:
        """Ids of the relayed events of a type with these data members, and how often each came."""
        return Counter(
            event["id"]
            for event in self.relayed
            if event["type"] == kind and members.items() <= event["data"].items()
        )

    def ledger_faults(self) -> list[str]:
        """What is wrong with the ledger as a whole: gaps, causes without changes, a false chain."""
        by_key = {row["RowKey"]: row for row in self.ledger}
        log = [row for key, row in sorted(by_key.items()) if rows.log_key(0) < key < rows.MARKS]
        faults = []
        if [row["sequence"] for row in log] != list(range(1, len(log) + 1)):
            faults.append("the ledger's log has a gap")
        causes = [row["sequence"] for key, row in by_key.items() if key.startswith("src:")]
        if sorted(causes) != list(range(1, len(log) + 1)):
            faults.append("the ledger's causes and changes do not match")
        chain = rows.NO_CHAIN
        for row in log:
            chain = rows.chained(chain, rows.leaf_of(row))
            if row["chain"] != chain.hex():
                faults.append(f"the chain does not follow from the log at {row['sequence']}")
        head = by_key.get(rows.HEAD)
        if log and (head is None or head["chain"] != chain.hex()):
            faults.append("the ledger's head does not follow from its log")
        return faults


@dataclass(slots=True)
class Findings:
    """What was wrong, by how bad it is.

    Attributes:
        doubled: people who were texted twice.
        lost: facts that are not on record, or were not told.
        wrong: answers and states that are not as they should be.
    """

    doubled: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def text_count(self, seen: Observed, to: str, text: str, expected: int) -> None:
        """Somebody must have got a text as often as expected, on both sides of the carrier."""
        for found in (seen.accepted[to, text], seen.arrived[to, text]):
            if found > expected:
                self.doubled.append(f"{to} was texted {found} times, not {expected}")
            elif found < expected:
                self.lost.append(f"{to} was texted {found} times, not {expected}")

    def told_once(self, told: Counter[str], what: str) -> None:
        """An event must have come at least once, and under one id."""
        if not told:
            self.lost.append(f"{what} was never relayed")
        elif len(told) > 1:
            self.wrong.append(f"{what} was relayed under {len(told)} ids")

    def equal(self, found: Any, expected: Any, what: str) -> None:
        """Something must be as expected."""
        if found != expected:
            self.wrong.append(f"{what} is {found!r}, not {expected!r}")

    def once(self, count: int, what: str) -> None:
        """A fact must be on record, once."""
        if count == 0:
            self.lost.append(f"{what} is not on record")
        elif count > 1:
            self.wrong.append(f"{what} is on record {count} times")

    @property
    def all(self) -> list[str]:
        return [
            f"{kind}: {text}"
            for kind, texts in (
                ("DOUBLED", self.doubled),
                ("LOST", self.lost),
                ("WRONG", self.wrong),
            )
            for text in texts
        ]


def body_of(answer: dict[str, Any]) -> Any:
    """The JSON of an HTTP answer."""
    return json.loads(answer["body"]) if answer["body"] else None
