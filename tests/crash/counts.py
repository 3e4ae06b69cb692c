"""How many crashes there were, and what came of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.crash.observed import Findings


@dataclass(slots=True)
class Count:
    """The figures of one variant."""

    points: int = 0
    crashes: int = 0
    doubled: int = 0
    lost: int = 0
    wrong: int = 0


@dataclass(slots=True)
class Counts:
    """The figures of all variants, in the order of their tests."""

    counts: dict[str, Count] = field(default_factory=lambda: defaultdict(Count))

    def add(self, variant: str, *, points: int = 0, crashes: int = 0) -> None:
        """Count what was done."""
        self.counts[variant].points += points
        self.counts[variant].crashes += crashes

    def judge(self, variant: str, found: Findings) -> None:
        """Count what was found."""
        count = self.counts[variant]
        count.doubled += len(found.doubled)
        count.lost += len(found.lost)
        count.wrong += len(found.wrong)

    def lines(self) -> Iterator[str]:
        """One line for each variant."""
        for variant, count in self.counts.items():
            yield (
                f"{variant}: {count.points} points, {count.crashes} crashes,"
                f" {count.doubled} double texts, {count.lost} lost facts, {count.wrong} others"
            )
