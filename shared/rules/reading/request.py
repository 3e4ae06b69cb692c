"""The body of `POST /replies:read`."""

from __future__ import annotations

import re
from typing import Final

from shared.base.json_body import Body, Member, Text, parse_json

# More than the 255 parts that an SMS can have.
LONGEST_REPLY: Final = 40_000
_LANGUAGE: Final = "This is a language by its two letters, e.g. en."
_BODY: Final = (
    Member(
        "text",
        # A reply is read as it came, with half a character too.
        Text(most=LONGEST_REPLY, halves=True),
        required=True,
        missing="A text is required: the reply as it came.",
    ),
    Member("language", Text(form=re.compile("[a-z]{2}")), _LANGUAGE),
)


def read_question(content: bytes) -> tuple[str, str | None]:
    """The text that shall be read, and its language where the caller knows it.

    Raises:
        InvalidRequest: with every member at fault.
    """
    body = Body(parse_json(content), _BODY)
    body.finish()
    return body["text"], body["language"]
