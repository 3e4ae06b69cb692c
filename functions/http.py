"""The two faces of the HTTP interface: how requests are read and answers and errors are shaped.

The ACS face speaks as Azure Communication Services does, so that its client libraries work against
it; Parley's own face speaks RFC 9457 problems with a stable `code`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from traceback import extract_tb
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import azure.functions as func
from opentelemetry.trace import Span, SpanKind

from shared.azure import signatures, telemetry
from shared.base import log
from shared.base.errors import (
    ForeignSender,
    InvalidRequest,
    LengthRequired,
    NotAuthorized,
    NotFound,
    ParleyError,
    Unforeseen,
)
from shared.services import services

FIRST_API_VERSION: Final = "2021-03-07"
SUPPORTED_API_VERSIONS: Final = (
    "2021-03-07, 2022-07-07, 2024-01-02, 2024-02-05, 2025-09-17, 2026-01-23"
)
_API_VERSION: Final = re.compile(
    r"20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])(?:-preview[0-9]*)?"
)
_PROBLEM_400: Final = "https://tools.ietf.org/html/rfc9110#section-15.5.1"
_PROBLEM_404: Final = "https://tools.ietf.org/html/rfc9110#section-15.5.5"
_FORBIDDEN: Final = 403

Handler = Callable[[], Awaitable[func.HttpResponse]]


def json_answer(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> func.HttpResponse:
    """An answer in JSON."""
    return func.HttpResponse(
        json.dumps(value, separators=(",", ":")),
        status_code=status,
        headers=dict(headers or {}),
        mimetype="application/json",
    )


def traced(request: func.HttpRequest, name: str) -> AbstractContextManager[Span]:
    """A span of the caller's trace, if it brings one."""
    return telemetry.span(name, parent=request.headers.get("traceparent"), kind=SpanKind.SERVER)


def _check_length(request: func.HttpRequest) -> None:
    # The Functions host drops a body that comes in chunks. Taken for none, it would be another
    # request than the caller made.
    if "transfer-encoding" in request.headers and not request.get_body():
        raise LengthRequired


# The ACS face -----------------------------------------------------------------------------------


async def acs_face(request: func.HttpRequest, handler: Handler) -> func.HttpResponse:
    """Check signature and api-version, answer, and shape what goes wrong as ACS does."""
    try:
        _check_length(request)
        _check_signature(request)
        _check_api_version(request)
        answer = await handler()
    except ParleyError as error:
        answer = _acs_error(error, _trace_id())
    except Exception as error:  # noqa: BLE001  # the caller is owed an answer
        answer = _acs_error(*_unforeseen(error))
    answer.headers["api-supported-versions"] = SUPPORTED_API_VERSIONS
    request_id = request.headers.get("x-ms-client-request-id", "")
    if _PRINTABLE_ID.fullmatch(request_id):
        answer.headers["x-ms-client-request-id"] = request_id
    return answer


_PRINTABLE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def _check_signature(request: func.HttpRequest) -> None:
    settings = services().parts.settings
    parts = urlsplit(request.url)
    secondary = settings.access_key_secondary
    signatures.check(
        signatures.SignedRequest(
            method=request.method.upper(),
            target=f"{parts.path}?{parts.query}",
            headers={"host": parts.netloc, **{k.lower(): v for k, v in request.headers.items()}},
            body=request.get_body(),
        ),
        keys=[settings.access_key_primary, *([secondary] if secondary else [])],
        hosts=settings.hosts,
        now=services().parts.clock(),
    )


def _check_api_version(request: func.HttpRequest) -> None:
    version = request.params.get("api-version")
    if version is None:
        raise InvalidRequest.of("api-version", "The api-version query parameter is required.")
    if not _API_VERSION.fullmatch(version) or version < FIRST_API_VERSION:
        raise InvalidRequest.of(
            "api-version", f"The api-version must be a date from {FIRST_API_VERSION} on."
        )


