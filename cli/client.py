"""Parley's own face over HTTP, with the standard library alone.

Where it is and how to get in comes from `PARLEY_ENDPOINT` and `PARLEY_FUNCTION_KEY`, or from the
file that `make run` writes. The function key goes to that endpoint and nowhere else.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

LOCAL: Final = Path(".local") / "endpoint.json"
_PATIENCE_SECONDS: Final = 60
# Between one try and the next, where an answer is lost.
_PAUSES: Final = (1.0, 3.0, 6.0)
_LONGEST_PAUSE: Final = 60.0
_AT_WORK: Final = ("IdempotencyKeyInUse", "StillSending")
_SERVER_ERRORS: Final = 500
_NOT_FOUND: Final = 404
# Of Parley's own answers of 5xx, those that say for certain that nothing was done.
_NOTHING_DONE: Final = ("PlatformDenied", "LedgerMissing")
_HINTS: Final = {
    401: "The function key is not accepted: see PARLEY_FUNCTION_KEY.",
    404: "Nothing is there: see PARLEY_ENDPOINT.",
}


class NotConfigured(Exception):  # told to the person at the keyboard
    """It is not known where Parley is."""


class Unreachable(Exception):  # told to the person at the keyboard
    """Parley did not answer."""


class Refused(Exception):  # told to the person at the keyboard
    """Parley answered with a problem.

    Attributes:
        status: of the answer.
        problem: its members; empty if it had none.
        retry_after: seconds that the answer asks to wait; 0 if it does not.
        after_loss: whether the answer to an earlier try of the same request is not known.
    """

    def __init__(
        self, status: int, problem: Mapping[str, Any], headers: Message | None = None
    ) -> None:
        self.status = status
        self.problem = problem
        self.after_loss = False
        found = Message() if headers is None else headers
        wait = found.get("Retry-After", "")
        self.retry_after = min(float(wait), _LONGEST_PAUSE) if wait.isdecimal() else 0.0
        detail = problem.get("detail") or _said(status, found.get("Location"))
        super().__init__(f"{problem['code']}: {detail}" if "code" in problem else str(detail))

    @property
    def in_doubt(self) -> bool:
        """Whether the answer leaves open what became of the request."""
        certain = self.problem.get("code") in _NOTHING_DONE
        return self.status >= _SERVER_ERRORS and not certain

    @property
    def at_work(self) -> bool:
        """Whether an earlier try of the same request is not done yet."""
        return self.problem.get("code") in _AT_WORK

    @property
    def gone(self) -> bool:
        """Whether what was to be taken away is not there, and an earlier try may have done it."""
        return self.after_loss and self.status == _NOT_FOUND and "code" in self.problem


@dataclass(frozen=True, slots=True)
class Client:
    """A client of one Parley.

    Attributes:
        endpoint: without a slash at its end.
        function_key: of the functions app.
        pauses: seconds between the tries of what may be tried again.
    """

    endpoint: str
    function_key: str
    pauses: tuple[float, ...] = _PAUSES

    @classmethod
    def configured(
        cls,
        environ: Mapping[str, str],
        local: Path = LOCAL,
        *,
        ask: Callable[[str], bool] = lambda _: False,
    ) -> Client:
        """The client that the environment names, or else the stack of this folder.

        Args:
            environ: holds both variables, or neither.
            local: the file of the stack.
            ask: whether to speak to the stack although one of the variables is there: an opt-out
                that was meant for real people must not end in a simulator.

        Raises:
            NotConfigured: neither is there, or what is there cannot be used.
        """
        endpoint, key = environ.get("PARLEY_ENDPOINT"), environ.get("PARLEY_FUNCTION_KEY")
        if endpoint and key:
            if not _keeps_secrets(endpoint):
                raise NotConfigured(
                    "PARLEY_ENDPOINT must begin with https://, or with http:// on this machine."
                )
            return cls(endpoint.rstrip("/"), key)
        try:
            stack = json.loads(local.read_text(encoding="utf-8"))
            found = cls(stack["endpoint"], stack["functionKey"])
        except (OSError, ValueError, KeyError):
            raise NotConfigured(
                "Set PARLEY_ENDPOINT and PARLEY_FUNCTION_KEY, or start a stack with `make run`."
            ) from None
        if endpoint is None and key is None:
            return found
        half = "PARLEY_FUNCTION_KEY is" if endpoint else "PARLEY_ENDPOINT is"
        if not endpoint and not key:
            half = "PARLEY_ENDPOINT and PARLEY_FUNCTION_KEY are"
        if not ask(f"{half} missing. Talk to the local stack at {found.endpoint} instead?"):
            raise NotConfigured(
                f"{half} missing. Set both PARLEY_ENDPOINT and PARLEY_FUNCTION_KEY, or unset both"
                " to talk to the local stack."
            )
        return found

    def get(self, path: str, **query: str | None) -> Any:
        """What is at a path."""
        chosen = {name: value for name, value in query.items() if value is not None}
        return self._call("GET", f"{path}?{urlencode(chosen)}" if chosen else path)

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Any:
        """The answer to a body."""
        return self._call("POST", path, json.dumps(body).encode(), headers)

    def change(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        tell: Callable[[str], None],
    ) -> Any:
        """The answer to what changes something, asked for again where it is lost or in doubt.

        Args:
            method: POST or DELETE.
            path: where to.
            body: the same each time, as all else, so that Parley does once what it asks.
            headers: further ones, such as a key.
            tell: is told why it is asked again.

        Raises:
            Unreachable: no try got an answer.
            Refused: one got an answer that is none of success.
        """
        content = None if method == "DELETE" else json.dumps(body).encode()
        lost = False
        for pause in (*self.pauses, None):
            try:
                return self._call(method, path, content, headers)
            except Unreachable as error:
                if pause is None:
                    raise
                why, wait = str(error), pause
            except Refused as error:
                error.after_loss = lost
                repeatable = error.in_doubt or (lost and error.at_work)
                if pause is None or not repeatable:
                    raise
                why, wait = str(error), max(pause, error.retry_after)
            lost = True
            tell(f"{why} Asking again for the same.")
            time.sleep(wait)
        raise AssertionError("the last try answers or raises")

    def pages(self, path: str, **query: str | None) -> Iterator[dict[str, Any]]:
        """The items of a list, page by page."""
        page = self.get(path, **query)
        while True:
            yield from page["value"]
            if "nextLink" not in page:
                return
            link = urlsplit(page["nextLink"])
            page = self._call("GET", f"{link.path}?{link.query}")

    def _call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        request = Request(  # noqa: S310  # the operator's own endpoint
            self.endpoint + path,
            data=body,
            method=method,
            headers={
                "x-functions-key": self.function_key,
                "content-type": "application/json",
                **(headers or {}),
            },
        )
        try:
            with _OPENER.open(request, timeout=_PATIENCE_SECONDS) as answer:
                return json.loads(answer.read())
        except HTTPError as error:
            with error:
                raise Refused(error.code, _problem(error), error.headers) from None
        except (HTTPException, OSError, ValueError, RecursionError) as error:
            # An answer that breaks off, or is none of Parley's, tells no more than no answer.
            raise Unreachable(f"Parley did not answer: {error}.") from None


class _NoRedirects(HTTPRedirectHandler):
    """An answer that points elsewhere is an answer; the request and its key do not follow it."""

    def redirect_request(self, *_: Any) -> None:
        """None."""


_OPENER: Final = build_opener(_NoRedirects)


def _keeps_secrets(endpoint: str) -> bool:
    try:
        url = urlsplit(endpoint)
        host = url.hostname
        if url.scheme == "https":
            return bool(host)
        return url.scheme == "http" and (host == "localhost" or ip_address(host or "").is_loopback)
    except ValueError:
        return False


def _said(status: int, location: str | None) -> str:
    if location is not None:
        place = location.partition("?")[0]
        return (
            f"Parley answered {status} and points to {place}. Nothing was sent there; if that is"
            " where Parley is, name it in PARLEY_ENDPOINT."
        )
    return " ".join(filter(None, (f"Parley answered {status}.", _HINTS.get(status))))


def _problem(answer: HTTPError) -> dict[str, Any]:
    try:
        problem = json.loads(answer.read())
    except (HTTPException, OSError, ValueError, RecursionError):
        return {}
    return problem if isinstance(problem, dict) else {}
