"""Where the owner of a number may be, so that nobody is texted at night.

A number says little about where its owner sleeps; what it does say comes from libphonenumber's
table of time zones by prefix, corrected where that table is too sure of itself:

- In North America the whole area code counts, not the exchange after it: mobile numbers keep
  neither when people or carriers move them. Evansville (812) is an hour behind the rest of 812.
- An area code laid over another one covers the same ground; the table often does not know that.
- A mobile number that is used nationwide counts in every zone that its country keeps, by the zone
  data's own list.
- Where the table stands a neighbour in for a country that keeps other hours (Chicago for
  Nicaragua), the country's own zones are put in its place.
- A number that no place is known for counts as being everywhere in its country: American toll-free
  numbers must wait until it is day from Guam to Newfoundland (about two hours a day are left).
- A number of no country (satellites, universal freephone) counts as being at UTC, the time that
  ships and satellites keep. Nothing better is known, and it must not wait for ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from shared.rules.timing.local_time import zones_by_country

NOWHERE: Final = ("Etc/UTC",)

_UNKNOWN: Final = "Etc/Unknown"
_AREA_CODES: Final = Path(__file__).with_name("area_codes.json")
NORTH_AMERICA: Final = "+1"
_LENGTH_WITH_AREA_CODE: Final = len("+1212")

# Area codes laid over an older one (the code beside it): the same ground, so the same zones,
# whatever libphonenumber guesses. Only those are here that it knows less about than the older one,
# or not at all. tests/rules/timing/test_area_codes.py holds every code to the administrator's list.
_OVERLAYS: Final = {
    "236": "250",
    "257": "250",
    "273": "418",
    "357": "559",
    "364": "270",
    "367": "418",
    "436": "440",
    "448": "850",
    "457": "318",
    "458": "541",
    "465": "718",
    "471": "662",
    "474": "306",
    "483": "334",
    "565": "912",
    "581": "418",
    "621": "713",
    "624": "716",
    "672": "250",
    "679": "313",
    "689": "407",
    "729": "423",
    "761": "502",
    "778": "250",
    "837": "530",
    "861": "309",
    "879": "709",
    "924": "507",
    "930": "812",
    "986": "208",
}

# Zones that the administrator of North America's numbers names for a code, and libphonenumber not.
_ALSO: Final = {"915": "America/Chicago", "931": "America/New_York"}

# (calling code, what libphonenumber says): what holds. tests/rules/timing/test_zones.py goes
# through its whole table and fails when another country is answered with hours that it does not
# keep.
_STAND_INS: Final = {
    ("7", "Europe/Bucharest"): ("Europe/Kaliningrad",),
    ("52", "America/New_York"): ("America/Cancun",),
    ("211", "Africa/Nairobi"): ("Africa/Juba",),
    ("212", "Atlantic/Canary"): ("Africa/Casablanca", "Africa/El_Aaiun"),
    ("213", "Europe/Paris"): ("Africa/Algiers",),
    ("218", "Europe/Bucharest"): ("Africa/Tripoli",),
    ("505", "America/Chicago"): ("America/Managua",),
    ("970", "Europe/Bucharest"): ("Asia/Gaza", "Asia/Hebron"),
}

# Mobile numbers that libphonenumber takes for local ones although they are used nationwide.
_NATIONWIDE: Final = ("+569", "+628", "+6918", "+6919", "+861")


def zones_of(address: str) -> tuple[str, ...]:
    """The IANA names of all time zones in which the owner of a number may plausibly be.

    Args:
        address: E.164. Whether such a number can exist is not asked.

    Returns:
        At least one zone, sorted; `NOWHERE` for a number of no country.
    """
    if address.startswith(NORTH_AMERICA) and len(address) >= _LENGTH_WITH_AREA_CODE:
        return _of_area_code(address[2:_LENGTH_WITH_AREA_CODE])
    return _of_number(address)


def places_of(address: str) -> tuple[str, ...]:
    """Codes of ISO 3166 for the place of a number, the most exact first: `("US-FL", "US")`.

    States and provinces are known in North America only, where area codes tell them. A toll-free
    number counts as one of the United States; a number of no country has no place.
    """
    if address.startswith(NORTH_AMERICA) and len(address) >= _LENGTH_WITH_AREA_CODE:
        place = area_codes().get(address[2:_LENGTH_WITH_AREA_CODE], "US")
        country = place.partition("-")[0]
        return (place,) if place == country else (place, country)
    return _country_of(address)


@cache
def area_codes() -> Mapping[str, str]:
    """North American area codes and their place: `{"212": "US-NY", "787": "PR", ...}`."""
    table = json.loads(_AREA_CODES.read_text(encoding="utf-8"))
    return {code: place for place, codes in table.items() for code in codes.split()}


@cache
def _zones_by_area_code() -> Mapping[str, frozenset[str]]:
    zones: dict[str, set[str]] = {}
    for prefix, names in _zones_by_prefix().items():
        if prefix.startswith("1") and len(prefix) >= _LENGTH_WITH_AREA_CODE - 1:
            zones.setdefault(prefix[1:4], set()).update(names)
    for code, zone in _ALSO.items():
        zones[code].add(zone)
    for code, elder in _OVERLAYS.items():
        zones[code] = zones[elder]
    return {code: frozenset(names) for code, names in zones.items()}


@cache
def _of_area_code(code: str) -> tuple[str, ...]:
    return tuple(sorted(_zones_by_area_code().get(code, _zones_by_prefix()["1"])))


@cache
def _zones_by_prefix() -> Mapping[str, tuple[str, ...]]:
    # Imported here: the table costs every cold start, and only marketing needs it.
    from phonenumbers.tzdata import TIMEZONE_DATA  # noqa: PLC0415

    table: Mapping[str, tuple[str, ...]] = TIMEZONE_DATA
    return table


def _of_number(address: str) -> tuple[str, ...]:
    import phonenumbers  # noqa: PLC0415
    from phonenumbers import phonenumberutil, timezone  # noqa: PLC0415

    try:
        number = phonenumbers.parse(address, None)
    except phonenumbers.NumberParseException:
        return NOWHERE
    calling_code = number.country_code or 0
    kind = phonenumbers.number_type(number)
    local = phonenumberutil.is_number_type_geographical(kind, calling_code)
    if not local or address.startswith(_NATIONWIDE):
        return _everywhere(calling_code)
    found = timezone.time_zones_for_geographical_number(number)
    return _everywhere(calling_code) if _UNKNOWN in found else _honest(calling_code, found)


@cache
def _everywhere(calling_code: int) -> tuple[str, ...]:
    """All zones of a country, by libphonenumber and by the zone data, which knows remote parts."""
    import phonenumbers  # noqa: PLC0415

    known = _honest(calling_code, _zones_by_prefix().get(str(calling_code), ()))
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(calling_code, ())
    kept = {zone for region in regions for zone in zones_by_country().get(region, ())}
    return tuple(sorted(kept.union(known))) or NOWHERE


def _honest(calling_code: int, names: Iterable[str]) -> tuple[str, ...]:
    key = str(calling_code)
    return tuple(sorted({z for name in names for z in _STAND_INS.get((key, name), (name,))}))


def _country_of(address: str) -> tuple[str, ...]:
    import phonenumbers  # noqa: PLC0415

    try:
        number = phonenumbers.parse(address, None)
    except phonenumbers.NumberParseException:
        return ()
    region = phonenumbers.region_code_for_number(number)
    if region is None and number.country_code is not None:
        region = phonenumbers.region_code_for_country_code(number.country_code)
    # 001 is the world, ZZ nowhere.
    return (region,) if region and region.isalpha() and region != "ZZ" else ()
