"""The simulator's own account of what every handset received and sent.

It is the truth that tests compare Parley's memory with: a person was texted twice exactly if this
account says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Direction = Literal["received", "sent"]
Origin = Literal["acs", "carrier", "platform", "person"]


@dataclass(frozen=True, slots=True)
class Text:
    """One text on one handset.

    Attributes:
        id: the platform's id; of a carrier's or platform's own answer, one that ACS never shows.
        handset: whose handset, E.164.
        peer: the sender's address on the other side.
        direction: as the handset sees it.
        text: the words.
        at: when, ISO 8601 UTC.
        segments: how many segments it took.
        origin: `acs` for what an application sent; `carrier` and `platform` for automatic answers;
            `person` for what the handset's owner wrote.
    """

    id: str
    handset: str
    peer: str
    direction: Direction
    text: str
    at: str
    segments: int
    origin: Origin

    def as_json(self) -> dict[str, Any]:
        """The members by their own names."""
        return asdict(self)


class Account:
    """All handsets, each with its texts in the order in which they happened."""

    def __init__(self, changed: Callable[[Text | None, str], None]) -> None:
        self._changed = changed
        self._texts: dict[str, list[Text]] = {}

    def open(self, number: str) -> None:
        """Make sure that the handset is listed, even before its first text."""
        if number not in self._texts:
            self._texts[number] = []
            self._changed(None, number)

    def record(self, text: Text) -> None:
        """Add a text to its handset."""
        self._texts.setdefault(text.handset, []).append(text)
        self._changed(text, text.handset)

    def of(self, number: str) -> list[Text]:
        """The texts of one handset, oldest first; empty where it is unknown."""
        return list(self._texts.get(number, ()))

    def last_peer(self, number: str) -> str | None:
        """The sender that this handset exchanged its latest text with."""
        texts = self._texts.get(number)
        return texts[-1].peer if texts else None

    def clear(self) -> None:
        """Forget every handset."""
        self._texts.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """All handsets: `{"number", "texts": [...]}`."""
        return [
            {"number": number, "texts": [text.as_json() for text in texts]}
            for number, texts in self._texts.items()
        ]

    def load(self, stored: list[dict[str, Any]]) -> None:
        """Take over what `as_json` gave."""
        for handset in stored:
            self._texts[handset["number"]] = [Text(**text) for text in handset["texts"]]
