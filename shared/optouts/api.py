"""The opt-outs API as ACS defines it, over Parley's ledger, and the ledger's own view.

ACS keeps no history and cannot list; the ledger does the first, and answers why. An operator who
opts somebody out or in again says why, too: the reason is kept as the change's evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from shared.azure.acs import MAX_RECIPIENTS
from shared.azure.topic import OutgoingEvent, Topic
from shared.base import ids, log
from shared.base.clock import Clock, from_iso
from shared.base.errors import ForeignSender, InvalidRequest
from shared.base.json_body import Body, ListOf, Member, Parsed, Text, parse_json
from shared.base.randomness import Randomness, drawn_uuid
from shared.base.tasks import few_at_once
from shared.optouts import Change, Channel, Direction, Effect, Ledger, Made
from shared.optouts.events import opt_out_changed
from shared.rules.addresses import BadAddress, from_query, recipient
from shared.rules.persons import person
from shared.rules.senders import Programs, Sender


class Operation(StrEnum):
    """What can be asked of the API."""

    ADD = "add"
    REMOVE = "remove"
    CHECK = "check"


OPERATOR_RULE: Final = "operator/optouts"
# A repeat of a request brings no id by which it could be known as one. Within this time it is taken
# for one, and tells the same event under the same id: two nights of an application's own list.
TOLD_AGAIN_WITHIN: Final = timedelta(days=2)
_IN_A_QUERY: Final = "In a query, write the + as %2B."
_LONGEST_REASON: Final = 500
_LONGEST_CHANGE_ID: Final = 64
_DIRECTIONS: Final = {Operation.ADD: Direction.OUT, Operation.REMOVE: Direction.IN}


# The tables of bodies -----------------------------------------------------------------------------


def _only_to(entry: Any) -> Any:
    to = entry.get("to") if isinstance(entry, dict) else None
    if not isinstance(to, str) or not to or entry.keys() != {"to"}:
        raise ValueError("A recipient must be an object with `to` alone, a text")
    return entry


def _number(text: str) -> str:
    try:
        return recipient(text)
    except BadAddress as error:
        raise ValueError(str(error).removesuffix(".")) from None


# Whoever it is compared with decides, so that another text is a sender that is not configured.
_SENDER: Final = Member(
    "from", Text(1, strip=True, halves=True), "A sender is required.", required=True
)
_BY_ACS: Final = (
    _SENDER,
    Member(
        "recipients",
        # A number that is none spoils its own item.
        ListOf(Parsed(_only_to), 1, MAX_RECIPIENTS),
        f"1 to {MAX_RECIPIENTS} recipients are required, in a list.",
        required=True,
    ),
)
_REASON: Final = Member(
    "reason",
    Text(1, _LONGEST_REASON, strip=True),
    f"A reason of 1 to {_LONGEST_REASON} characters is required.",
    required=True,
)
_BY_OPERATOR: Final = (
    Member(
        "recipient",
        Parsed(_number, of=str),
        required=True,
        missing="A recipient is required: the person's number.",
    ),
    _SENDER,
    _REASON,
    Member(
        "changeId",
        Text(1, _LONGEST_CHANGE_ID),
        f"This is a text of 1 to {_LONGEST_CHANGE_ID} characters.",
    ),
)


def read_acs_change(content: bytes) -> tuple[str, list[str]]:
    """The sender and the recipients, both as written, that a body of ACS's names.

    Raises:
        InvalidRequest: with every member at fault.
    """
    body = Body(parse_json(content), _BY_ACS)
    body.finish()
    return body["from"], [entry["to"] for entry in body["recipients"]]


@dataclass(frozen=True, slots=True)
class OperatorChange:
    """What an operator orders.

    Attributes:
        address: the person's.
        sender: as written.
        reason: why.
        change_id: of the change, where the operator gives one.
    """

    address: str
    sender: str
    reason: str
    change_id: str | None


def read_operator_change(content: bytes) -> OperatorChange:
    """The change that a body orders.

    Raises:
        InvalidRequest: with every member at fault.
    """
    body = Body(parse_json(content), _BY_OPERATOR)
    body.finish()
    return OperatorChange(body["recipient"], body["from"], body["reason"], body["changeId"])


def read_recipient(text: str | None) -> str:
    """The person whom the query parameter `recipient` names.

    Raises:
        InvalidRequest: it is missing, or no number.
    """
    if not text:
        raise InvalidRequest.of("recipient", "Name the person's number: ?recipient=%2B14255550123.")
    address = _address(from_query(text))
    if isinstance(address, BadAddress):
        raise InvalidRequest.of("recipient", f"{address} {_IN_A_QUERY}")
    return address


def read_lift(content: bytes) -> str:
    """The reason that a lift gives.

    Raises:
        InvalidRequest: with every member at fault.
    """
    body = Body(parse_json(content), (_REASON,))
    body.finish()
    reason: str = body["reason"]
    return reason


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


class OptOutApi:
    """Answers the opt-outs API.

    Args:
        ledger: the opt-outs.
        topic: the way to the application.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        randomness: Randomness,
        ledger: Ledger,
        topic: Topic,
        senders: Mapping[str, Sender],
    ) -> None:
        self._randomness = randomness
        self._clock = clock
        self._ledger = ledger
        self._topic = topic
        self._senders = senders
        self._programs = Programs(senders)

    async def change_or_check(self, operation: Operation, body: bytes) -> list[OptOutItem]:
        """One item for each recipient, in the caller's order.

        Raises:
            InvalidRequest, ForeignSender: the request makes no sense as a whole.
            LedgerUnavailable: nothing is certain; repeating is safe.
        """
        sender, written = read_acs_change(body)
        if sender not in self._senders:
            raise ForeignSender
        addresses = {to: _address(to) for to in dict.fromkeys(written)}
        # Of the spellings of one person's number, the first.
        people: dict[str, str] = {}
        for address in addresses.values():
            if not isinstance(address, BadAddress):
                people.setdefault(person(address), address)
        good = list(people.values())
        direction = _DIRECTIONS.get(operation)
        if direction is not None:
            await self._change(sender, good, direction)
        elif good:
            await self._ledger.news()
        return [self._item(operation, to, sender, addresses[to]) for to in written]

    async def get_account(self, address: str) -> dict[str, Any]:
        """What the ledger says of one person, and why: each scope, and the latest changes."""
        account = await self._ledger.account(address)
        return {
            "recipient": address,
            "value": [
                {
                    "scope": decision.scope,
                    "isOptedOut": decision.direction is Direction.OUT,
                    "entry": decision.row,
                }
                for decision in account.decisions
            ],
            "history": account.history,
        }

    async def change_by_operator(self, direction: Direction, body: bytes) -> dict[str, Any]:
        """Opt one person out of a sender or in again, for a reason; the person's account then.

        Raises:
            InvalidRequest, ForeignSender: the request makes no sense.
            LedgerUnavailable: nothing is certain; repeating with the same `changeId` is safe.
        """
        order = read_operator_change(body)
        address, sender = order.address, order.sender
        if sender not in self._senders:
            raise ForeignSender
        request_id = order.change_id or drawn_uuid(self._randomness)
        change = Change(
            change_id=ids.derived(Channel.OPERATOR, address, sender, str(direction), request_id),
            address=address,
            sender=sender,
            program=self._programs.of(sender),
            direction=direction,
            channel=Channel.OPERATOR,
            rule=OPERATOR_RULE,
            said_at=self._clock(),
            cause={"changeId": request_id},
            words=order.reason,
        )
        await self._tell([change], await self._ledger.change([change]))
        return await self.get_account(address)

    async def get_halt(self) -> dict[str, Any]:
        """Whether all sending is halted, why, and what there is to recover from.

        Raises:
            LedgerUnavailable, StorageDown: it cannot be said now.
        """
        return await self._ledger.halts.look()

    async def lift_halt(self, body: bytes) -> dict[str, Any]:
        """Let sending go on from the ledger's table as it is; what `get_halt` says then.

        Raises:
            InvalidRequest: there is no reason.
            LedgerUnavailable, StorageDown: repeating is safe.
        """
        await self._ledger.halts.lift(read_lift(body))
        return await self.get_halt()

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
        request_id = drawn_uuid(self._randomness)
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
        await self._tell(changes, made)

    async def _tell(self, changes: Sequence[Change], made: Sequence[Made]) -> None:
        if not changes:
            return
        direction, sender = changes[0].direction, changes[0].sender
        fresh = sum(one.fresh and one.effect is not Effect.UNCHANGED for one in made)
        log.event("optouts.changed", direction=str(direction), sender=sender, count=fresh)
        found = await few_at_once(self._event_of, list(zip(changes, made, strict=True)))
        await self._topic.publish_or_queue([event for event in found if event is not None])

    async def _event_of(self, asked: tuple[Change, Made]) -> OutgoingEvent | None:
        """What to tell of a change that was asked for: the one that was made, by this or before."""
        change, made = asked
        if made.effect is Effect.SUPERSEDED:
            return None
        if made.effect is Effect.UNCHANGED and not self._is_told_again(made):
            return None
        if made.fresh and made.effect is Effect.APPLIED:
            return opt_out_changed(change, made)
        standing = await self._ledger.change_at(made.sequence)
        return opt_out_changed(standing, made) if standing is not None else None

    def _is_told_again(self, made: Made) -> bool:
        """Whether the change that holds is so young that its maker may have died before telling."""
        return self._clock() - from_iso(made.recorded) < TOLD_AGAIN_WITHIN


def _address(to: str) -> str | BadAddress:
    try:
        return recipient(to)
    except BadAddress as error:
        return error
