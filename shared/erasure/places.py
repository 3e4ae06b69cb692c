"""Everywhere that a person may stand, one place after another; each can be gone through again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.azure.tables import Entity
from shared.base.clock import from_iso
from shared.base.tasks import few_at_once
from shared.campaigns.kept_lists import ListErasing
from shared.conversations.entries import Kind
from shared.conversations.erasing import ConversationErasing
from shared.jobs.poison import Poison
from shared.messages.erasing import NOTHING, ErasedMessages, MessageErasing
from shared.receiving.quarantine import QuarantineApi
from shared.rules.whom import Whom

if TYPE_CHECKING:
    from collections.abc import Sequence

_MESSAGES_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Done:
    """What one step has come to.

    Attributes:
        counts: what was erased, by kind.
        last: until when something may come of it; None where nothing may.
        after: what was done last, where the step is not over; empty where it is.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    last: datetime | None = None
    after: str = ""


class Places:
    """The steps of an erasure, in their order.

    Lists first: whatever reads them later finds nobody. Quarantine and poison last: what is retried
    from there meanwhile is found in the other places the second time.

    Args:
        senders: of the settings; those that have ever spoken are found besides.
    """

    def __init__(
        self,
        *,
        senders: Iterable[str],
        lists: ListErasing,
        conversations: ConversationErasing,
        messages: MessageErasing,
        quarantine: QuarantineApi,
        poison: Poison,
    ) -> None:
        self._senders = frozenset(senders)
        self._lists = lists
        self._conversations = conversations
        self._messages = messages
        self._quarantine = quarantine
        self._poison = poison
        self.steps: Sequence[Callable[[Whom, str], Awaitable[Done]]] = (
            self._erase_from_a_list,
            self._erase_a_conversation,
            self._erase_strays,
            self._erase_quarantined,
            self._erase_poison,
        )

    async def drop_entries(self, whom: Whom) -> None:
        """Take away what was left as the way to the person's messages."""
        for ours in await self._all_senders():
            await self._conversations.drop(ours, whom)

    async def _erase_from_a_list(self, whom: Whom, after: str) -> Done:
        """One list a time: each may be large."""
        left = [name for name in sorted(await self._lists.names(whom)) if name > after]
        if not left:
            return Done()
        count = await self._lists.erase(left[0], whom)
        return Done({"listRecords": count}, after=left[0] if len(left) > 1 else "")

    async def _erase_a_conversation(self, whom: Whom, after: str) -> Done:
        """What one sender and the person have said; one sender a time."""
        left = [ours for ours in await self._all_senders() if ours > after]
        if not left:
            return Done()
        done, entries = NOTHING, 0
        batch: list[tuple[str, Entity | None]] = []
        async for found in self._conversations.messages(left[0], whom):
            batch.append(found)
            if len(batch) == _MESSAGES_AT_ONCE:
                some, count = await self._erase_batch(batch, whom)
                done, entries, batch = done + some, entries + count, []
        some, count = await self._erase_batch(batch, whom)
        done, entries = done + some, entries + count
        counts = {"textsToPerson": done.texts, "textsFromPerson": done.words, "entries": entries}
        return Done(counts, done.last, left[0] if len(left) > 1 else "")

    async def _erase_batch(
        self, batch: Sequence[tuple[str, Entity | None]], whom: Whom
    ) -> tuple[ErasedMessages, int]:
        # Messages first: whoever dies in between finds them again by their entries. Those of one
        # moment lie together.
        moments = {message_id[:10]: message_id for message_id, _ in batch}

        async def erase(message_id: str) -> ErasedMessages:
            return await self._messages.erase_beside(message_id, whom)

        done = NOTHING
        for found in await few_at_once(erase, moments.values()):
            done += found
        gone = done.ids

        async def blank(entry: Entity) -> bool:
            return await self._conversations.blank(entry, whom)

        theirs = [row for _, row in batch if row is not None and _is_over(row, gone, whom)]
        blanked = await few_at_once(blank, theirs)
        return done, sum(blanked)

    async def _erase_strays(self, whom: Whom, after: str) -> Done:  # noqa: ARG002  # done at once
        return Done({"strayReports": await self._messages.erase_strays(whom)})

    async def _erase_quarantined(self, whom: Whom, after: str) -> Done:  # noqa: ARG002  # likewise
        return Done({"quarantined": await self._quarantine.erase(whom)})

    async def _erase_poison(self, whom: Whom, after: str) -> Done:  # noqa: ARG002  # likewise
        return Done({"failedWork": await self._poison.erase(whom)})

    async def _all_senders(self) -> list[str]:
        return sorted(self._senders.union(await self._conversations.senders()))


def _is_over(row: Entity, erased: frozenset[str], whom: Whom) -> bool:
    """Whether an entry is about what was said, or asked for, when the erasure was ordered."""
    if row["kind"] == Kind.ERASED or row["messageId"] in erased:
        return True
    return from_iso(row["at"]) <= whom.up_to
