"""The HMAC scheme of Azure Communication Services: signing our requests, checking those of others.

The string to sign has three lines: verb; path and query; `x-ms-date;host;x-ms-content-sha256`
with the values of those headers (source: Microsoft's client libraries). A check knows two access
keys, so that either can be replaced while the other works, and every host name that clients are
known to sign.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import Final

from shared.clock import from_http_date, http_date
from shared.errors import NotAuthorized

CLOCK_SKEW: Final = timedelta(minutes=15)
SIGNED_HEADERS: Final = "x-ms-date;host;x-ms-content-sha256"
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
        NotAuthorized: with the reason; never with anything that helps to guess a signature.
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
    if found is None or found["headers"] != SIGNED_HEADERS:
        raise NotAuthorized(
            "The Authorization header is not of the form"
            f" 'HMAC-SHA256 SignedHeaders={SIGNED_HEADERS}&Signature=...'."
        )
    date = request.headers.get("x-ms-date", "")
    try:
        distance = abs(from_http_date(date) - now)
    except ValueError:
        raise NotAuthorized("The x-ms-date header is missing or no RFC 1123 date.") from None
    if distance > CLOCK_SKEW:
        raise NotAuthorized("The x-ms-date header is more than 15 minutes away from now.")
    body_hash = request.headers.get("x-ms-content-sha256", "")
    # Every comparison is made, whatever the earlier ones said: the time taken tells nothing.
    genuine = hmac.compare_digest(body_hash.encode(), content_hash(request.body).encode())
    matched = False
    forms = product(
        _target_forms(request.target), _host_forms(request.headers.get("host", ""), hosts), keys
    )
    for target, host, key in forms:
        expected = signature(
            key, method=request.method, target=target, date=date, host=host, body_hash=body_hash
        )
        matched |= hmac.compare_digest(found["signature"].encode(), expected.encode())
    if not (genuine and matched):
        raise NotAuthorized("The signature does not match the request.")


def _target_forms(target: str) -> list[str]:
    # Between the client and us the host may have escaped the colon of `optouts:add`, or freed it.
    path, mark, query = target.partition("?")
    free = path.replace("%3A", ":").replace("%3a", ":")
    paths = dict.fromkeys((path, free, free.replace(":", "%3A")))
    return [f"{form}{mark}{query}" for form in paths]


def _host_forms(host: str, further: Iterable[str]) -> list[str]:
    # Python and JavaScript sign host and port, the C# and Java samples the bare host, and a client
    # made with a trailing slash signs the slash.
    forms: dict[str, None] = {}
    for name in (host, *further):
        bare = name if name.endswith("]") else name.rpartition(":")[0] or name
        for form in (name, bare):
            forms[form] = forms[form + "/"] = None
    return list(forms)
