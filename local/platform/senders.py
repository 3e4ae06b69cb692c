"""The senders of the simulated resource, with what a carrier or ACS knows of each.

Nothing here comes from the product: the platform has its own view of a sender, as ACS has. It reads
the same JSON list as PARLEY_SENDERS, so that one text sets up both. Kinds, rates and who answers a
STOP are those of docs/platform.md, sections 1 and 4.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class SenderKind(StrEnum):
    """The kinds of sender that ACS rents out."""

    TOLL_FREE = "tollFree"
    SHORT_CODE = "shortCode"
    TEN_DLC = "tenDlc"
    LONG_CODE = "longCode"
    ALPHANUMERIC = "alphanumeric"


class StopAnsweredBy(StrEnum):
    """Who confirms a STOP to the person who said it."""

    CARRIER = "carrier"
    PLATFORM = "platform"
    PARLEY = "parley"
    NOBODY = "nobody"


# The first form that fits; texts a minute and who answers a STOP, where the list does not say.
_FORMS: Final = (
    (
        re.compile(r"\+18(?:00|33|44|55|66|77|88)[0-9]{7}"),
        SenderKind.TOLL_FREE,
        200,
        StopAnsweredBy.CARRIER,
    ),
    (re.compile(r"\+1[0-9]{10}"), SenderKind.TEN_DLC, 60, StopAnsweredBy.PLATFORM),
    (re.compile(r"\+[1-9][0-9]{6,14}"), SenderKind.LONG_CODE, 60, StopAnsweredBy.PARLEY),
    (re.compile(r"[0-9]{5,6}"), SenderKind.SHORT_CODE, 6000, StopAnsweredBy.PLATFORM),
    (
        re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}"),
        SenderKind.ALPHANUMERIC,
        600,
        StopAnsweredBy.NOBODY,
    ),
)


@dataclass(frozen=True, slots=True)
class Sender:
    """One sender of the resource.

    Attributes:
        address: E.164, a bare short code, or an alphanumeric sender ID.
        kind: what it is.
        stop_answered_by: who confirms a STOP.
        brand: for a carrier's own answers; may be empty.
        help_text: what a carrier answers HELP with; may be empty.
        rate_per_minute: texts a minute that ACS takes.
        reaches: the countries that it can text; None where ACS names no limit.
        program: shown beside the sender on the page of handsets.
    """

    address: str
    kind: SenderKind
    stop_answered_by: StopAnsweredBy
    brand: str
    help_text: str
    rate_per_minute: int
    program: str
    reaches: frozenset[str] | None


def parse_senders(text: str) -> dict[str, Sender]:
    """The senders by address.

    Raises:
        ValueError: with a sentence that names the entry at fault.
    """
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise ValueError(f"is not JSON ({error})") from None
    if not isinstance(entries, list) or not entries:
        raise ValueError("must be a JSON list with at least one sender object")
    senders = [_read_sender(f"entry {index + 1}", entry) for index, entry in enumerate(entries)]
    return {sender.address: sender for sender in senders}


def _read_sender(where: str, entry: Any) -> Sender:
    address = entry.get("sender") if isinstance(entry, dict) else None
    form = next((f for f in _FORMS if isinstance(address, str) and f[0].fullmatch(address)), None)
    if form is None:
        raise ValueError(
            f"{where}: `sender` must be a number (+18005550100), a short code of 5 or 6 digits or"
            " an alphanumeric sender ID of at most 11 characters"
        )
    _, inferred, rate, answered = form
    kind = SenderKind(entry.get("kind", inferred))
    # A ten-digit North American number may be a plain mobile number, too.
    answered = answered if kind is inferred else StopAnsweredBy.PARLEY
    return Sender(
        address=str(address),
        kind=kind,
        stop_answered_by=StopAnsweredBy(entry.get("stopAnsweredBy", answered)),
        brand=str(entry.get("brand", "")),
        help_text=str(entry.get("helpText", "")),
        rate_per_minute=int(entry.get("ratePerMinute", rate)),
        program=str(entry.get("program") or address),
        reaches=_reach(kind, str(entry.get("country", "US")).upper()),
    )


def _reach(kind: SenderKind, country: str) -> frozenset[str] | None:
    """ACS's FAQ: toll-free numbers reach three countries, short codes their own."""
    if kind is SenderKind.TOLL_FREE:
        return frozenset({"US", "CA", "PR"})
    if kind is SenderKind.SHORT_CODE:
        return frozenset({"US", "PR"} if country in {"US", "PR"} else {country})
    return None
