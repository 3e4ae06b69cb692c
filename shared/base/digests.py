"""Digests that only this deployment can make.

A text of a request has a six-digit code in it, a recipient has ten digits: whoever holds an unkeyed
hash of either tries all of them and has it. So whatever is hashed of a request or of a text, to be
compared, or to be a key, a blob's name or a part of an id, is hashed under the id key.
"""

from __future__ import annotations

import hmac
import json
from typing import Any


def keyed_digest(key: bytes, purpose: str, *parts: Any) -> bytes:
    """HMAC-SHA256 over `parts`; 32 bytes. The same parts make another digest for another purpose.

    Args:
        key: the deployment's id key.
        purpose: what the digest is for, such as the name of an operation.
        parts: what JSON can hold; members of objects count in any order.
    """
    text = json.dumps([purpose, *parts], sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hmac.digest(key, text.encode("ascii"), "sha256")
