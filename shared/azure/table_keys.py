"""How text from outside becomes part of a table key.

Table Storage refuses some characters in keys and keys over 512 characters. Two different texts must
never meet in one row, so the way there is injective: up to a collision of SHA-256.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

LONGEST: Final = 200
"""The longest part, in UTF-16 code units, in which the limit of 512 is counted."""

_FORBIDDEN: Final = re.compile(r"[/\\#?%\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_HASHED: Final = "sha256-"
# The escape is never written for a plain "s", so no other text can come to look like this.
_LOOKS_HASHED: Final = "%73ha256-"


def key_part(text: str) -> str:
    r"""The text as part of a key, at most 200 UTF-16 code units long.

    `/ \ # ? %`, control characters and lone surrogates are percent-encoded as UTF-8. What is then
    still too long is replaced by `sha256-` and the hex digest of the encoded text; a text that
    starts with `sha256-` itself is told apart by an escaped `s`.
    """
    encoded = _FORBIDDEN.sub(_percent_encoded, text)
    if encoded.startswith(_HASHED):
        encoded = _LOOKS_HASHED + encoded.removeprefix(_HASHED)
    # A character outside plane zero has two units; only a longish text needs the exact count.
    if len(encoded) <= LONGEST // 2 or _utf16_units(encoded) <= LONGEST:
        return encoded
    return _HASHED + sha256(encoded.encode()).hexdigest()


def _percent_encoded(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def _utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
