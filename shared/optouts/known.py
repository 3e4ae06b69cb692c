"""The log as far as one process has read it, folded into who is closed."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from shared.azure.tables import Entity
from shared.base.clock import from_iso
from shared.optouts import rows
from shared.optouts.changes import Direction, Effect
from shared.optouts.rows import LogHead

# The latest rows, which are kept as they are: of what a restore took away, they say whose it was.
KEPT_ROWS: Final = 5_000
NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Known:
    """Who is closed for whom, and where in the log that was so.

    Attributes:
        head: where the log stood, without an ETag.
        closed: the change that closes a person for a scope, by their mark.
        erased: when people's erasure was last ordered, by their mark without a sender.
        latest: the latest rows as they are; of those that were loaded, what decides.
        kept: whether all of it was written to a blob.
    """

    def __init__(self) -> None:
        self.head = LogHead()
        self.closed: dict[int, int] = {}
        self.erased: dict[int, datetime] = {}
        self.latest: deque[Entity] = deque(maxlen=KEPT_ROWS)
        self.kept = False

    @property
    def position(self) -> int:
        """The last change taken in."""
        return self.head.sequence

    def take_in(self, row: Entity) -> bool:
        """Take in the next change; False if this row is not it.

        Raises:
            LedgerUnreadable: another version has written it.
        """
        rows.check_version(row)
        if row["sequence"] != self.position + 1:
            return False
        chain = rows.chained(self.head.chain, bytes.fromhex(row["leaf"]))
        if chain.hex() != row["chain"]:
            return False
        self.head = LogHead(self.head.ledger_id, row["sequence"], chain, self.head.lifts)
        self.latest.append(dict(row))
        self.kept = False
        if row["effect"] == Effect.APPLIED:
            self._decide(row)
        return True

    def _decide(self, row: Mapping[str, Any]) -> None:
        mark = mark_of(row["person"], row["sender"])
        if row["direction"] == Direction.ERASED:
            self.erased[mark] = max(from_iso(row["said"]), self.erased.get(mark, NEVER))
        elif row["direction"] == Direction.OUT:
            self.closed[mark] = row["sequence"]
        elif row["direction"] == Direction.IN:
            self.closed.pop(mark, None)

    def is_at(self, head: LogHead) -> bool:
        """Whether this is the log that a head is the end of, all of it."""
        same = (self.head.sequence, self.head.chain) == (head.sequence, head.chain)
        return same and self.head.ledger_id in {"", head.ledger_id}

    def holds(self, row: Entity | None) -> bool:
        """Whether the table's row at this position is the one that was read."""
        return row is not None and row["chain"] == self.head.chain.hex()

    def agree(self, head: LogHead) -> None:
        """Note the ledger's id, and how often it was lifted, of a head that fits."""
        self.head = LogHead(head.ledger_id, self.position, self.head.chain, head.lifts)

    def shown(self) -> dict[str, Any]:
        """All of it, for whoever has to recover what the table has lost.

        `closed` has a mark for each person and scope: `mark_of` says whose a mark is to whoever has
        the number.
        """
        return {
            "version": rows.LAYOUT,
            "ledgerId": self.head.ledger_id,
            "sequence": self.position,
            "chain": self.head.chain.hex(),
            "lifts": self.head.lifts,
            "closed": [[f"{mark:016x}", sequence] for mark, sequence in self.closed.items()],
            "rows": list(self.latest),
        }


def mark_of(person: str, sender: str) -> int:
    """A person and a sender in 64 bits instead of two strings.

    A collision (one in 10^13 at a million opt-outs) would block one person too many, never text
    one.
    """
    digest = hashlib.blake2b(f"{person}|{sender}".encode(), digest_size=8).digest()
    return int.from_bytes(digest)
