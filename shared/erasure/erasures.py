"""Erasing a person at their request: ordered, done, done once more, and told in a receipt.

    1. A change of the ledger, direction `erased`. From then on nothing is sent that was ordered
       before it (`shared.sending.decisions`), at no cost: each check knows it from memory.
    2. Everywhere that the person stands (`shared.erasure.places`), one step after another, each
       noted, so that whoever goes on after a crash begins there.
    3. Once more, a day after all is over that was under way: moments of texts that waited, times to
       live, reports. What was at work meanwhile may have written the person down again.

The receipt then is final. The ledger stays: it says that the person opted out, which the law wants
known, and it alone still has the number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from shared.azure.storage import Changed
from shared.base import ids, log
from shared.base.clock import Clock, iso
from shared.base.errors import NotFound, Unavailable
from shared.base.json_body import Body, Member, Parsed, parse_json
from shared.erasure.places import Places
from shared.erasure.receipts import Receipt, Receipts, Stage
from shared.jobs.poison import reason_of
from shared.messages.state import SILENCE
from shared.optouts import Change, Channel, Direction, Ledger
from shared.optouts.changes import ERASED_MARGIN, NOBODY
from shared.rules.addresses import BadAddress, recipient
from shared.rules.whom import Whom

RULE: Final = "operator/erase"
# A second order within this time is the repeat of one whose answer was lost.
SAME_ORDER_WITHIN: Final = timedelta(hours=1)
# Nothing is under way for longer that has no moment of its own.
SETTLES_IN: Final = SILENCE
_ONCE_MORE_AFTER: Final = timedelta(days=1)
# For so long a run goes on with further steps; the next one is a minute later.
_BUDGET: Final = timedelta(seconds=40)
KEPT: Final = (
    {
        "what": "The person's changes in the opt-out ledger, with their number and, for opt-outs"
        " and opt-ins, the words that were said.",
        "why": "Whoever opted out must not be texted again, and it must be possible to show why.",
    },
    {
        "what": "Ids, times, states, counts and costs of messages, without number and words.",
        "why": "They say what was sent and what it cost, and no longer to whom.",
    },
    {
        "what": "Hashes under this deployment's key, by which limits know how often somebody was"
        " texted.",
        "why": "They go when the limits' times are over.",
    },
    {
        "what": "Earlier versions of lists and of events in quarantine, in the storage account.",
        "why": "Azure keeps what was replaced or deleted for about a month, so that mistakes can"
        " be undone.",
    },
)


def _number(text: str) -> str:
    try:
        return recipient(text)
    except BadAddress as error:
        raise ValueError(str(error).removesuffix(".")) from None


_BODY: Final = (
    Member(
        "recipient",
        Parsed(_number, of=str),
        required=True,
        missing="A recipient is required: the person's number.",
    ),
)


def read_order(content: bytes) -> str:
    """The number of the person whom a body wants erased.

    Raises:
        InvalidRequest: with every member at fault.
    """
    body = Body(parse_json(content), _BODY)
    body.finish()
    address: str = body["recipient"]
    return address


class Erasures:
    """Orders erasures, and does what is left of them.

    Args:
        ledger: where an erasure begins.
        receipts: what is on record of it.
        places: where people stand.
    """

    def __init__(self, *, clock: Clock, ledger: Ledger, receipts: Receipts, places: Places) -> None:
        self._clock = clock
        self._ledger = ledger
        self._receipts = receipts
        self._places = places

    # For the interface ----------------------------------------------------------------------------

    async def order(self, address: str) -> dict[str, Any]:
        """Have a person erased; the receipt as it is now. A repeat within an hour orders nothing.

        Raises:
            LedgerUnavailable, StorageDown: it is not certain that it was ordered; repeat it.
        """
        now = self._clock()
        latest, erasure_id = await self._receipts.latest(address)
        if latest is not None and now - latest.ordered_at < SAME_ORDER_WITHIN:
            return _view(latest)
        change = Change(
            change_id=ids.derived(Channel.OPERATOR, str(Direction.ERASED), erasure_id),
            address=address,
            sender=NOBODY,
            program="",
            direction=Direction.ERASED,
            channel=Channel.OPERATOR,
            rule=RULE,
            said_at=now,
            cause={"erasureId": erasure_id},
        )
        (made,) = await self._ledger.change([change])
        # A repeat after a crash finds the change that was made, with its time.
        stands = await self._ledger.change_at(made.sequence) or change
        ordered = Receipt(erasure_id, made.sequence, stands.said_at)
        await self._receipts.insert(ordered)
        log.event("erasure.ordered", erasureId=erasure_id)
        return _view(await self._receipts.get(erasure_id) or ordered)

    async def get_receipt(self, erasure_id: str) -> dict[str, Any]:
        """The receipt of an erasure, as it is now.

        Raises:
            NotFound: there is none with this id.
        """
        found = await self._receipts.get(erasure_id)
        if found is None:
            raise NotFound("There is no erasure with this id.")
        return _view(found)

    # By the clock -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Go on with what is to be done now, as far as the time allows; the next run goes on.

        What fails is told and tried again a minute later, and holds no other erasure up.
        """
        until = self._clock() + _BUDGET
        waiting = [one async for one in self._receipts.open() if self._is_due(one)]
        for receipt in waiting:
            if self._clock() >= until:
                return
            try:
                await self._go_on(receipt, until)
            except Unavailable as error:
                log.trouble("erasure.put_off", erasureId=receipt.erasure_id, code=error.code)
            except Changed:
                log.event("erasure.overtaken", erasureId=receipt.erasure_id)
            except Exception as error:  # noqa: BLE001  # the others are not held up by it
                reason = reason_of(error)
                log.trouble("erasure.failed", erasureId=receipt.erasure_id, reason=reason)

    def _is_due(self, receipt: Receipt) -> bool:
        return receipt.final_at is None or receipt.final_at <= self._clock()

    async def _go_on(self, receipt: Receipt, until: datetime) -> None:
        whom = await self._whom(receipt)
        steps = self._places.steps
        while receipt.step < len(steps):
            if self._clock() >= until:
                return
            done = await steps[receipt.step](whom, receipt.after)
            last = max(filter(None, (receipt.last_at, done.last)), default=None)
            receipt = await self._receipts.change(
                replace(
                    receipt.with_counts(done.counts),
                    step=receipt.step if done.after else receipt.step + 1,
                    after=done.after,
                    last_at=last,
                )
            )
        if receipt.stage is Stage.ERASING:
            await self._receipts.change(self._waiting(receipt))
            log.event("erasure.done_once", erasureId=receipt.erasure_id)
            return
        latest, _ = await self._receipts.latest(whom.address)
        if latest is None or latest.erasure_id == receipt.erasure_id:
            # Else a younger erasure still goes by them.
            await self._places.drop_entries(whom)
        final = replace(receipt, stage=Stage.FINAL, done_at=self._clock())
        await self._receipts.change(final)
        log.event("erasure.final", erasureId=receipt.erasure_id)

    def _waiting(self, receipt: Receipt) -> Receipt:
        settled = max(self._clock() + SETTLES_IN, receipt.last_at or receipt.ordered_at)
        return replace(
            receipt,
            stage=Stage.WAITING,
            step=0,
            after="",
            final_at=settled + _ONCE_MORE_AFTER,
        )

    async def _whom(self, receipt: Receipt) -> Whom:
        ordered = await self._ledger.change_at(receipt.sequence)
        if ordered is None or ordered.direction is not Direction.ERASED:
            raise _NoOrder("The opt-out ledger does not hold the order of an erasure.")
        return Whom(ordered.address, receipt.ordered_at + ERASED_MARGIN)


class _NoOrder(Unavailable):
    """The ledger's table was put back, perhaps: an operator has to look."""

    code = "ErasureUnknown"


def _view(receipt: Receipt) -> dict[str, Any]:
    return {
        "erasureId": receipt.erasure_id,
        "state": str(receipt.stage),
        "isFinal": receipt.stage is Stage.FINAL,
        "orderedAt": iso(receipt.ordered_at),
        "ledgerSequence": receipt.sequence,
        "removed": {name: receipt.counts.get(name, 0) for name in COUNTED},
        "kept": list(KEPT),
        "finalFrom": iso(receipt.final_at) if receipt.final_at is not None else None,
        "finalAt": iso(receipt.done_at) if receipt.done_at is not None else None,
    }


COUNTED: Final[Sequence[str]] = (
    "textsToPerson",
    "textsFromPerson",
    "entries",
    "listRecords",
    "strayReports",
    "quarantined",
    "failedWork",
)
