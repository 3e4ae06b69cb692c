"""The HMAC by which ACS knows its callers (docs/platform.md 1.2).

Either date may be signed; where `x-ms-date` is there, `Date` counts for nothing
(Azure/azure-sdk-for-net#21886).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_AUTHORIZATION: Final = re.compile(
    r"HMAC-SHA256 SignedHeaders=(?:x-ms-)?date;host;x-ms-content-sha256"
    r"&Signature=(?P<signature>\S+)"
)
_SKEW: Final = timedelta(minutes=15)


def content_hash(body: bytes) -> str:
    """Base64 of the SHA-256 of the raw body."""
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def sign(key: bytes, *, method: str, target: str, date: str, host: str, digest: str) -> str:
    """The signature over one request; `target` is the path with its query as sent."""
    words = f"{method}\n{target}\n{date};{host};{digest}"
    return base64.b64encode(hmac.digest(key, words.encode(), hashlib.sha256)).decode()


def find_fault(
    key: bytes,
    *,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> str | None:
    """Why the request is not authorised, or None if it is. Header names are lower case."""
    claimed = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if claimed is None:
        return "The Authorization header is missing or of another scheme."
    date = headers.get("x-ms-date") or headers.get("date", "")
    digest = headers.get("x-ms-content-sha256", "")
    moment = _parse_date(date)
    if moment is None:
        return "x-ms-date is missing or not an RFC 1123 date."
    if abs(now - moment) > _SKEW:
        return "x-ms-date is more than 15 minutes off."
    if not hmac.compare_digest(digest.encode(), content_hash(body).encode()):
        return "x-ms-content-sha256 does not match the body."
    given = _decode(claimed["signature"])
    host = headers.get("host", "")
    # Libraries differ in whether they sign the port.
    for candidate in {host, host.rsplit(":", 1)[0]}:
        wanted = sign(key, method=method, target=target, date=date, host=candidate, digest=digest)
        if hmac.compare_digest(given, _decode(wanted)):
            return None
    return "The signature does not match."


def _parse_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    # The standard wants GMT; without a zone the header is another format.
    return None if moment.tzinfo is None else moment.astimezone(UTC)


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
