"""Much in little: compressed JSON in one property of a row, or in one message of a queue.

A storage operation costs more than a hundred small members, so a whole request is one property
of one entity (docs/platform.md 7). Both hold 64 KiB, and what would not fit is refused here.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final
from xml.sax.saxutils import escape

from shared.azure.versions import MEMBER, check_message, stamped
from shared.base.json_body import is_deep

# A binary property holds 64 KiB; Azurite does not check, so this does.
MAX_BYTES: Final = 65_536
# A queue's message travels as XML, and holds as much.
_MAX_MESSAGE: Final = 65_536


def pack(value: Any) -> bytes:
    """Compressed JSON of `value`.

    Raises:
        ValueError: if it would not fit into one property.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    data = zlib.compress(text.encode("utf-8", "surrogatepass"), level=1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"{len(data)} bytes do not fit into one property of {MAX_BYTES}")
    return data


def unpack(data: bytes) -> Any:
    """What was packed."""
    return json.loads(zlib.decompress(data).decode("utf-8", "surrogatepass"))


def message_text(message: Mapping[str, Any]) -> str:
    """A queue message as JSON, with its version; where that would be too long, compressed.

    Raises:
        ValueError: if it would not fit into a message.
    """
    return raw_message_text(stamped(message))


def raw_message_text(message: Mapping[str, Any]) -> str:
    """A queue message as it is; where it would be too long, all but kind and version is compressed.

    ASCII alone: not every character can stand in XML.

    Raises:
        ValueError: if it would not fit into a message.
    """
    text = json.dumps(message, separators=(",", ":"))
    if len(escape(text)) <= _MAX_MESSAGE:
        return text
    packed = base64.b64encode(pack(message)).decode()
    outside = {name: message[name] for name in ("kind", MEMBER) if name in message}
    text = json.dumps({**outside, "packed": packed}, separators=(",", ":"))
    if len(text) > _MAX_MESSAGE:
        raise ValueError(f"{len(text)} bytes do not fit into a queue message of {_MAX_MESSAGE}")
    return text


def read_known_message(queue: str, text: str) -> dict[str, Any]:
    """A message of a queue as `message_text` wrote it, if this release knows its layout.

    Raises:
        UnknownMessageVersion: it does not.
        ValueError: it is none, or is nested so deeply that it could not be written again.
    """
    message = _object(lambda: json.loads(text))
    check_message(queue, message)
    return _unpacked(message)


def read_message(text: str) -> dict[str, Any]:
    """A queue message of whatever version, for whoever only tells what it is.

    Raises:
        ValueError: it is none, or is nested so deeply that it could not be written again.
    """
    return _unpacked(_object(lambda: json.loads(text)))


def _unpacked(message: dict[str, Any]) -> dict[str, Any]:
    if "packed" not in message:
        return message
    return _object(lambda: unpack(base64.b64decode(message["packed"], validate=True)))


def _object(read: Callable[[], Any]) -> dict[str, Any]:
    try:
        found = read()
    except (TypeError, RecursionError, zlib.error) as error:
        raise ValueError("a queue message that cannot be unpacked") from error
    if not isinstance(found, dict):
        raise ValueError("a queue message that is no JSON object")  # noqa: TRY004  # as the others
    if is_deep(found):
        raise ValueError("a queue message that is nested too deeply")
    return found
