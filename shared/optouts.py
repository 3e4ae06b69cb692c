"""The opt-outs API as ACS defines it, over Parley's ledger, and the ledger's own view.

ACS keeps no history and cannot list; the ledger does the first, and answers why.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from shared import log
from shared.addresses import BadAddress, recipient
from shared.clock import Clock
from shared.errors import ForeignSender, InvalidRequest
from shared.ledger import Change, Channel, Direction, Effect, Ledger
from shared.relay import Relay, opt_out_changed
from shared.senders import Programs, Sender
from shared.sending.request import MAX_RECIPIENTS, parse_json


class Operation(StrEnum):
    """What can be asked of the API, as the route names it."""

    ADD = "optouts:add"
    REMOVE = "optouts:remove"
    CHECK = "optouts:check"


_DIRECTIONS: Final = {Operation.ADD: Direction.OUT, Operation.REMOVE: Direction.IN}


@dataclass(frozen=True, slots=True)
class OptOutItem:
    """What one recipient is answered with.

    Attributes:
        to: as the caller wrote it.
        status: 200 or 400.
        is_opted_out: for a check only.
        error: why it is refused.
    """

    to: str
    status: int
    is_opted_out: bool | None = None
    error: str | None = None


class OptOuts:
    """Answers the opt-outs API.

    Args:
        clock: the time.
        ledger: the opt-outs.
        relay: the way to the application.
        senders: those configured.
    """

    def __init__(
        self, *, clock: Clock, ledger: Ledger, relay: Relay, senders: Mapping[str, Sender]
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._relay = relay
        self._senders = senders
        self._programs = Programs(senders)

    async def answer(self, operation: Operation, body: bytes) -> list[OptOutItem]:
        """One item for each recipient, in the caller's order.

        Raises:
            InvalidRequest, ForeignSender: the request makes no sense as a whole.
            LedgerUnavailable: nothing is certain; repeating is safe.
        """
        sender, written = self._read(body)
        addresses = {to: _address(to) for to in dict.fromkeys(written)}
        good = list(dict.fromkeys(a for a in addresses.values() if not isinstance(a, BadAddress)))
        direction = _DIRECTIONS.get(operation)
        if direction is not None:
            await self._change(sender, good, direction)
        elif good:
            await self._ledger.news()
        return [self._item(operation, to, sender, addresses[to]) for to in written]

    def _item(
        self, operation: Operation, to: str, sender: str, address: str | BadAddress
    ) -> OptOutItem:
        if isinstance(address, BadAddress):
            return OptOutItem(to, 400, error=str(address))
        if operation is Operation.CHECK:
            closed = self._ledger.closed_by(address, sender) is not None
            return OptOutItem(to, 200, is_opted_out=closed)
        return OptOutItem(to, 200)

    async def _change(self, sender: str, addresses: list[str], direction: Direction) -> None:
        now = self._clock()
        request_id = str(uuid.uuid4())
        changes = [
            Change(
                change_id=f"{request_id}.{index}",
                address=address,
                sender=sender,
                program=self._programs.of(sender),
                direction=direction,
                channel=Channel.API,
                rule="api/optouts",
                said_at=now,
                cause={"requestId": request_id},
            )
            for index, address in enumerate(addresses)
        ]
        made = await self._ledger.change(changes)
        log.event("optouts.changed", direction=str(direction), sender=sender, count=len(made))
        await self._relay.publish_or_queue(
            [
                opt_out_changed(change, result)
                for change, result in zip(changes, made, strict=True)
                if result.effect is Effect.APPLIED
            ]
        )

    def _read(self, body: bytes) -> tuple[str, list[str]]:
        request = parse_json(body)
        if not isinstance(request, dict):
            raise InvalidRequest.of("", "The body must be a JSON object.")
        errors: dict[str, list[str]] = {
            name: ["This member is not known here."]
            for name in sorted(request.keys() - {"from", "recipients"})
        }
        sender, recipients = request.get("from"), request.get("recipients")
        if not isinstance(sender, str) or not sender.strip():
            errors["from"] = ["A sender is required."]
        written: list[str] = []
        if not isinstance(recipients, list) or not 1 <= len(recipients) <= MAX_RECIPIENTS:
            errors["recipients"] = [f"1 to {MAX_RECIPIENTS} recipients are required, in a list."]
        else:
            written = [_written(entry, index, errors) for index, entry in enumerate(recipients)]
        if errors:
            raise InvalidRequest(errors)
        sender = str(sender).strip()
        if sender not in self._senders:
            raise ForeignSender
        return sender, written


def _written(entry: Any, index: int, errors: dict[str, list[str]]) -> str:
    to = entry.get("to") if isinstance(entry, dict) else None
    if not isinstance(to, str) or not to or entry.keys() != {"to"}:
        errors[f"recipients[{index}]"] = ["A recipient must be an object with `to` alone, a text."]
        return ""
    return to


def _address(to: str) -> str | BadAddress:
    try:
        return recipient(to)
    except BadAddress as error:
        return error
