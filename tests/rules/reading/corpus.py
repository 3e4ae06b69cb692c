"""The labelled replies, and how well they are read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shared.rules.reading import Reading, Verdict, read_reply

DATA: Final = Path(__file__).parents[2] / "data"
HELD_OUT: Final = DATA / "replies-heldout.jsonl"
OWN: Final = DATA / "replies.jsonl"


@dataclass(frozen=True)
class Labelled:
    """A reply with its label; members as tests/data/README.md has them."""

    text: str
    language: str
    verdict: Verdict
    scope: str | None


def replies(path: Path) -> Iterator[Labelled]:
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        verdict = Verdict(row["verdict"])
        scope = row.get("scope", "all") if verdict is Verdict.REVOKE else None
        yield Labelled(row["text"], row["language"], verdict, scope)


@dataclass
class Figures:
    """Counts by language; the held-out texts are never shown, only counted."""

    labelled: Counter[tuple[str, Verdict]] = field(default_factory=Counter)
    right: Counter[tuple[str, Verdict]] = field(default_factory=Counter)
    caught: Counter[str] = field(default_factory=Counter)
    said_revoke: Counter[str] = field(default_factory=Counter)
    rightly_revoke: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, path: Path) -> Figures:
        figures = cls()
        for reply in replies(path):
            figures.count(reply, read_reply(reply.text))
        return figures

    def count(self, reply: Labelled, reading: Reading) -> None:
        kind = reply.language, reply.verdict
        is_right = reading.verdict is reply.verdict
        self.labelled[kind] += 1
        self.right[kind] += is_right
        if reply.verdict is Verdict.REVOKE:
            self.caught[reply.language] += reading.verdict in {Verdict.REVOKE, Verdict.ASK}
        if reading.verdict is Verdict.REVOKE:
            self.said_revoke[reply.language] += 1
            self.rightly_revoke[reply.language] += is_right

    @property
    def languages(self) -> list[str]:
        return sorted({language for language, _ in self.labelled})

    def of_verdict(self, verdict: Verdict) -> tuple[int, int]:
        """How many with the label were read right, of how many."""
        right = sum(self.right[language, verdict] for language in self.languages)
        return right, sum(self.labelled[language, verdict] for language in self.languages)

    @property
    def all_caught(self) -> tuple[int, int]:
        """Revocations read as such or asked about, of how many."""
        return self.caught.total(), self.of_verdict(Verdict.REVOKE)[1]

    @property
    def precise(self) -> tuple[int, int]:
        """Readings as a revocation that are right, of how many."""
        return self.rightly_revoke.total(), self.said_revoke.total()

    def table(self) -> list[str]:
        """Rows of the table of docs/replies.md."""
        rows = []
        for language in self.languages:
            cells = [
                f"{self.right[language, verdict]} of {self.labelled[language, verdict]}"
                for verdict in Verdict
            ]
            cells.append(f"{self.caught[language]} of {self.labelled[language, Verdict.REVOKE]}")
            cells.append(f"{self.rightly_revoke[language]} of {self.said_revoke[language]}")
            rows.append(f"| `{language}` | {' | '.join(cells)} |")
        cells = [f"{right} of {count}" for right, count in map(self.of_verdict, Verdict)]
        cells += [f"{right} of {count}" for right, count in (self.all_caught, self.precise)]
        return [*rows, f"| all | {' | '.join(cells)} |"]


def main() -> None:
    """Print the rows for docs/replies.md; no text of the held-out half is shown."""
    for path in (HELD_OUT, OWN):
        print(path.name, *Figures.of(path).table(), sep="\n")  # noqa: T201


if __name__ == "__main__":
    main()
