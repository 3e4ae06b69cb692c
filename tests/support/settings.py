"""The fewest settings that Parley starts with."""

from __future__ import annotations

import base64
import json

KEY = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
NOWHERE = "http://127.0.0.1:9"
SENDERS = json.dumps([{"sender": "+18005550100", "program": "reminders"}])


def minimal(storage: str = "UseDevelopmentStorage=true") -> dict[str, str]:
    """Everything required, and keys in place of identities; nothing answers but storage."""
    return {
        "PARLEY_SENDERS": SENDERS,
        "PARLEY_ACCESS_KEY_PRIMARY": KEY,
        "PARLEY_ID_KEY": KEY,
        "PARLEY_STORAGE": storage,
        "PARLEY_HOST_STORAGE": storage,
        "PARLEY_ACS_ENDPOINT": NOWHERE,
        "PARLEY_ACS_ACCESS_KEY": KEY,
        "PARLEY_TOPIC_ENDPOINT": NOWHERE,
        "PARLEY_TOPIC_KEY": "topic-key",
    }
