"""The platform's public interfaces on the wire: ACS's REST interface and the outgoing topic."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.platform.acs import Answer, unauthorized
from local.platform.signature import find_fault
from local.platform.simulator import Simulator

_API_VERSION: Final = re.compile(r"20\d\d-\d\d-\d\d(?:-[a-z]+\d*)?")
_SUPPORTED: Final = "2021-03-07, 2022-07-07, 2024-01-02, 2024-02-05, 2025-09-17, 2026-01-23"
_Endpoint = Callable[[Request], Awaitable[Response]]
_Serve = Callable[[int | None], Answer]


def public_routes(platform: Simulator) -> list[Route]:
    """Routes that real services have as well."""
    face = _AcsFace(platform)
    return [
        Route("/sms", face.send, methods=["POST"]),
        # A colon is an ordinary character of a path; the operation is its own segment's tail.
        Route("/sms/{operation}", face.opt_outs, methods=["POST"]),
        Route("/deliveryReports/{message_id}", face.delivery_report, methods=["GET"]),
        Route("/api/events", _topic_endpoint(platform), methods=["POST"]),
    ]


class _AcsFace:
    def __init__(self, platform: Simulator) -> None:
        self._platform = platform

    async def send(self, request: Request) -> Response:
        body = await request.body()
        acs, version = self._platform.acs, request.query_params.get("api-version", "")
        return await self._answer(
            request,
            body,
            "send",
            "send",
            lambda status: acs.send(body, item_status=status, version=version),
        )

    async def opt_outs(self, request: Request) -> Response:
        body = await request.body()
        prefix, _, operation = request.path_params["operation"].partition(":")
        name = operation if prefix == "optouts" else ""
        acs = self._platform.acs
        return await self._answer(
            request, body, f"optouts:{name}", "optouts", lambda _: acs.opt_outs(name, body)
        )

    async def delivery_report(self, request: Request) -> Response:
        message_id, acs = request.path_params["message_id"], self._platform.acs
        return await self._answer(
            request, b"", "deliveryReports", None, lambda _: acs.delivery_report(message_id)
        )

    async def _answer(
        self, request: Request, body: bytes, operation: str, place: str | None, serve: _Serve
    ) -> Response:
        platform = self._platform
        platform.count_call(operation, body)
        response = await self._decide(request, body, place, serve)
        response.headers["api-supported-versions"] = _SUPPORTED
        response.headers["MS-CV"] = f"{uuid.uuid4().hex[:22]}.0"
        if client_id := request.headers.get("x-ms-client-request-id"):
            response.headers["x-ms-client-request-id"] = client_id
        return response

    async def _decide(
        self, request: Request, body: bytes, place: str | None, serve: _Serve
    ) -> Response:
        platform = self._platform
        query = request.scope["query_string"].decode("ascii")
        path = request.scope["raw_path"].decode("ascii")
        reason = find_fault(
            platform.options.acs_key,
            method=request.method,
            target=f"{path}?{query}" if query else path,
            headers=request.headers,
            body=body,
            now=platform.now(),
        )
        if reason is not None:
            return _as_response(unauthorized(reason))
        if not _API_VERSION.fullmatch(request.query_params.get("api-version", "")):
            return _as_response(platform.acs.invalid_version())
        fault = platform.faults.take(place, body) if place else None
        if fault is not None:
            return await platform.faults.answer(fault, request, serve)
        return _as_response(serve(None))


def _topic_endpoint(platform: Simulator) -> _Endpoint:
    async def accept(request: Request) -> Response:
        body = await request.body()
        platform.count_call("topic", body)
        if not platform.topic.is_authorized(request.headers):
            return _as_response(unauthorized("The aeg-sas-key does not fit this topic."))
        content_type = request.headers.get("content-type", "")

        def serve(_: int | None) -> Answer:
            return platform.topic.accept(content_type, body)

        fault = platform.faults.take("topic", body)
        if fault is not None:
            return await platform.faults.answer(fault, request, serve)
        answer = serve(None)
        # Event Grid answers a publication with an empty body.
        return Response(status_code=answer.status) if not answer.body else _as_response(answer)

    return accept


def _as_response(answer: Answer) -> JSONResponse:
    return JSONResponse(answer.body, answer.status)
