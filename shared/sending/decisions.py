"""Deciding: who is not texted in an attempt, and why; the gates stand in `shared.sending.attempts`.

Nobody who is decided on here is asked for at ACS. What limits took for somebody who was not texted
in the end is given back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from shared.azure.storage import StorageDown
from shared.base import ids, log
from shared.limits import Guards
from shared.messages.facts import Intent, Outcome
from shared.messages.parts import Parts
from shared.rules.message_states import State
from shared.sending.attempts import Attempt, AttemptRules, uncertain, when_time_is_up

# ACS's own sentence, in the item and in the report.
BLOCKED: Final = "Sender blocked for given recipient."
CANCELED: Final = "Canceled before it was sent."
ERASED: Final = "Erased at the person's request before it was sent."
EXPIRED: Final = "Its time to live ended before it could be sent."
_FORBIDDEN: Final = 403
_GONE: Final = 410
# Clocks of two processes: an opt-out counts as older than an attempt only by this much.
_CLOCK_MARGIN: Final = timedelta(seconds=60)


class Gates:
    """What the recipients of an attempt have to pass.

    Args:
        parts: shared ones; the ledger among them.
        rules: the numbers.
        guards: who may not be texted although the ledger lets them through.
    """

    def __init__(self, parts: Parts, *, rules: AttemptRules, guards: Guards) -> None:
        self._clock = parts.clock
        self._ledger = parts.ledger
        self._rules = rules
        self._guards = guards

    async def decide(self, attempt: Attempt) -> dict[str, Outcome | None]:
        """For each address its outcome where that is known without ACS, else None.

        Raises:
            LedgerUnavailable, StorageDown: nobody was asked for; repeating is safe.
        """
        intent = attempt.intent
        too_late = when_time_is_up(attempt, self._rules, self._clock())
        decided: dict[str, Outcome | None] = {}
        for address in intent.addresses():
            erased = self._is_erased(intent, address)
            if erased or address in intent.canceled:
                why = ERASED if erased else CANCELED
                decided[address] = (
                    canceled(address, why) if attempt.earlier_doubt is None else uncertain(address)
                )
                continue
            sequence = self._ledger.closed_by(address, intent.request.sender)
            if sequence is not None:
                decided[address] = await self._closed(attempt, address, sequence)
            elif too_late is State.UNCERTAIN or address in attempt.asleep:
                decided[address] = uncertain(address)
            elif too_late is State.EXPIRED:
                decided[address] = Outcome(address, State.EXPIRED, _GONE, error=EXPIRED)
            else:
                decided[address] = None
        left = [address for address, outcome in decided.items() if outcome is None]
        return {**decided, **await self._limited(attempt, left)}

    def _is_erased(self, intent: Intent, address: str) -> bool:
        """Whether the person has had everything erased that was ordered when this was."""
        if ids.is_erased(address):
            return True
        up_to = self._ledger.erased_up_to(address)
        return up_to is not None and intent.ordered_at <= up_to

    async def _closed(self, attempt: Attempt, address: str, sequence: int) -> Outcome:
        # An earlier attempt may have texted somebody who opted out only after it. Whoever was
        # closed before it was blocked by it, too.
        doubt = attempt.earlier_doubt
        if doubt is not None and not await self._ledger.closed_before(
            address, attempt.intent.request.sender, doubt - _CLOCK_MARGIN
        ):
            return uncertain(address)
        return Outcome(address, State.BLOCKED, _FORBIDDEN, error=BLOCKED, ledger_sequence=sequence)

    async def _limited(self, attempt: Attempt, addresses: Sequence[str]) -> dict[str, Outcome]:
        """Whom a limit holds back although the ledger lets them through."""
        intent = attempt.intent
        if not addresses or not self._guards.applies(intent.request):
            return {}
        refused = await self._guards.admit(
            intent.request, intent.send_id, addresses, intent.segments, intent.first_attempt_at
        )
        return {
            address: Outcome(address, State.BLOCKED, _FORBIDDEN, error=reason)
            if attempt.earlier_doubt is None
            else uncertain(address)
            for address, reason in refused.items()
        }

    async def release(self, intent: Intent, unsent: Sequence[str]) -> None:
        """Give back what limits took for those who were certainly not texted."""
        if not unsent or not self._guards.applies(intent.request):
            return
        try:
            await self._guards.release(
                intent.request, intent.send_id, unsent, intent.first_attempt_at
            )
        except StorageDown:
            # They stay counted, so that a limit holds too early rather than too late.
            log.trouble("send.not_released", sendId=intent.send_id)


def canceled(address: str, why: str = CANCELED) -> Outcome:
    """The outcome of somebody who was taken out while the send waited."""
    return Outcome(address, State.CANCELED, _GONE, error=why)
