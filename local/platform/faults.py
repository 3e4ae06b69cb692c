"""Trouble on order: the next calls of one interface fail in the way asked for.

An order may name a phone number; then it waits for calls about that number and lets others pass.
`BEHAVIOURS` is the list. Those that start with `accept`, and those that mangle an answer, fail
after the work was done: the people are texted, and only the caller does not learn it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from local.platform.acs import Answer, error, invalid, not_found

CLOSE_EXTENSION: Final = "parley.closeConnection"
PLACES: Final = ("send", "optouts", "topic", "delivery")
# Behaviour to whether the call's work is done all the same.
BEHAVIOURS: Final[dict[str, bool]] = {
    "throttle": False,
    "throttleWithoutRetryAfter": False,
    "serverError": False,
    "unauthorized": False,
    "badRequest": False,
    "timeout": False,
    "closeConnection": False,
    "itemErrors": False,
    "garbage": True,
    "emptyBody": True,
    "fewerItems": True,
    "moreItems": True,
    "acceptThenServerError": True,
    "acceptThenTimeout": True,
    "acceptThenClose": True,
}
_TRACE_ID: Final = f"00-{'0123456789abcdef' * 2}-0123456789abcdef-00"
_MEMBERS: Final = frozenset({"on", "behaviour", "times", "retryAfter", "status", "number"})
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")
# With or without the plus sign, as events have them.
_NUMBERS_IN_BODY: Final = re.compile(rb"(?<![0-9])[1-9][0-9]{6,14}(?![0-9])")
_FOREIGN_ITEM: Final = {
    "to": "+14255550000",
    "messageId": "Outgoing_of_somebody_else",
    "httpStatusCode": 202,
    "repeatabilityResult": "accepted",
    "successful": True,
    "errorMessage": None,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One order: the next `times` calls on `on` behave so.

    Attributes:
        number: only calls about this phone number.
    """

    on: str
    behaviour: str
    times: int = 1
    retry_after: int = 1
    status: int | None = None
    number: str | None = None

    @property
    def works_all_the_same(self) -> bool:
        """Whether the call does its work and fails only in what it answers."""
        return BEHAVIOURS[self.behaviour]

    def as_json(self) -> dict[str, Any]:
        """As `POST /simulator/faults` takes it."""
        return {
            "on": self.on,
            "behaviour": self.behaviour,
            "times": self.times,
            "retryAfter": self.retry_after,
            "status": self.status,
            "number": self.number,
        }


def parse_fault(body: Mapping[str, Any]) -> Fault:
    """One order as JSON.

    Raises:
        ValueError: a sentence that names the member at fault.
    """
    if unknown := sorted(body.keys() - _MEMBERS):
        raise ValueError(f"{unknown[0]}: is no member; known are {', '.join(sorted(_MEMBERS))}")
    for member, known in (("on", PLACES), ("behaviour", tuple(BEHAVIOURS))):
        if body.get(member) not in known:
            raise ValueError(f"{member}: must be one of {', '.join(known)}")
    times, retry_after = body.get("times", 1), body.get("retryAfter", 1)
    status = body.get("status")
    for member, value, least in (("times", times, 1), ("retryAfter", retry_after, 0)):
        if type(value) is not int or value < least:
            raise ValueError(f"{member}: must be a whole number of at least {least}")
    if status is not None and (type(status) is not int or not 200 <= status <= 599):  # noqa: PLR2004
        raise ValueError("status: must be an HTTP status from 200 to 599")
    number = body.get("number")
    if number is not None and not (isinstance(number, str) and _NUMBER.fullmatch(number)):
        raise ValueError("number: must be a phone number in E.164 form, such as +14255550123")
    return Fault(body["on"], body["behaviour"], times, retry_after, status, number)


def numbers_in(body: bytes) -> set[str]:
    """Every phone number that a call is about, in E.164 form."""
    return {f"+{digits.decode()}" for digits in _NUMBERS_IN_BODY.findall(body)}


