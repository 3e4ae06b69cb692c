"""The words for what has become of a message.

They stand apart because both the platform's codes (`shared.rules.delivery_codes`) and the reading
of reports (`shared.messages.state`) speak in them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """What has become of one message to one recipient.

    `scheduled` waits for its time; `queued` waits for its sender; `sending` is with ACS, which has
    not answered; `sent` was taken by ACS; `delivered` reached the handset as far as the carrier
    says. `undelivered` was given up by a carrier, `failed` by ACS or by us, `blocked` stopped by an
    opt-out, `expired` too late to be sent, `canceled` taken back. `uncertain` may or may not have
    been taken by ACS; `unknown` was taken, and nobody says what came of it.
    """

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    BLOCKED = "blocked"
    EXPIRED = "expired"
    CANCELED = "canceled"
    UNCERTAIN = "uncertain"
    UNKNOWN = "unknown"


# What ACS took, or may have taken: conversations show these.
MAY_HAVE_LEFT: Final = frozenset({State.SENT, State.UNCERTAIN})
TERMINAL: Final[frozenset[State]] = frozenset(
    {
        State.DELIVERED,
        State.UNDELIVERED,
        State.FAILED,
        State.BLOCKED,
        State.EXPIRED,
        State.CANCELED,
    }
)
