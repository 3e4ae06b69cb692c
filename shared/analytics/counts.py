"""What is counted, and how counts become one.

Counts are whole numbers under flat names, so that two of them become one by adding name by name.
That is all that a fold of minutes into hours and of hours into days does; nothing in it can depend
on an order.

- `sent`, `segments`, `unpriced` (segments whose price is not known), `cost.{currency}` in units of
  a hundred-millionth, in which every price of the table is whole;
- `delivered`, `undelivered.{code}`, `failed.{code, status or error}`, `blocked.{reason}`,
  `expired`, `canceled`, `uncertain`, `unknown`, `awaiting`: what became of a text, one for each;
- `time.{seconds}`: how long deliveries took;
- `replied`: texts that were answered; `inbound`, `help`: texts from people;
- `optOuts`, `resumes`: changes of the ledger that decided something.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Final

Counts = dict[str, int]

DIMENSIONS: Final = ("total", "sender", "tag", "campaign", "country", "category")
NONE: Final = ""
"""The group of what has no tag, no campaign, no known country."""
OTHERS: Final = "\x00others"
"""The group of all that a level has no room to keep apart. No tag holds a control character."""

# Prices have eight decimals at most (shared/rules/cost/prices.py).
MONEY: Final = Decimal(100_000_000)
_EXACT_SECONDS: Final = 120
# Thirty days: nothing is delivered later.
_LONGEST_SECONDS: Final = 30 * 86_400
_STEP: Final = 20


def _steps() -> list[int]:
    steps = [_EXACT_SECONDS]
    while steps[-1] < _LONGEST_SECONDS:
        steps.append(steps[-1] + steps[-1] // _STEP)
    return steps


_STEPS: Final = _steps()


def seconds_kept(seconds: float) -> int:
    """A time to delivery as it is kept.

    To the second up to two minutes; beyond, at most 5 % less. A negative one, which only clocks
    that disagree make, is none at all.
    """
    whole = max(0, int(seconds + 0.5))
    return whole if whole <= _EXACT_SECONDS else _STEPS[bisect_right(_STEPS, whole) - 1]


def add_counts(into: Counts, more: Mapping[str, int]) -> None:
    """Add counts to counts."""
    for name, number in more.items():
        into[name] = into.get(name, 0) + number


def merged(parts: Iterable[Mapping[str, int]]) -> Counts:
    """The sum of counts."""
    found: Counts = {}
    for part in parts:
        add_counts(found, part)
    return found


def by_kind(counts: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Counts `{kind}.{detail}` by kind and detail, in the order of their names."""
    found: dict[str, dict[str, int]] = {}
    for name in sorted(counts):
        kind, _, detail = name.partition(".")
        if detail:
            found.setdefault(kind, {})[detail] = counts[name]
    return found


def percentiles(times: Mapping[str, int], *hundredths: int) -> list[int | None]:
    """The times to delivery within which so many of a hundred deliveries came; None without any.

    The nearest rank: a time that was kept, never one in between.

    Args:
        times: seconds to the number of deliveries that took so long.
        hundredths: of each percentile, rising.
    """
    ordered = sorted((int(seconds), number) for seconds, number in times.items())
    whole = sum(number for _, number in ordered)
    ranks = [-(-share * whole // 100) for share in hundredths]
    found: list[int | None] = []
    reached = 0
    for seconds, number in ordered:
        reached += number
        while len(found) < len(ranks) and ranks[len(found)] <= reached:
            found.append(seconds)
    return found or [None] * len(ranks)


class Tally:
    """Counts of one stretch of time, by dimension and group."""

    __slots__ = ("groups",)

    def __init__(self) -> None:
        self.groups: dict[str, dict[str, Counts]] = {name: {} for name in DIMENSIONS}

    def count(self, groups: Mapping[str, str], counts: Mapping[str, int]) -> None:
        """Add counts that belong to one group of each dimension; to none where it is not named."""
        for dimension in DIMENSIONS:
            add_counts(self.groups[dimension].setdefault(groups.get(dimension, NONE), {}), counts)

    def add(self, other: Tally) -> None:
        """Add another tally."""
        for dimension, groups in other.groups.items():
            for group, counts in groups.items():
                add_counts(self.groups[dimension].setdefault(group, {}), counts)

    def __iter__(self) -> Iterator[tuple[str, dict[str, Counts]]]:
        return iter(self.groups.items())

    def __bool__(self) -> bool:
        return any(self.groups.values())


def largest(groups: Mapping[str, Counts], room: int) -> dict[str, Counts]:
    """The groups with the most texts, and all others as one; no more than `room` and that one.

    Of groups with as many texts the first by name stays. What has been summed up before stays so.
    """
    names = sorted(groups.keys() - {OTHERS}, key=lambda g: (-groups[g].get("sent", 0), g))
    kept = {name: groups[name] for name in sorted(names[:room])}
    rest = [groups[name] for name in (*names[room:], OTHERS) if name in groups]
    if rest:
        kept[OTHERS] = merged(rest)
    return kept
