"""The HMAC scheme of Azure Communication Services: signing our requests, checking those of others.

The string to sign has three lines: verb; path and query; `x-ms-date;host;x-ms-content-sha256`
with the values of those headers (source: Microsoft's client libraries; those before the middle of
2021 sign `date` in the place of `x-ms-date`). A check knows two access keys, so that either can be
replaced while the other works, and every host name that clients are known to sign.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import Final

from shared.base.clock import from_http_date, http_date
from shared.base.errors import NotAuthorized

CLOCK_SKEW: Final = timedelta(minutes=15)
SIGNED_HEADERS: Final = "x-ms-date;host;x-ms-content-sha256"
# What may be signed, by the header in which the date then is. ACS takes either
# (Azure/azure-sdk-for-net#21886).
_DATED_BY: Final = {SIGNED_HEADERS: "x-ms-date", "date;host;x-ms-content-sha256": "date"}
# The string that Java's library signed, which it sends along
# (Azure/azure-sdk-for-java, HmacAuthenticationPolicy.java).
_CLAIMED_STRING: Final = "x-ms-hmac-string-to-sign-base64"
_LONGEST_SHOWN: Final = 300
_AUTHORIZATION: Final = re.compile(
    r"HMAC-SHA256 SignedHeaders=(?P<headers>[^&]+)&Signature=(?P<signature>[A-Za-z0-9+/]{43}=)"
)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What of an HTTP request a signature covers.

    Attributes:
        method: upper case.
        target: path and query exactly as on the wire.
        headers: names in lower case.
        body: the raw bytes.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


def content_hash(body: bytes) -> str:
    """The value of `x-ms-content-sha256`."""
    return base64.b64encode(hashlib.sha256(body).digest()).decode("ascii")


def signature(key: bytes, *, method: str, target: str, date: str, host: str, body_hash: str) -> str:
    """The signature of a request, base64."""
    text = f"{method}\n{target}\n{date};{host};{body_hash}"
    return base64.b64encode(hmac.digest(key, text.encode(), "sha256")).decode("ascii")


def signed_headers(
    key: bytes, *, method: str, target: str, host: str, body: bytes, now: datetime
) -> dict[str, str]:
    """The headers that make a request a signed one."""
    date, body_hash = http_date(now), content_hash(body)
    signed = signature(key, method=method, target=target, date=date, host=host, body_hash=body_hash)
    return {
        "x-ms-date": date,
        "x-ms-content-sha256": body_hash,
        "Authorization": f"HMAC-SHA256 SignedHeaders={SIGNED_HEADERS}&Signature={signed}",
    }


def check(
    request: SignedRequest, *, keys: Sequence[bytes], hosts: Iterable[str], now: datetime
) -> None:
    """Accept a request that one of `keys` signed within the last (or next) 15 minutes.

    Args:
        request: what came.
        keys: the access keys that are valid.
        hosts: host names that may have been signed beside the `Host` header.
        now: the time.

    Raises:
        NotAuthorized: with the reason, and with what of the request was looked at, so that whoever
            signed it can compare; never with anything that helps to guess a signature.
    """
    authorization = request.headers.get("authorization", "")
    if not authorization:
        raise NotAuthorized("The Authorization header is missing.")
    if authorization[:7].lower() == "bearer ":
        raise NotAuthorized(
            "Entra tokens are not accepted here: their audience is Azure Communication Services,"
            " not Parley. Sign with an access key."
        )
    found = _AUTHORIZATION.fullmatch(authorization)
    dated_by = _DATED_BY.get(found["headers"]) if found is not None else None
    if found is None or dated_by is None:
        raise NotAuthorized(
            "The Authorization header is not of the form"
            f" 'HMAC-SHA256 SignedHeaders={SIGNED_HEADERS}&Signature=...'."
        )
    date = request.headers.get(dated_by, "")
    try:
        distance = abs(from_http_date(date) - now)
    except ValueError:
        raise NotAuthorized(f"The {dated_by} header is missing or no RFC 1123 date.") from None
    if distance > CLOCK_SKEW:
        raise NotAuthorized(f"The {dated_by} header is more than 15 minutes away from now.")
    body_hash = request.headers.get("x-ms-content-sha256", "")
    # Every comparison is made, whatever the earlier ones said: the time taken tells nothing.
    genuine = hmac.compare_digest(body_hash.encode(), content_hash(request.body).encode())
    matched = False
    forms = product(
        _as_signed(_target_forms(request.target)),
        _host_forms(request.headers.get("host", ""), hosts),
        keys,
    )
    for target, host, key in forms:
        expected = signature(
            key, method=request.method, target=target, date=date, host=host, body_hash=body_hash
        )
        matched |= hmac.compare_digest(found["signature"].encode(), expected.encode())
    if not (genuine and matched):
        faults = [] if genuine else [_hash_fault(request.body)]
        if not matched:
            faults += [_signature_fault(request), *_difference(request, date, body_hash)]
        raise NotAuthorized(" ".join(faults))


def _hash_fault(body: bytes) -> str:
    return (
        "x-ms-content-sha256 is not the hash of the body: it must be the base64 of SHA-256 over the"
        f" bytes as sent, of which {len(body)} arrived."
    )


def _signature_fault(request: SignedRequest) -> str:
    host = request.headers.get("host", "")
    return (
        f"The signature does not match the request. Parley saw the method {request.method}, the"
        f" target {_shown(request.target)} and the host {_shown(host)}: these must be signed, with"
        " one of Parley's two access keys and no line feed at the end. If clients call another host"
        " name, name it in the setting PARLEY_HOSTS."
    )


def _difference(request: SignedRequest, date: str, body_hash: str) -> list[str]:
    """Where the string that the client says it signed is not the request's; nothing if unsaid."""
    try:
        claimed = base64.b64decode(request.headers[_CLAIMED_STRING], validate=True).decode()
    except (KeyError, binascii.Error, ValueError):
        return []
    method, _, rest = claimed.partition("\n")
    target, _, values = rest.partition("\n")
    signed = [method, target, *values.split(";")]
    ours = {
        "method": [request.method],
        "target": _as_signed(_target_forms(request.target)),
        "date": [date],
        "host": _host_forms(request.headers.get("host", ""), ()),
        "hash": [body_hash],
    }
    if len(signed) != len(ours):
        return [f"The string in {_CLAIMED_STRING} is not of three lines with three values."]
    wrong = [
        name for (name, forms), said in zip(ours.items(), signed, strict=True) if said not in forms
    ]
    if wrong:
        return [f"The string in {_CLAIMED_STRING} has another {', '.join(wrong)}."]
    return [f"The string in {_CLAIMED_STRING} is right: the key must be another one."]


