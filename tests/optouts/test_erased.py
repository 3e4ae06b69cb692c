"""An erasure in the ledger: known from memory, for every spelling, and decides nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared.base.clock import iso
from shared.optouts import Change, Channel, Direction, Effect, rows
from shared.optouts.changes import NOBODY
from shared.optouts.known import Known, mark_of
from shared.optouts.rows import Salts
from shared.optouts.standing import PersonState
from shared.rules.persons import person

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
MOBILE, PLAIN = "+5491123456789", "+541123456789"
SENDER = "+18005550100"


def change(direction: Direction, said_at: datetime, sender: str = NOBODY) -> Change:
    """One of a person with two numbers."""
    return Change(
        change_id=f"{direction} {said_at}",
        address=MOBILE,
        sender=sender,
        program="",
        direction=direction,
        channel=Channel.OPERATOR,
        rule="operator/erase",
        said_at=said_at,
    )


def known_after(*changes: Change) -> Known:
    """What a process knows that has read these."""
    known = Known()
    for sequence, one in enumerate(changes, start=1):
        row = rows.log_row(
            one,
            sequence=sequence,
            recorded=iso(NOW),
            effect=Effect.APPLIED,
            salts=Salts(b"a", b"b"),
            before=known.head.chain,
        )
        assert known.take_in(row)
    return known


def test_it_is_known_for_both_numbers() -> None:
    """By person; the latest order counts, whichever comes last."""
    later = NOW + timedelta(days=1)
    known = known_after(change(Direction.ERASED, later), change(Direction.ERASED, NOW))
    assert known.erased == {mark_of(person(PLAIN), NOBODY): later}
    assert known.closed == {}


def test_an_opt_out_stays() -> None:
    """Whoever is erased is as closed as before."""
    out = change(Direction.OUT, NOW, SENDER)
    known = known_after(out, change(Direction.ERASED, NOW + timedelta(hours=1)))
    assert known.closed == {mark_of(person(PLAIN), SENDER): 1}


def test_each_order_has_a_row_of_its_own() -> None:
    """It changes nothing that a second one could repeat."""
    state = PersonState()
    for moment in (NOW, NOW + timedelta(days=9)):
        one = change(Direction.ERASED, moment)
        assert state.effect_of(one) is Effect.APPLIED
        state.add(one, sequence=1, recorded=iso(NOW), effect=Effect.APPLIED)
    assert state.scopes == {}
