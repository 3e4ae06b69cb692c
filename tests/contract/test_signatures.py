"""The HMAC scheme: what one side signs the other accepts, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.access import SignedRequest, check, signed_headers
from shared.errors import NotAuthorized

KEY, OTHER_KEY = b"0123456789abcdef0123456789abcdef", b"fedcba9876543210fedcba9876543210"
HOST = "parley.example:7071"
NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
law = settings(max_examples=60, deadline=None)


def signed(
    method: str = "POST",
    target: str = "/sms?api-version=2021-03-07",
    body: bytes = b"{}",
    *,
    host: str = HOST,
    key: bytes = KEY,
) -> SignedRequest:
    """A request that came with the header `Host: parley.example:7071`."""
    headers = signed_headers(key, method=method, target=target, host=host, body=body, now=NOW)
    named = {name.lower(): value for name, value in headers.items()}
    return SignedRequest(method, target, {**named, "host": HOST}, body)


def accept(request: SignedRequest, **named: Any) -> None:
    check(request, **{"keys": [KEY], "hosts": (), "now": NOW, **named})


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    target=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60),
    body=st.binary(max_size=200),
    minutes=st.integers(-15, 15),
)
@law
def test_what_is_signed_is_accepted(method: str, target: str, body: bytes, minutes: int) -> None:
    """Any request that one of the keys signed is accepted for 15 minutes to either side."""
    request = signed(method, f"/{target}", body)
    accept(request, now=NOW + timedelta(minutes=minutes))
    accept(request, keys=[OTHER_KEY, KEY])


@given(
    body=st.binary(min_size=1, max_size=200),
    place=st.integers(0, 199),
    bit=st.integers(0, 7),
    member=st.sampled_from(["body", "target", "x-ms-date", "x-ms-content-sha256", "authorization"]),
)
@law
def test_any_change_is_refused(body: bytes, place: int, bit: int, member: str) -> None:
    """One bit elsewhere in anything that the signature covers, and the request is refused."""
    request = signed(body=body)
    if member == "body":
        request = replace(request, body=flipped(body, place, bit))
    elif member == "target":
        request = replace(request, target=flipped_text(request.target, place, bit))
    else:
        value = flipped_text(request.headers[member], place, bit)
        request = replace(request, headers={**request.headers, member: value})
    with pytest.raises(NotAuthorized):
        accept(request)


def flipped(data: bytes, place: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[place % len(changed)] ^= 1 << bit
    return bytes(changed)


def flipped_text(text: str, place: int, bit: int) -> str:
    return flipped(text.encode("latin-1"), place, bit).decode("latin-1")


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_the_method_is_covered(method: str) -> None:
    """A signature for POST opens nothing else."""
    with pytest.raises(NotAuthorized):
        accept(replace(signed(), method=method))


CUSTOM = ("sms.contoso.example", "sms.contoso.example:8443")


@pytest.mark.parametrize("host", [form for name in CUSTOM for form in (name, f"{name}/")])
def test_a_custom_domain(host: str) -> None:
    """Hosts of the setting may be signed beside the Host header; others may not."""
    request = signed(host=host)
    accept(request, hosts=CUSTOM)
    with pytest.raises(NotAuthorized):
        accept(request)


def test_a_host_header_may_have_no_port() -> None:
    """Behind Azure's front end there is none."""
    request = signed(host="parley.azurewebsites.net")
    accept(replace(request, headers={**request.headers, "host": "parley.azurewebsites.net"}))


def test_a_replaced_key_opens_nothing() -> None:
    """Once neither setting holds a key, what it signed is refused."""
    with pytest.raises(NotAuthorized):
        accept(signed(key=OTHER_KEY))


def test_a_refusal_tells_nothing_that_helps_to_guess() -> None:
    """No reason repeats a signature, a hash or a key."""
    request = signed(key=OTHER_KEY)
    with pytest.raises(NotAuthorized) as caught:
        accept(request)
    for secret in (request.headers["authorization"][-44:], signed().headers["authorization"][-44:]):
        assert secret not in str(caught.value)