def _shown(text: str) -> str:
    """A part of a request for its sender to read, whatever is in it."""
    return repr(text[:_LONGEST_SHOWN])


def _target_forms(target: str) -> list[str]:
    # Between the client and us the host may have escaped the colon of `optouts:add`, or freed it.
    path, mark, query = target.partition("?")
    free = path.replace("%3A", ":").replace("%3a", ":")
    paths = dict.fromkeys((path, free, free.replace(":", "%3A"), free.replace(":", "%3a")))
    return [f"{form}{mark}{query}" for form in paths]


def _as_signed(targets: Iterable[str]) -> list[str]:
    # azure-communication-sms up to 1.0.1 for Python cuts the target out of the address at the place
    # where it begins in an https address; of an http address it signs it without its first slash.
    return [form for target in targets for form in (target, target.removeprefix("/"))]


def _host_forms(host: str, further: Iterable[str]) -> list[str]:
    # Python and JavaScript sign host and port, the C# and Java samples the bare host, and a client
    # made with a trailing slash signs the slash.
    forms: dict[str, None] = {}
    # A host name in capitals is the same host; some clients sign it so and send it in lower case.
    for name in (host, host.lower(), *further):
        bare = name if name.endswith("]") else name.rpartition(":")[0] or name
        for form in (name, bare):
            forms[form] = forms[form + "/"] = None
    return list(forms)
