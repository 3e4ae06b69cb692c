"""How a list is cut into chunks, each about five seconds of its senders' rate."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Final

from shared.campaigns.campaign import Piece, Totals
from shared.campaigns.list_reader import ListRow, Refused
from shared.campaigns.order import Definition
from shared.campaigns.recipients import TWICE, Recipient
from shared.limits.pacing import HEADROOM
from shared.rules.senders import Sender

MOST_IN_A_CHUNK: Final = 100
_MOST_ROWS_IN_A_CHUNK: Final = 1000
_MOST_BYTES_IN_A_CHUNK: Final = 4 * 1024 * 1024
_SECONDS_OF_A_CHUNK: Final = 5
_MOST_REASONS: Final = 50
_MOST_REASONS_TOLD: Final = 3


class Cutter:
    """Cuts a list into chunks as its rows come by.

    Args:
        definition: the campaign's.
        senders: their rates: a chunk is about five seconds of them.

    Attributes:
        pieces: chunks that are complete; the owner takes them away.
        refused: lines that text nobody; the owner takes them away.
        number: of the next chunk.
    """

    def __init__(self, definition: Definition, senders: Mapping[str, Sender]) -> None:
        self.pieces: list[Piece] = []
        self.refused: list[Refused] = []
        self.number = 0
        self._rates = {address: senders[address].rate_per_minute for address in definition.senders}
        self._size = chunk_size(sum(self._rates.values()))
        self._sum: Counter[str] = Counter()
        self._rows = self._recipients = self._refusals = self._duplicates = 0
        self._reasons: Counter[str] = Counter()
        self._open()

    def _open(self) -> None:
        self._first: ListRow | Refused | None = None
        self._end = self._seen = self._texts = 0
        self._skip: list[int] = []
        self._units: Counter[str] = Counter()

    def add_row(self, row: ListRow | Refused, judged: Recipient | str) -> None:
        """One row, in the order of the list."""
        first = self._first = self._first or row
        self._rows += 1
        self._seen += 1
        self._end = row.offset + row.length
        if isinstance(judged, Recipient):
            self._texts += 1
            self._units[judged.sender] += judged.segments
        else:
            self._skip.append(row.line - first.line)
            self.refused.append(Refused(row.line, judged))
            self._duplicates += judged == TWICE
            self._refusals += judged != TWICE
            if judged in self._reasons or len(self._reasons) < _MOST_REASONS:
                self._reasons[judged] += 1
        if (
            self._texts >= self._size
            or self._seen >= _MOST_ROWS_IN_A_CHUNK
            or self._end - first.offset >= _MOST_BYTES_IN_A_CHUNK
        ):
            self.finish()

    def finish(self) -> None:
        """What is left is a chunk, too."""
        if self._first is not None and self._texts:
            self.pieces.append(
                Piece(
                    number=self.number,
                    offset=self._first.offset,
                    length=self._end - self._first.offset,
                    line=self._first.line,
                    skip=tuple(self._skip),
                    lead=lead(self._sum, self._rates),
                    segments=dict(self._units),
                    recipients=self._texts,
                )
            )
            self.number += 1
            self._sum += self._units
            self._recipients += self._texts
        self._open()

    def why_nobody(self) -> str:
        """Why a list texts nobody: its most frequent reasons, with their counts."""
        if not self._reasons:
            return "The list holds nobody."
        counted = self._reasons.most_common(_MOST_REASONS_TOLD)
        return "No line of the list can be texted: " + " ".join(
            f"{reason.rstrip('.')} ({count})." for reason, count in counted
        )

    def totals(self) -> Totals:
        """What the list came to."""
        return Totals(
            self._rows, self._recipients, self._refusals, self._duplicates, dict(self._sum)
        )


def chunk_size(rate: int) -> int:
    """About five seconds of a rate a minute, and 100 at most.

    The platform counts whole minutes, in which one chunk more begins than ends. So the size is one
    of which that many still fit, and leave a hundredth to what cannot wait: 11 for a rate of 200,
    not 16. A slow sender has no such size; then at least the chunks themselves fit.
    """
    largest = max(1, min(MOST_IN_A_CHUNK, rate * _SECONDS_OF_A_CHUNK // 60))
    for room in (rate - math.ceil(rate / 100), rate):
        for size in range(largest, 0, -1):
            if (int(rate * HEADROOM / size) + 1) * size <= room:
                return size
    return 1


def lead(segments: Mapping[str, int], rates: Mapping[str, int]) -> float:
    """Seconds that so many segments take at full rate, the senders of a pool side by side."""
    return max((units / rates[sender] * 60 for sender, units in segments.items()), default=0.0)
