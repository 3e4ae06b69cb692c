"""Events that cannot be understood: kept with their reason, counted, never lost.

Event Grid drops what is refused and repeats what fails; neither helps with an event that no repeat
makes clearer. So it is answered with success and kept here for a person to look at: to be handed to
its handler again when Parley has learned to read it, or dropped.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final

from shared.azure import telemetry
from shared.azure.blobs import BlobEntry, Blobs
from shared.azure.event_grid import Envelope
from shared.base import log
from shared.base.clock import Clock, iso
from shared.base.digests import keyed_digest
from shared.base.errors import NotFound, RequestError, Unintelligible
from shared.base.pages import Page, PageKeys
from shared.base.tasks import few_at_once
from shared.rules.whom import Whom

CONTAINER: Final = "quarantine"
_SHOWN: Final = 200
_MARK: Final = "summary"
_TEXTS: Final = "inbound/"
_PLACE: Final = re.compile(r"([a-z_]{1,40})/([0-9a-f]{32})")

Handle = Callable[[Envelope], Awaitable[None]]


class NotUnderstood(RequestError):
    """The event is no clearer than it was."""

    status = 409
    code = "NotUnderstood"


class Quarantine:
    """The container of events that were not understood.

    Args:
        blobs: where it is.
        clock: the time.
        id_key: under which events are hashed.
    """

    def __init__(self, blobs: Blobs, clock: Clock, id_key: bytes) -> None:
        self._blobs = blobs
        self._clock = clock
        self._id_key = id_key

    async def keep(self, handler: str, envelope: Envelope, reason: str) -> str:
        """Keep an event; the blob's name. The same event keeps its place however often it comes.

        Raises:
            StorageDown: it could not be kept; Event Grid must bring it again.
        """
        event = _event(envelope)
        name = f"{place_of(handler, envelope, self._id_key)}.json"
        kept = {
            "handler": handler,
            "reason": reason,
            "quarantinedAt": iso(self._clock()),
            "event": event,
        }
        body = json.dumps(kept, indent=2, default=str).encode()
        mark = {_MARK: _packed(_summary(name.removesuffix(".json"), kept))}
        await self._blobs.put(CONTAINER, name, body, "application/json", mark)
        telemetry.QUARANTINED.add(1, {"handler": handler})
        log.trouble("event.quarantined", handler=handler, blob=name, reason=reason)
        return name


def place_of(handler: str, envelope: Envelope, id_key: bytes) -> str:
    """Where an event is kept, `{handler}/{digest}`: it follows from the event."""
    text = json.dumps(_event(envelope), sort_keys=True, default=str)
    return f"{handler}/{keyed_digest(id_key, 'quarantine', text).hex()[:32]}"


def _event(envelope: Envelope) -> dict[str, Any]:
    time = envelope.time
    return {
        "id": envelope.id,
        "type": envelope.type,
        "time": time.isoformat() if isinstance(time, datetime) else time,
        "data": envelope.data,
    }


class QuarantineApi:
    """What an operator can do with the events that are kept.

    Args:
        blobs: the container.
        handlers: by name; each raises `Unintelligible` where it understands nothing.
    """

    def __init__(self, blobs: Blobs, handlers: Mapping[str, Handle]) -> None:
        self._blobs = blobs
        self._handlers = handlers

    async def list_events(self, *, after: str, limit: int) -> Page:
        """Events behind the place `after`, by handler and name; one operation for 5,000 of them.

        What earlier versions have kept is not marked with its summary and costs one more each.
        """
        listed: list[tuple[str, BlobEntry]] = []
        async for blob in self._blobs.list(CONTAINER):
            found = _PLACE.fullmatch(blob.name.removesuffix(".json"))
            if found is not None and found[0] > after:
                listed.append((found[0], blob))
                if len(listed) > limit:
                    break

        async def one(entry: tuple[str, BlobEntry]) -> dict[str, Any] | None:
            place, blob = entry
            if _MARK in blob.metadata:
                return _unpacked(blob.metadata[_MARK])
            kept = await self._kept(place)
            return _summary(place, kept) if kept is not None else None

        shown = await few_at_once(one, listed[:limit])
        # One that somebody has dropped meanwhile is left out.
        value = [item for item in shown if item is not None]
        return Page(value, listed[limit - 1][0] if len(listed) > limit else None)

    async def get_event(self, handler: str, name: str) -> dict[str, Any]:
        """One event, whole, and why it was not understood.

        Raises:
            NotFound: there is none.
        """
        place, kept = await self._found(handler, name)
        return {**_summary(place, kept), "event": kept.get("event")}

    async def retry(self, handler: str, name: str) -> dict[str, Any]:
        """Hand an event to its handler again, and drop it if it was understood.

        Handlers can take an event twice: a crash in between does no harm.

        Raises:
            NotFound: there is none.
            NotUnderstood: it is no clearer; it stays.
        """
        place, kept = await self._found(handler, name)
        try:
            await self._handlers[handler](_envelope(kept))
        except Unintelligible as error:
            raise NotUnderstood(f"It is still not understood: {error}") from error
        await self._blobs.delete(CONTAINER, f"{place}.json")
        log.event("quarantine.understood", handler=handler, blob=f"{place}.json")
        return _summary(place, kept)

    async def drop(self, handler: str, name: str) -> dict[str, Any]:
        """Give an event up.

        Raises:
            NotFound: there is none.
        """
        place, kept = await self._found(handler, name)
        await self._blobs.delete(CONTAINER, f"{place}.json")
        log.event("quarantine.dropped", handler=handler, blob=f"{place}.json")
        return _summary(place, kept)

    async def erase(self, whom: Whom) -> int:
        """Give up the events in which a person's number stands; how many.

        A text that has come since may begin something new and stays; a report is about what was.
        """
        count = 0
        async for blob in self._blobs.list(CONTAINER):
            if blob.name.startswith(_TEXTS) and blob.modified > whom.up_to:
                continue
            content = await self._blobs.whole(CONTAINER, blob.name)
            if content is not None and whom.is_in(content.decode("utf-8", "replace")):
                await self._blobs.delete(CONTAINER, blob.name)
                log.event("quarantine.erased", blob=blob.name)
                count += 1
        return count

    async def _found(self, handler: str, name: str) -> tuple[str, dict[str, Any]]:
        place = f"{handler}/{name}"
        known = handler in self._handlers and _PLACE.fullmatch(place) is not None
        kept = await self._kept(place) if known else None
        if kept is None:
            raise NotFound("There is no such event in quarantine.")
        return place, kept

    async def _kept(self, place: str) -> dict[str, Any] | None:
        content = await self._blobs.whole(CONTAINER, f"{place}.json")
        if content is None:
            return None
        kept: dict[str, Any] = json.loads(content)
        return kept


def _summary(place: str, kept: Mapping[str, Any]) -> dict[str, Any]:
    handler, _, name = place.partition("/")
    event = kept.get("event") or {}
    return {
        "name": name,
        "handler": handler,
        "reason": _shown(kept.get("reason")),
        "quarantinedAt": kept.get("quarantinedAt"),
        "type": _shown(event.get("type")),
        "id": _shown(event.get("id")),
    }


def _packed(summary: Mapping[str, Any]) -> str:
    # As a header holds it.
    return base64.b64encode(json.dumps(summary).encode()).decode()


def _unpacked(text: str) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads(base64.b64decode(text))
    return summary


def _shown(value: Any) -> str | None:
    # Whoever sends events writes what they like there.
    return value[:_SHOWN] if isinstance(value, str) else None


def _envelope(kept: Mapping[str, Any]) -> Envelope:
    event = kept["event"]
    return Envelope(event["id"], event["type"], event["time"], event["data"])


PAGES: Final = PageKeys("", lambda text: text if _PLACE.fullmatch(text) else None)
