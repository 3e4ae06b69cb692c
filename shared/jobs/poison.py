"""Queue messages whose work failed too often: kept with their reason, put back when it is over.

The host would move such a message to `<queue>-poison`, where it lies without a reason, can only be
peeked at from the front, and is gone after seven days. So the last of its attempts keeps it here
instead: a row in the table `poison`, which nothing deletes but an operator. What the host moves all
the same (the process died in the last attempt, or the table did not answer) is collected from the
poison queue into the same table.

A row's key is an HMAC of the message, so that keeping one twice is once. It is put into its queue
before its row goes: a crash in between does the work twice, which every kind of work bears.
"""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from shared.azure import telemetry, topic
from shared.azure.packing import pack, raw_message_text, read_message, unpack
from shared.azure.queues import Queues
from shared.azure.storage import Changed, StorageDown
from shared.azure.tables import Entity, Tables, etag_of
from shared.base import ids, log
from shared.base.clock import Clock, from_iso, iso
from shared.base.digests import keyed_digest
from shared.base.errors import NotFound, ParleyError, Unavailable
from shared.base.pages import PageKeys
from shared.jobs import dispatch
from shared.rules.whom import Whom

TABLE: Final = "poison"
QUEUES: Final = (dispatch.QUEUE, topic.QUEUE)
# `maxDequeueCount` of host.json.
MOST_ATTEMPTS: Final = 5
DIED: Final = "The work did not end: its process died, or the host could not hand the message over."
_ROOT: Final = Path(__file__).parents[2]
_AGAIN_SECONDS: Final = 60
_LONGEST_REASON: Final = 500
_ID: Final = re.compile(r"[0-9a-f]{32}")
_NUMBER: Final = re.compile(r"(?<![0-9A-Za-z])\+?[0-9]{7,15}(?![0-9A-Za-z])")
# What a summary shows of a message: ids and counts, nothing of a person.
_SHOWN: Final = ("sendId", "campaignId", "chunk", "next", "tries")
_OUTCOME: Final = "outcome"
_AFTER: Final = "PartitionKey eq @queue and RowKey gt @after"


@dataclass(frozen=True, slots=True)
class Taken:
    """A message as its function got it.

    Attributes:
        queue: it came from, or would have come from if it came from a poison queue.
        text: the message.
        attempts: this one included.
        inserted: when it was put into the queue it came from, as far as the host says.
    """

    queue: str
    text: str
    attempts: int
    inserted: datetime | None


class Poison:
    """Keeps messages that cannot be worked on, and puts them back.

    Args:
        tables: where they are kept.
        queues: where they are put back.
        id_key: under which they are hashed.
    """

    def __init__(self, tables: Tables, queues: Queues, clock: Clock, id_key: bytes) -> None:
        self._tables = tables
        self._queues = queues
        self._clock = clock
        self._id_key = id_key

    # Keeping ------------------------------------------------------------------------------------

    async def guard(self, taken: Taken, work: Callable[[str], Awaitable[None]]) -> None:
        """Do the work of a message; keep the message if this was its last attempt and it failed.

        What failed because something else is unavailable is not broken in itself, and comes back as
        a new message.

        Raises:
            Exception: the work's own, while there are attempts left or the table does not answer.
            StorageDown: nor does the queue.
        """
        try:
            await work(taken.text)
        except Exception as error:
            if taken.attempts < MOST_ATTEMPTS:
                raise
            if isinstance(error, Unavailable):
                log.trouble("poison.spared", queue=taken.queue, code=error.code)
                await self._queues.enqueue(taken.queue, taken.text, delay_seconds=_AGAIN_SECONDS)
                return
            reason = reason_of(error)
            try:
                await self._tables.put(TABLE, self._row(taken, reason))
            except StorageDown:
                # The host then moves it to the poison queue, from where it is collected.
                raise error from None
            self._tell(taken, reason)

    async def collect(self, taken: Taken) -> None:
        """Keep what the host has moved to a poison queue, unless it is kept already.

        The host gives up on a poison queue's message after five failures, and drops it after seven
        days: what storage does not take now is put back as a new one.
        """
        try:
            fresh = await self._tables.insert(TABLE, self._row(taken, DIED))
        except StorageDown:
            await self._queues.enqueue(
                f"{taken.queue}-poison", taken.text, delay_seconds=_AGAIN_SECONDS
            )
            return
        if fresh is not None:
            self._tell(taken, DIED)

    def _row(self, taken: Taken, reason: str) -> Entity:
        message = _read(taken.text)
        return {
            "PartitionKey": taken.queue,
            "RowKey": id_of(taken.text, self._id_key),
            "kind": _kind(message) or "",
            "insertedAt": iso(taken.inserted) if taken.inserted else "",
            "failedAt": iso(self._clock()),
            "reason": reason,
            "summary": _summary(message),
            "message": pack(taken.text),
        }

    def _tell(self, taken: Taken, reason: str) -> None:
        kind = _kind(_read(taken.text))
        telemetry.POISONED.add(1, {"queue": taken.queue, "kind": kind or ""})
        log.trouble("poison.kept", queue=taken.queue, kind=kind, reason=reason)

    # Looking ------------------------------------------------------------------------------------

    async def list_kept(self, *, after: tuple[str, str], limit: int) -> list[dict[str, Any]]:
        """Up to `limit` messages past a queue and id, by queue and id."""
        found: list[dict[str, Any]] = []
        for queue in QUEUES:
            if queue < after[0]:
                continue
            start = after[1] if queue == after[0] else ""
            rows = self._tables.query(TABLE, _AFTER, page=limit, queue=queue, after=start)
            async for row in rows:
                if len(found) == limit:
                    return found
                found.append(_view(row))
        return found

    # Deciding -----------------------------------------------------------------------------------

    async def put_back(self, queue: str, message_id: str) -> dict[str, Any]:
        """Have the work of a message tried again, with all its attempts; what it was.

        Raises:
            NotFound: it is not here; perhaps somebody has put it back.
        """
        row = await self._get(queue, message_id)
        await self._queues.enqueue(queue, _fresh(unpack(row["message"])))
        await self._remove(row)
        log.event("poison.put_back", queue=queue, kind=row["kind"] or None)
        return _view(row)

    async def drop(self, queue: str, message_id: str) -> dict[str, Any]:
        """Give a message up; what it was.

        Raises:
            NotFound: it is not here.
        """
        row = await self._get(queue, message_id)
        await self._remove(row)
        log.event("poison.dropped", queue=queue, kind=row["kind"] or None)
        return _view(row)

    async def erase(self, whom: Whom) -> int:
        """Give up the messages in which a person's number stands; how many.

        One with outcomes of a send to many keeps those of the others. What has failed since and
        tells of something that happened since stays.
        """
        count = 0
        async for row in self._tables.query(TABLE, "PartitionKey ge @first", first=""):
            text = unpack(row["message"])
            message = _read(text)
            # What is no message of ours may have a number in it all the same.
            said = json.dumps(message, ensure_ascii=False, default=str) if message else str(text)
            if not whom.is_in(said) or _is_later(row, message, whom):
                continue
            if message.get("kind") == _OUTCOME and isinstance(message.get("outcomes"), list):
                await self._erase_outcomes(row, message, whom)
            else:
                await self._remove(row)
            log.event("poison.erased", queue=row["PartitionKey"], kind=row["kind"] or None)
            count += 1
        return count

    async def _erase_outcomes(self, row: Entity, message: Mapping[str, Any], whom: Whom) -> None:
        send_id = str(message["sendId"])
        outcomes = [
            [ids.erased_recipient(ids.message_id(self._id_key, send_id, one[0]), None), *one[1:]]
            if whom.has(one[0])
            else one
            for one in message["outcomes"]
        ]
        text = raw_message_text({**message, "outcomes": outcomes})
        keys = {name: row[name] for name in ("PartitionKey", "RowKey")}
        try:
            await self._tables.merge(TABLE, keys | {"message": pack(text)}, etag=etag_of(row))
        except Changed:
            raise StorageDown("A message that is kept is being changed.") from None

    async def _get(self, queue: str, message_id: str) -> Entity:
        known = queue in QUEUES and _ID.fullmatch(message_id)
        row = await self._tables.get(TABLE, queue, message_id) if known else None
        if row is None:
            raise NotFound("There is no such message.")
        return row

    async def _remove(self, row: Entity) -> None:
        try:
            await self._tables.remove(TABLE, row["PartitionKey"], row["RowKey"], etag=etag_of(row))
        except Changed:
            # It has failed once more meanwhile, and is kept for that.
            return


