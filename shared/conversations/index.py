"""Which conversations have something new, newest first: rows of a sender's minutes.

Nothing on the path of a message writes them. The fold that counts what was sent reads each minute's
facts anyway and writes, in table `conversationIndex`, partition `{ours}`, the row
`{18 digits}~{minute of the facts}~{number}`: with whom the sender spoke in one minute, and when
last. The digits are that minute, counted backwards as in a conversation's keys. A send that waited
lies among the facts of the minute in which it was asked for and spoke in a later one: hence two.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from shared.azure.event_grid import Received
from shared.azure.packing import pack, unpack
from shared.azure.table_keys import key_part
from shared.azure.tables import Entity, Tables
from shared.base.ids import is_erased
from shared.conversations.entries import BEHIND_ALL, place
from shared.messages.record import MinuteFacts, Send
from shared.rules.conversation_ids import ConversationIds
from shared.rules.message_states import MAY_HAVE_LEFT

TABLE: Final = "conversationIndex"
# Of this many, what is packed is a third of what a property holds.
PERSONS_A_ROW: Final = 1000
_ROWS_A_PAGE: Final = 100
_NOT_BEFORE: Final = "PartitionKey eq @ours and RowKey ge @low and RowKey lt @high"


class Spoken(NamedTuple):
    """Where a conversation may stand in the list: sorts newest first.

    Attributes:
        at: the place of somebody's last message, 18 digits.
        conversation: its id, as written.
        ours: the sender.
        theirs: the person.
    """

    at: str
    conversation: str
    ours: str
    theirs: str


class ConversationIndex:
    """The index, as another fold over the facts and for its readers.

    Args:
        ids: of this deployment.
    """

    table = TABLE

    def __init__(self, tables: Tables, ids: ConversationIds) -> None:
        self._tables = tables
        self.ids = ids

    def rows(self, minute: datetime, facts: MinuteFacts) -> Sequence[Entity]:
        """The rows of one minute's facts."""
        by_minute: dict[tuple[str, datetime], dict[str, str]] = {}
        found: list[Send | Received] = [*facts.sends, *(text for _, text in facts.inbound)]
        for at, ours, theirs in spoken_in(found):
            spoke = minute_of(at)
            persons = by_minute.setdefault((ours, spoke), {})
            persons[theirs] = min(place(at), persons.get(theirs, BEHIND_ALL))
        return [
            row
            for (ours, spoke), persons in by_minute.items()
            for row in _rows(ours, spoke, minute, persons)
        ]

    async def newest(self, ours: str, *, since: str) -> AsyncIterator[Spoken]:
        """With whom a sender has spoken, newest first, from the place `since` on.

        Whoever spoke in several minutes comes several times.
        """
        group: dict[str, str] = {}
        minute = ""
        rows = self._tables.query(
            TABLE, _NOT_BEFORE, page=_ROWS_A_PAGE, ours=key_part(ours), low=since, high=BEHIND_ALL
        )
        async for row in rows:
            begins = row["RowKey"].partition("~")[0]
            if begins != minute:
                for spoken in self._sorted(ours, group, since):
                    yield spoken
                group, minute = {}, begins
            for theirs, at in unpack(row["persons"]):
                group[theirs] = min(at, group.get(theirs, BEHIND_ALL))
        for spoken in self._sorted(ours, group, since):
            yield spoken

    async def has(self, ours: str, theirs: str, at: datetime, facts_of: datetime) -> bool:
        """Whether a message is in the index: the one of a moment, and of a minute's facts."""
        low = f"{place(minute_of(at))}~{minute_of(facts_of):%Y%m%d%H%M}~"
        rows = self._tables.query(
            TABLE, _NOT_BEFORE, ours=key_part(ours), low=low, high=low + BEHIND_ALL
        )
        async for row in rows:
            last = dict(unpack(row["persons"])).get(theirs)
            if last is not None and last <= place(at):
                return True
        return False

    def spoken(self, at: str, ours: str, theirs: str) -> Spoken:
        """Where a conversation may stand."""
        return Spoken(at, str(self.ids.of(ours, theirs)), ours, theirs)

    def _sorted(self, ours: str, group: dict[str, str], since: str) -> list[Spoken]:
        return sorted(self.spoken(at, ours, theirs) for theirs, at in group.items() if at >= since)


def spoken_in(facts: Iterable[Send | Received]) -> Iterator[tuple[datetime, str, str]]:
    """When who spoke with whom: (moment, sender, person) of what conversations show."""
    for fact in facts:
        if isinstance(fact, Received):
            if not is_erased(fact.theirs):
                yield fact.received, fact.ours, fact.theirs
            continue
        for address, outcome in (fact.outcomes or {}).items():
            if outcome.state in MAY_HAVE_LEFT and not is_erased(address):
                yield fact.intent.first_attempt_at, fact.intent.request.sender, address


def _rows(
    ours: str, spoke: datetime, minute: datetime, persons: dict[str, str]
) -> Iterator[Entity]:
    listed = sorted(persons.items())
    for number, start in enumerate(range(0, len(listed), PERSONS_A_ROW)):
        yield {
            "PartitionKey": key_part(ours),
            "RowKey": f"{place(spoke)}~{minute:%Y%m%d%H%M}~{number:03d}",
            "persons": pack(listed[start : start + PERSONS_A_ROW]),
        }


def minute_of(moment: datetime) -> datetime:
    """The beginning of the minute that a moment lies in."""
    return moment.replace(second=0, microsecond=0)
