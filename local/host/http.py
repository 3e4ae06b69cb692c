"""The HTTP side of the host: keys, routes, Event Grid's webhook and the administration calls.

One request costs a look-up in the route table and the making of one trigger value. What the value
holds follows the real host: lower-case header names, repeated headers and query members joined by a
comma, query names compared without case, empty query members left out; a body only where the
request says its length, and a URL that is decoded and encoded anew.

Sources, in azure-functions-host: `GrpcMessageConversionExtensions.cs` of WebJobs.Script.Grpc
(`ToRpcHttp`: what a function is given); `FunctionMetadataManager.cs` of WebJobs.Script and
`WebScriptHostHttpRoutesManager.cs` of WebJobs.Script.WebHost (routes in the order of the functions'
names, without case); of the latter also `AuthenticationLevelHandler.cs` (keys) and
`HttpRequestBodySizeMiddleware.cs` (the limit). In aspnetcore, `PathString.cs` of Http.Abstractions
(`ToUriComponent`).
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from local.host import event_json
from local.host.bindings import AuthLevel, EventGridTrigger, Function, HttpTrigger
from local.host.errors import HostError, InvocationFailed
from local.host.routes import RouteTable, decoded
from local.host.runtime import Datum

_log = logging.getLogger(__name__)
_EVENTS_AT_ONCE: Final = 32
_WEBHOOK: Final = "/runtime/webhooks/eventgrid"
_ADMIN: Final = "/admin/"
_RUN: Final = "/admin/functions/"
# Set by the server itself from what it sends.
_OWN_HEADERS: Final = frozenset({"content-length", "transfer-encoding", "connection"})
# What a path may hold as it is: RFC 3986, section 3.3, and an escape that was left alone.
_PATH_CHARACTERS: Final = "/:@!$&'()*+,;=-._~%"
_BARE_PERCENT: Final = re.compile("%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Keys:
    """The host's keys. One that is not given is random, which closes what it opens."""

    master: str = field(default_factory=token_urlsafe, repr=False)
    function: str = field(default_factory=token_urlsafe, repr=False)
    eventgrid: str = field(default_factory=token_urlsafe, repr=False)


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One request.

    Attributes:
        method: upper case.
        path: as sent, percent-encoded.
        query: as sent, without the question mark.
        headers: lower-case names.
        body: the bytes; none of them where there are too many.
        scheme: http or https.
        oversized: whether the body is larger than the host reads.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    scheme: str = "http"
    oversized: bool = False

    @property
    def url(self) -> str:
        """The whole URL: the path decoded and encoded anew, the query as sent."""
        query = f"?{self.query}" if self.query else ""
        path = quote(_BARE_PERCENT.sub("%25", decoded(self.path)), safe=_PATH_CHARACTERS)
        return f"{self.scheme}://{self.headers.get('host', 'localhost')}{path}{query}"

    @property
    def says_length(self) -> bool:
        """Whether the request says that it has a body: what comes in chunks alone does not."""
        length = self.headers.get("content-length", "")
        return length.isdecimal() and int(length) > 0


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One response. Header names are as the function wrote them; Content-Length is left out."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class HttpFront:
    """Answers every HTTP request that the host gets.

    Args:
        functions: all functions by name.
        prefix: `routePrefix` of host.json.
        keys: the host's keys.
        start: begins one run of a function that is not called by HTTP, and does not wait for it.

    Raises:
        HostError: two functions want the same route, or one wants a route it cannot have.
    """

    def __init__(
        self,
        functions: Mapping[str, Function],
        *,
        prefix: str,
        keys: Keys,
        start: Callable[[Function, str], None],
        events_at_once: int = _EVENTS_AT_ONCE,
    ) -> None:
        self._functions = {name.lower(): function for name, function in functions.items()}
        self._keys = keys
        self._start = start
        self._events_at_once = events_at_once
        self._routes: RouteTable[tuple[Function, HttpTrigger]] = RouteTable(prefix)
        for function in sorted(functions.values(), key=lambda each: each.name.upper()):
            if isinstance(function.trigger, HttpTrigger):
                self._add(function, function.trigger)

    def _add(self, function: Function, trigger: HttpTrigger) -> None:
        try:
            self._routes.add(trigger.route, trigger.methods, (function, trigger))
        except ValueError as error:
            raise HostError(f"Function {function.name}: {error}.") from None

    def served_by(self, method: str, path: str) -> str | None:
        """The name of the function that a request reaches; None if it reaches none."""
        found = self._routes.find(method, path)
        return None if found is None else found[0][0].name

    async def answer(self, call: HttpCall) -> HttpAnswer:
        """The host's answer, whatever happens inside."""
        found = self._routes.find(call.method, call.path)
        if found is None:
            return await self._answer_as_host(call)
        (function, trigger), parameters = found
        if not self._may_call(trigger.level, call):
            return HttpAnswer(401)
        if call.oversized and call.says_length:
            _log.error("a request for function %s has too large a body", function.name)
            return HttpAnswer(500)
        try:
            returned = await function.code.invoke(
                trigger.parameter, _trigger_value(call, parameters), {}
            )
            return _answer_of(returned)
        except InvocationFailed:
            return HttpAnswer(500)
        except (HostError, UnicodeError):
            _log.exception("function %s returned what cannot be sent", function.name)
            return HttpAnswer(500)

    def _may_call(self, level: AuthLevel, call: HttpCall) -> bool:
        if level is AuthLevel.ANONYMOUS:
            return True
        keys = [self._keys.master]
        if level is AuthLevel.FUNCTION:
            keys.append(self._keys.function)
        return _is_one_of(_key(call), keys)

    async def _answer_as_host(self, call: HttpCall) -> HttpAnswer:
        path = call.path.rstrip("/").lower()
        if path == _WEBHOOK:
            return await self._webhook(call)
        if path.startswith(_ADMIN):
            return self._administer(call, path)
        return HttpAnswer(404)

    def _administer(self, call: HttpCall, path: str) -> HttpAnswer:
        if path == "/admin/host/ping":
            return HttpAnswer(200)
        if not _is_one_of(_key(call), [self._keys.master]):
            return HttpAnswer(401)
        if path == "/admin/host/status" and call.method == "GET":
            return _json(200, {"state": "Running", "functions": len(self._functions)})
        function = self._functions.get(path.removeprefix(_RUN))
        if function is None or call.method != "POST":
            return HttpAnswer(404)
        try:
            content = json.loads(call.body or b"{}")
            self._start(function, str(content.get("input") or ""))
        except (AttributeError, ValueError):
            return HttpAnswer(400)
        return HttpAnswer(202)

    async def _webhook(self, call: HttpCall) -> HttpAnswer:
        query = _query(call.query)
        if not _is_one_of(query.get("code", ""), [self._keys.eventgrid, self._keys.master]):
            return HttpAnswer(401)
        if call.oversized:
            _log.error("a delivery of Event Grid has too large a body")
            return HttpAnswer(500)
        function = self._functions.get(query.get("functionName", "").lower())
        if function is None or not isinstance(function.trigger, EventGridTrigger):
            return HttpAnswer(404)
        kind = call.headers.get("aeg-event-type", "").lower()
        if call.method != "POST" or kind not in _WEBHOOK_ANSWERS:
            return HttpAnswer(400)
        return await _WEBHOOK_ANSWERS[kind](self, function, call.body)

    async def _validate(self, function: Function, body: bytes) -> HttpAnswer:
        try:
            code = json.loads(body)[0]["data"]["validationCode"]
        except (ValueError, LookupError, TypeError):
            _log.warning("a handshake for %s cannot be read", function.name)
            return HttpAnswer(500)
        return _json(200, {"validationResponse": code})

    async def _notify(self, function: Function, body: bytes) -> HttpAnswer:
        try:
            content = event_json.parse(body)
        except (ValueError, RecursionError):
            _log.warning("a delivery for %s is not JSON", function.name)
            return HttpAnswer(500)
        events = content if isinstance(content, list) else [content]
        room = asyncio.Semaphore(self._events_at_once)

        async def deliver(event: Any) -> bool:
            async with room:
                return await deliver_event(function, event)

        done = await asyncio.gather(*(deliver(event) for event in events))
        return HttpAnswer(202 if all(done) else 500)

    async def _unsubscribe(self, _function: Function, _body: bytes) -> HttpAnswer:
        return HttpAnswer(202)


