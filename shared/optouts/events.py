"""The event that tells the application of an opt-out or an opt-in."""

from __future__ import annotations

from typing import Final

from shared.azure.topic import OutgoingEvent
from shared.base import ids
from shared.base.clock import iso
from shared.optouts import Change, Direction, Made

OPT_OUT_CHANGED: Final = "Parley.OptOutChanged"


def opt_out_changed(change: Change, made: Made) -> OutgoingEvent:
    """Somebody opted out or in."""
    return OutgoingEvent(
        id=ids.derived(OPT_OUT_CHANGED, change.change_id),
        type=OPT_OUT_CHANGED,
        subject=f"/optouts/{made.sequence}",
        time=iso(change.said_at),
        data={
            "recipient": change.address,
            "sender": change.sender,
            "program": change.program,
            "isOptedOut": change.direction is Direction.OUT,
            "saidAt": iso(change.said_at),
            "channel": str(change.channel),
            "rule": change.rule,
            "sequence": made.sequence,
        },
    )
