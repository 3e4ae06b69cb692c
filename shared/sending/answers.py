"""What a caller is told of a send: one item for each entry of the request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.rules.message_states import State

BAD_REQUEST: Final = 400


@dataclass(frozen=True, slots=True)
class Item:
    """What one entry of the request is answered with, ACS's members by ACS's meaning."""

    to: str
    status: int
    successful: bool
    message_id: str | None = None
    error: str | None = None
    repeatability: str | None = None
    state: State | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a send is answered with.

    Attributes:
        send_id: of the send.
        items: one for each entry, in the caller's order.
        segments: that the text needs, for each recipient.
        encoding: of the text.
        replayed: whether this is the answer of an earlier, equal request.
    """

    send_id: str
    items: tuple[Item, ...]
    segments: int
    encoding: str
    replayed: bool
