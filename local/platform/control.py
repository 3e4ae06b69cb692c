"""The simulator's own interface: look at everything, and make trouble.

    GET    /simulator/account                       {"handsets": [...], "messages": [...]}
    GET    /simulator/handsets/{number}             {"number", "texts": [Text]}
    PUT    /simulator/handsets/{number}             list a handset before its first text
    PATCH  /simulator/handsets/{number}             {"deliverySeconds": its own, null: all others'}
    POST   /simulator/handsets/{number}/messages    {"to"?, "message"} -> 202 {"messageId"}
    GET    /simulator/senders, /simulator/magic     {"value": [...]}
    GET    /simulator/settings                      all of `behaviour.SETTINGS`
    PATCH  /simulator/settings                      some of them
    GET    /simulator/faults                        {"value": [...]}
    POST   /simulator/faults                        {"on", "behaviour", "times"?, "retryAfter"?,
                                                    "status"?, "number"?}; see
                                                    `faults.BEHAVIOURS`
    DELETE /simulator/faults                        cancel; hanging calls are let go
    GET    /simulator/events?after=N                what went to Parley, with each attempt
    POST   /simulator/events?repeat=N               an event, a list, or {"events", "repeat"?,
                                                    "batch"?, "subscription"?, "maxAttempts"?},
                                                    or {"rawBody", "subscription"}
                                                    -> 202 {"sequences"}
    POST   /simulator/pause, /simulator/resume      hold new events; let them go
    GET    /simulator/pending                       what is held
    POST   /simulator/release                       {"order": [sequence]}, in that order
    GET    /simulator/topic?after=N                 Parley's own events, in order
    GET    /simulator/webhooks                      subscribers of the topic, and deliveries
    POST   /simulator/webhooks                      {"url"}
    GET    /simulator/deadLetters                   {"value": [{"subscription", "event"}]}
    GET    /simulator/calls?number=+N               {operation: count}
    PUT    /simulator/wiring                        {"functionsUrl"?, "eventgridKey"?,
                                                    "parleyUrl"?, "parleyFunctionKey"?}
    POST   /simulator/reset                         all is forgotten, settings are the first ones
    GET    /simulator/stream                        server-sent events for the page

It has no keys, because it listens on loopback only; `guard.py` keeps web pages of other origins
out. Errors are 400 with `{"error": {"code", "message"}}`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from local.platform.behaviour import SETTINGS
from local.platform.carriers import Undeliverable, as_message_json
from local.platform.faults import parse_fault
from local.platform.payloads import SMS_RECEIVED, SMS_REPORT
from local.platform.recipients import MAGIC, is_textable
from local.platform.senders import SenderKind
from local.platform.simulator import SUBSCRIPTIONS, Simulator

_MAX_REPEAT: Final = 10_000
_MAX_TEXT: Final = 2048
_WIRING: Final = {
    "functionsUrl": "functions_url",
    "eventgridKey": "eventgrid_key",
    "parleyUrl": "parley_url",
    "parleyFunctionKey": "parley_function_key",
}
_Handler = Callable[["Request"], Awaitable[Response]]


class BadOrder(Exception):
    """An order that makes no sense; the text says why."""


def control_routes(platform: Simulator) -> list[Route]:
    """Every route under `/simulator`."""
    control = _Control(platform)
    table: list[tuple[str, str, _Handler]] = [
        ("GET", "/account", control.account),
        ("GET", "/senders", control.senders),
        ("GET", "/magic", control.magic),
        ("GET", "/handsets/{number}", control.handset),
        ("PUT", "/handsets/{number}", control.open_handset),
        ("PATCH", "/handsets/{number}", control.change_handset),
        ("POST", "/handsets/{number}/messages", control.speak),
        ("GET", "/settings", control.settings),
        ("PATCH", "/settings", control.change_settings),
        ("GET", "/faults", control.faults),
        ("POST", "/faults", control.order_fault),
        ("DELETE", "/faults", control.clear_faults),
        ("GET", "/events", control.events),
        ("POST", "/events", control.emit),
        ("GET", "/topic", control.topic),
        ("GET", "/webhooks", control.webhooks),
        ("POST", "/webhooks", control.subscribe),
        ("GET", "/deadLetters", control.dead_letters),
        ("GET", "/calls", control.calls),
        ("POST", "/pause", control.pause),
        ("POST", "/resume", control.resume),
        ("GET", "/pending", control.pending),
        ("POST", "/release", control.release),
        ("PUT", "/wiring", control.wire),
        ("POST", "/reset", control.reset),
        ("GET", "/stream", control.stream),
    ]
    return [
        Route(f"/simulator{path}", _answering_errors(handler), methods=[method])
        for method, path, handler in table
    ]


class _Control:
    def __init__(self, platform: Simulator) -> None:
        self._platform = platform

    async def account(self, _: Request) -> Response:
        platform = self._platform
        messages = [as_message_json(message) for message in platform.carriers.outgoing.values()]
        return JSONResponse({"handsets": platform.account.as_json(), "messages": messages})

    async def senders(self, _: Request) -> Response:
        return JSONResponse(
            {
                "value": [
                    {
                        "sender": sender.address,
                        "kind": sender.kind,
                        "program": sender.program,
                        "brand": sender.brand,
                        "canBeAnswered": sender.kind is not SenderKind.ALPHANUMERIC,
                    }
                    for sender in self._platform.options.senders.values()
                ]
            }
        )

    async def magic(self, _: Request) -> Response:
        value = [{"number": number, "about": fate.about} for number, fate in MAGIC.items()]
        return JSONResponse({"value": value})

    async def handset(self, request: Request) -> Response:
        return self._handset_of(_number_of(request))

    async def open_handset(self, request: Request) -> Response:
        number = _number_of(request)
        self._platform.account.open(number)
        return self._handset_of(number)

    async def change_handset(self, request: Request) -> Response:
        number, order = _number_of(request), await _object_of(request)
        if order.keys() != {"deliverySeconds"}:
            raise BadOrder("The body must be an object with deliverySeconds alone.")
        try:
            self._platform.behaviour.change_of(number, order["deliverySeconds"])
        except ValueError as error:
            raise BadOrder(str(error)) from None
        return Response(status_code=204)

    async def speak(self, request: Request) -> Response:
        number, order = _number_of(request), await _object_of(request)
        text = order.get("message")
        if not isinstance(text, str) or not 0 < len(text) <= _MAX_TEXT:
            raise BadOrder(f"message: must be a text of 1 to {_MAX_TEXT} characters")
        sender = order.get("to") or self._platform.account.last_peer(number)
        if not isinstance(sender, str):
            raise BadOrder("to: name the sender that is answered; this handset knows none yet")
        try:
            message_id = self._platform.carriers.hear(number, sender, text)
        except Undeliverable as error:
            raise BadOrder(f"to: {error}") from None
        return JSONResponse({"messageId": message_id}, 202)

    async def settings(self, _: Request) -> Response:
        return JSONResponse(self._platform.behaviour.as_json())

    async def change_settings(self, request: Request) -> Response:
        order = await _object_of(request)
        try:
            self._platform.behaviour.change(order)
        except ValueError as error:
            raise BadOrder(str(error)) from None
        return await self.settings(request)

    async def faults(self, _: Request) -> Response:
        return JSONResponse({"value": self._platform.faults.as_json()})

    async def order_fault(self, request: Request) -> Response:
        try:
            fault = parse_fault(await _object_of(request))
        except ValueError as error:
            raise BadOrder(str(error)) from None
        self._platform.faults.order(fault)
        return JSONResponse(fault.as_json(), 201)

    async def clear_faults(self, _: Request) -> Response:
        self._platform.faults.clear()
        return Response(status_code=204)

    async def events(self, request: Request) -> Response:
        deliveries = self._platform.system.deliveries[_cursor_of(request) :]
        return JSONResponse({"value": [delivery.as_json() for delivery in deliveries]})

    async def emit(self, request: Request) -> Response:
        """One event, a list, or an object with `events` or `rawBody` and how to send them."""
        order = _emission(await _json_of(request), request)
        numbers = [
            self._platform.system.publish(subscription, events, raw=order.raw, most=order.most)
            for _ in range(order.repeat)
            for subscription, events in order.requests
        ]
        return JSONResponse({"sequences": numbers}, 202)

    async def topic(self, request: Request) -> Response:
        return JSONResponse({"value": self._platform.topic.after(_cursor_of(request))})

    async def webhooks(self, _: Request) -> Response:
        return JSONResponse(
            {
                "value": [
                    {"name": hook.name, "url": hook.url, "ready": hook.ready.is_set()}
                    for hook in self._platform.topic.subscriptions
                ],
                "deliveries": [item.as_json() for item in self._platform.topic.deliveries],
            }
        )

    async def subscribe(self, request: Request) -> Response:
        url = (await _object_of(request)).get("url")
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            raise BadOrder("url: must be an http or https URL")
        return JSONResponse({"name": self._platform.topic.subscribe(url), "url": url}, 201)

    async def dead_letters(self, _: Request) -> Response:
        platform = self._platform
        return JSONResponse({"value": platform.system.dead_letters + platform.topic.dead_letters})

    async def calls(self, request: Request) -> Response:
        return JSONResponse(self._platform.calls(request.query_params.get("number")))

    async def pause(self, _: Request) -> Response:
        self._platform.system.pause()
        return Response(status_code=204)

    async def resume(self, _: Request) -> Response:
        self._platform.system.resume()
        return Response(status_code=204)

    async def pending(self, _: Request) -> Response:
        return JSONResponse({"value": [held.as_json() for held in self._platform.system.held()]})

    async def release(self, request: Request) -> Response:
        order = (await _object_of(request)).get("order")
        if not isinstance(order, list) or not all(type(number) is int for number in order):
            raise BadOrder("order: must be a list of sequence numbers")
        try:
            released = await self._platform.system.release(order)
        except ValueError as error:
            raise BadOrder(f"order: {error}") from None
        return JSONResponse({"value": [delivery.as_json() for delivery in released]})

    async def wire(self, request: Request) -> Response:
        """Where the other processes are, for one that chose its port late."""
        order = await _object_of(request)
        for member, value in order.items():
            if member not in _WIRING or not isinstance(value, str):
                raise BadOrder(f"{member}: must be one of {', '.join(_WIRING)}, and a text")
        for member, value in order.items():
            setattr(self._platform.wiring, _WIRING[member], value.rstrip("/"))
        self._platform.wire()
        return Response(status_code=204)

    async def reset(self, _: Request) -> Response:
        self._platform.reset()
        return Response(status_code=204)

    async def stream(self, _: Request) -> Response:
        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(
            self._platform.hub.stream(), media_type="text/event-stream", headers=headers
        )

    def _handset_of(self, number: str) -> Response:
        texts = [text.as_json() for text in self._platform.account.of(number)]
        return JSONResponse({"number": number, "texts": texts})


class _Emission:
    """What `POST /simulator/events` asks for."""

    def __init__(self, order: Mapping[str, Any], repeat: Any) -> None:
        if type(repeat) is not int or not 1 <= repeat <= _MAX_REPEAT:
            raise BadOrder(f"repeat: must be a whole number from 1 to {_MAX_REPEAT}")
        self.repeat = repeat
        most = order.get("maxAttempts")
        try:
            self.most: int | None = None if most is None else SETTINGS["maxAttempts"][0](most)
        except ValueError as error:
            raise BadOrder(f"maxAttempts: {error}") from None
        self.raw: bytes | None = None
        wanted = order.get("subscription")
        if wanted is not None and wanted not in SUBSCRIPTIONS.values():
            known = ", ".join(SUBSCRIPTIONS.values())
            raise BadOrder(f"subscription: must be one of {known}")
        if "rawBody" in order:
            if wanted is None or not isinstance(order["rawBody"], str):
                raise BadOrder("rawBody: must be a text, beside a subscription")
            self.raw = order["rawBody"].encode()
            self.requests: list[tuple[str, list[Any]]] = [(wanted, [])]
            return
        events = order.get("events")
        if not isinstance(events, list) or not events:
            raise BadOrder("events: must be a list of at least one event")
        if order.get("batch", False):
            self.requests = [(wanted or _subscription_of(events[0]), events)]
        else:
            self.requests = [(wanted or _subscription_of(event), [event]) for event in events]


def _emission(body: Any, request: Request) -> _Emission:
    repeat = request.query_params.get("repeat", "1")
    default = int(repeat) if repeat.isascii() and repeat.isdigit() else 0
    if isinstance(body, list):
        return _Emission({"events": body}, default)
    if isinstance(body, dict) and not body.keys() & {"events", "rawBody"}:
        return _Emission({"events": [body]}, default)
    if isinstance(body, dict):
        return _Emission(body, body.get("repeat", default))
    raise BadOrder("The body must be an event, a list of events, or an object with events.")


def _subscription_of(event: Any) -> str:
    kind = (event.get("eventType") or event.get("type")) if isinstance(event, dict) else None
    for known, function in SUBSCRIPTIONS.items():
        if isinstance(kind, str) and kind.lower() == known.lower():
            return function
    raise BadOrder(
        f"The event's type is neither {SMS_RECEIVED} nor {SMS_REPORT}: name a subscription"
    )


def _answering_errors(handler: _Handler) -> _Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except BadOrder as error:
            body = {"error": {"code": "BadOrder", "message": str(error)}}
            return JSONResponse(body, 400)

    return answer


def _number_of(request: Request) -> str:
    number = str(request.path_params["number"])
    number = number if number.startswith("+") else f"+{number}"
    if not is_textable(number):
        raise BadOrder(f"{number} is no phone number in E.164 form, such as +14255550123")
    return number


def _cursor_of(request: Request) -> int:
    text = request.query_params.get("after", "0")
    if not text.isascii() or not text.isdigit():
        raise BadOrder("after: must be the sequence number of an entry")
    return int(text)


async def _json_of(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except ValueError:
        raise BadOrder("The body is not JSON.") from None


async def _object_of(request: Request) -> dict[str, Any]:
    body = await _json_of(request)
    if not isinstance(body, dict):
        raise BadOrder("The body must be a JSON object.")
    return body
