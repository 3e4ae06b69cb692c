"""From a list's rows to texts: who gets which, from which sender, or why nobody does.

The dry run, the expansion and each chunk read rows by these same rules, so that what was counted is
what is sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import mmap
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from shared.azure.blobs import Blobs
from shared.campaigns.kept_lists import stream_kept
from shared.campaigns.list_reader import ListRow, Refused, rows_async
from shared.campaigns.order import Definition
from shared.campaigns.templates import CannotFill, doubtful_values, fill
from shared.rules.addresses import BadAddress, read_recipient
from shared.rules.persons import person
from shared.rules.segments import measure
from shared.rules.senders import Sender
from shared.sending.request_body import check_text
from shared.sending.timetable import MARKETING, Timetable

TWICE: Final = "The number stands on an earlier line."
NEVER_OPEN: Final = "The hours at this recipient's place leave no time to text within eight days."
_SCALE: Final = 2.0**64
_ROWS_A_BREATH: Final = 100


class Recipient(NamedTuple):
    """Somebody who is to be texted.

    Attributes:
        address: E.164.
        sender: who texts them.
        text: what.
        segments: of the text.
        until: for when the text has to wait; None if it need not.
        range_known: whether the numbering data has the number's range.
        doubtful: the placeholders in whose place NULL or the like would be read.
    """

    address: str
    sender: str
    text: str
    segments: int
    until: datetime | None = None
    range_known: bool = True
    doubtful: tuple[str, ...] = ()


class Recipients:
    """Judges the rows of one campaign's list: who is to be texted, from which sender.

    Args:
        definition: the campaign's.
        timetable: who must wait; None where that is not asked.
        start: when the campaign begins.
    """

    def __init__(
        self,
        definition: Definition,
        senders: Mapping[str, Sender],
        *,
        timetable: Timetable | None = None,
        start: datetime | None = None,
    ) -> None:
        self._template = definition.template().for_columns(definition.layout.columns)
        self._names = tuple(part.name for part in self._template.placeholders)
        self._pool = [senders[address] for address in definition.senders]
        self._probe = definition.send("", definition.senders[0], "")
        keeps_hours = definition.category == MARKETING or definition.window is not None
        self._timetable = timetable if keeps_hours else None
        self._start = start

    def judge(self, row: ListRow) -> Recipient | str:
        """Who is to be texted; or why nobody is, a sentence without the row's values."""
        try:
            address, range_known = read_recipient(row.number)
            text = fill(self._template, row.fields)
        except (BadAddress, CannotFill) as error:
            return str(error)
        if problems := check_text(text):
            return " ".join(problems)
        until = None
        if self._timetable is not None and self._start is not None:
            allowed = self._timetable.next_moment(self._probe, address, self._start)
            if allowed is None:
                return NEVER_OPEN
            until = allowed.at if allowed.delay is not None else None
        return Recipient(
            address,
            sender_for(address, self._pool),
            text,
            measure(text).segments,
            until,
            range_known=range_known,
            doubtful=doubtful_values(self._names, row.fields) if self._names else (),
        )


async def read_recipients(
    blobs: Blobs, definition: Definition, recipients: Recipients, inline: bytes | None = None
) -> AsyncIterator[tuple[ListRow | Refused, Recipient | str]]:
    """Each row of a list with its recipient, or with why it has none.

    Args:
        blobs: the lists.
        definition: which list.
        recipients: who judges.
        inline: the list, where it is not stored.

    Raises:
        Changed: the list is another one now.
        InvalidRequest: it is not in its encoding, or holds nothing that can be read.
    """
    seen = NumberSet()
    stored = stream_kept(blobs, definition)
    source = stored if inline is None else _pieces(inline)
    count = 0
    async for row in rows_async(source, definition.layout):
        count += 1
        if count % _ROWS_A_BREATH == 0:
            # Other messages and requests are served by this thread, too.
            await asyncio.sleep(0)
        if isinstance(row, Refused):
            yield row, row.reason
            continue
        judged = recipients.judge(row)
        if isinstance(judged, Recipient) and not seen.add(person(judged.address)):
            judged = TWICE
        yield row, judged


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data


def sender_for(address: str, pool: Sequence[Sender]) -> str:
    """The sender that this person always has in this pool, the faster ones more often.

    Rendezvous hashing: each sender draws for the person, with its rate for a weight, and the
    highest draw wins. A sender that leaves the pool moves only its own people.
    """
    if len(pool) == 1:
        return pool[0].address
    return max(pool, key=lambda sender: _draw(sender, address)).address


def _draw(sender: Sender, address: str) -> float:
    whom = f"{sender.address} {person(address)}"
    digest = hashlib.blake2b(whom.encode(), digest_size=8).digest()
    uniform = (int.from_bytes(digest) + 0.5) / _SCALE
    return -sender.rate_per_minute / math.log(min(uniform, 1 - 1e-12))


class NumberSet:
    """A set of E.164 numbers in 12 to 24 bytes each: exact, as a number has at most 15 digits.

    Many tables that grow one by one, so that growing never holds the whole set twice. They are
    mapped, not allocated: a table that has been outgrown goes back to the system at once, where the
    heap would keep it in pieces.
    """

    _TABLES: Final = 64
    _FIRST: Final = 512
    _MIX: Final = 0x9E3779B97F4A7C15
    _MASK: Final = (1 << 64) - 1
    _SHIFT: Final = 58

    def __init__(self) -> None:
        self._tables = [_table(self._FIRST) for _ in range(self._TABLES)]
        self._counts = [0] * self._TABLES

    def add(self, address: str) -> bool:
        """Put a number in; False if it was there."""
        number = int(address[1:])
        mixed = number * self._MIX & self._MASK
        place = mixed >> self._SHIFT
        table = self._tables[place]
        if not _put(table, number, mixed):
            return False
        self._counts[place] += 1
        if 3 * self._counts[place] > 2 * len(table):
            self._tables[place] = self._grown(table)
        return True

    def _grown(self, table: memoryview[int]) -> memoryview[int]:
        larger = _table(2 * len(table))
        for number in table:
            if number:
                _put(larger, number, number * self._MIX & self._MASK)
        return larger


def _table(slots: int) -> memoryview[int]:
    return memoryview(mmap.mmap(-1, 8 * slots)).cast("Q")


def _put(table: memoryview[int], number: int, mixed: int) -> bool:
    mask = len(table) - 1
    slot = mixed >> 16 & mask
    while (found := table[slot]) != 0:
        if found == number:
            return False
        slot = slot + 1 & mask
    table[slot] = number
    return True
