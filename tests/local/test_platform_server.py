"""The running platform: Microsoft's client, the webhooks, the faults, the control interface."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.communication.sms.aio import SmsClient
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError
from azure.core.messaging import CloudEvent
from azure.eventgrid.aio import EventGridPublisherClient

from local.platform.clock import utc_now
from local.platform.options import parse
from local.platform.server import PlatformServer
from local.platform.simulator import Simulator
from tests.local.platform_support import (
    ALPHANUMERIC,
    KEY_TEXT,
    PERSON,
    SENDERS_TEXT,
    SHORT_CODE,
    TOLL_FREE,
    TOPIC_KEY,
    Client,
    CountedIds,
    FunctionsHost,
    options_for,
    running,
    send_body,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
async def host() -> AsyncIterator[FunctionsHost]:
    made = FunctionsHost()
    runner = await made.start()
    yield made
    await runner.cleanup()


@pytest.fixture(scope="module")
async def served(
    host: FunctionsHost, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Client]:
    options = options_for(host, data=tmp_path_factory.mktemp("platform"))
    async with running(options) as client:
        yield client


@pytest.fixture
async def platform(served: Client, host: FunctionsHost) -> Client:
    await quiet(served)
    await served.control("POST", "/reset")
    host.statuses.clear()
    while not host.delivered.empty():
        host.delivered.get_nowait()
    return served


async def quiet(served: Client) -> None:
    """Nothing of the test before is on its way any more."""
    while True:
        messages = (await served.control("GET", "/account"))["messages"]
        events = (await served.control("GET", "/events"))["value"]
        states = {entry["state"] for entry in [*messages, *events]}
        if not states & {"accepted", "waiting", "delivering", "retrying"}:
            return


def sms_client(url: str, **policy: Any) -> SmsClient:
    return SmsClient(url, AzureKeyCredential(KEY_TEXT), **policy)


async def texts_of(platform: Client, number: str = PERSON) -> list[str]:
    handset = await platform.control("GET", f"/handsets/{number}")
    return [text["text"] for text in handset["texts"] if text["direction"] == "received"]


# ---- Microsoft's own client ----


async def test_microsofts_client(platform: Client, host: FunctionsHost) -> None:
    """azure-communication-sms sends, reads every result, and the report comes as an event."""
    async with sms_client(platform.url) as client:
        results = await client.send(
            TOLL_FREE,
            [PERSON, "+1425555012345"],
            "Grüße 👋",
            enable_delivery_report=True,
            tag="order-17",
        )
    assert [result.successful for result in results] == [True, False]
    delivered = await host.next()
    assert delivered.function == "delivery_report"
    (event,) = delivered.body
    assert event["eventType"] == "Microsoft.Communication.SMSDeliveryReportReceived"
    assert event["data"]["messageId"] == results[0].message_id
    assert event["data"]["Tag"] == "order-17"
    assert await texts_of(platform) == ["Grüße 👋"]


async def test_trailing_slash(platform: Client) -> None:
    """An endpoint with a trailing slash fails here as it fails against Azure."""
    async with sms_client(platform.url + "/") as client:
        with pytest.raises(ClientAuthenticationError):
            await client.send(TOLL_FREE, PERSON, "Hello")
    assert await texts_of(platform) == []


async def test_too_many_recipients(platform: Client) -> None:
    """A hundred and one recipients are refused whole, in words that the client shows."""
    async with sms_client(platform.url) as client:
        with pytest.raises(HttpResponseError, match="One or more validation errors"):
            await client.send(TOLL_FREE, [PERSON] * 101, "Hello")


async def test_clients_own_retry_texts_once(platform: Client) -> None:
    """The client repeats its request with the same ids, and the person is texted once."""
    await platform.control("POST", "/faults", {"on": "send", "behaviour": "acceptThenServerError"})
    async with sms_client(platform.url, retry_backoff_factor=0) as client:
        (result,) = await client.send(TOLL_FREE, PERSON, "Hello")
    assert result.successful
    assert await texts_of(platform) == ["Hello"]
    assert (await platform.control("GET", "/calls"))["send"] == 2


async def test_broken_connection_looks_unsent(platform: Client) -> None:
    """After an accepted send whose connection broke, the client reports a request never sent.

    azure-core's aiohttp transport raises ServiceRequestError here, and does not repeat a POST. Its
    name must not be taken as proof that nobody was texted.
    """
    await platform.control("POST", "/faults", {"on": "send", "behaviour": "acceptThenClose"})
    async with sms_client(platform.url) as client:
        with pytest.raises(ServiceRequestError):
            await client.send(TOLL_FREE, PERSON, "Hello")
    assert await texts_of(platform) == ["Hello"]


async def test_without_memory_a_retry_texts_twice(platform: Client) -> None:
    """With the memory switched off, the same repeat is a second text: tests can see the harm."""
    await platform.control("PATCH", "/settings", {"repeatabilitySeconds": 0})
    await platform.control("POST", "/faults", {"on": "send", "behaviour": "acceptThenServerError"})
    async with sms_client(platform.url, retry_backoff_factor=0) as client:
        await client.send(TOLL_FREE, PERSON, "Hello")
    assert await texts_of(platform) == ["Hello", "Hello"]


# ---- ACS on the wire ----


async def test_headers(platform: Client) -> None:
    """Answers carry the correlation id and the supported versions, refusals too."""
    async with platform.session.post(platform.url + "/sms", data=b"{}") as answer:
        assert answer.status == 401
        assert (await answer.json())["error"]["code"] == "Unauthorized"
        assert answer.headers["MS-CV"]
        assert "2021-03-07" in answer.headers["api-supported-versions"]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/sms", 400),
        ("/sms?api-version=latest", 400),
        ("/sms?api-version=2021-03-07", 202),
        ("/sms?api-version=2024-12-10-preview", 202),
        ("/sms?api-version=2026-01-23", 202),
        ("/sms/optins:add?api-version=2026-01-23", 404),
        ("/sms/optouts:list?api-version=2026-01-23", 404),
    ],
)
async def test_versions_and_paths(platform: Client, target: str, status: int) -> None:
    """Every well-formed date is a version; an unknown operation is not found."""
    assert (await platform.signed("POST", target, send_body(PERSON)))[0] == status


async def test_opt_outs_on_the_wire(platform: Client) -> None:
    """The colon in the path is taken as it is."""
    body = json.dumps({"from": TOLL_FREE, "recipients": [{"to": PERSON}]}).encode()
    added, _ = await platform.signed("POST", "/sms/optouts:add?api-version=2026-01-23", body)
    status, answer = await platform.signed(
        "POST", "/sms/optouts:check?api-version=2026-01-23", body
    )
    assert (added, status) == (200, 200)
    assert answer["value"] == [{"to": PERSON, "httpStatusCode": 200, "isOptedOut": True}]


async def test_delivery_report_on_the_wire(platform: Client, host: FunctionsHost) -> None:
    """A report can be fetched by its message id."""
    _, answer = await platform.send(PERSON)
    message_id = answer["value"][0]["messageId"]
    await host.next()
    target = f"/deliveryReports/{message_id}?api-version=2026-01-23"
    status, report = await platform.signed("GET", target)
    assert (status, report["deliveryStatus"]) == (200, "Delivered")


# ---- trouble on order ----


@pytest.mark.parametrize(
    ("fault", "status", "texted"),
    [
        ({"behaviour": "throttle", "retryAfter": 7}, 429, False),
        ({"behaviour": "throttleWithoutRetryAfter"}, 429, False),
        ({"behaviour": "serverError"}, 500, False),
        ({"behaviour": "serverError", "status": 503}, 503, False),
        ({"behaviour": "unauthorized"}, 401, False),
        ({"behaviour": "unauthorized", "status": 403}, 403, False),
        ({"behaviour": "unauthorized", "status": 404}, 404, False),
        ({"behaviour": "badRequest"}, 400, False),
        ({"behaviour": "itemErrors"}, 202, False),
        ({"behaviour": "garbage"}, 202, True),
        ({"behaviour": "emptyBody"}, 202, True),
        ({"behaviour": "fewerItems"}, 202, True),
        ({"behaviour": "moreItems"}, 202, True),
        ({"behaviour": "acceptThenServerError"}, 500, True),
    ],
)
async def test_faults(
    platform: Client, host: FunctionsHost, fault: dict[str, Any], status: int, *, texted: bool
) -> None:
    """Each fault answers as asked, once, and texts the person exactly if it says so."""
    await platform.control("POST", "/faults", {"on": "send", **fault})
    target, body = "/sms?api-version=2021-03-07", send_body(PERSON)
    try:
        assert (await platform.signed("POST", target, body))[0] == status
    except (aiohttp.ContentTypeError, json.JSONDecodeError):
        assert fault["behaviour"] in {"garbage", "emptyBody"}
    if texted:
        await host.next()
    assert bool(await texts_of(platform)) == texted
    assert (await platform.signed("POST", target, body))[0] == 202


@pytest.mark.parametrize(("behaviour", "retry_after"), [("throttle", "7"), ("serverError", None)])
async def test_retry_after(platform: Client, behaviour: str, retry_after: str | None) -> None:
    """Only the throttle that says so has a Retry-After."""
    order = {"on": "topic", "behaviour": behaviour, "retryAfter": 7}
    await platform.control("POST", "/faults", order)
    headers = {"aeg-sas-key": TOPIC_KEY}
    async with platform.session.post(platform.url + "/api/events", headers=headers) as answer:
        assert answer.headers.get("Retry-After") == retry_after


@pytest.mark.parametrize("behaviour", ["closeConnection", "acceptThenClose"])
async def test_closed_connections(platform: Client, behaviour: str) -> None:
    """The caller sees the connection break before any answer."""
    await platform.control("POST", "/faults", {"on": "send", "behaviour": behaviour})
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await platform.send(PERSON)


async def test_an_idle_connection_stays_open() -> None:
    """No server closes a connection that a client may be about to use: libraries keep theirs for
    fifteen seconds and more."""
    server = PlatformServer(Simulator(options_for(), now=utc_now, new_id=CountedIds()), 0)
    assert server.config.timeout_keep_alive > 60
    server._socket.close()


async def test_hanging_ends_with_the_order(platform: Client) -> None:
    """A call that gets no answer hangs until the faults are cleared."""
    await platform.control("POST", "/faults", {"on": "send", "behaviour": "timeout", "times": 2})
    hanging = asyncio.create_task(platform.send(PERSON))
    while not (await platform.control("GET", "/calls")).get("send"):
        pass
    assert (await platform.control("GET", "/faults"))["value"][0]["times"] == 1
    assert not hanging.done()
    await platform.control("DELETE", "/faults")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await hanging
    assert await texts_of(platform) == []


# ---- Event Grid and people ----


async def test_a_person_replies(platform: Client, host: FunctionsHost) -> None:
    """A reply becomes an SMSReceived event for the function `inbound`, with the id answered."""
    order = {"to": TOLL_FREE, "message": "Yes"}
    answer = await platform.control("POST", f"/handsets/{PERSON}/messages", order)
    delivered = await host.next()
    (event,) = delivered.body
    assert delivered.function == "inbound"
    assert delivered.headers["aeg-subscription-name"] == "INBOUND"
    assert event["id"] == event["data"]["messageId"] == answer["messageId"]
    assert (event["data"]["from"], event["data"]["to"]) == (PERSON[1:], TOLL_FREE[1:])


async def test_replies_go_to_whoever_wrote_last(platform: Client, host: FunctionsHost) -> None:
    """Without `to`, a person answers the sender of the latest text."""
    await platform.send(PERSON, sender=SHORT_CODE)
    await host.next()
    await platform.control("POST", f"/handsets/{PERSON}/messages", {"message": "Yes"})
    assert (await host.next()).body[0]["data"]["to"] == SHORT_CODE


async def test_failed_function_sees_the_event_again(platform: Client, host: FunctionsHost) -> None:
    """A 500 of the function is followed by the same event, counted."""
    host.statuses.append(500)
    await platform.control(
        "POST", f"/handsets/{PERSON}/messages", {"to": TOLL_FREE, "message": "?"}
    )
    first, second = await host.next(), await host.next()
    assert first.body == second.body
    assert second.headers["aeg-delivery-count"] == "1"


async def test_dead_letters_are_kept(platform: Client, host: FunctionsHost) -> None:
    """A refused event is in the dead letters, with its reason."""
    host.statuses.append(400)
    await platform.control(
        "POST", f"/handsets/{PERSON}/messages", {"to": TOLL_FREE, "message": "?"}
    )
    await host.next()
    while not (letters := (await platform.control("GET", "/deadLetters"))["value"]):
        pass
    assert letters[0]["event"]["deadLetterReason"] == "BadRequest"


async def test_raw_events(platform: Client, host: FunctionsHost) -> None:
    """A golden file can be emitted as it is, as often as wished, alone or as a batch."""
    events = json.loads((ROOT / "tests/events/received-batch-of-two.json").read_text())
    await platform.control("POST", "/events?repeat=2", events[0])
    assert [(await host.next()).body for _ in range(2)] == [[events[0]]] * 2
    await platform.control("POST", "/events", {"events": events, "batch": True})
    assert (await host.next()).body == events
    made = await platform.control("POST", "/events", {"rawBody": "[]", "subscription": "inbound"})
    assert (await host.next()).body == []
    assert made == {"sequences": [4]}


async def test_held_events_in_another_order(platform: Client, host: FunctionsHost) -> None:
    """Paused events are listed, and released in the order asked for."""
    await platform.control("POST", "/pause")
    for word in ("one", "two"):
        order = {"to": TOLL_FREE, "message": word}
        await platform.control("POST", f"/handsets/{PERSON}/messages", order)
    pending = (await platform.control("GET", "/pending"))["value"]
    numbers = [held["sequence"] for held in pending]
    await platform.control("POST", "/release", {"order": numbers[::-1]})
    heard = [(await host.next()).body[0]["data"]["message"] for _ in numbers]
    assert heard == ["two", "one"]
    await platform.control("POST", "/resume")


async def test_outgoing_topic(platform: Client, host: FunctionsHost) -> None:
    """Microsoft's publisher reaches the topic, and a subscribed webhook gets each event."""
    await platform.control("POST", "/webhooks", {"url": host.url + "/hook"})
    endpoint = platform.url + "/api/events"
    async with EventGridPublisherClient(endpoint, AzureKeyCredential(TOPIC_KEY)) as publisher:
        event = CloudEvent(source="/parley", type="Parley.SMSReceived", data={"message": "Yes"})
        await publisher.send([event])
    (entry,) = (await platform.control("GET", "/topic"))["value"]
    assert entry["event"]["type"] == "Parley.SMSReceived"
    assert (await host.next()).body["id"] == event.id
    assert (await platform.control("GET", "/topic?after=1"))["value"] == []


