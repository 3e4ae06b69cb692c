"""The operator's command on bad lines and with half its settings: nothing twice, nothing astray."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import shlex
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cli.client import Client, NotConfigured, Refused, Unreachable
from local.stack import ROOT, Stack
from tests.cli.test_cli import Command
from tests.support.client import TOLL_FREE, Platform


class Web:
    """A server of the test's own on a free port; remembers what it was asked.

    Args:
        answer: what it does with a request; its body is in the handler's `body`.
    """

    def __init__(self, answer: Callable[[Asked], None]) -> None:
        self.asked: list[Asked] = []
        web = self

        class Handler(Asked):
            def serve(self) -> None:
                web.asked.append(self)
                answer(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Asked(BaseHTTPRequestHandler):
    """One request."""

    body = b""

    def serve(self) -> None:
        raise NotImplementedError

    def do_GET(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.serve()

    do_POST = do_DELETE = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing is printed."""

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def cli(stack: Stack) -> Command:
    return Command(stack)


Opening = Callable[[Callable[[Asked], None]], Web]


@pytest.fixture
def serve() -> Iterator[Opening]:
    with ExitStack() as opened:

        def start(answer: Callable[[Asked], None]) -> Web:
            web = Web(answer)
            opened.callback(web.close)
            return web

        yield start


def loses_answers(stack: Stack, count: int) -> Callable[[Asked], None]:
    """A line to the stack: requests arrive, the first answers are lost on the way back."""
    lost = [True] * count

    def answer(asked: Asked) -> None:
        line = http.client.HTTPConnection(urlsplit(stack.endpoint).netloc)
        headers = {name: value for name, value in asked.headers.items() if name.lower() != "host"}
        line.request(asked.command, asked.path, asked.body, headers)
        found = line.getresponse()
        body = found.read()
        line.close()
        if lost:
            lost.pop()
            asked.hang_up()
        else:
            asked.say(found.status, body)

    return answer


async def test_a_lost_answer_is_one_text(
    cli: Command, stack: Stack, platform: Platform, person: str, serve: Opening
) -> None:
    """Whoever sends and loses the answer gets it by the same key; the person gets one text."""
    line = serve(loses_answers(stack, 2))
    sent = await cli("send", "--from", TOLL_FREE, "--to", person, "Once", PARLEY_ENDPOINT=line.url)
    assert (sent.code, "accepted" in sent.out) == (0, True)
    assert len(await platform.accepted(person)) == 1
    (key,) = {asked.headers["Idempotency-Key"] for asked in line.asked}
    assert len(line.asked) == 3
    assert key in sent.err


async def test_a_key_is_told_where_all_answers_are_lost(
    cli: Command, stack: Stack, platform: Platform, person: str, serve: Opening
) -> None:
    """The operator is told with which key to try once more, and that is no second text."""
    line = serve(loses_answers(stack, 99))
    order = ("send", "--from", TOLL_FREE, "--to", person, "Once")
    sent = await cli(*order, PARLEY_ENDPOINT=line.url)
    assert (sent.code, "not known" in sent.err) == (3, True)
    told = re.findall(r"--key (\S+)", sent.err)
    again = await cli(*order[:-1], "--key", told[-1], order[-1])
    assert again.code == 0
    assert len(await platform.accepted(person)) == 1


async def test_a_lost_answer_is_one_change(
    cli: Command, stack: Stack, person: str, serve: Opening
) -> None:
    """An opt-out by hand is written once, however often its answer is lost."""
    line = serve(loses_answers(stack, 1))
    change = ("optouts", person, "--add", "--from", TOLL_FREE, "--reason", "Asked by telephone.")
    out = await cli("--json", *change, PARLEY_ENDPOINT=line.url)
    assert (out.code, len(line.asked)) == (0, 2)
    assert len(json.loads(out.out)["history"]) == 1
    assert json.loads(line.asked[0].body)["changeId"] in out.err


def test_what_is_still_at_work_is_waited_for(serve: Opening) -> None:
    """After a lost answer, "still at work" is no end; at once it is the caller's affair."""
    at_work = json.dumps({"code": "IdempotencyKeyInUse", "detail": "At work."}).encode()
    answers: list[Callable[[Asked], None]] = [
        Asked.hang_up,
        lambda asked: asked.say(409, at_work, retry_after="0"),
        lambda asked: asked.say(504, b"<html>"),
        lambda asked: asked.say(200, b"{}"),
        lambda asked: asked.say(409, at_work, retry_after="0"),
    ]
    web = serve(lambda asked: answers.pop(0)(asked))  # noqa: PLW0108  # one for each request
    client, told = Client(web.url, "key", pauses=(0, 0, 0)), list[str]()
    assert client.change("POST", "/messages", {}, tell=told.append) == {}
    assert len(told) == 3
    with pytest.raises(Refused, match="IdempotencyKeyInUse"):
        client.change("POST", "/messages", {}, tell=told.append)


