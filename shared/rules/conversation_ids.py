"""Ids of conversations: between whom one is, told by a key, without anybody's number.

An id is `cv_`, then 6 hex digits for the sender, then 16 for the pair of sender and person. Both
are HMACs with the id key: an unkeyed hash of a telephone number is the telephone number. A person
counts by `shared.rules.persons`, so that two spellings of one telephone have one conversation.
Where its rows lie follows from the id alone.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import Final

from shared.rules.persons import person

_PREFIX: Final = "cv_"
_SENDER_DIGITS: Final = 6
PAIR_BYTES: Final = 8
_FORM: Final = re.compile(rf"{_PREFIX}([0-9a-f]{{{_SENDER_DIGITS}}})([0-9a-f]{{{2 * PAIR_BYTES}}})")
# A sender's conversations lie in so many partitions, so that a busy one spreads.
PARTITIONS: Final = 4


@dataclass(frozen=True, slots=True)
class ConversationId:
    """The id of a conversation, in its two parts.

    Attributes:
        sender: 6 hex digits.
        pair: 16 hex digits.
    """

    sender: str
    pair: str

    def __str__(self) -> str:
        return f"{_PREFIX}{self.sender}{self.pair}"

    @property
    def partition(self) -> str:
        """The partition in which its rows lie."""
        return partition_of(self.sender, int(self.pair[0], 16))


def partition_of(sender: str, digit: int) -> str:
    """One of a sender's partitions, by a digit that spreads them."""
    return f"{sender}{digit % PARTITIONS}"


class ConversationIds:
    """Makes the ids of one deployment.

    Args:
        id_key: from which they are derived.
    """

    def __init__(self, id_key: bytes) -> None:
        self._id_key = id_key
        self._senders: dict[str, str] = {}

    def sender(self, ours: str) -> str:
        """The digits of a sender. There are as many senders as the settings name, so they stay."""
        found = self._senders.get(ours)
        if found is None:
            found = self._senders[ours] = self._digest(ours).hex()[:_SENDER_DIGITS]
        return found

    def pair(self, ours: str, theirs: str) -> str:
        """The digits of a sender and a person, however the person's number is written."""
        return self.pair_bytes(ours, theirs).hex()

    def pair_bytes(self, ours: str, theirs: str) -> bytes:
        """The same as bytes."""
        return self._digest(f"{ours}|{person(theirs)}")[:PAIR_BYTES]

    def of(self, ours: str, theirs: str) -> ConversationId:
        """The id of what a sender and a person say to each other."""
        return ConversationId(self.sender(ours), self.pair(ours, theirs))

    def _digest(self, of: str) -> bytes:
        return hmac.digest(self._id_key, f"conversation {of}".encode(), "sha256")


def read_conversation_id(text: str) -> ConversationId | None:
    """The id that a text is, or None: one has no other spelling, and no part of it is one."""
    found = _FORM.fullmatch(text)
    return ConversationId(found[1], found[2]) if found else None