async def test_topic_key(platform: Client) -> None:
    """A wrong key is refused."""
    endpoint = platform.url + "/api/events"
    async with EventGridPublisherClient(endpoint, AzureKeyCredential("wrong")) as publisher:
        with pytest.raises(ClientAuthenticationError):
            await publisher.send([CloudEvent(source="/parley", type="X")])


# ---- control ----


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/settings", {"colour": "red"}),
        ("PATCH", "/settings", []),
        ("POST", "/faults", {"on": "send", "behaviour": "sulk"}),
        ("POST", "/faults", {"on": "lunch", "behaviour": "garbage"}),
        ("POST", "/faults", {"on": "send", "behaviour": "garbage", "times": 0}),
        ("POST", "/faults", {"on": "send", "behaviour": "garbage", "status": 99}),
        ("POST", "/faults", {"on": "send", "behaviour": "garbage", "colour": "red"}),
        ("POST", "/handsets/12/messages", {"to": TOLL_FREE, "message": "x"}),
        ("POST", f"/handsets/{PERSON}/messages", {"to": TOLL_FREE}),
        ("POST", f"/handsets/{PERSON}/messages", {"to": ALPHANUMERIC, "message": "x"}),
        ("POST", f"/handsets/{PERSON}/messages", {"message": "to whom?"}),
        ("POST", "/events", {"eventType": "Unknown"}),
        ("POST", "/events", {"events": []}),
        ("POST", "/events?repeat=0", {"eventType": "Microsoft.Communication.SMSReceived"}),
        ("POST", "/events", {"rawBody": "x"}),
        ("POST", "/events", {"events": [{}], "subscription": "elsewhere"}),
        ("POST", "/webhooks", {"url": "ftp://x"}),
        ("POST", "/release", {"order": [99]}),
        ("POST", "/release", {"order": "all"}),
        ("PUT", "/wiring", {"parleyUrl": 7}),
        ("GET", "/topic?after=-1", None),
    ],
)
async def test_senseless_orders(platform: Client, method: str, path: str, body: Any) -> None:
    """An order that makes no sense is a 400 with a sentence."""
    async with platform.session.request(
        method, f"{platform.url}/simulator{path}", json=body
    ) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["message"]


