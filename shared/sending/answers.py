"""What a caller is told of a send: one item for each entry of the request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared.base import ids
from shared.messages.facts import Intent, Outcome
from shared.messages.request import Asked
from shared.rules.message_states import MAY_HAVE_LEFT, State
from shared.sending.attempts import ACCEPTED

_BAD_REQUEST: Final = 400


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


def answer_of(
    intent: Intent, outcomes: Sequence[Outcome], id_key: bytes, *, replayed: bool
) -> Answer:
    """What the caller is told.

    Args:
        intent: the send.
        outcomes: of those whom this send itself has texted or not; the others wait.
        id_key: from which message ids are derived.
        replayed: whether the request was answered before.
    """
    by_address = {outcome.address: outcome for outcome in outcomes}
    carriers = intent.carriers()
    return Answer(
        send_id=intent.send_id,
        items=tuple(
            _item_of(
                asked,
                by_address.get(asked.address or ""),
                carriers.get(asked.address or "", intent.send_id),
                id_key,
            )
            for asked in intent.request.asked
        ),
        segments=intent.segments,
        encoding=intent.encoding,
        replayed=replayed,
    )


def _item_of(asked: Asked, outcome: Outcome | None, carrier: str, id_key: bytes) -> Item:
    if ids.is_erased(asked.to):
        # Whose number it was is known no more, what became of the text is.
        asked = replace(asked, to="")
    if outcome is None and asked.address is not None:
        # It waits, in this send or in one of its own.
        return Item(
            asked.to,
            ACCEPTED,
            successful=True,
            message_id=ids.message_id(id_key, carrier, asked.address),
            repeatability="accepted",
            state=State.SCHEDULED,
        )
    if outcome is None:
        return Item(
            asked.to,
            _BAD_REQUEST,
            successful=False,
            error=asked.refusal,
            repeatability="rejected" if asked.rejected else None,
        )
    return Item(
        asked.to,
        outcome.status,
        successful=outcome.state in MAY_HAVE_LEFT,
        message_id=ids.message_id(id_key, carrier, outcome.address),
        error=outcome.error,
        repeatability="accepted" if outcome.status == ACCEPTED else None,
        state=outcome.state,
    )
