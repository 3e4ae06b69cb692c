"""Ids and the places they lead to: every id says, without a look-up, where its row lies.

- `sendId`: a ULID. Drawn, or derived from the caller's repeatability ids, so that a repeated
  request meets its own first attempt.
- `messageId`: `{sendId}.{ten hex digits}`, one for each recipient of a send. The digits are keyed:
  an unkeyed hash of a phone number is the phone number.
- an inbound message: `{ULID}.in`, derived from the platform's id and received time.
- an erased recipient, where their number stood: `~{those ten digits}~{country}`, so that the ids
  of messages stay what they were.
- `tag` towards ACS: `{sendId}:{the application's tag}`; by it a report finds its message.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from shared.base import ulid
from shared.base.randomness import Randomness

_NAMESPACE: Final = uuid.UUID("6f0a4d0c-5a0e-5f1b-9a53-2f6a3b1c7d10")
_MESSAGE: Final = re.compile(r"([0-7][0-9A-HJKMNP-TV-Z]{25})\.([0-9a-f]{10}|in)")
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ULID_LENGTH: Final = 26
INBOUND_SUFFIX: Final = ".in"
# No address begins so.
_ERASED: Final = "~"
MONTH_TABLES: Final = "messages"


def drawn_send_id(now: datetime, randomness: Randomness) -> str:
    """A fresh send id."""
    return ulid.new(now, randomness(ulid.RANDOM_BYTES))


def derived_send_id(first_sent: datetime, sender: str, pairs: Iterable[tuple[str, str]]) -> str:
    """The send id of a request in which every recipient brings a repeatability id.

    Args:
        first_sent: the earliest `repeatabilityFirstSent`.
        sender: as configured.
        pairs: (repeatability id, recipient), in any order; ids are case-insensitive.
    """
    digest = hashlib.sha256(sender.encode())
    for repeat_id, recipient in sorted((i.lower(), r) for i, r in pairs):
        digest.update(f"\n{repeat_id} {recipient}".encode("utf-8", "surrogatepass"))
    return ulid.new(first_sent, digest.digest()[:10])


def child_send_id(send_id: str, cause: str) -> str:
    """The id of a send that carries a part of another one; the same cause makes the same id."""
    digest = hashlib.sha256(f"{send_id} {cause}".encode()).digest()
    return ulid.new(time_of(send_id), digest[:10])


def message_id(id_key: bytes, send_id: str, recipient: str) -> str:
    """The id of one recipient's message of a send."""
    return f"{send_id}.{message_digits(id_key, send_id, recipient).hex()}"


def message_digits(id_key: bytes, send_id: str, recipient: str) -> bytes:
    """What tells the message from others of its send: the ten digits, as five bytes."""
    if recipient.startswith(_ERASED):
        return bytes.fromhex(recipient[1:11])
    return hmac.digest(id_key, (send_id + recipient).encode(), "sha256")[:5]


def erased_recipient(message: str, country: str | None) -> str:
    """What stands for a recipient whose number was erased, so that ids and counts stay.

    Args:
        message: the id of their message, or of the one that they sent.
        country: of their number, where it was known.
    """
    digits = message[ULID_LENGTH + 1 :] if not message.endswith(INBOUND_SUFFIX) else "0" * 10
    return f"{_ERASED}{digits}{_ERASED}{country or ''}"


def is_erased(recipient: str) -> bool:
    """Whether it stands for somebody whose number was erased."""
    return recipient.startswith(_ERASED)


def country_of_erased(recipient: str) -> str | None:
    """The country of a number that was erased, where it was known."""
    return recipient.rpartition(_ERASED)[2] or None


def inbound_id(platform_id: str, received: datetime) -> str:
    """The id of an inbound message: the same for each delivery of the same event.

    Its time is in whole seconds: the same event has been seen with a fraction and without.
    """
    return (
        ulid.new(
            received.replace(microsecond=0), hashlib.sha256(platform_id.encode()).digest()[:10]
        )
        + INBOUND_SUFFIX
    )


def report_row(message: str, status: str, details: str, received: str) -> str:
    """The row key of one delivery report; the same report makes the same key."""
    fact = hashlib.sha256(f"{status}\n{details}\n{received}".encode()).hexdigest()[:8]
    return f"{message}.{fact}"


def split_message_id(text: str) -> tuple[str, str] | None:
    """(send id or inbound ULID, ten hex digits or `in`), or None if it is no message id."""
    found = _MESSAGE.fullmatch(text)
    return (found[1], found[2]) if found and _has_a_place(found[1]) else None


def repeatability_id(application_id: str | None, send_id: str, recipient: str) -> str:
    """What ACS is given as `repeatabilityRequestId`: equal for every attempt of one text.

    The recipient takes part even where the application brings an id, lest an application that
    gives several people one id has all but the first taken for repeats.
    """
    cause = application_id.lower() if application_id else send_id
    return str(uuid.uuid5(_NAMESPACE, f"{cause} {recipient}"))


def derived(*parts: str) -> str:
    """The id of a later step, derived from the fact that causes it."""
    return str(uuid.uuid5(_NAMESPACE, "\n".join(parts)))


def platform_tag(send_id: str, tag: str) -> str:
    """The tag that ACS is given and echoes in its report."""
    return f"{send_id}:{tag}"


def read_platform_tag(text: str) -> tuple[str, str] | None:
    """(send id, the application's tag), or None if the tag is not of our making."""
    send_id, colon, tag = text[:ULID_LENGTH], text[ULID_LENGTH : ULID_LENGTH + 1], text[27:]
    return (send_id, tag) if colon == ":" and _has_a_place(send_id) else None


def _has_a_place(text: str) -> bool:
    """Whether a table and a partition can be named for it: its time must be one of a calendar."""
    try:
        return ulid.is_ulid(text) and ulid.time_of(text).year > 0
    except ValueError:
        return False


def month_table(any_id: str) -> str:
    """The table that holds everything about a send, a message of it, or an inbound message."""
    return f"{MONTH_TABLES}{ulid.time_of(any_id[:ULID_LENGTH]):%Y%m}"


def partition(any_id: str, shards: int) -> str:
    """Its partition: shard digit first, so that a busy minute spreads, then the minute."""
    shard = _CROCKFORD.index(any_id[ULID_LENGTH - 1]) % shards
    return f"{shard:x}-{ulid.time_of(any_id[:ULID_LENGTH]):%Y%m%d%H%M}"


def time_of(any_id: str) -> datetime:
    """The time that an id begins with."""
    return ulid.time_of(any_id[:ULID_LENGTH])