async def test_account(platform: Client, host: FunctionsHost) -> None:
    """The account has every handset with its texts, and every message with its fate."""
    await platform.send(PERSON, "+15005554005")
    for _ in range(2):
        await host.next()
    account = await platform.control("GET", "/account")
    assert [handset["number"] for handset in account["handsets"]] == [PERSON]
    assert [message["state"] for message in account["messages"]] == ["delivered", "failed"]
    await platform.control("PUT", "/handsets/+15005554005")
    assert len((await platform.control("GET", "/account"))["handsets"]) == 2
    assert (await platform.control("GET", "/magic"))["value"]
    assert len((await platform.control("GET", "/senders"))["value"]) == 6


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
async def test_other_origins_are_kept_out(
    platform: Client, headers: dict[str, str], status: int
) -> None:
    """A web page from elsewhere can neither read nor command the simulator."""
    url = platform.url + "/simulator/calls"
    async with platform.session.get(url, headers=headers) as answer:
        assert answer.status == status


async def test_stream_tells_what_happens(platform: Client, host: FunctionsHost) -> None:
    """The page hears of a text on a handset without asking."""
    async with platform.session.get(platform.url + "/simulator/stream") as stream:
        assert await stream.content.readuntil(b"\n\n") == (
            b"retry: 1000\nevent: hello\ndata: {}\n\n"
        )
        await platform.send(PERSON)
        heard = [(await stream.content.readuntil(b"\n\n")).decode() for _ in range(2)]
    assert heard[0].startswith("event: message\n")
    assert "event: handset\n" in heard[1]
    await host.next()


