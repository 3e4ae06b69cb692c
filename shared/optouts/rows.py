"""The ledger's rows: their keys, their members, and the leaf that a change becomes in the tree."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from shared.azure.packing import pack, unpack
from shared.azure.table_keys import key_part
from shared.azure.tables import Entity
from shared.base.clock import from_iso, iso
from shared.optouts.changes import Change, Direction, Effect, Made
from shared.optouts.merkle import Frontier, leaf_hash

TABLE: Final = "optouts"
PARTITION: Final = "ledger"
HEAD: Final = "head"
# ";" follows ":" in ASCII: the end of every range of log rows.
LOG_END: Final = "log;"
LAYOUT: Final = 1
# The members that a leaf covers: everything that a log row says, its own hash apart.
LEAF_MEMBERS: Final = (
    "sequence",
    "time",
    "saidAt",
    "address",
    "sender",
    "scope",
    "program",
    "direction",
    "channel",
    "rule",
    "evidenceHash",
    "effect",
)
MAX_STATE_CHARACTERS: Final = 32_000
# Changes of one address that its state row remembers.
REMEMBERED: Final = 50


@dataclass(frozen=True, slots=True)
class LogHead:
    """Where the log stands. `etag` is None where there is no ledger yet."""

    frontier: Frontier
    etag: str | None

    @property
    def sequence(self) -> int:
        """The last change's number; 0 before the first."""
        return self.frontier.size


@dataclass(frozen=True, slots=True)
class ScopeState:
    """What decides one scope of an address now."""

    direction: Direction
    said_at: str
    sequence: int
    at: str


@dataclass(frozen=True, slots=True)
class Said:
    """One change of an address, as its state row remembers it.

    Attributes:
        sequence: its place in the log.
        scope: what it was about.
        at: when the person or the platform spoke.
        direction: out or in.
        channel: the way it came.
        rule: the rule that recognised it.
        effect: whether it decided.
    """

    sequence: int
    scope: str
    at: datetime
    direction: str
    channel: str
    rule: str
    effect: str


@dataclass(slots=True)
class AddressState:
    """What the ledger has of one address.

    Attributes:
        standings: what decides each scope.
        history: its latest changes, in the order of the log. Rows of earlier versions have none.
    """

    standings: dict[str, ScopeState] = field(default_factory=dict)
    history: list[Said] = field(default_factory=list)


def log_key(sequence: int) -> str:
    """The row key of a change."""
    return f"log:{sequence:016d}"


def state_key(address: str) -> str:
    """The row key of an address's state."""
    return f"num:{key_part(address)}"


def source_key(change_id: str) -> str:
    """The row key of a change's cause."""
    return f"src:{key_part(change_id)}"


def read_head(entity: Entity | None, etag: str | None) -> LogHead:
    """The head row, or the head of a ledger that is yet to begin."""
    if entity is None:
        return LogHead(Frontier(0, ()), None)
    if entity["layout"] != LAYOUT:
        raise ValueError(f"the ledger has layout {entity['layout']}, this version knows {LAYOUT}")
    return LogHead(Frontier.unpack(entity["sequence"], entity["frontier"]), etag)


def head_row(frontier: Frontier) -> Entity:
    """The head row after the changes that `frontier` covers."""
    return {
        "PartitionKey": PARTITION,
        "RowKey": HEAD,
        "layout": LAYOUT,
        "sequence": frontier.size,
        "frontier": frontier.pack(),
        "root": frontier.root().hex(),
    }


def read_state(entity: Entity | None) -> AddressState:
    """An address's state."""
    if entity is None:
        return AddressState()
    standings = {
        scope: ScopeState(Direction(s["direction"]), s["saidAt"], s["sequence"], s["at"])
        for scope, s in json.loads(entity["scopes"]).items()
    }
    packed = unpack(entity["history"]) if "history" in entity else []
    return AddressState(standings, [Said(s[0], s[1], from_iso(s[2]), *s[3:]) for s in packed])


def state_row(address: str, state: AddressState) -> Entity:
    """The state row of an address.

    Raises:
        ValueError: if it has more scopes than a property holds (some 250).
    """
    scopes = json.dumps(
        {
            scope: {
                "direction": s.direction,
                "saidAt": s.said_at,
                "sequence": s.sequence,
                "at": s.at,
            }
            for scope, s in state.standings.items()
        },
        separators=(",", ":"),
    )
    if len(scopes) > MAX_STATE_CHARACTERS:
        raise ValueError("this address has more scopes than its row can hold")
    return {
        "PartitionKey": PARTITION,
        "RowKey": state_key(address),
        "address": address,
        "scopes": scopes,
        "history": pack(
            [
                [s.sequence, s.scope, iso(s.at), s.direction, s.channel, s.rule, s.effect]
                for s in state.history[-REMEMBERED:]
            ]
        ),
    }


def evidence_of(change: Change) -> str:
    """The erasable evidence: what was said and what it was said in, as canonical JSON."""
    return json.dumps(
        {"cause": dict(change.cause), "words": change.words},
        ensure_ascii=False,
        separators=(",", ":"),
        sort_keys=True,
    )


def log_row(change: Change, *, sequence: int, time: str, effect: Effect, salt: bytes) -> Entity:
    """The log row of a change, its leaf hash included."""
    evidence = evidence_of(change).encode("utf-8", "surrogatepass")
    row: Entity = {
        "PartitionKey": PARTITION,
        "RowKey": log_key(sequence),
        "sequence": sequence,
        "time": time,
        "saidAt": iso(change.said_at),
        "address": change.address,
        "sender": change.sender,
        "scope": change.scope,
        "program": change.program,
        "direction": str(change.direction),
        "channel": str(change.channel),
        "rule": change.rule,
        "evidenceHash": hashlib.sha256(salt + evidence).hexdigest(),
        "effect": str(effect),
    }
    row["leafHash"] = leaf_of(row).hex()
    # Beside the leaf, for whoever counts: the message that was read or reported on, if one was.
    row["messageId"] = change.cause.get("messageId", "")
    return row


def leaf_of(row: Mapping[str, Any]) -> bytes:
    """The leaf hash of a log row: RFC 9162 over its members as canonical JSON."""
    members = {name: row[name] for name in LEAF_MEMBERS}
    text = json.dumps(members, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return leaf_hash(text.encode())


def source_row(change: Change, *, sequence: int, effect: Effect, salt: bytes) -> Entity:
    """The cause's row."""
    return {
        "PartitionKey": PARTITION,
        "RowKey": source_key(change.change_id),
        "changeId": change.change_id,
        "channel": str(change.channel),
        "sequence": sequence,
        "effect": str(effect),
        "evidence": evidence_of(change).encode("utf-8", "surrogatepass"),
        "salt": salt,
    }


def said(change: Change, *, sequence: int, effect: Effect) -> Said:
    """What the address's state row remembers of a change."""
    return Said(
        sequence,
        change.scope,
        change.said_at,
        str(change.direction),
        str(change.channel),
        change.rule,
        str(effect),
    )


def said_in(row: Mapping[str, Any]) -> Said:
    """The same, from the change's log row."""
    members = ("direction", "channel", "rule", "effect")
    return Said(
        row["sequence"], row["scope"], from_iso(row["saidAt"]), *(row[name] for name in members)
    )


def read_source(entity: Entity) -> Made:
    """What a cause's row says of a change made earlier."""
    return Made(entity["sequence"], Effect(entity["effect"]), fresh=False)
