"""`python -m local.demo`, which is `make demo`: the main job once, as a timeline.

An application texts a person with Microsoft's own client library pointed at Parley; the person
answers, says STOP, is left alone, comes back. Everything is real but the platform: storage, the
functions runtime, the library, Event Grid's way of delivering. Exits 0 if every step was seen.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar
from urllib.parse import quote
from urllib.request import Request, urlopen

from azure.communication.sms import SmsClient, SmsSendResult
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import AzureError

from local.child import ChildFailed
from local.node import InstallFailed
from local.ports import Ports
from local.stack import LOCAL, Stack, StackOptions

SENDER: Final = "+18005550100"
PERSON: Final = "+14255550123"
_PATIENCE_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.05
_WIDTH: Final = 100
_T = TypeVar("_T")


class NotSeen(Exception):  # the one way in which a demonstration fails
    """A step did not happen within its time."""


class Caller:
    """JSON over HTTP to one server of this machine."""

    def __init__(self, base: str, headers: dict[str, str]) -> None:
        self._base = base
        self._headers = {"content-type": "application/json", **headers}

    def get(self, path: str) -> Any:
        """What is there."""
        return self._call("GET", path, None)

    def post(self, path: str, body: Any) -> Any:
        """The answer to `body`."""
        return self._call("POST", path, json.dumps(body).encode())

    def _call(self, method: str, path: str, body: bytes | None) -> Any:
        request = Request(  # noqa: S310  # a loopback address of our own
            self._base + path, data=body, headers=self._headers, method=method
        )
        with urlopen(request, timeout=_PATIENCE_SECONDS) as answer:  # noqa: S310
            return json.loads(answer.read())


class Timeline:
    """Prints who said or did what, with the seconds since the beginning."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def chapter(self, title: str) -> None:
        """A new part of the story."""
        print(f"\n  {title}")

    def line(self, who: str, what: str) -> None:
        """One thing that happened."""
        first, *rest = textwrap.wrap(what, _WIDTH - 26) or [""]
        print(f"  {time.monotonic() - self._began:6.2f} s  {who:<12}  {first}")
        for more in rest:
            print(" " * 25 + more)


