"""Digests that nobody can make without the deployment's key."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path

import pytest

from local.stack import ROOT
from shared.base.digests import keyed_digest

KEY = b"k" * 32
# Who hashes without a key in `shared/`, and why no request or text can be guessed from it.
WITHOUT_KEY = {
    "azure/signatures.py": "the hash of a body that its own signature is made of; not kept",
    "azure/table_keys.py": "tags, programs and senders too long for a key",
    "base/ids.py": "ids and repeatability ids, which are drawn, and the platform's own words",
    "campaigns/recipients.py": "which sender of a pool, in memory",
    "jobs/due.py": "the partition of a work, and when it is queued again, by its id",
    "sending/retries.py": "how long the send of an id pauses",
}


def test_it_is_an_hmac() -> None:
    """SHA-256 under the key, over the purpose and the parts as JSON."""
    text = b'["send","+14255550123",{"a":1,"b":"\\u00e9"},null]'
    made = keyed_digest(KEY, "send", "+14255550123", {"b": "\u00e9", "a": 1}, None)
    assert made == hmac.digest(KEY, text, "sha256")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((KEY, "send", "a"), (b"other", "send", "a")),
        ((KEY, "send", "a"), (KEY, "campaign", "a")),
        ((KEY, "send", "a", "b"), (KEY, "send", "ab")),
        ((KEY, "send", "a,b"), (KEY, "send", "a", "b")),
        ((KEY, "send", ["a"], "b"), (KEY, "send", ["a", "b"])),
        ((KEY, "send", "1"), (KEY, "send", 1)),
        ((KEY, "send", "\ud83d"), (KEY, "send", "\ufffd")),
    ],
)
def test_what_differs_has_another_digest(one: tuple[bytes, str], other: tuple[bytes, str]) -> None:
    """Key, purpose and each part count, and where one part ends and the next begins."""
    assert keyed_digest(*one) != keyed_digest(*other)


def test_nothing_of_a_request_or_a_text_is_hashed_without_the_key() -> None:
    """Who hashes plainly is listed here with the reason; who stops is taken off the list."""
    shared = ROOT / "shared"
    plain = {
        str(path.relative_to(shared))
        for path in sorted(shared.rglob("*.py"))
        if re.search(r"\bhashlib\b|\buuid5\b", _code(path))
        # The ledger hashes what stands beside its salt, so that the log can be checked.
        and path.parent.name != "optouts"
    }
    assert plain == WITHOUT_KEY.keys()


def _code(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_digest_of_a_text_is_not_its_hash() -> None:
    """Whoever tries all six-digit codes under no key finds none."""
    text = "Your code is 123456."
    made = keyed_digest(KEY, "send", text).hex()
    assert made not in {
        hashlib.sha256(guess.encode()).hexdigest() for guess in (text, f'["send","{text}"]')
    }