@pytest.mark.parametrize(
    ("status", "code", "tries"),
    [
        (500, "InternalError", 3),
        (503, "PlatformUnavailable", 3),
        (503, "StorageUnavailable", 3),
        (502, None, 3),
        (503, "PlatformDenied", 1),
        (503, "LedgerMissing", 1),
        (429, "TooManyRequests", 1),
        (400, "InvalidRequest", 1),
    ],
)
def test_what_is_in_doubt_is_asked_for_again(
    status: int, code: str | None, tries: int, serve: Opening
) -> None:
    """Also where Parley itself says that it does not know; what it says for certain is the end."""
    problem = b"<html>" if code is None else json.dumps({"code": code}).encode()
    web = serve(lambda asked: asked.say(status, problem))
    with pytest.raises(Refused):
        Client(web.url, "key", pauses=(0, 0)).change("POST", "/x", {}, tell=lambda _: None)
    assert len(web.asked) == tries


# And whether to find it gone means that it was done.
CHANGES = {
    ("cancel", "01JD8Z0W0Q4T9V6X2Y3N5M7K8P.0123456789"): False,
    ("conversation", TOLL_FREE, "+14255550123", "--mark-read"): False,
    ("quarantine", "retry", "inbound", "x"): True,
    ("quarantine", "drop", "inbound", "x"): True,
    ("poison", "retry", "record", "x"): True,
    ("poison", "drop", "record", "x"): True,
}
# A text of a conversation, and the conversation that it is the last text of.
SAID = {
    "type": "message",
    "direction": "inbound",
    "message": "Hi",
    "state": "received",
    "at": "t",
    "arrivedAt": "t",
    "conversationId": "cv_0123456789abcdef012345",
    "lastMessage": {},
}


@pytest.mark.parametrize(("change", "taken"), CHANGES.items(), ids=map(" ".join, CHANGES))
async def test_every_change_is_asked_for_again(
    change: tuple[str, ...],
    taken: bool,  # noqa: FBT001
    cli: Command,
    serve: Opening,
) -> None:
    """Whatever changes something is made once more where its answer is lost, the same each time;
    what was to be taken away and is gone by then was taken by the try whose answer was lost."""
    gone = json.dumps({"code": "NotFound", "detail": "There is none."}).encode()
    changes: list[tuple[str, str, bytes]] = []

    def answer(asked: Asked) -> None:
        if asked.command == "GET":
            asked.say(200, json.dumps({"value": [SAID]}).encode())
            return
        changes.append((asked.command, asked.path, asked.body))
        if len(changes) == 1:
            asked.hang_up()
        else:
            asked.say(404, gone)

    shown = await cli(*change, PARLEY_ENDPOINT=serve(answer).url)
    assert len(changes) == 2
    assert len(set(changes)) == 1
    assert shown.code == (0 if taken else 1)
    assert ("an earlier try" in shown.err) is taken


async def test_a_change_that_stays_in_doubt_may_be_repeated(cli: Command, serve: Opening) -> None:
    """Where no try gets an answer, the operator is told that the command can be run again."""
    web = serve(Asked.hang_up)
    shown = await cli("poison", "drop", "record", "x", PARLEY_ENDPOINT=web.url)
    assert (shown.code, len(web.asked)) == (3, 4)
    assert "not known" in shown.err
    assert "done twice, it is done once" in shown.err


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", b"huh"])
def test_half_an_answer_is_none(answer: bytes) -> None:
    """An answer that breaks off, or that is no HTTP, is told as lost."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def half() -> None:
            line, _ = server.accept()
            with line:
                line.recv(65536)
                line.sendall(answer)

        threading.Thread(target=half, daemon=True).start()
        client = Client(f"http://127.0.0.1:{server.getsockname()[1]}", "key")
        with pytest.raises(Unreachable, match="did not answer"):
            client.get("/health")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_the_key_follows_no_redirect(cli: Command, serve: Opening, status: int) -> None:
    """Another host that an answer points to is never asked; the command says where it points."""
    other = serve(lambda asked: asked.say(200, b'{"status": "Healthy"}'))
    web = serve(lambda asked: asked.say(status, location=f"{other.url}/\x1b[2J"))
    for command in (["senders"], ["send", "--from", TOLL_FREE, "--to", "+14255550123", "Hello"]):
        shown = await cli(*command, PARLEY_ENDPOINT=web.url)
        assert (shown.code, other.url in shown.err) == (1, True)
    assert (other.asked, len(web.asked)) == ([], 2)


async def test_problems_steer_no_terminal(cli: Command, serve: Opening) -> None:
    """What stands in an error is shown like a person's text, and once."""
    problem = {"code": "Odd", "detail": "to: \x1b[2J\u2028\u061c", "errors": {"to": ["\x1b[2J"]}}
    web = serve(lambda asked: asked.say(400, json.dumps(problem).encode()))
    shown = await cli("senders", PARLEY_ENDPOINT=web.url)
    assert (shown.code, shown.err) == (1, "Odd: to: \\u001b[2J\\u2028\\u061c\n")


