"""What a message's reports make of it.

Reports are facts, and facts arrive late, twice and out of order. The state is never stored: it is
folded from the facts whenever someone asks, so that no handler can overwrite what another has
learnt, and so that a better rule holds for old messages too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.rules.delivery_codes import DeliveryCode
from shared.rules.message_states import TERMINAL, State

__all__ = ["SILENCE", "TERMINAL", "Report", "State", "aged", "state_after"]

SILENCE: Final = timedelta(hours=72)
"""How long a report may take; after that none is expected any more."""


@dataclass(frozen=True, slots=True)
class Report:
    """One delivery report.

    Attributes:
        status: the platform's word, `Delivered` or `Failed`; it has no others
            (docs/platform.md 2.2).
        code: what its details said, where that was understood.
        at: the platform's `receivedTimestamp`.
        arrived: when our record took it.
    """

    status: str
    code: DeliveryCode | None
    at: datetime
    arrived: datetime


def state_after(start: State, reports: Iterable[Report]) -> State:
    """The state that `start` has become after all reports, in the order of their arrival.

    A terminal state never changes. Every other gives way to a report; `unknown` after a 5002 is
    not terminal, so that a late `Delivered` or a definite failure still settles it.
    """
    state = start
    for report in sorted(reports, key=arrival):
        if state in TERMINAL:
            break
        state = outcome_of(report.status, report.code) or state
    return state


def arrival(report: Report) -> tuple[datetime, datetime, str, int]:
    """The place of a report among others of its message, for sorting."""
    # Within one moment `Delivered` comes first, so that the fold does not depend on the order in
    # which a query happens to list its rows.
    return report.arrived, report.at, report.status, report.code.code if report.code else 0


def outcome_of(status: str, code: DeliveryCode | None) -> State | None:
    """The state that one report alone tells of; None if its status is not one of the platform's."""
    if status == "Delivered":
        return State.DELIVERED
    if status != "Failed":
        return None
    # A failure stays one even where its details are missing, new, or say "No error".
    if code is None or code.state is State.DELIVERED:
        return State.UNDELIVERED
    return code.state


def aged(state: State, sent_at: datetime, now: datetime) -> State:
    """The state as it reads at `now`: `sent` without any report for 72 h is `unknown`."""
    if state is State.SENT and now - sent_at >= SILENCE:
        return State.UNKNOWN
    return state
