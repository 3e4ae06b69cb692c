"""The opt-out ledger: who said what, when, in which words, and who may therefore be texted.

Table `optouts`, partition `ledger`:

- `head`: last sequence, Merkle frontier and root (RFC 9162), layout version.
- `log:{16 digits}`: one change. Never updated, never deleted.
- `num:{address}`: the state now, for every scope that the address has.
- `src:{changeId}`: what caused the change, and its erasable evidence. If it is there, the change
  has been made.
"""

from __future__ import annotations

from shared.optouts.changes import Change, Channel, Direction, Effect, Made
from shared.optouts.ledger import Ledger

__all__ = ["Change", "Channel", "Direction", "Effect", "Ledger", "Made"]
