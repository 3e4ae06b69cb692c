"""Who may be texted from: the senders setting, and what a sender's kind implies.

The setting is a JSON list, one object a sender:

    [{"sender": "+18005550100", "program": "reminders", "brand": "Contoso",
      "helpText": "Contoso reminders. Call +1 800 555 0199. Reply STOP to end."}]

Only `sender` is required. What an object leaves out follows from the kind, and the kind from the
sender's form; the table `KINDS` says how.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from shared.rules.written_numbers import BadAddress, folded, plus_and_digits

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_SHORT_CODE: Final = re.compile(r"[0-9]{5,6}")
# ACS: at most 11 of A-Z a-z 0-9 and space, at least one letter (docs/platform.md 1.3).
_ALPHANUMERIC: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9](?:[A-Za-z0-9 ]{0,9}[A-Za-z0-9])?")
# The North American toll-free area codes; ACS has no toll-free numbers elsewhere.
_TOLL_FREE: Final = re.compile(r"\+18(?:00|33|44|55|66|77|88)[0-9]{7}")
_NORTH_AMERICAN: Final = re.compile(r"\+1[0-9]{10}")
_MEMBERS: Final = frozenset(
    {"sender", "kind", "program", "ratePerMinute", "brand", "helpText", "stopAnsweredBy", "country"}
)
_MAX_TEXT: Final = 320
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_DEFAULT_COUNTRY: Final = "US"
_E = TypeVar("_E", bound=StrEnum)


class SenderKind(StrEnum):
    """The kinds of sender that ACS rents out."""

    TOLL_FREE = "tollFree"
    SHORT_CODE = "shortCode"
    TEN_DLC = "tenDlc"
    LONG_CODE = "longCode"
    ALPHANUMERIC = "alphanumeric"


class StopAnsweredBy(StrEnum):
    """Who confirms a STOP to the person who said it. Exactly one may (47 CFR 64.1200(a)(12))."""

    CARRIER = "carrier"
    PLATFORM = "platform"
    PARLEY = "parley"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class KindRule:
    """What a kind implies where the setting is silent.

    Attributes:
        rate_per_minute: messages a minute. 200, 6,000 and 600 are ACS's documented limits; 10DLC
            depends on the campaign and mobile numbers are undocumented, so ours is cautious.
        stop_answered_by: see docs/platform.md 4.
        reaches: the countries that it can text, ISO 3166; None where ACS names no limit
            (docs/platform.md 5.2).
        domestic: whether it reaches its own country alone.
    """

    rate_per_minute: int
    stop_answered_by: StopAnsweredBy
    reaches: frozenset[str] | None = None
    domestic: bool = False


KINDS: Final[dict[SenderKind, KindRule]] = {
    SenderKind.TOLL_FREE: KindRule(
        200, StopAnsweredBy.CARRIER, reaches=frozenset({"US", "CA", "PR"})
    ),
    SenderKind.SHORT_CODE: KindRule(6000, StopAnsweredBy.PLATFORM, domestic=True),
    SenderKind.TEN_DLC: KindRule(60, StopAnsweredBy.PLATFORM),
    SenderKind.LONG_CODE: KindRule(60, StopAnsweredBy.PARLEY),
    SenderKind.ALPHANUMERIC: KindRule(600, StopAnsweredBy.NOBODY),
}


@dataclass(frozen=True, slots=True)
class Sender:
    """One configured sender.

    Attributes:
        address: E.164, a bare short code, or an alphanumeric sender ID.
        kind: what it is.
        program: the set of senders with one purpose; the sender itself where none is named.
        rate_per_minute: messages that may leave a minute.
        brand: the name people know, for replies; may be empty.
        help_text: what HELP is answered with; may be empty.
        stop_answered_by: who confirms a STOP.
        country: of a short code, ISO 3166; nothing else asks for it.
    """

    address: str
    kind: SenderKind
    program: str
    rate_per_minute: int
    brand: str
    help_text: str
    stop_answered_by: StopAnsweredBy
    country: str = _DEFAULT_COUNTRY

    @property
    def reaches(self) -> frozenset[str] | None:
        """The countries that it can text, ISO 3166; None where ACS names no limit."""
        rule = KINDS[self.kind]
        if not rule.domestic:
            return rule.reaches
        # Carriers of the United States serve Puerto Rico, too.
        return frozenset({"US", "PR"} if self.country in {"US", "PR"} else {self.country})


def kind_of(address: str) -> SenderKind | None:
    """The kind that an address has by its form, or None if it can be no sender."""
    if _TOLL_FREE.fullmatch(address):
        return SenderKind.TOLL_FREE
    if _NORTH_AMERICAN.fullmatch(address):
        return SenderKind.TEN_DLC
    if _E164.fullmatch(address):
        return SenderKind.LONG_CODE
    if _SHORT_CODE.fullmatch(address):
        return SenderKind.SHORT_CODE
    if _ALPHANUMERIC.fullmatch(address):
        return SenderKind.ALPHANUMERIC
    return None


def parse_senders(text: str) -> dict[str, Sender]:
    """The senders setting, keyed by address.

    Raises:
        ValueError: with a sentence that names the entry and the member at fault.
    """
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise ValueError(f"is not JSON ({error})") from None
    if not isinstance(entries, list) or not entries:
        raise ValueError("must be a JSON list with at least one sender object")
    senders: dict[str, Sender] = {}
    for index, entry in enumerate(entries):
        sender = _parse_sender(f"entry {index + 1}", entry)
        if sender.address in senders:
            raise ValueError(f"entry {index + 1}: {sender.address} is listed twice")
        senders[sender.address] = sender
    return senders


def _parse_sender(where: str, entry: Any) -> Sender:
    if not isinstance(entry, dict):
        raise ValueError(f"{where} must be an object")  # noqa: TRY004  # one error type for one setting
    if unknown := sorted(entry.keys() - _MEMBERS):
        raise ValueError(f"{where}: unknown member {unknown[0]!r}; known are {sorted(_MEMBERS)}")
    address = _as_written(_text(where, entry, "sender", ""))
    inferred = kind_of(address)
    if inferred is None:
        raise ValueError(
            f"{where}: sender {address!r} is neither E.164 (+18005550100), nor a short code of 5 or"
            " 6 digits, nor an alphanumeric sender ID of at most 11 characters"
        )
    kind = _choice(where, entry, "kind", SenderKind, inferred)
    if not _may_be(inferred, kind):
        raise ValueError(
            f"{where}: {address} cannot be of kind {kind}; by its form it is {inferred}"
        )
    rule = KINDS[kind]
    rate = entry.get("ratePerMinute", rule.rate_per_minute)
    if not isinstance(rate, int) or isinstance(rate, bool) or rate < 1:
        raise ValueError(f"{where}: ratePerMinute must be a whole number of at least 1")
    country = _text(where, entry, "country", _DEFAULT_COUNTRY).upper()
    if not _COUNTRY.fullmatch(country):
        raise ValueError(f"{where}: country must be an ISO 3166 code of two letters, such as US")
    return Sender(
        address=address,
        kind=kind,
        program=_text(where, entry, "program", address) or address,
        rate_per_minute=rate,
        brand=_text(where, entry, "brand", ""),
        help_text=_text(where, entry, "helpText", ""),
        stop_answered_by=_choice(
            where, entry, "stopAnsweredBy", StopAnsweredBy, rule.stop_answered_by
        ),
        country=country,
    )


def _as_written(address: str) -> str:
    """A number with spaces, brackets or marks that nobody sees, as ACS knows it."""
    try:
        return plus_and_digits(address)
    except BadAddress:
        return folded(address)


def _may_be(inferred: SenderKind, stated: SenderKind) -> bool:
    # A ten-digit North American number may be a 10DLC or a plain mobile number; the form of the
    # others leaves no choice.
    either = {SenderKind.TEN_DLC, SenderKind.LONG_CODE}
    return stated == inferred or (inferred is SenderKind.TEN_DLC and stated in either)


def _text(where: str, entry: dict[str, Any], member: str, default: str) -> str:
    value = entry.get(member, default)
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise ValueError(f"{where}: {member} must be a text of at most {_MAX_TEXT} characters")
    return value


def _choice(where: str, entry: dict[str, Any], member: str, kinds: type[_E], default: _E) -> _E:
    value = entry.get(member, default)
    try:
        return kinds(value)
    except ValueError:
        raise ValueError(
            f"{where}: {member} must be one of {', '.join(kinds)}, not {value!r}"
        ) from None


class Programs:
    """Which program a sender belongs to; one that is not configured is a program of its own."""

    def __init__(self, senders: Mapping[str, Sender]) -> None:
        self._senders = senders

    def of(self, sender: str) -> str:
        """The program's name."""
        known = self._senders.get(sender)
        return known.program if known is not None else sender
