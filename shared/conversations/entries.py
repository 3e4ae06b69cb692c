"""The rows of conversations, and the keys by which they sort.

Partition: `{6 hex digits of the sender}{0 to 3}` (`shared.rules.conversation_ids`). Rows of one
conversation begin with the 16 hex digits of its pair:

- `{pair}~{18 digits}~{messageId}`: one message. The digits are its time, counted backwards, so that
  what was said last, which nearly every reader wants, comes first. An id alone would not do: one
  that is derived from a caller's repeatability ids knows only whole seconds.
- `{pair}~!read`: `readUpTo`, until when an operator has read what has arrived, and `lateAt`, when a
  text last arrived long after it was said; before every message.

Every message says `ours` and `theirs` whole: 24 bits of a sender's digits may be those of another
one, so whoever looks a person up compares them.

Every message's row follows from a recorded fact; writing one twice is once. Its `kind` is
`received`; `sent` from the moment at which an attempt begins; `notSent` once it is certain that the
text has reached nobody; `waiting` where it was accepted to leave later, or has been put off.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from shared.azure.packing import pack, unpack
from shared.azure.tables import Entity
from shared.base.clock import from_iso, iso
from shared.rules.conversation_ids import ConversationId

TABLE: Final = "conversations"
# What sorts before and behind the keys of all messages of a conversation.
BEFORE_ALL: Final = "0"
BEHIND_ALL: Final = "~"
READ_MARK: Final = "!read"
READ: Final = "read"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# Of which the microseconds since 1970 are taken: enough until the year 9999.
_LAST: Final = 10**18 - 1


class Kind(StrEnum):
    """What an entry is about."""

    RECEIVED = "received"
    SENT = "sent"
    NOT_SENT = "notSent"
    WAITING = "waiting"
    # Says nothing any more, and is shown to nobody; gone when its person's erasure is final.
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of a conversation.

    Attributes:
        message_id: ours.
        ours: the sender.
        theirs: the person's number, as it was written.
        kind: what it is.
        text: what was said; None for a one-time code, which nobody is shown.
        at: when it was said: a person's text by the platform's clock, ours when its attempt began.
        segments: in how many pieces.
        keyword: the keyword it was read as, e.g. `STOP`.
        tag: the application's tag.
        in_reply_to: the message that a person's text answers.
        arrived: when a person's text came to us; None for ours.
    """

    message_id: str
    ours: str
    theirs: str
    kind: Kind
    text: str | None
    at: datetime
    segments: int | None = None
    keyword: str | None = None
    tag: str | None = None
    in_reply_to: str | None = None
    arrived: datetime | None = None

    @property
    def key(self) -> str:
        """Its place in the conversation; a page begins after one."""
        return f"{place(self.at)}~{self.message_id}"

    @property
    def inbound(self) -> bool:
        """Whether the person said it."""
        return self.kind is Kind.RECEIVED


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a conversation has been read.

    Attributes:
        read_up_to: what had arrived until then has been read; None if nobody ever has.
        late_at: when a text last arrived long after it was said; None if none did.
    """

    read_up_to: datetime | None = None
    late_at: datetime | None = None


def place(moment: datetime) -> str:
    """How the keys of a moment begin: later moments sort first."""
    return f"{_LAST - (moment - _EPOCH) // _MICROSECOND:018d}"


def behind(moment: datetime) -> str:
    """What sorts behind all keys of a moment, and before those of any earlier one."""
    return f"{place(moment)}~~"


def row_key(conversation: ConversationId, key: str) -> str:
    """The key of a conversation's row in its partition."""
    return f"{conversation.pair}~{key}"


def entry_row(conversation: ConversationId, entry: Entry) -> Entity:
    """The row of an entry."""
    row: Entity = {
        "PartitionKey": conversation.partition,
        "RowKey": row_key(conversation, entry.key),
        "messageId": entry.message_id,
        "ours": entry.ours,
        "theirs": entry.theirs,
        "kind": str(entry.kind),
        "at": iso(entry.at),
        "entry": pack(
            {
                "text": entry.text,
                "segments": entry.segments,
                "keyword": entry.keyword,
                "tag": entry.tag,
                "inReplyTo": entry.in_reply_to,
            }
        ),
    }
    return row if entry.arrived is None else {**row, "arrivedAt": iso(entry.arrived)}


def read_entry(row: Entity) -> Entry:
    """An entry from its row."""
    packed = unpack(row["entry"])
    return Entry(
        message_id=row["messageId"],
        ours=row["ours"],
        theirs=row["theirs"],
        kind=Kind(row["kind"]),
        text=packed["text"],
        at=from_iso(row["at"]),
        segments=packed["segments"],
        keyword=packed["keyword"],
        tag=packed["tag"],
        in_reply_to=packed["inReplyTo"],
        arrived=from_iso(row["arrivedAt"]) if "arrivedAt" in row else None,
    )


def mark_row(conversation: ConversationId, **members: Any) -> Entity:
    """The row of a conversation's read mark, with the members that are to be set."""
    return {
        "PartitionKey": conversation.partition,
        "RowKey": row_key(conversation, READ_MARK),
        "kind": READ,
        **members,
    }


def read_mark_row(row: Entity) -> Mark:
    """A read mark from its row."""
    read, late = row.get("readUpTo"), row.get("lateAt")
    return Mark(from_iso(read) if read else None, from_iso(late) if late else None)
