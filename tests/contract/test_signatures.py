"""The HMAC scheme: what one side signs the other accepts, and nothing else."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.azure.signatures import SignedRequest, check, content_hash, signature, signed_headers
from shared.base.errors import NotAuthorized

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


def dated(header: str, date: str, *, signed_target: str = "/sms?api-version=2021-03-07") -> Any:
    """A request whose date stands in this header, signed."""
    value = signature(
        KEY,
        method="POST",
        target=signed_target,
        date=date,
        host=HOST,
        body_hash=content_hash(b"{}"),
    )
    headers = {
        header: date,
        "host": HOST,
        "x-ms-content-sha256": content_hash(b"{}"),
        "authorization": f"HMAC-SHA256 SignedHeaders={header};host;x-ms-content-sha256"
        f"&Signature={value}",
    }
    return SignedRequest("POST", "/sms?api-version=2021-03-07", headers, b"{}")


@pytest.mark.parametrize("header", ["date", "x-ms-date"])
def test_either_date_may_be_signed(header: str) -> None:
    """Libraries before the middle of 2021 sign Date; the one that is signed counts, no other."""
    request = dated(header, "Sun, 22 Nov 2026 13:00:00 GMT")
    accept(request)
    other = {"date": "x-ms-date", "x-ms-date": "date"}[header]
    accept(replace(request, headers={**request.headers, other: "Sun, 22 Nov 2026 13:00:01 GMT"}))
    with pytest.raises(NotAuthorized, match=f"The {header} header is missing"):
        accept(replace(request, headers={**request.headers, header: ""}))
    with pytest.raises(NotAuthorized, match=f"The {header} header is more than 15 minutes"):
        accept(request, now=NOW + timedelta(minutes=16))
    moved = {**request.headers, header: "Sun, 22 Nov 2026 13:00:01 GMT"}
    with pytest.raises(NotAuthorized):
        accept(replace(request, headers=moved))


def test_a_target_without_its_first_slash() -> None:
    """What the Python library up to 1.0.1 signs of an http address."""
    date = "Sun, 22 Nov 2026 13:00:00 GMT"
    accept(dated("date", date, signed_target="sms?api-version=2021-03-07"))
    with pytest.raises(NotAuthorized):
        accept(dated("date", date, signed_target="ms?api-version=2021-03-07"))


@pytest.mark.parametrize("day", ["9", "09"])
def test_the_first_days_of_a_month(day: str) -> None:
    """RFC 1123 lets a day have one digit, and Java's formatter of that name writes it so."""
    accept(
        dated("x-ms-date", f"Mon, {day} Nov 2026 13:00:00 GMT"),
        now=datetime(2026, 11, 9, 13, tzinfo=UTC),
    )


def test_a_host_in_capitals() -> None:
    """A host header in capitals is the host that a client signs in lower case."""
    request = signed(host="parley.example")
    accept(replace(request, headers={**request.headers, "host": "Parley.Example"}))


# Mistakes of those who sign themselves ----------------------------------------------------------

HASH, SIGNATURE = "x-ms-content-sha256 is not the hash", "The signature does not match"


def mistaken(**wrong: Any) -> SignedRequest:
    """A request that came as it should, signed with something wrong."""
    parts = {
        "method": "POST",
        "target": "/sms?api-version=2021-03-07",
        "date": "Sun, 22 Nov 2026 13:00:00 GMT",
        "host": HOST,
        "body_hash": content_hash(b"{}"),
        **wrong,
    }
    key = parts.pop("key", KEY)
    headers = {
        "host": HOST,
        "x-ms-date": parts["date"],
        "x-ms-content-sha256": parts["body_hash"],
        "authorization": "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256"
        f"&Signature={signature(key, **parts)}",
    }
    return SignedRequest("POST", "/sms?api-version=2021-03-07", headers, b"{}")


@pytest.mark.parametrize(
    ("request_", "said", "not_said"),
    [
        (mistaken(body_hash=content_hash(b"{ }")), HASH, SIGNATURE),
        (mistaken(body_hash=hashlib.sha256(b"{}").hexdigest()), HASH, SIGNATURE),
        (mistaken(body_hash=content_hash(b"")), "of which 2 arrived", SIGNATURE),
        (mistaken(target="/sms"), "'/sms?api-version=2021-03-07'", HASH),
        (mistaken(target=f"https://{HOST}/sms"), "'/sms?api-version=2021-03-07'", HASH),
        (mistaken(host="elsewhere.example"), f"the host '{HOST}'", HASH),
        (mistaken(host="elsewhere.example"), "PARLEY_HOSTS", HASH),
        (mistaken(method="PUT"), "the method POST", HASH),
        (mistaken(key=OTHER_KEY), "one of Parley's two access keys", HASH),
    ],
)
def test_a_refusal_says_what_is_wrong(request_: SignedRequest, said: str, not_said: str) -> None:
    """Whoever signs by hand learns which part fails, and what Parley saw to be signed."""
    with pytest.raises(NotAuthorized) as caught:
        accept(request_)
    assert said in str(caught.value)
    assert not_said not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("GET\n{target}\n{date};{host};{hash}", "has another method."),
        ("POST\n/sms\n{date};elsewhere;{hash}", "has another target, host."),
        ("POST\n{target}\n{date};{host};{hash}", "is right: the key must be another one."),
        ("POST\n{target}\n{date};{host};{hash}\n", "has another hash."),
        ("POST {target}", "is not of three lines with three values."),
    ],
)
def test_the_string_that_javas_library_sends_along_is_compared(text: str, said: str) -> None:
    """Where the client says what it signed, the refusal names the parts that differ."""
    request = mistaken(key=OTHER_KEY)
    claimed = text.format(
        target=request.target,
        date=request.headers["x-ms-date"],
        host=HOST,
        hash=request.headers["x-ms-content-sha256"],
    )
    header = base64.b64encode(claimed.encode()).decode()
    headers = {**request.headers, "x-ms-hmac-string-to-sign-base64": header}
    with pytest.raises(NotAuthorized) as caught:
        accept(replace(request, headers=headers))
    assert said in str(caught.value)
    assert header not in str(caught.value)


@pytest.mark.parametrize("header", ["%%%", "/w==", ""])
def test_what_is_no_string_is_passed_over(header: str) -> None:
    """A header that cannot be read is no error of its own."""
    request = mistaken(key=OTHER_KEY)
    headers = {**request.headers, "x-ms-hmac-string-to-sign-base64": header}
    with pytest.raises(NotAuthorized, match=SIGNATURE):
        accept(replace(request, headers=headers))


@pytest.mark.parametrize("seen", [":", "%3A", "%3a"])
@pytest.mark.parametrize("written", [":", "%3A", "%3a"])
def test_every_spelling_of_the_colon(written: str, seen: str) -> None:
    """Client and host may each spell the colon of `optouts:add` in its own way."""
    target = "/sms/optouts{}add?api-version=2021-03-07"
    request = signed(target=target.format(written))
    accept(replace(request, target=target.format(seen)))