STACK = json.dumps({"endpoint": "http://127.0.0.1:7071", "functionKey": "local"})
HALVES = (
    {"PARLEY_ENDPOINT": "https://parley.example"},
    {"PARLEY_ENDPOINT": "https://parley.example", "PARLEY_FUNCTION_KEY": ""},
    {"PARLEY_ENDPOINT": "", "PARLEY_FUNCTION_KEY": ""},
    {"PARLEY_FUNCTION_KEY": "key"},
)


@pytest.mark.parametrize("environ", HALVES)
def test_half_a_setting_is_no_wish_for_the_local_stack(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """Where only one of both is set, the local stack is spoken to only after a yes."""
    file = tmp_path / "endpoint.json"
    file.write_text(STACK)
    asked: list[str] = []

    def no(question: str) -> bool:
        asked.append(question)
        return False

    with pytest.raises(NotConfigured, match="PARLEY_FUNCTION_KEY"):
        Client.configured(environ, file, ask=no)
    assert "http://127.0.0.1:7071" in asked[0]
    assert Client.configured(environ, file, ask=lambda _: True).function_key == "local"
    assert Client.configured({}, file, ask=no).function_key == "local"
    assert len(asked) == 1


async def test_a_script_is_not_asked(cli: Command, stack: Stack) -> None:
    """Without a person at the terminal the answer is no."""
    shown = await cli("senders", PARLEY_FUNCTION_KEY="")
    assert (shown.code, "PARLEY_FUNCTION_KEY" in shown.err) == (3, True)


@pytest.mark.parametrize(
    ("endpoint", "fits"),
    [
        ("https://parley.example", True),
        ("http://127.0.0.1:7071", True),
        ("http://localhost:7071", True),
        ("http://[::1]:7071", True),
        ("http://parley.example", False),
        ("http://127.0.0.1.parley.example", False),
        ("parley.example", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("http://[", False),
    ],
)
def test_the_key_travels_in_secret(endpoint: str, fits: bool) -> None:  # noqa: FBT001
    """The function key leaves this machine by https alone."""
    environ = {"PARLEY_ENDPOINT": endpoint, "PARLEY_FUNCTION_KEY": "key"}
    if fits:
        assert Client.configured(environ).endpoint == endpoint
    else:
        with pytest.raises(NotConfigured, match="PARLEY_ENDPOINT"):
            Client.configured(environ)


async def test_whoever_stops_reading_gets_no_traceback(cli: Command, serve: Opening) -> None:
    """A reader such as `head` may leave before the list ends."""
    page = json.dumps({"value": [{"queue": "q", "id": "x" * 9000}], "nextLink": "/poison"}).encode()
    web = serve(lambda asked: asked.say(200, page))
    process = await asyncio.create_subprocess_shell(
        f"{shlex.quote(sys.executable)} -m cli --json poison list | head -n 1",
        cwd=ROOT,
        env={**os.environ, "PARLEY_ENDPOINT": web.url, "PARLEY_FUNCTION_KEY": "key"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (out.count(b"\n"), err) == (1, b"")


async def test_what_is_put_back_is_named(cli: Command, serve: Opening) -> None:
    """Without names and without `--all` nothing is asked for."""
    web = serve(lambda asked: asked.say(404))
    for arguments in (["retry"], ["retry", "record"], ["drop"], ["drop", "record"]):
        assert (await cli("poison", *arguments, PARLEY_ENDPOINT=web.url)).code == 2
    assert web.asked == []
