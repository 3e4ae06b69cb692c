"""The rows of the log: their keys, their members, and the chain that runs through them.

A change, `log:{16 digits}`, has these members. Those of `LEAF_MEMBERS` are covered by its leaf:

- `version`, `sequence`, `changeId`;
- `direction`, `sender`, `program`, `categories`: what was said, to whom, and about what;
- `said`, `recorded`: when it was said and when it was written down, both ISO;
- `until`, `strikes`, `names`, `span`, `language`, `actor`: see `Change`; empty or 0 where unused;
- `channel`, `rule`, `effect`: how it came, what recognised it, whether it decided;
- `addressHash`, `evidenceHash`: SHA-256 over a salt, and the address or the evidence;
- beside the leaf, so that they can be erased: `person`, `address`, and `messageId`, the message
  that was read or reported on;
- `leaf`: SHA-256 over 0x00 and the members above as canonical JSON (as RFC 9162 hashes a leaf);
- `chain`: SHA-256 over the chain of the change before and this leaf. That of no change is zero.

So the chain at the head is a promise about every change before it, and two tables that differ
anywhere differ in it ever after.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.azure.table_keys import key_part
from shared.azure.tables import Entity
from shared.base.clock import from_iso, iso
from shared.base.errors import LedgerUnreadable
from shared.optouts.changes import Change, Channel, Direction, Effect, Made

TABLE: Final = "optouts"
PARTITION: Final = "ledger"
# What all processes must hear at once sorts behind all changes, so that every check reads it.
MARKS: Final = "log:~"
HEAD: Final = "log:~head"
HALT: Final = "log:~halt"
# ";" follows ":" in ASCII: the end of what every check reads.
LOG_END: Final = "log;"
# The version of every row, and the layout that the head names.
LAYOUT: Final = 2
LEAF_MEMBERS: Final = (
    "version",
    "sequence",
    "changeId",
    "direction",
    "addressHash",
    "sender",
    "program",
    "categories",
    "said",
    "recorded",
    "until",
    "strikes",
    "names",
    "channel",
    "rule",
    "span",
    "language",
    "actor",
    "effect",
    "evidenceHash",
)
NO_CHAIN: Final = bytes(hashlib.sha256().digest_size)
_LEAF: Final = b"\x00"
SALT_BYTES: Final = 16
MOST_WORDS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Salts:
    """What keeps a hash of a number, or of a word, from being guessed.

    Each belongs to one of the two, so that one can be erased and the other stay.
    """

    address: bytes
    evidence: bytes

    @classmethod
    def drawn(cls, drawn: bytes) -> Salts:
        """From twice `SALT_BYTES` random bytes."""
        return cls(drawn[:SALT_BYTES], drawn[SALT_BYTES:])


@dataclass(frozen=True, slots=True)
class LogHead:
    """Where the log stands.

    Attributes:
        ledger_id: drawn when the ledger began; empty before.
        sequence: the last change's number; 0 before the first.
        chain: the chain there.
        lifts: how often a halt was lifted.
        etag: the row's; None where there is none.
    """

    ledger_id: str = ""
    sequence: int = 0
    chain: bytes = NO_CHAIN
    lifts: int = 0
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Halt:
    """Why nobody is texted.

    Attributes:
        since: when it was noticed, ISO.
        why: a sentence.
        known: the last change that whoever noticed had known.
        known_chain: the chain there, hex.
        found: the last change that the table had.
        found_chain: the chain there, hex.
        lifts: how many lifts were known before.
        etag: the row's.
    """

    since: str
    why: str
    known: int
    known_chain: str
    found: int
    found_chain: str
    lifts: int
    etag: str | None = None


def log_key(sequence: int) -> str:
    """The row key of a change."""
    return f"log:{sequence:016d}"


def state_key(person: str) -> str:
    """The row key of a person's state."""
    return f"num:{key_part(person)}"


def source_key(change_id: str) -> str:
    """The row key of a change's cause."""
    return f"src:{key_part(change_id)}"


def check_version(row: Mapping[str, Any]) -> None:
    """Refuse a row that this version of Parley does not know how to read.

    Raises:
        LedgerUnreadable: another version has written it.
    """
    if row.get("version") != LAYOUT:
        raise LedgerUnreadable(_kind(row["RowKey"]), row.get("version"), LAYOUT)


def _kind(key: str) -> str:
    # A person's row has a number for its key, which no error may say.
    prefix, _, rest = key.partition(":")
    return key if prefix == "log" else f"{prefix}:{'…' if rest else ''}"


def read_head(entity: Entity | None, etag: str | None = None) -> LogHead:
    """The head row, or the head of a ledger that is yet to begin.

    Raises:
        LedgerUnreadable: it has another layout.
    """
    if entity is None:
        return LogHead()
    check_version(entity)
    return LogHead(
        entity["ledgerId"],
        entity["sequence"],
        bytes.fromhex(entity["chain"]),
        entity["lifts"],
        etag,
    )


