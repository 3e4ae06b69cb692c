"""The opt-out ledger: who said what, when, in which words, and who may therefore be texted.

Table `optouts`, partition `ledger`:

- `log:{16 digits}`: one change (`rows`). Never updated, never deleted.
- `log:~head`: the ledger's id, its layout, the last change and the chain there, and how often a
  halt was lifted. It sorts behind all changes, so that every check reads it; so does
- `log:~halt`, if it is there: nothing is sent (`halt`).
- `num:{person}`: what holds now, for every scope that the person has (`standing`).
- `src:{changeId}`: what caused the change, its salts, and its erasable evidence. If it is there,
  the change has been made.

Every row bears a `version`; one that this version of Parley does not know is refused.
"""

from __future__ import annotations

from shared.optouts.changes import Change, Channel, Direction, Effect, Made
from shared.optouts.ledger import Ledger

__all__ = ["Change", "Channel", "Direction", "Effect", "Ledger", "Made"]