def _acs_error(error: ParleyError, trace_id: str) -> func.HttpResponse:
    _log(error, error.status)
    headers = _retry_after(error)
    if isinstance(error, InvalidRequest):
        problem = {
            "type": _PROBLEM_400,
            "title": "One or more validation errors occurred.",
            "status": error.status,
            "errors": {_pascal(member): reasons for member, reasons in error.errors.items()},
            "traceId": trace_id,
        }
        return _problem(problem, error.status, headers)
    if isinstance(error, NotFound):
        problem = {
            "type": _PROBLEM_404,
            "title": "Not Found",
            "status": error.status,
            "detail": str(error),
            "traceId": trace_id,
        }
        return _problem(problem, error.status, headers)
    code = "Unauthorized" if isinstance(error, NotAuthorized | ForeignSender) else error.code
    return json_answer(
        {"error": {"code": code, "message": str(error)}}, status=error.status, headers=headers
    )


def _pascal(member: str) -> str:
    # As ASP.NET names members: smsRecipients[3].to is SmsRecipients[3].To.
    return ".".join(part[:1].upper() + part[1:] for part in member.split("."))


# Parley's own face ------------------------------------------------------------------------------


async def own_face(request: func.HttpRequest, handler: Handler) -> func.HttpResponse:
    """Answer, and shape what goes wrong as an RFC 9457 problem."""
    try:
        _check_length(request)
        return await handler()
    except ParleyError as error:
        return _own_error(error, _trace_id())
    except Exception as error:  # noqa: BLE001  # the caller is owed an answer
        return _own_error(*_unforeseen(error))


def _own_error(error: ParleyError, trace_id: str) -> func.HttpResponse:
    status = _FORBIDDEN if isinstance(error, ForeignSender) else error.status
    _log(error, status)
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": _title(error.code),
        "status": status,
        "detail": str(error),
        "code": error.code,
        "retryable": error.retryable,
        "traceId": trace_id,
    }
    if isinstance(error, InvalidRequest):
        problem["errors"] = error.errors
    return _problem(problem, status, _retry_after(error))


def page_answer(
    request: func.HttpRequest,
    value: list[dict[str, Any]],
    after: str | None,
    about: Mapping[str, Any] | None = None,
) -> func.HttpResponse:
    """A list as Azure shapes it: `value`, and `nextLink` where there is more.

    Args:
        request: what is answered.
        value: the items of the page.
        after: where the next page begins; None on the last.
        about: members of the list as a whole, in front of its items.
    """
    answer: dict[str, Any] = {**(about or {}), "value": value}
    if after is not None:
        parts = urlsplit(request.url)
        # The Functions host takes a key from `code` in any letters.
        params = {k: v for k, v in request.params.items() if k.lower() not in {"after", "code"}}
        query = urlencode({**params, "after": after}, quote_via=quote)
        answer["nextLink"] = f"{parts.scheme}://{parts.netloc}{parts.path}?{query}"
    return json_answer(answer)


def _title(code: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", code)


def _problem(
    problem: Mapping[str, Any], status: int, headers: Mapping[str, str]
) -> func.HttpResponse:
    return func.HttpResponse(
        json.dumps(problem, separators=(",", ":")),
        status_code=status,
        headers=dict(headers),
        mimetype="application/problem+json",
    )


def _retry_after(error: ParleyError) -> dict[str, str]:
    return {"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}


def _trace_id() -> str:
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-00"


def _log(error: ParleyError, status: int) -> None:
    log.event("request.refused", code=error.code, status=status)


def _unforeseen(error: Exception) -> tuple[Unforeseen, str]:
    """What the caller is told of a mistake of ours; the log has where it happened."""
    trace_id = _trace_id()
    # Not in its own words: they may quote what somebody has written, or their number.
    places = [f"{_place(f.filename)}:{f.lineno}" for f in extract_tb(error.__traceback__)]
    log.trouble(
        "request.failed",
        code=Unforeseen.code,
        error=type(error).__qualname__,
        at=" > ".join(places[-_PLACES:]),
        traceId=trace_id,
    )
    return Unforeseen(trace_id), trace_id


_PLACES: Final = 12


def _place(file: str) -> str:
    return "/".join(Path(file).parts[-3:])
