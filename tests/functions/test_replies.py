"""`POST /replies:read` explains any text."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.client import Parley


@pytest.mark.parametrize(
    ("question", "reading"),
    [
        (
            {"text": "Please stop texting me"},
            {
                "verdict": "revoke",
                "rule": "en/stop-texting",
                "span": [7, 22],
                "language": "en",
                "scope": "all",
            },
        ),
        (
            {"text": "수신거부", "language": "ko"},
            {
                "verdict": "revoke",
                "rule": "keyword/수신거부",
                "span": [0, 4],
                "language": "ko",
                "scope": "all",
            },
        ),
        (
            {"text": "See you at four"},
            {"verdict": "none", "rule": None, "span": None, "language": None, "scope": None},
        ),
        (
            {"text": ""},
            {"verdict": "none", "rule": None, "span": None, "language": None, "scope": None},
        ),
    ],
)
async def test_a_reply_is_explained(
    question: dict[str, Any], reading: dict[str, Any], parley: Parley
) -> None:
    """Verdict, rule, span, language and scope, always all five."""
    reply = await parley.own("POST", "/replies:read", question)
    assert (reply.status, reply.json) == (200, reading)


@pytest.mark.parametrize(
    ("question", "member"),
    [
        ({}, "text"),
        ({"text": 1}, "text"),
        ({"text": "x" * 40_001}, "text"),
        ({"text": "STOP", "language": "English"}, "language"),
        ({"text": "STOP", "from": "+18005550100"}, "from"),
    ],
)
async def test_a_question_that_makes_no_sense(
    question: dict[str, Any], member: str, parley: Parley
) -> None:
    """The member at fault is named."""
    reply = await parley.own("POST", "/replies:read", question)
    assert (reply.status, list(reply.json["errors"])) == (400, [member])
