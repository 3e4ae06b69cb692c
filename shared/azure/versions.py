"""The version of every row and of every queue message: member `v`, a whole number.

Whoever writes one says in which layout it is; whoever reads one refuses a layout that this release
does not know, because half-understood rows text people twice, or people who have opted out. So a
layout changes in one place: its version goes up, and what reads it converts the old ones (from the
first release on that somebody has deployed; before that nobody has data, and there is one version).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from shared.azure.storage import StorageDown
from shared.base.errors import Unintelligible

MEMBER: Final = "v"
CURRENT: Final = 1
# Of these the room itself writes and checks the version, row by row. The ledger's rows have
# `version`, which their hashes cover, and an unknown one stops all sends. A row of work that is due
# of an unknown version is told, and holds no other work up.
CHECKED_BY_THEIR_ROOM: Final = frozenset({"optouts", "due"})
# What differs from row to row: ids, moments, numbers of people.
_VARIES: Final = re.compile(r"[^~:.|!]*[0-9][^~:.|!]*")
_LONGEST: Final = 60


class UnknownVersion(StorageDown):
    """A row has a layout that this release does not know. Nothing is made of it.

    It counts as storage that does not answer: what depends on the row waits or is refused. A newer
    release has written it, which is being deployed, or has been taken back.
    """

    code = "UnknownVersion"


class UnknownMessageVersion(Unintelligible):
    """A queue message has a layout that this release does not know. It is kept for a newer one."""

    code = "UnknownMessageVersion"


def stamped(entity: Mapping[str, Any]) -> dict[str, Any]:
    """A row, or a queue message, that says its version; one that has one keeps it."""
    return {MEMBER: CURRENT, **entity}


def stamped_row(table: str, entity: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row of a table as it is to be written."""
    return entity if table in CHECKED_BY_THEIR_ROOM else stamped(entity)


def check_row(table: str, entity: Mapping[str, Any]) -> None:
    """Refuse a row whose version is another one; some are checked by their room.

    Raises:
        UnknownVersion: naming table, kind of row and version.
    """
    if table in CHECKED_BY_THEIR_ROOM:
        return
    if (version := entity.get(MEMBER)) != CURRENT:
        kind = kind_of(str(entity.get("RowKey", "")))
        raise UnknownVersion(_said(f"A row `{kind}` of table {table}", version))


def check_message(queue: str, message: Mapping[str, Any]) -> None:
    """Refuse a queue message whose version is another one.

    Raises:
        UnknownMessageVersion: naming queue, kind of message and version.
    """
    if (version := message.get(MEMBER)) != CURRENT:
        kind = kind_of(str(message.get("kind", "")))
        raise UnknownMessageVersion(_said(f"A message `{kind}` of queue {queue}", version))


def kind_of(key: str) -> str:
    """What kind of row a key is of, as the documents write it: no id and no number is left."""
    return _VARIES.sub("…", key)[:_LONGEST]


def _said(what: str, version: object) -> str:
    has = "has no version" if version is None else f"has version {str(version)[:20]}"
    return (
        f"{what} {has}; this release knows version {CURRENT}. Deploy the release that wrote it, or"
        " a newer one."
    )
