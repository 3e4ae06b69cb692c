"""Erasing a person in the tables of messages: texts and numbers go, ids, states and counts stay.

Whoever knows one message of a person finds the others that it led to (parts, retries) by its time:
the ids of all of them begin with it. Each row is read as it is and written back under its ETag:

- an intent: the number, as it was written and as it was texted, becomes what stands for an erased
  recipient (`shared.base.ids`); its text goes once nobody else's number is left in it. One that
  waits is canceled for the person.
- an outcome: likewise; a report: the number, where its details quote it.
- a person's text: its words, but for a keyword, and the number.
- a stray report: the number.

Doing it again does what was left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from shared.azure.packing import pack, unpack
from shared.azure.storage import Changed, StorageDown
from shared.azure.tables import Entity, Tables, etag_of
from shared.base import ids
from shared.base.clock import from_iso
from shared.messages import facts
from shared.messages.facts import Intent
from shared.messages.record import STRAY
from shared.rules import keywords
from shared.rules.whom import Whom

_OF_A_MOMENT: Final = "PartitionKey eq @partition and RowKey ge @low and RowKey lt @high"
_STRAYS: Final = "PartitionKey ge @low and PartitionKey lt @high"
# Characters of an id that are its time.
_TIME: Final = 10


@dataclass(frozen=True, slots=True)
class ErasedMessages:
    """What was erased at once.

    Attributes:
        texts: of ours, as many as had a number of the person.
        words: texts of the person.
        ids: of the messages that are the person's, erased now or before.
        last: the last moment at which something may still happen to them; None where that is over.
    """

    texts: int = 0
    words: int = 0
    ids: frozenset[str] = frozenset()
    last: datetime | None = None

    def __add__(self, other: ErasedMessages) -> ErasedMessages:
        moments = [moment for moment in (self.last, other.last) if moment is not None]
        return ErasedMessages(
            self.texts + other.texts,
            self.words + other.words,
            self.ids | other.ids,
            max(moments, default=None),
        )


NOTHING: Final = ErasedMessages()


class MessageErasing:
    """Erases a person's messages.

    Args:
        shards: partitions that a minute is spread over.
        id_key: from which message ids are derived.
        country_of: a number's country, which counts go by.
        settles_in: after an attempt, how long reports and repeats may come.
    """

    def __init__(
        self,
        tables: Tables,
        *,
        shards: int,
        id_key: bytes,
        country_of: Callable[[str], str | None],
        settles_in: timedelta,
    ) -> None:
        self._tables = tables
        self._shards = shards
        self._id_key = id_key
        self._country_of = country_of
        self._settles_in = settles_in

    async def erase_beside(self, message_id: str, whom: Whom) -> ErasedMessages:
        """Erase a person in all rows whose ids have the time of this message's.

        A query for each shard, and an operation for each row that names the person.

        Raises:
            StorageDown: repeating is safe.
        """
        table, time = ids.month_table(message_id), message_id[:_TIME]
        # The last character before a message's own part decides on the shard.
        minute = ids.partition(message_id, self._shards).partition("-")[2]
        done = NOTHING
        for shard in range(self._shards):
            partition = f"{shard:x}-{minute}"

            async def step(partition: str = partition) -> ErasedMessages:
                return await self._erase(table, partition, time, whom)

            try:
                done += await self._tables.change(step)
            except Changed:
                raise StorageDown("A message is being changed all the time.") from None
        return done

    async def _erase(self, table: str, partition: str, time: str, whom: Whom) -> ErasedMessages:
        rows = self._tables.query(
            table, _OF_A_MOMENT, partition=partition, low=time, high=time + "~"
        )
        done = NOTHING
        # Those that were asked for in time; the row of an intent comes before its send's others.
        sends: set[str] = set()
        async for row in rows:
            key = row["RowKey"]
            if key.endswith(ids.INBOUND_SUFFIX):
                members = self._inbound(row, whom)
                found = ErasedMessages(words=1, ids=frozenset({key})) if members else NOTHING
            elif len(key) == ids.ULID_LENGTH:
                intent = facts.read_intent(row)
                if intent.ordered_at > whom.up_to:
                    continue
                tokens = self._tokens(intent, whom)
                sends.add(key)
                members = self._intent(intent, tokens, whom)
                found = self._found(intent, tokens)
            elif key[: ids.ULID_LENGTH] in sends:
                found = NOTHING
                members = (
                    self._outcome(row, whom)
                    if key.endswith(facts.OUTCOME)
                    else self._report(row, whom)
                )
            else:
                continue
            if members:
                keys = {name: row[name] for name in ("PartitionKey", "RowKey")}
                await self._tables.merge(table, keys | members, etag=etag_of(row))
            done += found
        return done

    def _tokens(self, intent: Intent, whom: Whom) -> dict[str, str]:
        """What stands for the person's numbers from now on, by number."""
        carriers = intent.carriers()
        return {
            address: self._token(carriers.get(address, intent.send_id), address)
            for address in intent.request.addresses()
            if whom.has(address)
        }

    def _token(self, send_id: str, address: str) -> str:
        message_id = ids.message_id(self._id_key, send_id, address)
        return ids.erased_recipient(message_id, self._country_of(address))

    def _intent(self, intent: Intent, tokens: Mapping[str, str], whom: Whom) -> Entity:
        """The members of an intent's row that change; none if the person is not in it."""
        if not tokens:
            return {}
        request = intent.request
        asked = tuple(
            replace(one, to=tokens[one.address], address=tokens[one.address], repeat_id=None)
            if one.address is not None and one.address in tokens
            else one
            for one in request.asked
        )
        parts = tuple(
            replace(part, addresses=tuple(tokens.get(a, a) for a in part.addresses))
            for part in intent.parts
        )
        canceled = {tokens.get(address, address) for address in intent.canceled}
        if intent.waiting:
            canceled |= set(tokens.values())
        others = [a for a in request.addresses() if a not in tokens and not ids.is_erased(a)]
        changed = replace(
            intent,
            request=replace(
                request,
                asked=asked,
                message=request.message if others else "",
                tag=whom.without(request.tag),
            ),
            parts=parts,
            canceled=frozenset(canceled),
        )
        return facts.changed_members(changed)

    def _found(self, intent: Intent, tokens: Mapping[str, str]) -> ErasedMessages:
        """What erasing in an intent comes to, with what was erased before."""
        before = [a for a in intent.request.addresses() if ids.is_erased(a)]
        erased = [*before, *tokens.values()]
        if not erased:
            return NOTHING
        carriers = intent.carriers()
        messages = {
            ids.message_id(self._id_key, carriers.get(address, intent.send_id), address)
            for address in before
        } | {
            ids.message_id(self._id_key, carriers.get(address, intent.send_id), token)
            for address, token in tokens.items()
        }
        own = sum(address not in carriers for address in tokens)
        return ErasedMessages(texts=own, ids=frozenset(messages), last=self._last(intent))

    def _last(self, intent: Intent) -> datetime:
        start = max(intent.attempt_at, intent.send_at or intent.attempt_at)
        return max(start, intent.expires_at or start) + self._settles_in

    def _outcome(self, row: Entity, whom: Whom) -> Entity:
        found = list(facts.read_outcomes(row).values())
        if not any(whom.has(outcome.address) for outcome in found):
            return {}
        send_id = row["RowKey"].removesuffix(facts.OUTCOME)
        changed = [
            replace(
                outcome,
                address=self._token(send_id, outcome.address),
                error=whom.without(outcome.error) if outcome.error is not None else None,
            )
            if whom.has(outcome.address)
            else outcome
            for outcome in found
        ]
        return {"items": pack(facts.packed_outcomes(changed))}

    @staticmethod
    def _report(row: Entity, whom: Whom) -> Entity:
        details, attempts = row.get("details", ""), row.get("attempts")
        quoted: Entity = {}
        if whom.is_in(details):
            quoted["details"] = whom.without(details)
        if attempts is not None and whom.is_in(str(unpack(attempts))):
            quoted["attempts"] = pack([])
        return quoted

    def _inbound(self, row: Entity, whom: Whom) -> Entity:
        received = facts.read_inbound(row)
        if not whom.has(received.theirs) or received.received > whom.up_to:
            return {}
        keyword = keywords.read(received.text)
        token = ids.erased_recipient(row["RowKey"], self._country_of(received.theirs))
        words = keyword.word if keyword is not None else ""
        blank = replace(received, theirs=token, text=words)
        return facts.inbound_members(blank)

    # Strays ---------------------------------------------------------------------------------------

    async def erase_strays(self, whom: Whom) -> int:
        """Erase a person's number in reports on messages that Parley never sent; how many.

        One query for each month.
        """
        count = 0
        for table in await self._tables.tables(ids.MONTH_TABLES):
            rows = self._tables.query(table, _STRAYS, low=f"{STRAY}-", high=f"{STRAY}.")
            async for row in rows:
                count += await self._erase_stray(table, row, whom)
        return count

    async def _erase_stray(self, table: str, row: Entity, whom: Whom) -> int:
        if not whom.has(row["to"]) or from_iso(row["receivedAt"]) > whom.up_to:
            return 0
        members: dict[str, Any] = {
            "PartitionKey": row["PartitionKey"],
            "RowKey": row["RowKey"],
            "to": "",
            "tag": whom.without(row["tag"]),
            **self._report(row, whom),
        }
        try:
            await self._tables.merge(table, members, etag=etag_of(row))
        except Changed:
            raise StorageDown("A stray report is being changed.") from None
        return 1