def id_of(text: str, id_key: bytes) -> str:
    """The id of a message; the same text has the same."""
    return keyed_digest(id_key, "poison", text).hex()[:32]


def reason_of(error: Exception) -> str:
    """Why the work failed, for an operator: holds no number and nothing of a text.

    An error of Parley's own speaks for itself. Of any other only the class and the place are told:
    its text may quote what came from outside.
    """
    if isinstance(error, ParleyError):
        said = f"{error.code}: {error}"
    else:
        ours = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if Path(frame.filename).is_relative_to(_ROOT / "shared")
        ]
        where = (
            f" in {Path(ours[-1].filename).relative_to(_ROOT)}:{ours[-1].lineno}" if ours else ""
        )
        said = f"{type(error).__name__}{where}"
    return _NUMBER.sub("…", said)[:_LONGEST_REASON]


def _page_key(text: str) -> tuple[str, str] | None:
    queue, _, message_id = text.partition("~")
    return (queue, message_id) if queue in QUEUES and _ID.fullmatch(message_id) else None


PAGES: Final = PageKeys(("", ""), _page_key)


def _read(text: str) -> Mapping[str, Any]:
    try:
        return read_message(text)
    except ValueError:
        return {}


def _kind(message: Mapping[str, Any]) -> str | None:
    kind = message.get("kind")
    return _NUMBER.sub("…", kind[:50]) if isinstance(kind, str) else None


def _is_later(row: Entity, message: Mapping[str, Any], whom: Whom) -> bool:
    """Whether it failed since an erasure was ordered, and tells of what happened since."""
    event = message.get("event")
    time = event.get("time") if isinstance(event, dict) else None
    try:
        happened = from_iso(str(time)) if time is not None else whom.up_to
    except ValueError:
        happened = whom.up_to
    return from_iso(row["failedAt"]) > whom.up_to and happened > whom.up_to


def _summary(message: Mapping[str, Any]) -> str:
    """What a message is about, by the members that name no person and no text."""
    event = message.get("event")
    if isinstance(event, dict):
        return f"{event.get('type')} {event.get('id')}"[:200]
    shown = ", ".join(f"{name} {message[name]}" for name in _SHOWN if name in message)
    return _NUMBER.sub("…", shown)[:200]


def _fresh(text: str) -> str:
    """The message as if it had never been tried: it may have used its tries up."""
    message = _read(text)
    if "tries" not in message:
        return text
    rest = {name: value for name, value in message.items() if name != "tries"}
    return raw_message_text(rest)


def _view(row: Entity) -> dict[str, Any]:
    return {
        "queue": row["PartitionKey"],
        "id": row["RowKey"],
        "kind": row["kind"] or None,
        "insertedAt": row["insertedAt"] or None,
        "failedAt": row["failedAt"],
        "reason": row["reason"],
        "summary": row["summary"],
    }