# ---- the page ----


@pytest.mark.parametrize("path", ["/", "/style.css", "/page.js"])
async def test_page(platform: Client, path: str) -> None:
    """The page loads nothing from elsewhere, and its policy forbids it."""
    async with platform.session.get(platform.url + path) as answer:
        text = await answer.text()
        assert answer.status == 200
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    foreign = text.replace("http://www.w3.org/2000/svg", "").replace("xmlns='http://www.w3.org", "")
    assert "http://" not in foreign
    assert "https://" not in foreign
    assert "innerHTML" not in text


async def test_application_panel(platform: Client) -> None:
    """The page's application sends through Parley with the function key, and sees the answer."""
    order = {"from": TOLL_FREE, "message": "Hello"}
    answer = await platform.control("POST", "/application/messages", order)
    assert (answer["status"], answer["body"]["echo"]) == (202, order)


async def test_application_panel_without_parley(platform: Client, host: FunctionsHost) -> None:
    """A Parley that is not there is said so, in words."""
    await platform.control("PUT", "/wiring", {"parleyUrl": "http://127.0.0.1:9"})
    answer = await platform.control("POST", "/application/messages", {})
    assert answer == {"status": 502, "body": "Parley cannot be reached."}
    await platform.control("PUT", "/wiring", {"parleyUrl": host.url})