_WEBHOOK_ANSWERS: Final[
    dict[str, Callable[[HttpFront, Function, bytes], Awaitable[HttpAnswer]]]
] = {
    "subscriptionvalidation": HttpFront._validate,  # noqa: SLF001  # the table belongs to the class
    "notification": HttpFront._notify,  # noqa: SLF001
    "unsubscribe": HttpFront._unsubscribe,  # noqa: SLF001
}


async def deliver_event(function: Function, event: Any) -> bool:
    """Run an Event Grid function with one event; False if it raised or cannot take the event."""
    if not isinstance(event, dict):
        _log.warning("an event for %s is no object", function.name)
        return False
    try:
        await function.code.invoke(function.trigger.parameter, Datum(json.dumps(event), "json"), {})
    except InvocationFailed:
        return False
    return True


def _query(text: str) -> dict[str, str]:
    """Each member by the first spelling of its name, its values joined."""
    spellings: dict[str, str] = {}
    members: dict[str, str] = {}
    for written, value in parse_qsl(text) if text else ():
        name = spellings.setdefault(written.lower(), written)
        members[name] = f"{members[name]},{value}" if name in members else value
    return members


def _key(call: HttpCall) -> str:
    # A header is taken even if it is empty, and of several members the first.
    if "x-functions-key" in call.headers:
        return call.headers["x-functions-key"]
    members = parse_qsl(call.query, keep_blank_values=True)
    return next((value for name, value in members if name.lower() == "code"), "")


def _is_one_of(given: str, keys: list[str]) -> bool:
    # All of them are compared, so that the time tells nothing about which.
    return sum(hmac.compare_digest(given.encode(), key.encode()) for key in keys) > 0


def _json(status: int, content: Any) -> HttpAnswer:
    return HttpAnswer(status, (("content-type", "application/json"),), json.dumps(content).encode())


def _texts(members: Mapping[str, str]) -> dict[str, Any]:
    return {name: Datum(value, "string") for name, value in members.items()}


def _trigger_value(call: HttpCall, parameters: Mapping[str, str]) -> Any:
    return Datum(
        {
            "method": Datum(call.method, "string"),
            "url": Datum(call.url, "string"),
            "headers": _texts(call.headers),
            "params": _texts(parameters),
            "query": _texts(_query(call.query)),
            "body": Datum(call.body if call.says_length else b"", "bytes"),
        },
        "http",
    )


def _answer_of(returned: Any) -> HttpAnswer:
    if returned is None:
        return HttpAnswer(204)
    if returned.type == "string":
        text = (("content-type", "text/plain; charset=utf-8"),)
        return HttpAnswer(200, text, returned.value.encode())
    if returned.type != "http":
        raise HostError(f"an HTTP function returned a {returned.type}")
    value = returned.value
    headers = [
        (name, datum.value)
        for name, datum in value["headers"].items()
        if name.lower() not in _OWN_HEADERS
    ]
    for jar in value["cookies"] or ():
        headers.extend(("set-cookie", morsel.OutputString()) for morsel in jar.values())
    return HttpAnswer(int(value["status_code"].value), tuple(headers), value["body"].value)
