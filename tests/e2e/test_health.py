"""Health: to everybody one word, to the operator what fails; asked seldom, however often called."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import tzdata
from azure.core.rest import HttpRequest

from local.stack import Stack
from shared.base.version import VERSION
from tests.support.client import Parley
from tests.support.parts import parts_of
from tests.support.transports import HeldTransport, Inner, Wrapper

ZERO = "/deliveryReports/00000000-0000-0000-0000-000000000000?api-version=2026-01-23"
CHECKS = ["tables", "queues", "blobs", "dueTimer", "communicationServices", "outgoingTopic"]


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


class AcsAnswers(Wrapper):
    """Gives every answer about a report another status."""

    def __init__(self, inner: Inner, status: int) -> None:
        super().__init__(inner)
        self._status = status
        self.asked: list[str] = []

    async def send(self, request: HttpRequest, **named: Any) -> Any:
        answer = await super().send(request, **named)
        if "/deliveryReports/" in request.url:
            self.asked.append(request.url)
            # The response has no public way to be another one.
            answer._status_code = self._status
        return answer


def is_a_probe(request: HttpRequest) -> bool:
    return "/deliveryReports/" in request.url or request.url.endswith("/api/events")


async def test_everybody_is_told_the_status_alone(parley: Parley) -> None:
    """Without a key there is one word: no dependency, no version, no time."""
    reply = await parley.call("GET", "/health")
    assert (reply.status, reply.json) == (200, {"status": "Healthy"})


async def test_details_are_for_those_with_a_key(stack: Stack, parley: Parley) -> None:
    """Each dependency is named with its state, and the versions; no secret is told."""
    assert (await parley.call("GET", "/health/details")).status == 401
    reply = await parley.own("GET", "/health/details")
    assert reply.status == 200
    details = reply.json
    assert details["status"] == "Healthy"
    assert {name: check["status"] for name, check in details["checks"].items()} == dict.fromkeys(
        CHECKS, "Healthy"
    )
    # ACS knows no report of a text that nobody sent: name, network, key and role are right.
    assert details["checks"]["communicationServices"]["answer"] == 404
    assert details["versions"] == {"parley": VERSION, "zones": tzdata.IANA_VERSION}
    assert datetime.fromisoformat(details["checkedAt"]).tzinfo is not None
    text = reply.body.decode()
    for secret in (stack.platform, urlsplit(stack.platform).netloc, stack.storage):
        assert secret not in text


async def test_what_does_not_answer_is_named(stack: Stack) -> None:
    """The rest is still looked at, and all is Unhealthy."""
    nowhere = "http://127.0.0.1:9"
    async with parts_of(stack, PARLEY_TOPIC_ENDPOINT=nowhere, PARLEY_ACS_ENDPOINT=nowhere) as parts:
        report = await parts.health.report()
    assert report["status"] == "Unhealthy"
    for name in ("outgoingTopic", "communicationServices"):
        assert report["checks"][name] == {"status": "Unhealthy", "error": "ServiceRequestError"}
    assert report["checks"]["tables"]["status"] == "Healthy"
    assert nowhere not in str(report)


async def test_many_callers_cost_one_look(stack: Stack) -> None:
    """Those who call at once share one look; for ten seconds nobody causes another."""
    clock, layers = Clock(), []

    def way(network: Inner) -> Inner:
        layers.append(HeldTransport(network, is_a_probe))
        return layers[0]

    async with parts_of(stack, clock=clock, way=way) as parts:
        (layer,) = layers
        layer.hold()
        calls = [asyncio.create_task(parts.health.report()) for _ in range(50)]
        await layer.arrived.wait()
        # One caller goes away; the others' look goes on.
        calls[0].cancel()
        layer.released.set()
        first, *others = (await asyncio.gather(*calls, return_exceptions=True))[1:]
        assert isinstance(first, dict)
        assert (layer.sent, first["status"]) == (2, "Healthy")
        assert all(other == first for other in others)
        clock.now += timedelta(seconds=9.9)
        assert await parts.health.report() == first
        assert layer.sent == 2
        clock.now += timedelta(seconds=0.1)
        assert (await parts.health.report())["checkedAt"] != first["checkedAt"]
        assert layer.sent == 4
        # A clock that was put back keeps nothing for longer.
        clock.now -= timedelta(hours=1)
        await parts.health.report()
        assert layer.sent == 6


async def test_a_wrong_access_key_is_named(stack: Stack) -> None:
    """ACS answers 401: texts would be refused, and the report says what to mend."""
    other = base64.b64encode(bytes(64)).decode()
    async with parts_of(stack, PARLEY_ACS_ACCESS_KEY=other) as parts:
        report = await parts.health.report()
    assert report["status"] == "Unhealthy"
    assert report["checks"]["communicationServices"] == {
        "status": "Unhealthy",
        "error": "AccessKeyRefused",
        "answer": 401,
    }


@pytest.mark.parametrize(
    ("status", "check"),
    [
        (401, {"status": "Unhealthy", "error": "AccessKeyRefused"}),
        (403, {"status": "Unhealthy", "error": "AccessKeyRefused"}),
        (404, {"status": "Healthy"}),
        (200, {"status": "Healthy"}),
        (400, {"status": "Healthy"}),
        (429, {"status": "Healthy"}),
        (500, {"status": "Healthy"}),
    ],
)
async def test_any_answer_of_acs_is_shown(stack: Stack, status: int, check: dict[str, str]) -> None:
    """401 and 403 are unhealthy; anything else is an answer. It is asked once, not again."""
    layers: list[AcsAnswers] = []

    def way(network: Inner) -> Inner:
        layers.append(AcsAnswers(network, status))
        return layers[0]

    async with parts_of(stack, way=way) as parts:
        report = await parts.health.report()
    assert report["checks"]["communicationServices"] == {**check, "answer": status}
    assert report["status"] == check["status"]
    assert layers[0].asked == [stack.platform + ZERO]