# ---- the process ----


async def test_answers_are_not_held_back() -> None:
    """The listening socket names TCP, or asyncio leaves Nagle on and each answer takes 40 ms."""
    server = PlatformServer(Simulator(options_for(), now=utc_now, new_id=CountedIds()), 0)
    with server._socket as listener:
        assert listener.proto == socket.IPPROTO_TCP


@pytest.mark.servers
async def test_process_keeps_its_state(tmp_path: Path) -> None:
    """The process says its port, and a second run knows handsets and opt-outs of the first."""
    config = tmp_path / "config.json"
    values = {"acs-key": KEY_TEXT, "topic-key": TOPIC_KEY, "delivery-seconds": 0}
    config.write_text(json.dumps({**values, "senders": json.loads(SENDERS_TEXT)}))
    arguments = ["--config", str(config), "--data", str(tmp_path / "data")]
    async with aiohttp.ClientSession() as session:
        first = await start_process(*arguments)
        platform = Client(await url_of(first), session)
        await platform.control(
            "POST", f"/handsets/{PERSON}/messages", {"to": TOLL_FREE, "message": "STOP"}
        )
        await stop_process(first)
        second = await start_process(*arguments)
        platform = Client(await url_of(second), session)
        handset = await platform.control("GET", f"/handsets/{PERSON}")
        waiting = await platform.control("GET", "/events")
        await stop_process(second)
    assert [text["origin"] for text in handset["texts"]] == ["person", "carrier"]
    assert waiting["value"][0]["events"][0]["data"]["message"] == "STOP"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "--senders is missing"),
        (["--senders", "[]"], "--acs-key is missing"),
        (["--senders", "[]", "--acs-key", "no base64", "--topic-key", "k"], "must be base64"),
        (["--senders", "[]", "--acs-key", "AAAA", "--topic-key", "k"], "--senders must be"),
        (["--config", "/nowhere.json"], "--config: "),
    ],
)
def test_bad_command_lines(
    arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bad option ends the process with a sentence that names it."""
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert word in capsys.readouterr().err


def test_command_line_prevails_over_the_file(tmp_path: Path) -> None:
    """An option given on the command line beats the same one in the file."""
    config = tmp_path / "config.json"
    named = {"port": 7072, "acs-key": KEY_TEXT, "topic_key": "k", "--schema": "cloudEvents"}
    config.write_text(json.dumps({**named, "senders": json.loads(SENDERS_TEXT)}))
    port, options = parse(["--config", str(config), "--port", "0"])
    assert (port, options.topic_key, options.behaviour) == (0, "k", {"schema": "cloudEvents"})


async def start_process(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "local.platform",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )


async def url_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    line = await process.stdout.readline()
    return f"http://127.0.0.1:{json.loads(line)['port']}"


async def stop_process(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    await process.communicate()
