"""What the `record` queue brings: work that a request left for after its answer.

- `conversations`: write the entries of a send to many, or those that storage did not take.
- `outcome`: write an outcome that storage did not take when ACS had answered.
- `relay`: publish an event that the topic did not take.

Each can be done twice and is then done once. What the topic or storage does not take now is put
back with a longer and longer pause, for as long as that lasts. A message without sense raises; so
does an event that the topic refuses for what is in it. After its attempts it is kept as poison
(`shared.jobs.poison`), where an operator finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from shared.azure.packing import message_text, read_known_message
from shared.azure.queues import Queues
from shared.azure.topic import QUEUE, Topic, event_from_json
from shared.base import log
from shared.base.clock import from_iso
from shared.base.errors import Unavailable, Unintelligible
from shared.optouts import Ledger
from shared.sending.outcomes import Outcomes

# Seconds, each twice the one before.
_FIRST_PAUSE: Final = 5
_LONGEST_PAUSE: Final = 3600
_DOUBLINGS: Final = 10
_TRIES_WITHOUT_OUTCOME: Final = 5


class _NotYet(Unavailable):
    """What a message builds on is not there yet."""


class FollowUp:
    """Does what was left for later.

    Args:
        queues: the queue.
        topic: the way to the application.
        outcomes: records outcomes and what follows from them.
        senders: those configured.
        ledger: who has had what is known of them erased.
    """

    def __init__(
        self,
        *,
        queues: Queues,
        topic: Topic,
        outcomes: Outcomes,
        senders: Iterable[str],
        ledger: Ledger,
    ) -> None:
        self._ledger = ledger
        self._senders = tuple(senders)
        self._queues = queues
        self._topic = topic
        self._outcomes = outcomes

    async def write_old_entries(self) -> None:
        """Write the entries of sends to many that the queue has not brought within ten minutes.

        Raises:
            StorageDown: the next run goes on.
        """
        written = await self._outcomes.write_old_entries(self._senders)
        if written:
            log.event("entries.written_late", sends=written)

    async def run_queued(self, text: str) -> None:
        """Do the work of one queue message.

        Raises:
            Unintelligible: it makes no sense, or this release does not know its version, or the
                topic refuses what is in it.
            StorageDown: it could not even be put back.
        """
        try:
            message = read_known_message(QUEUE, text)
            kind, tries = message["kind"], int(message.get("tries", 0))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Unintelligible("a queue message that is no JSON object with a kind") from error
        try:
            await self._do(kind, message)
        except _NotYet:
            if tries < _TRIES_WITHOUT_OUTCOME:
                await self._put_back(message, tries)
            else:
                # Its process died before the outcome. Whatever brings the outcome, the repeat of
                # the request or a message of its own, brings the entries again.
                log.trouble("record.without_outcome", sendId=str(message["sendId"]))
                await self._outcomes.write_left_entries(str(message["sendId"]), undecided=True)
        except Unavailable:
            if kind == "relay" and await self._is_erased(message["event"]):
                log.event("relay.erased")
                return
            await self._put_back(message, tries)

    async def _is_erased(self, event: Mapping[str, Any]) -> bool:
        """Whether an event that cannot be told yet is about what a person has had erased since.

        So that nothing of them waits longer in the queue than the longest pause. What is not known
        now is asked again before the next one.
        """
        try:
            await self._ledger.news()
            data, time = event["data"], from_iso(event["time"])
            theirs = [data.get(name) for name in ("from", "to", "recipient")]
        except (Unavailable, KeyError, ValueError, AttributeError, TypeError):
            return False
        erased = [self._ledger.erased_up_to(one) for one in theirs if isinstance(one, str)]
        return any(up_to is not None and time <= up_to for up_to in erased)

    async def _put_back(self, message: dict[str, Any], tries: int) -> None:
        pause = min(_FIRST_PAUSE * 2 ** min(tries, _DOUBLINGS), _LONGEST_PAUSE)
        again = message_text({**message, "tries": tries + 1})
        await self._queues.enqueue(QUEUE, again, delay_seconds=pause)

    async def _do(self, kind: str, message: dict[str, Any]) -> None:
        if kind == "relay":
            await self._topic.publish([event_from_json(message["event"])])
        elif kind == "conversations":
            done = await self._outcomes.write_left_entries(
                message["sendId"], etag=message.get("pending")
            )
            if not done:
                # The outcome is written beside this message; it may be a moment behind.
                raise _NotYet(f"The send {message['sendId']} has no outcome yet.")
        elif kind == "outcome":
            await self._outcomes.conclude_left(message)
        else:
            raise Unintelligible(f"a queue message of unknown kind {kind!r}")