def head_row(head: LogHead) -> Entity:
    """The head's row."""
    return {
        "PartitionKey": PARTITION,
        "RowKey": HEAD,
        "version": LAYOUT,
        "layout": LAYOUT,
        "ledgerId": head.ledger_id,
        "sequence": head.sequence,
        "chain": head.chain.hex(),
        "lifts": head.lifts,
    }


def read_halt(entity: Entity, etag: str | None = None) -> Halt:
    """The halt's row.

    Raises:
        LedgerUnreadable: another version has written it.
    """
    check_version(entity)
    return Halt(
        entity["since"],
        entity["why"],
        entity["known"],
        entity["knownChain"],
        entity["found"],
        entity["foundChain"],
        entity["lifts"],
        etag,
    )


def halt_row(halt: Halt) -> Entity:
    """The halt's row."""
    return {
        "PartitionKey": PARTITION,
        "RowKey": HALT,
        "version": LAYOUT,
        "since": halt.since,
        "why": halt.why,
        "known": halt.known,
        "knownChain": halt.known_chain,
        "found": halt.found,
        "foundChain": halt.found_chain,
        "lifts": halt.lifts,
    }


def evidence_of(change: Change) -> str:
    """The erasable evidence: what was said and what it was said in, as canonical JSON.

    Of words the first 10,000 characters: a report's details have no limit, a row's property has.
    """
    words = change.words[:MOST_WORDS] if change.words is not None else None
    return _canonical({"cause": dict(change.cause), "words": words})


def log_row(
    change: Change,
    *,
    sequence: int,
    recorded: str,
    effect: Effect,
    salts: Salts,
    before: bytes,
) -> Entity:
    """The log row of a change; `before` is the chain of the one before it."""
    evidence = evidence_of(change).encode("utf-8", "surrogatepass")
    # What was written, and who that is by the rule of the day.
    whom = f"{change.address}|{change.person}".encode()
    row: Entity = {
        "PartitionKey": PARTITION,
        "RowKey": log_key(sequence),
        "version": LAYOUT,
        "sequence": sequence,
        "changeId": change.change_id,
        "direction": str(change.direction),
        "addressHash": hashlib.sha256(salts.address + whom).hexdigest(),
        "sender": change.sender,
        "program": change.program,
        "categories": change.categories,
        "said": iso(change.said_at),
        "recorded": recorded,
        "until": iso(change.until) if change.until is not None else "",
        "strikes": change.strikes,
        "names": change.names,
        "channel": str(change.channel),
        "rule": change.rule,
        "span": change.span,
        "language": change.language,
        "actor": change.actor,
        "effect": str(effect),
        "evidenceHash": hashlib.sha256(salts.evidence + evidence).hexdigest(),
    }
    leaf = leaf_of(row)
    return row | {
        "person": change.person,
        "address": change.address,
        "messageId": change.cause.get("messageId", ""),
        "leaf": leaf.hex(),
        "chain": chained(before, leaf).hex(),
    }


def leaf_of(row: Mapping[str, Any]) -> bytes:
    """The leaf of a log row; 32 bytes."""
    members = {name: row[name] for name in LEAF_MEMBERS}
    return hashlib.sha256(_LEAF + _canonical(members).encode()).digest()


def chained(before: bytes, leaf: bytes) -> bytes:
    """The chain at a change; 32 bytes."""
    return hashlib.sha256(before + leaf).digest()


def change_in(row: Mapping[str, Any]) -> Change:
    """The change that a log row has, without its cause and words."""
    return Change(
        change_id=row["changeId"],
        address=row["address"],
        sender=row["sender"],
        program=row["program"],
        direction=Direction(row["direction"]),
        channel=Channel(row["channel"]),
        rule=row["rule"],
        said_at=from_iso(row["said"]),
        categories=row["categories"],
        until=from_iso(row["until"]) if row["until"] else None,
        strikes=row["strikes"],
        names=row["names"],
        span=row["span"],
        language=row["language"],
        actor=row["actor"],
    )


def source_row(change: Change, *, sequence: int, effect: Effect, salts: Salts) -> Entity:
    """The cause's row."""
    return {
        "PartitionKey": PARTITION,
        "RowKey": source_key(change.change_id),
        "version": LAYOUT,
        "changeId": change.change_id,
        "channel": str(change.channel),
        "sequence": sequence,
        "effect": str(effect),
        "evidence": evidence_of(change).encode("utf-8", "surrogatepass"),
        "evidenceSalt": salts.evidence,
        "addressSalt": salts.address,
    }


def read_source(entity: Entity) -> Made:
    """What a cause's row says of a change made earlier."""
    check_version(entity)
    return Made(entity["sequence"], Effect(entity["effect"]), fresh=False)


def _canonical(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
