"""The simulated ACS takes exactly the signatures that ACS's recipe makes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from local.platform.signature import content_hash, find_fault, sign
from tests.local.platform_support import KEY

NOW = datetime(2026, 11, 22, 12, 20, 59, tzinfo=UTC)
BODY = b'{"message":"caf\\u00e9"}'
TARGET = "/sms?api-version=2021-03-07"


def headers_of(
    *, host: str = "127.0.0.1:7072", signed_host: str | None = None, date: datetime = NOW
) -> dict[str, str]:
    words = format_datetime(date, usegmt=True)
    signature = sign(
        KEY,
        method="POST",
        target=TARGET,
        date=words,
        host=signed_host or host,
        digest=content_hash(BODY),
    )
    return {
        "host": host,
        "x-ms-date": words,
        "x-ms-content-sha256": content_hash(BODY),
        "authorization": "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256"
        f"&Signature={signature}",
    }


def fault_of(headers: dict[str, str], *, body: bytes = BODY, target: str = TARGET) -> str | None:
    return find_fault(KEY, method="POST", target=target, headers=headers, body=body, now=NOW)


def test_recipe() -> None:
    """The string that is signed is VERB, path and query, date;host;hash (docs/platform.md 1.2)."""
    signature = sign(
        b"k" * 32,
        method="POST",
        target=TARGET,
        date="Sun, 22 Nov 2026 12:20:59 GMT",
        host="127.0.0.1:46137",
        digest=content_hash(b""),
    )
    assert signature == "9+kUW6dZDHP8AmBwi0K3/jh3LJJGUQwk97ddjggQCq8="


@pytest.mark.parametrize("signed_host", ["127.0.0.1:7072", "127.0.0.1"])
def test_host_with_and_without_port(signed_host: str) -> None:
    """A library may sign the host with its port or without."""
    assert fault_of(headers_of(signed_host=signed_host)) is None


def test_trailing_slash_in_the_host_is_refused() -> None:
    """An endpoint with a trailing slash makes a client sign `host/`, which real ACS refuses."""
    assert fault_of(headers_of(signed_host="127.0.0.1:7072/")) == "The signature does not match."


@pytest.mark.parametrize(
    ("minutes", "refused"), [(-16, True), (-14, False), (14, False), (16, True)]
)
def test_clock_skew(minutes: int, *, refused: bool) -> None:
    """A date more than 15 minutes off is refused, either way."""
    fault = fault_of(headers_of(date=NOW + timedelta(minutes=minutes)))
    assert (fault is not None) == refused


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("authorization", ""),
        ("authorization", "Bearer token"),
        ("authorization", "HMAC-SHA256 SignedHeaders=host&Signature=AAAA"),
        (
            "authorization",
            "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=%%%",
        ),
        ("x-ms-date", ""),
        ("x-ms-date", "2026-11-22T12:20:59Z"),
        ("x-ms-date", "Sun, 22 Nov 2026 12:20:58 GMT"),
        ("x-ms-content-sha256", ""),
        ("host", "elsewhere.example"),
    ],
)
def test_every_signed_part_counts(header: str, value: str) -> None:
    """Changing or leaving out any signed part is refused."""
    assert fault_of(headers_of() | {header: value}) is not None


def test_the_date_header_counts_where_there_is_no_other() -> None:
    """Older libraries sign `date`; beside an `x-ms-date` it counts for nothing."""
    headers = headers_of()
    headers["date"] = headers.pop("x-ms-date")
    headers["authorization"] = headers["authorization"].replace("x-ms-date", "date")
    assert fault_of(headers) is None
    later = format_datetime(NOW + timedelta(seconds=1), usegmt=True)
    assert fault_of(headers | {"x-ms-date": later}) is not None


def test_raw_body_and_target_count() -> None:
    """The hash covers the raw bytes, and the signature the query."""
    assert fault_of(headers_of(), body='{"message":"café"}'.encode()) is not None
    assert fault_of(headers_of(), target="/sms?api-version=2026-01-23") is not None
