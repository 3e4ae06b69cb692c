"""Parley's own face over HTTP, with the standard library alone.

Where it is and how to get in comes from `PARLEY_ENDPOINT` and `PARLEY_FUNCTION_KEY`, or from the
file that `make run` writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

LOCAL: Final = Path(".local") / "endpoint.json"
_PATIENCE_SECONDS: Final = 60


class NotConfigured(Exception):  # told to the person at the keyboard
    """It is not known where Parley is."""


class Unreachable(Exception):  # told to the person at the keyboard
    """Parley did not answer."""


class Refused(Exception):  # told to the person at the keyboard
    """Parley answered with a problem.

    Attributes:
        status: of the answer.
        problem: its members; empty if it had none.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = problem
        detail = problem.get("detail") or f"Parley answered {status}."
        super().__init__(f"{problem['code']}: {detail}" if "code" in problem else str(detail))


@dataclass(frozen=True, slots=True)
class Client:
    """A client of one Parley.

    Attributes:
        endpoint: without a slash at its end.
        function_key: of the functions app.
    """

    endpoint: str
    function_key: str

    @classmethod
    def configured(cls, environ: Mapping[str, str], local: Path = LOCAL) -> Client:
        """The client that the environment names, or else the stack of this folder.

        Raises:
            NotConfigured: neither is there.
        """
        endpoint, key = environ.get("PARLEY_ENDPOINT"), environ.get("PARLEY_FUNCTION_KEY")
        if endpoint and key:
            return cls(endpoint.rstrip("/"), key)
        try:
            stack = json.loads(local.read_text(encoding="utf-8"))
            return cls(stack["endpoint"], stack["functionKey"])
        except (OSError, ValueError, KeyError):
            raise NotConfigured(
                "Set PARLEY_ENDPOINT and PARLEY_FUNCTION_KEY, or start a stack with `make run`."
            ) from None

    def get(self, path: str, **query: str | None) -> Any:
        """What is at a path."""
        chosen = {name: value for name, value in query.items() if value is not None}
        return self._call("GET", f"{path}?{urlencode(chosen)}" if chosen else path)

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Any:
        """The answer to a body."""
        return self._call("POST", path, json.dumps(body).encode(), headers)

    def delete(self, path: str) -> Any:
        """The answer to a removal."""
        return self._call("DELETE", path)

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
            with urlopen(request, timeout=_PATIENCE_SECONDS) as answer:  # noqa: S310
                return json.loads(answer.read())
        except HTTPError as error:
            with error:
                raise Refused(error.code, _problem(error.read())) from None
        except (URLError, TimeoutError, OSError) as error:
            raise Unreachable(f"Parley did not answer: {error}") from None


def _problem(body: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
