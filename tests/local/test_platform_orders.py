"""What is ordered for one phone number leaves everybody else's traffic alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from local.platform.faults import PLACES, Fault, Faults
from tests.local.platform_support import Client, FunctionsHost, options_for, running

OURS, OTHERS = "+14255550150", "+14255550151"


@pytest.fixture(scope="module")
async def host() -> AsyncIterator[FunctionsHost]:
    made = FunctionsHost()
    runner = await made.start()
    yield made
    await runner.cleanup()


@pytest.fixture
async def platform(host: FunctionsHost) -> AsyncIterator[Client]:
    async with running(options_for(host)) as client:
        yield client
        await client.control("DELETE", "/faults")


def body_about(number: str, *, plus: bool = True) -> bytes:
    return json.dumps({"data": {"to": number if plus else number[1:], "n": 7}}).encode()


@pytest.mark.parametrize("plus", [True, False])
@pytest.mark.parametrize("place", PLACES)
def test_a_fault_waits_for_its_number(place: str, *, plus: bool) -> None:
    """Calls about others pass, also those whose numbers begin alike; one about it fails, once."""
    faults = Faults()
    faults.order(Fault(place, "throttle", number=OURS))
    for other in (OTHERS, f"{OURS}0", OURS[:-1]):
        assert faults.take(place, body_about(other, plus=plus)) is None
    assert faults.take(place, b"\xff no JSON") is None
    taken = faults.take(place, body_about(OURS, plus=plus))
    assert taken is not None
    assert taken.behaviour == "throttle"
    assert faults.take(place, body_about(OURS, plus=plus)) is None
    assert faults.as_json() == []


def test_orders_for_different_numbers_do_not_queue_up() -> None:
    """An order that waits holds up none behind it, and what is open keeps its order."""
    faults = Faults()
    for behaviour, number, times in (
        ("throttle", OURS, 2),
        ("garbage", OTHERS, 1),
        ("serverError", None, 1),
    ):
        faults.order(Fault("send", behaviour, times=times, number=number))
    taken = [faults.take("send", body_about(number)) for number in (OTHERS, OTHERS, OURS, OURS)]
    assert [fault and fault.behaviour for fault in taken] == [
        "garbage",
        "serverError",
        "throttle",
        "throttle",
    ]
    assert faults.take("send", body_about(OURS)) is None


async def test_a_send_to_somebody_else_takes_no_fault(platform: Client) -> None:
    """In the running platform as well; and calls are counted by the number that they are about."""
    await platform.control(
        "POST", "/faults", {"on": "send", "behaviour": "throttle", "number": OURS}
    )
    statuses = [(await platform.send(number))[0] for number in (OTHERS, OURS, OURS)]
    assert statuses == [202, 429, 202]
    for number, count in ((OURS, {"send": 2}), (OTHERS, {"send": 1}), ("+14255550199", {})):
        assert await platform.control("GET", f"/calls?number={quote(number)}") == count
    assert await platform.control("GET", "/calls") == {"send": 3}


async def test_one_slow_handset(platform: Client, host: FunctionsHost) -> None:
    """Texts to it take their own time, all others the setting's; null ends that."""
    path = f"/handsets/{quote(OURS)}"
    await platform.control("PATCH", path, {"deliverySeconds": 86_400})
    await platform.send(OURS, OTHERS)
    report = (await host.next()).body[0]
    assert report["data"]["to"] == OTHERS
    await platform.control("PATCH", path, {"deliverySeconds": None})
    await platform.send(OURS, OTHERS)
    reported = {(await host.next()).body[0]["data"]["to"] for _ in range(2)}
    assert reported == {OURS, OTHERS}
    states = [m["state"] for m in (await platform.control("GET", "/account"))["messages"]]
    assert sorted(states) == ["accepted", "delivered", "delivered", "delivered"]


async def test_an_event_with_attempts_of_its_own(platform: Client, host: FunctionsHost) -> None:
    """It is given up after so many, whatever the setting says."""
    host.statuses.extend([500] * 2)
    order = {"events": ["odd"], "subscription": "inbound", "maxAttempts": 2}
    await platform.control("POST", "/events", order)
    for _ in range(2):
        await host.next()
    while not (letters := (await platform.control("GET", "/deadLetters"))["value"]):
        pass
    assert letters[0]["event"]["deliveryAttempts"] == 2


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/faults", {"on": "send", "behaviour": "garbage", "number": "12"}),
        ("POST", "/faults", {"on": "send", "behaviour": "garbage", "number": 14255550123}),
        ("PATCH", f"/handsets/{OURS}", {"deliverySeconds": -1}),
        ("PATCH", f"/handsets/{OURS}", {"deliverySeconds": "soon"}),
        ("PATCH", f"/handsets/{OURS}", {"colour": "red"}),
        ("POST", "/events", {"events": [{}], "subscription": "inbound", "maxAttempts": 0}),
    ],
)
async def test_senseless_orders(platform: Client, method: str, path: str, body: Any) -> None:
    """An order that makes no sense is a 400 with a sentence."""
    url = f"{platform.url}/simulator{path}"
    async with platform.session.request(method, url, json=body) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["message"]


def test_the_number_is_shown() -> None:
    """Open orders say whom they wait for."""
    faults = Faults()
    faults.order(Fault("send", "garbage", number=OURS))
    assert [order["number"] for order in faults.as_json()] == [OURS]