class Demo:
    """The story, told against a running stack."""

    def __init__(self, stack: Stack) -> None:
        self._parley = Caller(stack.endpoint, {"x-functions-key": stack.function_key})
        self._platform = Caller(stack.platform, {})
        # Any, because the library's decorator hides its signatures.
        self._client: Any = SmsClient(stack.endpoint, AzureKeyCredential(stack.access_keys[0]))
        self._out = Timeline()
        self._events = self._relayed_events()
        self._seen: list[dict[str, Any]] = []

    def play(self) -> None:
        """Play it.

        Raises:
            NotSeen: a step did not happen.
        """
        out = self._out
        out.chapter("A reminder goes out and arrives")
        self._send_and_arrive(
            "Your appointment is tomorrow at 10:00. Reply C to confirm.", "visit-17"
        )

        out.chapter("The person answers, and the application hears it")
        self._say("C")
        received = self._event("Parley.SMSReceived", lambda data: data["message"] == "C")
        out.line("application", f"event Parley.SMSReceived: {received['message']!r} from {PERSON}")

        out.chapter("The person says STOP: the carrier answers, the ledger remembers")
        self._say("STOP")
        self._network_message("You replied with the word STOP")
        self._event("Parley.OptOutChanged", lambda data: data["isOptedOut"])
        entry = self._ledger(opted_out=True)
        out.line(
            "ledger",
            f"entry {entry['sequence']}: {PERSON} is out for {entry['sender']}, said at"
            f" {entry['saidAt'][11:19]} by {entry['channel']} ({entry['rule']}),"
            f" evidence {entry['evidenceHash'][:12]}, leaf {entry['leafHash'][:12]}",
        )

        out.chapter("The next send is refused before anything is paid")
        calls = self._sends_at_acs()
        refused = self._send("We have moved your appointment to 11:00.", "visit-18")
        self._must(refused.error_message == "Sender blocked for given recipient.", "the refusal")
        report = self._report(str(refused.message_id), "Failed")
        out.line(
            "application", f"event: {report['deliveryStatus']}, {report['deliveryStatusDetails']}"
        )
        self._must(self._sends_at_acs() == calls, "that ACS was not asked")
        out.line("platform", "was not asked: 0 texts, nothing charged")

        out.chapter("UNSTOP, and texts arrive again")
        self._say("UNSTOP")
        self._network_message("You have replied UNSTOP")
        self._ledger(opted_out=False)
        out.line("ledger", f"{PERSON} is in again for {SENDER}")
        again = self._send_and_arrive("Welcome back. Your appointment is at 11:00.", "visit-19")
        message = self._parley.get(f"/messages/{again.message_id}")
        out.line(
            "parley",
            f"message {message['messageId']}: {message['state']}, {message['segments']} segment,"
            f" {message['encoding']}",
        )

    # What the actors do -----------------------------------------------------------------------

    def _send(self, text: str, tag: str) -> SmsSendResult:
        self._out.line("application", f"SmsClient.send({text!r})")
        result: SmsSendResult = self._client.send(
            SENDER, PERSON, text, enable_delivery_report=True, tag=tag
        )[0]
        said = "accepted" if result.successful else f"refused: {result.error_message}"
        self._out.line("parley", f"{result.http_status_code} {said}, {result.message_id}")
        return result

    def _send_and_arrive(self, text: str, tag: str) -> SmsSendResult:
        sent = self._send(text, tag)
        self._must(sent.successful, "the answer to the send")
        self._until("the text on the handset", lambda: text in self._texts() or None)
        self._out.line("handset", f"< {text}")
        report = self._report(str(sent.message_id), "Delivered")
        self._must(report["tag"] == tag, "the application's own tag")
        self._out.line("application", f"event: {report['deliveryStatus']}, tag {report['tag']!r}")
        return sent

    def _say(self, text: str) -> None:
        self._platform.post(
            f"/simulator/handsets/{quote(PERSON)}/messages", {"to": SENDER, "message": text}
        )
        self._out.line("handset", f"> {text}")

    # What is then seen ------------------------------------------------------------------------

    def _report(self, message_id: str, status: str) -> dict[str, Any]:
        return self._event(
            "Parley.SMSDeliveryReportReceived",
            lambda data: data["messageId"] == message_id and data["deliveryStatus"] == status,
        )

    def _network_message(self, words: str) -> None:
        text = self._until(
            "the carrier's answer",
            lambda: next((t for t in self._texts() if f"NETWORK MSG: {words}" in t), None),
        )
        self._out.line("carrier", f"< {text}")

    def _ledger(self, *, opted_out: bool) -> dict[str, Any]:
        def entry() -> dict[str, Any] | None:
            found = self._parley.get(f"/optouts?recipient={quote(PERSON)}")["value"]
            return next((f["entry"] for f in found if f["isOptedOut"] is opted_out), None)

        return self._until("the ledger's entry", entry)

    def _event(self, kind: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            self._seen += next(self._events)
            return next(
                (e["data"] for e in self._seen if e["type"] == kind and wanted(e["data"])), None
            )

        return self._until(f"the event {kind}", found)

    def _relayed_events(self) -> Iterator[list[dict[str, Any]]]:
        after = 0
        while True:
            new = self._platform.get(f"/simulator/topic?after={after}")["value"]
            after = new[-1]["sequence"] if new else after
            yield [item["event"] for item in new]

    def _texts(self) -> list[str]:
        handset = self._platform.get(f"/simulator/handsets/{quote(PERSON)}")
        return [t["text"] for t in handset["texts"] if t["direction"] == "received"]

    def _sends_at_acs(self) -> int:
        return int(self._platform.get("/simulator/calls").get("send", 0))

    def _until(self, what: str, look: Callable[[], _T | None]) -> _T:
        end = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end:
            found = look()
            if found is not None:
                return found
            time.sleep(_PAUSE_SECONDS)
        raise NotSeen(f"{what} was not seen within {_PATIENCE_SECONDS:.0f} s")

    @staticmethod
    def _must(seen: object, what: str) -> None:
        if not seen:
            raise NotSeen(f"{what} was not as it should be")


def main() -> int:
    """Start a stack of its own beside whatever runs, play, stop it."""
    print("\n  Parley, the main job, on this machine. Starting storage, platform and functions ...")
    options = StackOptions(
        ports=Ports.wished(os.environ, {}), logs=LOCAL / "logs" / "demo", delivery_seconds=0.3
    )
    try:
        with Stack(options) as stack:
            Demo(stack).play()
    except (NotSeen, ChildFailed, InstallFailed, AzureError, OSError) as error:
        print(f"\n  The demonstration failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("\n  All of it was seen. `make run` lets you play it by hand.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
