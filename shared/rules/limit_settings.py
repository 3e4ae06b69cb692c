"""How much may be sent: the limits that an operator sets, as `shared.limits` holds them.

Four settings, each off unless it says something:

    PARLEY_ALLOWED_COUNTRIES  US,CA,PR
    PARLEY_OUT_OF_REACH       refuse
    PARLEY_DAILY_BUDGETS      {"offers": 10000, "reminders": {"segments": 5000, "warnAt": 0.9}}
    PARLEY_FLOOD_LIMITS       {"number": {"codes": 5, "minutes": 10},
                               "range": {"codes": 50, "minutes": 10, "digits": 8}}

Budgets are segments a UTC day, by program. Flood limits hold for one-time codes alone; what one of
their two objects leaves out is as above, and an object that is not there sets no limit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

MOST_SEGMENTS: Final = 1_000_000_000
MOST_CODES: Final = 1000
MOST_MINUTES: Final = 24 * 60
_WARN_AT: Final = Decimal("0.8")
_BUDGET: Final = frozenset({"segments", "warnAt"})
# member: (default, least, most). Seven digits are the fewest of a number, fifteen the most.
_NUMBER: Final = {"codes": (5, 1, MOST_CODES), "minutes": (10, 1, MOST_MINUTES)}
_RANGE: Final = {
    "codes": (50, 1, MOST_CODES),
    "minutes": (10, 1, MOST_MINUTES),
    "digits": (8, 1, 14),
}


@dataclass(frozen=True, slots=True)
class Budget:
    """What one program may send a UTC day.

    Attributes:
        segments: at most.
        warn_from: how many used segments are worth a warning.
    """

    segments: int
    warn_from: int


@dataclass(frozen=True, slots=True)
class FloodLimit:
    """At most so many one-time codes within any stretch of so much time.

    Attributes:
        codes: how many.
        window: within which time.
        digits: how many leading digits, country code included, make a range; None for one number.
    """

    codes: int
    window: timedelta
    digits: int | None = None


@dataclass(frozen=True, slots=True)
class FloodLimits:
    """The limits on one-time codes; None where there is none."""

    number: FloodLimit | None = None
    range: FloodLimit | None = None

    def __bool__(self) -> bool:
        return self.number is not None or self.range is not None


def parse_countries(text: str) -> frozenset[str]:
    """ISO 3166 codes, separated by commas.

    Raises:
        ValueError: with a sentence that names the first that is none.
    """
    codes = frozenset(part.strip().upper() for part in text.split(",") if part.strip())
    if not codes:
        return codes
    # Imported here: only where the setting is set are numbers compared with countries.
    from shared.rules.cost.countries import known_countries  # noqa: PLC0415

    if unknown := sorted(codes - known_countries()):
        raise ValueError(
            f"names {unknown[0]!r}, which is no ISO 3166 code of two letters that telephone numbers"
            " have, such as US, CA or GB"
        )
    return codes


class OutOfReach(StrEnum):
    """What happens to recipients that a sender's kind cannot reach."""

    WARN = "warn"
    REFUSE = "refuse"


def parse_out_of_reach(text: str) -> OutOfReach:
    """What happens to recipients that a sender cannot reach.

    Raises:
        ValueError: it is neither `warn` nor `refuse`.
    """
    try:
        return OutOfReach(text.strip().lower())
    except ValueError:
        raise ValueError("is neither warn nor refuse") from None


def parse_budgets(text: str) -> Mapping[str, Budget]:
    """Budgets by program.

    Raises:
        ValueError: with a sentence that names the program and the member at fault.
    """
    entries = _object(_json(text), "must be a JSON object: program to segments a UTC day")
    return MappingProxyType({name: _budget(name, entry) for name, entry in entries.items()})


def parse_flood_limits(text: str) -> FloodLimits:
    """The limits on one-time codes.

    Raises:
        ValueError: with a sentence that names the member at fault.
    """
    limits = _object(_json(text), "must be a JSON object with number, range or both")
    _refuse_unknown("", limits, {"number", "range"})
    return FloodLimits(
        **{
            name: _flood_limit(name, limits[name], members)
            for name, members in (("number", _NUMBER), ("range", _RANGE))
            if name in limits
        }
    )


def _budget(program: str, entry: Any) -> Budget:
    members = entry if isinstance(entry, dict) else {"segments": entry}
    _refuse_unknown(f"{program}: ", members, _BUDGET)
    segments = _whole(f"{program}: segments", members.get("segments"), 0, MOST_SEGMENTS)
    share = members.get("warnAt", _WARN_AT)
    if isinstance(share, bool) or not isinstance(share, int | Decimal) or not 0 < share <= 1:
        raise ValueError(f"{program}: warnAt must be a share above 0 and up to 1, such as 0.8")
    warn_from = (segments * Decimal(share)).to_integral_value(ROUND_CEILING)
    return Budget(segments, int(warn_from))


def _flood_limit(name: str, entry: Any, members: Mapping[str, tuple[int, int, int]]) -> FloodLimit:
    given = _object(entry, f"{name} must be an object with {', '.join(members)}")
    _refuse_unknown(f"{name}: ", given, members.keys())
    values = {
        member: _whole(f"{name}: {member}", given.get(member, default), least, most)
        for member, (default, least, most) in members.items()
    }
    return FloodLimit(values["codes"], timedelta(minutes=values["minutes"]), values.get("digits"))


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON ({error})") from None


def _object(value: Any, otherwise: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(otherwise)  # noqa: TRY004  # one error type for one setting
    return value


def _refuse_unknown(where: str, entry: Mapping[str, Any], known: Any) -> None:
    if unknown := sorted(entry.keys() - known):
        raise ValueError(f"{where}unknown member {unknown[0]!r}; known are {sorted(known)}")


def _whole(what: str, value: Any, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{what} must be a whole number from {least} to {most}")
    return value
