"""The same counts by another way: every text looked at by itself, lists instead of sums.

It reads the rows of facts as they lie in storage and knows the rules from docs/interface.md. Of
the code it counts for, it uses the ids of messages and the country of a number, nothing else.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil
from typing import Any

from shared.azure.tables import Tables, stored_at
from shared.base import ids
from shared.rules.cost.countries import country_of

# Of the price table in shared/rules/cost/prices.json: toll-free numbers, price and surcharge.
PRICES = {"US": Decimal("0.0100"), "CA": Decimal("0.0160")}
TOLL_FREE = {"+18005550100", "+18335550100"}
PROGRAMS = {"+18005550100": "reminders", "+18335550100": "reminders", "24680": "offers"}
# 2000 is none of them: a failure has no code of success.
KNOWN_CODES = {
    **dict.fromkeys((4000, 4001, 4002, 4003, 4008, 4009, 4010, 5000, 5001), "failed"),
    **dict.fromkeys((4004, 4005, 4006, 4020, 9999), "undelivered"),
    4007: "blocked",
    5002: "unknown",
}
BY_SENTENCE = {"The country": "country", "The daily": "budget", "Too many": "flood"}


@dataclass
class Thing:
    """Something that counts: a text of ours, a text of theirs, or a change of the ledger.

    Attributes:
        at: when it counts.
        word: what it is, or what became of it.
        detail: a code, a status or a reason.
        groups: by dimension.
        segments: those that ACS took.
        price: of one of them, where it is known.
        took: seconds to its delivery.
        replied: whether it was answered.
        asks_help: whether it did.
    """

    at: datetime
    word: str
    detail: str
    groups: dict[str, str | None]
    segments: int = 0
    price: Decimal | None = None
    took: int | None = None
    replied: bool = False
    asks_help: bool = False


@dataclass
class Facts:
    """All rows, taken apart."""

    intents: dict[str, dict[str, Any]] = field(default_factory=dict)
    outcomes: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    reports: dict[str, list[Any]] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)
    inbound: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)


def _unpacked(data: bytes) -> Any:
    return json.loads(zlib.decompress(data))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


async def read(tables: Tables) -> Facts:
    """Everything that is on record."""
    found = Facts()
    for table in await tables.tables("messages"):
        async for row in tables.query(table, "PartitionKey ge @low", low=""):
            key = row["RowKey"]
            if len(key) == 26:
                found.intents[key] = {**row, **_unpacked(row["request"])}
                canceled = row["canceled"]
                found.intents[key]["canceled"] = _unpacked(canceled) if canceled else []
            elif key.endswith(".outcome"):
                found.outcomes[key[:26]] = {item[0]: item for item in _unpacked(row["items"])}
            elif key.endswith(".in"):
                found.inbound[key] = {**row, **_unpacked(row["message"])}
            elif not key.endswith(".answer"):
                report = (stored_at(row), _time(row["receivedAt"]), row["status"], row["details"])
                found.reports.setdefault(key.rpartition(".")[0], []).append(report)
    async for row in tables.query("optouts", "PartitionKey eq @of", of="ledger"):
        found.log.append(dict(row))
    for message in found.inbound.values():
        if message.get("inReplyTo"):
            found.answered.add(message["inReplyTo"][0])
    return found


def things(facts: Facts, id_key: bytes) -> list[Thing]:
    """Everything that counts."""
    return [
        *(
            thing
            for send_id, intent in facts.intents.items()
            for thing in _texts(facts, send_id, intent, id_key)
        ),
        *(_theirs(facts, key, message) for key, message in facts.inbound.items()),
        *_changes(facts),
    ]


def _texts(facts: Facts, send_id: str, intent: dict[str, Any], id_key: bytes) -> list[Thing]:
    if not intent["attempt"]:
        return []
    found = []
    for to, *_ in intent["asked"]:
        message_id = ids.message_id(id_key, send_id, to)
        outcome = facts.outcomes.get(send_id, {}).get(to)
        word, detail, took = _fate(intent, to, outcome, facts.reports.get(message_id, []))
        country = country_of(to)
        taken = word in {"delivered", "undelivered", "unknown", "awaiting"} or (
            word in {"failed", "blocked"} and detail.startswith("!")
        )
        priced = intent["from"] in TOLL_FREE
        found.append(
            Thing(
                at=_time(intent["firstAttemptAt"]),
                word=word,
                detail=detail.lstrip("!"),
                groups={**_groups_of(intent), "country": country},
                segments=intent["segments"] if taken else 0,
                price=PRICES.get(country or "") if priced else None,
                took=took,
                replied=message_id in facts.answered,
            )
        )
    return found


def _groups_of(intent: dict[str, Any]) -> dict[str, str | None]:
    return {
        "sender": intent["from"],
        "program": PROGRAMS.get(intent["from"], intent["from"]),
        "tag": intent["tag"] or None,
        "campaign": intent.get("campaign"),
        "category": intent["category"],
    }


def _fate(
    intent: dict[str, Any], to: str, outcome: list[Any] | None, reports: list[Any]
) -> tuple[str, str, int | None]:
    """A word, a detail (with ! where a report told it), seconds to the delivery."""
    word, detail = _decided(intent, to, outcome)
    if word not in {"sent", "uncertain"}:
        return word, detail, None
    for _, received, status, details in sorted(reports):
        if status == "Delivered":
            start = _time(intent["doubtSince"] or intent["firstAttemptAt"])
            seconds = (received - start).total_seconds()
            return "delivered", "", max(0, int(seconds + 0.5))
        code = _code_of(details)
        word, detail = KNOWN_CODES.get(code or 0, "undelivered"), f"!{code or 'none'}"
        if word != "unknown":
            return word, "!platform" if word == "blocked" else detail, None
    return ("awaiting", "", None) if word == "sent" else (word, detail, None)


def _decided(intent: dict[str, Any], to: str, outcome: list[Any] | None) -> tuple[str, str]:
    """What was known of it before any report."""
    if outcome is None and to in intent["canceled"]:
        return "canceled", ""
    if outcome is None:
        return ("uncertain", "") if intent["doubtSince"] else ("failed", intent["error"])
    _, word, status, error, _, sequence = outcome
    if word == "blocked" and sequence is None:
        return word, next(r for start, r in BY_SENTENCE.items() if error.startswith(start))
    return word, {"failed": str(status), "blocked": "optedOut"}.get(word, "")


def _code_of(details: str) -> int | None:
    numbers = [int(number) for number in re.findall(r"\b[0-9]{4}\b", details)]
    return next((number for number in numbers if number in KNOWN_CODES), None)


def _theirs(facts: Facts, key: str, message: dict[str, Any]) -> Thing:
    return Thing(
        at=ids.time_of(key),
        word="inbound",
        detail="",
        groups=_answering(facts, key)
        | {
            "sender": message["to"],
            "program": PROGRAMS.get(message["to"], message["to"]),
            "country": country_of(message["from"]),
        },
        asks_help=message["message"].strip().upper() in {"HELP", "INFO", "AIDE"},
    )


def _answering(facts: Facts, cause: str) -> dict[str, str | None]:
    """The groups of the text that something goes back to."""
    nothing: dict[str, str | None] = dict.fromkeys(("tag", "campaign", "category"))
    if cause.endswith(".in"):
        answered = facts.inbound[cause].get("inReplyTo")
        return _answering(facts, answered[0]) if answered else nothing
    intent = facts.intents.get(cause[:26])
    if intent is None:
        return nothing
    groups = _groups_of(intent)
    return {name: groups[name] for name in nothing}


def _changes(facts: Facts) -> list[Thing]:
    found = []
    latest = datetime.min.replace(tzinfo=UTC)
    for row in sorted(facts.log, key=lambda row: int(row["sequence"])):
        latest = max(latest, _time(row["recorded"]).replace(second=0, microsecond=0))
        if row["effect"] == "applied":
            found.append(
                Thing(
                    at=latest,
                    word="optOuts" if row["direction"] == "out" else "resumes",
                    detail="",
                    groups=_answering(facts, row["messageId"])
                    | {
                        "sender": row["sender"],
                        "program": PROGRAMS.get(row["sender"], row["sender"]),
                        "country": country_of(row["address"]),
                    },
                )
            )
    return found


# Rows -------------------------------------------------------------------------------------------


def row_of(found: Sequence[Thing], *, silent_before: datetime) -> dict[str, Any]:
    """The members of a row; times to delivery exact.

    Args:
        found: what counts in it.
        silent_before: what was sent before it and has no report is unknown.
    """
    taken = [thing for thing in found if thing.segments]
    words = Counter(thing.word for thing in found)
    silent = sum(t.word == "awaiting" and t.at < silent_before for t in taken)
    times = sorted(thing.took for thing in found if thing.took is not None)
    priced = [thing for thing in taken if thing.price is not None]
    cost = sum((thing.segments * (thing.price or 0) for thing in priced), Decimal(0))
    sent = len(taken)

    def rate(part: int) -> float | None:
        return round(part / sent, 6) if sent else None

    replied = sum(thing.replied for thing in found)
    return {
        "sent": sent,
        "segments": sum(thing.segments for thing in taken),
        "cost": {"USD": f"{cost:.4f}"} if priced else {},
        "unpricedSegments": sum(thing.segments for thing in taken if thing.price is None),
        "blocked": {
            **dict.fromkeys(("optedOut", "country", "budget", "flood", "platform"), 0),
            **_by_detail(found, "blocked"),
        },
        "failed": _by_detail(found, "failed"),
        "expired": words["expired"],
        "canceled": words["canceled"],
        "delivered": words["delivered"],
        "undelivered": _by_detail(found, "undelivered"),
        "uncertain": words["uncertain"],
        "unknown": words["unknown"] + silent,
        "awaiting": words["awaiting"] - silent,
        "timeToDelivery": {"median": _rank(times, 50), "p95": _rank(times, 95)},
        "deliveryRate": rate(words["delivered"]),
        "inbound": words["inbound"],
        "replied": replied,
        "replyRate": rate(replied),
        "optOuts": words["optOuts"],
        "optOutRate": rate(words["optOuts"]),
        "resumes": words["resumes"],
        "help": sum(thing.asks_help for thing in found),
    }


def _by_detail(found: Sequence[Thing], word: str) -> dict[str, int]:
    return dict(Counter(thing.detail for thing in found if thing.word == word))


def _rank(times: Sequence[int], hundredths: int) -> int | None:
    return times[ceil(hundredths * len(times) / 100) - 1] if times else None


def within(found: Sequence[Thing], start: datetime, end: datetime) -> list[Thing]:
    """What counts in a span."""
    return [thing for thing in found if start <= thing.at < end]


def compare(row: dict[str, Any], expected: dict[str, Any]) -> None:
    """A row has exactly these counts, and times to delivery to 5 %."""
    shown = {name: row[name] for name in expected}
    got, exact = shown.pop("timeToDelivery"), dict(expected)
    wanted = exact.pop("timeToDelivery")
    assert shown == exact
    for name, seconds in wanted.items():
        if seconds is None or seconds <= 120:
            assert got[name] == seconds
        else:
            assert seconds / 1.05 <= got[name] <= seconds
