"""What holds for one person now: the row `num:{person}`, which every change of the person rewrites.

It follows from the log but for one thing: a word that was said later than the one that decides, and
says the same, has no row of its own. Its time stands here, so that what was said in between and
comes in late does not decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from shared.azure.packing import pack, unpack
from shared.azure.tables import Entity
from shared.base.clock import from_iso, iso
from shared.optouts import rows
from shared.optouts.changes import Change, Direction, Effect

# Changes of one person that the row remembers.
REMEMBERED: Final = 50


@dataclass(frozen=True, slots=True)
class ScopeState:
    """What decides one scope of a person now.

    Attributes:
        direction: out or in.
        said_at: when that was said last, ISO.
        sequence: the change that decides.
        recorded: when it was written down, ISO.
        program, categories: what it names.
    """

    direction: Direction
    said_at: str
    sequence: int
    recorded: str
    program: str
    categories: str

    def outranks(self, change: Change) -> bool:
        """Whether a change was said too early to decide; at equal times the opt-out wins."""
        said = iso(change.said_at), change.direction is Direction.OUT
        return said < (self.said_at, self.direction is Direction.OUT)

    def says_the_same(self, change: Change) -> bool:
        """Whether a change would leave everything as it is, its time apart."""
        return (self.direction, self.program, self.categories) == (
            change.direction,
            change.program,
            change.categories,
        )


@dataclass(frozen=True, slots=True)
class Said:
    """One change of a person, as the row remembers it.

    Attributes:
        sequence: its place in the log.
        scope: what it was about.
        at: when the person or the platform spoke.
        direction: out or in.
        channel: the way it came.
        rule: the rule that recognised it.
        effect: whether it decided.
    """

    sequence: int
    scope: str
    at: datetime
    direction: str
    channel: str
    rule: str
    effect: str


@dataclass(slots=True)
class PersonState:
    """What the ledger has of one person.

    Attributes:
        scopes: what decides each.
        history: the latest changes, in the order of the log.
        touched: whether the row has to be written.
    """

    scopes: dict[str, ScopeState] = field(default_factory=dict)
    history: list[Said] = field(default_factory=list)
    touched: bool = False

    def effect_of(self, change: Change) -> Effect:
        """What a change would do."""
        standing = self.scopes.get(change.scope)
        if standing is None or not change.direction.decides:
            return Effect.APPLIED
        if standing.says_the_same(change):
            return Effect.UNCHANGED
        return Effect.SUPERSEDED if standing.outranks(change) else Effect.APPLIED

    def say_again(self, change: Change) -> ScopeState:
        """Note when what holds was said last."""
        standing, said = self.scopes[change.scope], iso(change.said_at)
        if said > standing.said_at:
            self.scopes[change.scope] = replace(standing, said_at=said)
            self.touched = True
        return standing

    def add(self, change: Change, *, sequence: int, recorded: str, effect: Effect) -> None:
        """Take in a change that the log has got."""
        self.touched = True
        if change.direction.decides and effect is Effect.APPLIED:
            self.scopes[change.scope] = ScopeState(
                change.direction,
                iso(change.said_at),
                sequence,
                recorded,
                change.program,
                change.categories,
            )
        said = change.said_at, str(change.direction), str(change.channel), change.rule, str(effect)
        self.history.append(Said(sequence, change.scope, *said))


def read_state(entity: Mapping[str, Any] | None) -> PersonState:
    """A person's state; of a person without a row, the empty one.

    Raises:
        LedgerUnreadable: another version has written the row.
    """
    if entity is None:
        return PersonState()
    rows.check_version(entity)
    return PersonState(
        {
            scope: ScopeState(Direction(direction), *rest)
            for scope, (direction, *rest) in unpack(entity["scopes"]).items()
        },
        [Said(s[0], s[1], from_iso(s[2]), *s[3:]) for s in unpack(entity["history"])],
    )


def state_row(person: str, state: PersonState) -> Entity:
    """The row of a person's state.

    Raises:
        ValueError: if it has more scopes than a property holds (some thousands).
    """
    return {
        "PartitionKey": rows.PARTITION,
        "RowKey": rows.state_key(person),
        "version": rows.LAYOUT,
        "person": person,
        "scopes": pack(
            {
                scope: [
                    str(s.direction),
                    s.said_at,
                    s.sequence,
                    s.recorded,
                    s.program,
                    s.categories,
                ]
                for scope, s in state.scopes.items()
            }
        ),
        "history": pack(
            [
                [s.sequence, s.scope, iso(s.at), s.direction, s.channel, s.rule, s.effect]
                for s in state.history[-REMEMBERED:]
            ]
        ),
    }
