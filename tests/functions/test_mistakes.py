"""A mistake of ours: the caller is answered with an id, under which the log has the place."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import azure.functions as func
import pytest

from functions.http import acs_face, own_face

NUMBER = "+14255550123"
TRACE_ID = re.compile("00-[0-9a-f]{32}-[0-9a-f]{16}-00")


class Unreadable(func.HttpRequest):
    """A request whose body cannot be read, for a reason that quotes a person's number."""

    def get_body(self) -> bytes:
        raise RuntimeError(NUMBER)


def unreadable() -> Unreadable:
    return Unreadable("POST", "/", headers={"transfer-encoding": "chunked"}, body=b"")


def the_event(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    (line,) = [m for m in caplog.messages if m.startswith("request.failed ")]
    found: dict[str, Any] = json.loads(line.partition(" ")[2])
    return found


async def never() -> func.HttpResponse:
    raise AssertionError


async def test_on_our_own_face(caplog: pytest.LogCaptureFixture) -> None:
    """A problem with a stable code and a trace id, and the place in the log under the same id."""
    caplog.set_level(logging.INFO)
    answer = await own_face(unreadable(), never)
    problem = json.loads(answer.get_body())
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert (problem["code"], problem["retryable"]) == ("InternalError", False)
    event = the_event(caplog)
    assert event["traceId"] == problem["traceId"]
    assert problem["traceId"] in problem["detail"]
    assert (event["code"], event["error"]) == ("InternalError", "RuntimeError")
    assert re.search(r"tests/functions/test_mistakes\.py:\d+$", event["at"])
    assert NUMBER not in caplog.text + answer.get_body().decode()


async def test_on_the_acs_face(caplog: pytest.LogCaptureFixture) -> None:
    """ACS's shape of an error, with the trace id in its message."""
    caplog.set_level(logging.INFO)
    answer = await acs_face(unreadable(), never)
    error = json.loads(answer.get_body())["error"]
    assert (answer.status_code, error["code"]) == (500, "InternalError")
    (trace_id,) = TRACE_ID.findall(error["message"])
    assert the_event(caplog)["traceId"] == trace_id
    assert NUMBER not in caplog.text + answer.get_body().decode()


async def test_what_a_handler_raises(caplog: pytest.LogCaptureFixture) -> None:
    """A mistake inside the work itself is answered in the same way."""

    async def fails() -> func.HttpResponse:
        raise KeyError(NUMBER)

    answer = await own_face(func.HttpRequest("POST", "/", body=b"{}"), fails)
    assert answer.status_code == 500
    assert the_event(caplog)["error"] == "KeyError"
    assert NUMBER not in caplog.text
