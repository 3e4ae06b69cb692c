"""The platform's delivery codes as data, and how to find one in its free text.

ACS documents the numbers in its troubleshooting pages and writes them into the text of a delivery
report, whose wording has changed over the years (docs/platform.md 2.2 and 3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from shared.rules.message_states import State


@dataclass(frozen=True, slots=True)
class DeliveryCode:
    """What one code says.

    Attributes:
        code: the platform's number.
        meaning: a sentence for people.
        next_step: what an operator can do about it; empty where nothing is to be done.
        retryable: whether the same text may be sent again later without risk of a second copy or
            of a penalty.
        state: what a message with this code has come to.
        opts_out: whether it tells that the person has opted out of this sender.
    """

    code: int
    meaning: str
    next_step: str
    retryable: bool
    state: State
    opts_out: bool


def _code(
    code: int,
    state: State,
    meaning: str,
    next_step: str,
    *,
    retryable: bool = False,
    opts_out: bool = False,
) -> DeliveryCode:
    return DeliveryCode(code, meaning, next_step, retryable, state, opts_out)


OPTED_OUT: Final = 4007
CODES: Final[Mapping[int, DeliveryCode]] = MappingProxyType(
    {
        row.code: row
        for row in (
            _code(2000, State.DELIVERED, "Delivered.", ""),
            _code(
                4000,
                State.FAILED,
                "Rejected by fraud detection.",
                "Stop sending of this kind and open a support case.",
            ),
            _code(
                4001,
                State.FAILED,
                "The sender is not written as the platform wants it.",
                "Correct the sender in the settings.",
            ),
            _code(
                4002,
                State.FAILED,
                "The recipient is not written as the platform wants it.",
                "Correct the number.",
            ),
            _code(
                4003,
                State.FAILED,
                "The platform does not send to this destination.",
                "Choose a sender that serves the country, or another channel.",
            ),
            _code(
                4004,
                State.UNDELIVERED,
                "The number does not exist.",
                "Take the number out of the list.",
            ),
            _code(
                4005,
                State.UNDELIVERED,
                "Blocked by the recipient's carrier.",
                "Look at the wording, its links and the sender's reputation before sending again.",
            ),
            _code(
                4006,
                State.UNDELIVERED,
                "The recipient cannot be reached at the moment.",
                "Try again later.",
                retryable=True,
            ),
            _code(
                4007,
                State.BLOCKED,
                "The recipient has opted out of messages from this sender.",
                "Do not send again until the person texts START.",
                opts_out=True,
            ),
            _code(
                4008,
                State.FAILED,
                "More messages than the sender's profile allows.",
                "Slow down and try again later.",
                retryable=True,
            ),
            _code(
                4009,
                State.FAILED,
                "Refused by the platform's entitlement system, mostly for suspected fraud.",
                "Stop sending and open a support case.",
            ),
            _code(
                4010,
                State.FAILED,
                "The toll-free number is not verified.",
                "Stop using the sender until its verification is complete.",
            ),
            _code(
                4020,
                State.UNDELIVERED,
                "More messages than the carrier accepts.",
                "Slow down and try again later.",
                retryable=True,
            ),
            _code(
                5000,
                State.FAILED,
                "Failed without a stated reason.",
                "Open a support case with the message's id.",
            ),
            _code(
                5001,
                State.FAILED,
                "The platform was unavailable for a moment.",
                "Try again later.",
                retryable=True,
            ),
            _code(
                5002,
                State.UNKNOWN,
                "No delivery report came from the carrier; the text may well have arrived.",
                "Do not send again: it could arrive twice.",
            ),
            _code(
                9999,
                State.UNDELIVERED,
                "Failed for a reason that the platform does not know.",
                "Try again once at most.",
            ),
        )
    }
)

# What a report's status is called where the text arrived.
DELIVERED: Final = "Delivered"
_SUCCESS: Final = 2000
_NAMED: Final = re.compile(
    r"(?:error|status|result|delivery)?[ _-]?code[^0-9A-Za-z]{1,4}(?P<code>[0-9]{4})(?![0-9])",
    re.IGNORECASE,
)
_TOKEN: Final = re.compile(r"(?<![0-9])[0-9]{4}(?![0-9])")
# Wordings that came without a number, in the order in which they are looked for.
_SENTENCES: Final = (
    ("sender blocked for given recipient", 4007),
    ("message delivery timeout", 5002),
    ("no error", 2000),
)


def code_in(details: str | None, *, delivered: bool | None = None) -> DeliveryCode | None:
    """The code that a report's `deliveryStatusDetails` speaks of, or None.

    The number that is called the code (`ErrorCode: 5002`); else the first number of four digits
    that is in the table; else the wording. A failure has no code of success, whatever else the
    sentence says.

    Args:
        details: as the platform wrote them.
        delivered: what the report's status says; None where it is not asked.
    """
    if not details:
        return None
    named = (found["code"] for found in _NAMED.finditer(details))
    for token in (*named, *_TOKEN.findall(details)):
        found = CODES.get(int(token))
        if found is not None and _may_be(found, delivered):
            return found
    words = " ".join(details.split()).casefold()
    spoken = (CODES[code] for sentence, code in _SENTENCES if sentence in words)
    return next((found for found in spoken if _may_be(found, delivered)), None)


def _may_be(found: DeliveryCode, delivered: bool | None) -> bool:  # noqa: FBT001  # as above
    return delivered is not False or found.code != _SUCCESS