class Faults:
    """The orders that are open, first come, first served."""

    def __init__(self) -> None:
        self._open: dict[str, list[Fault]] = defaultdict(list)
        self._released = asyncio.Event()

    def order(self, fault: Fault) -> None:
        """Add an order behind those already open."""
        self._open[fault.on].append(fault)

    def take(self, place: str, body: bytes) -> Fault | None:
        """The fault that the call with this body must suffer, if any; it is used up by one."""
        waiting = self._open[place]
        if not waiting:
            return None
        numbers = numbers_in(body)
        for index, fault in enumerate(waiting):
            if fault.number is not None and fault.number not in numbers:
                continue
            waiting[index : index + 1] = (
                [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
            )
            return fault
        return None

    def clear(self) -> None:
        """Cancel all orders, and let go of callers who wait for an answer that never comes."""
        self._open.clear()
        self._released.set()
        self._released = asyncio.Event()

    def as_json(self) -> list[dict[str, Any]]:
        """Open orders."""
        return [fault.as_json() for waiting in self._open.values() for fault in waiting]

    async def answer(
        self, fault: Fault, request: Request, serve: Callable[[int | None], Answer]
    ) -> Response:
        """The call's answer under a fault; `serve` works, its argument refuses every item."""
        if fault.behaviour == "itemErrors":
            answer = serve(fault.status or 503)
            return JSONResponse(answer.body, answer.status)
        served = serve(None) if fault.works_all_the_same else None
        if fault.behaviour in {"timeout", "acceptThenTimeout"}:
            await self._wait_for_hang_up(request)
            return NoAnswer()
        if fault.behaviour in {"closeConnection", "acceptThenClose"}:
            return NoAnswer()
        if served is None or fault.behaviour == "acceptThenServerError":
            return _refusal(fault)
        return _mangled(fault, served)

    async def _wait_for_hang_up(self, request: Request) -> None:
        hang_up = asyncio.ensure_future(_wait_for_disconnect(request.receive))
        released = asyncio.ensure_future(self._released.wait())
        _, pending = await asyncio.wait({hang_up, released}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()


class NoAnswer(Response):
    """Closes the connection instead of answering."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Hang up. The server's protocol class provides the means (see `server.py`)."""
        scope["extensions"][CLOSE_EXTENSION]["abort"]()
        # The server must have noticed, or it would report an application that forgot to answer.
        await _wait_for_disconnect(receive)


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _refusal(fault: Fault) -> Response:
    if fault.behaviour.startswith("throttle"):
        answer = error(fault.status or 429, "TooManyRequests", "Too many requests.")
        wait = {"Retry-After": str(fault.retry_after)} if fault.behaviour == "throttle" else {}
        return JSONResponse(answer.body, answer.status, wait)
    if fault.behaviour == "unauthorized":
        answer = _denial(fault.status or 401)
    elif fault.behaviour == "badRequest":
        # Of a whole request, without the number at fault (Azure/azure-rest-api-specs,
        # Sms/stable/2026-01-23/examples/SmsSend.json).
        answer = invalid({"SmsRecipients": ["Invalid recipient phone number format."]}, _TRACE_ID)
    else:
        message = "The server encountered an internal error."
        answer = error(fault.status or 500, "InternalError", message)
    return JSONResponse(answer.body, answer.status)


def _denial(status: int) -> Answer:
    if status == 404:  # noqa: PLR2004  # HTTP's own number
        return not_found(_TRACE_ID)
    if status == 403:  # noqa: PLR2004
        return error(status, "Forbidden", "The identity may not do this.")
    return error(status, "Denied", "Denied by the resource provider.")


def _mangled(fault: Fault, served: Answer) -> Response:
    status = fault.status or served.status
    if fault.behaviour == "garbage":
        return Response(b'{"value":[{"to":"+1425555', status, media_type="application/json")
    if fault.behaviour == "emptyBody":
        return Response(b"", status)
    body = json.loads(json.dumps(served.body))
    if isinstance(body, dict) and isinstance(body.get("value"), list):
        body["value"] = (
            body["value"][:-1]
            if fault.behaviour == "fewerItems"
            else [*body["value"], _FOREIGN_ITEM]
        )
    return JSONResponse(body, status)
