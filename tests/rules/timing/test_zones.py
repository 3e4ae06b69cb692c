"""Where numbers may be, held to libphonenumber's own tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumber, PhoneNumberType
from phonenumbers.geodata import GEOCODE_DATA
from phonenumbers.tzdata import TIMEZONE_DATA

from shared.rules.timing.local_time import zones_by_country
from shared.rules.timing.zones import NOWHERE, area_codes, places_of, zones_of

EASTERN, CENTRAL = "America/New_York", "America/Chicago"

# How the geocoder's English names become codes; cities bring theirs ("San Antonio, TX").
STATES = {
    "Alabama": "AL", "Alaska": "AK", "Alberta": "AB", "Arizona": "AZ", "Arkansas": "AR",
    "British Colombia": "BC", "British Columbia": "BC", "California": "CA", "Colorado": "CO",
    "Connecticut": "CT", "Delaware": "DE", "Florida": "FL", "Georgia": "GA", "Hawaii": "HI",
    "Idaho": "ID", "Illinois": "IL", "Indiana": "IN", "Iowa": "IA", "Kansas": "KS",
    "Kentucky": "KY", "Louisiana": "LA", "Maine": "ME", "Manitoba": "MB", "Maryland": "MD",
    "Massachusetts": "MA", "Michigan": "MI", "Minnesota": "MN", "Mississippi": "MS",
    "Missouri": "MO", "Montana": "MT", "Nebraska": "NE", "Nevada": "NV", "New Brunswick": "NB",
    "New Hampshire": "NH", "New Jersey": "NJ", "New Mexico": "NM", "New York": "NY",
    "Newfoundland and Labrador": "NL", "North Carolina": "NC", "North Dakota": "ND", "Ohio": "OH",
    "Oklahoma": "OK", "Ontario": "ON", "Oregon": "OR", "Pennsylvania": "PA", "Quebec": "QC",
    "Rhode Island": "RI", "Saskatchewan": "SK", "South Carolina": "SC", "South Dakota": "SD",
    "Tennessee": "TN", "Texas": "TX", "Utah": "UT", "Vermont": "VT", "Virginia": "VA",
    "Washington D.C.": "DC", "Washington State": "WA", "West Virginia": "WV", "Wisconsin": "WI",
    "Wyoming": "WY",
}  # fmt: skip


@pytest.mark.parametrize(
    ("address", "zones"),
    [
        ("+12125550123", (EASTERN,)),
        ("+13175550123", (EASTERN,)),
        ("+16025550123", ("America/Phoenix",)),
        ("+442071838750", ("Europe/London",)),
        ("+821012345678", ("Asia/Seoul",)),
        ("+33612345678", ("Europe/Paris",)),
        ("+5511961234567", ("America/Sao_Paulo",)),
    ],
)
def test_a_number_of_one_zone(address: str, zones: tuple[str, ...]) -> None:
    """A number whose place is plain has one zone."""
    assert zones_of(address) == zones


@pytest.mark.parametrize("code", ["812", "930", "270", "364", "219", "850", "448", "423"])
def test_an_area_code_over_two_zones_counts_in_both(code: str) -> None:
    """Whoever has a number of a divided area code may live in either part, in overlays too."""
    assert zones_of(f"+1{code}5550123") == (CENTRAL, EASTERN)


def test_a_nationwide_mobile_number_counts_in_all_zones_of_its_country() -> None:
    """A mobile number that says nothing about its place may be anywhere in the country."""
    assert {"Australia/Perth", "Australia/Sydney"} <= set(zones_of("+61412345678"))
    assert {"Asia/Jakarta", "Asia/Jayapura"} <= set(zones_of("+628123456789"))
    assert {"Europe/Kaliningrad", "Asia/Kamchatka"} <= set(zones_of("+79161234567"))


# Countries whose mobile numbers have area codes, and the landlines that share a form with mobiles.
LOCAL_MOBILES = {"AR", "BR", "CA", "MX", "US"}
LANDLINES = ("+562", "+563", "+564", "+565", "+566", "+567", "+568", "+6913")


@pytest.mark.parametrize("region", sorted(set(zones_by_country()) - LOCAL_MOBILES))
def test_every_nationwide_mobile_range_has_the_zones_of_its_country(region: str) -> None:
    """Whatever begins a mobile number, its owner may live wherever the zone data has people."""
    kept = {_hours(zone): zone for zone in zones_by_country()[region]}
    for address in _mobiles(region) if len(kept) > 1 else ():
        have = {_hours(zone) for zone in zones_of(address)}
        assert [zone for hours, zone in kept.items() if hours not in have] == [], address


def _mobiles(region: str) -> Iterator[str]:
    """A number of each three digits with which a mobile number of the country can begin."""
    rules = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    if rules is None or rules.mobile is None or rules.mobile.possible_length == (-1,):
        return
    for length in rules.mobile.possible_length:
        for beginning in range(100, 1000):
            digits = f"{beginning}{'2345678901'[: length - 3]}"
            number = PhoneNumber(country_code=rules.country_code, national_number=int(digits))
            address = f"+{rules.country_code}{digits}"
            if not address.startswith(LANDLINES) and (
                phonenumbers.number_type(number)
                in {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}
                and phonenumbers.region_code_for_number(number) == region
            ):
                yield address


@pytest.mark.parametrize(
    ("address", "zones"),
    [
        ("+16895550123", (EASTERN,)),
        ("+14745550123", ("America/Regina",)),
        ("+16215550123", (CENTRAL,)),
        ("+56912345678",
         ("America/Coyhaique", "America/Punta_Arenas", "America/Santiago", "Pacific/Easter")),
        ("+67570123456", ("Pacific/Bougainville", "Pacific/Port_Moresby")),
    ],
)  # fmt: skip
def test_a_number_that_the_table_places_wrongly(address: str, zones: tuple[str, ...]) -> None:
    """Where libphonenumber guesses, the ground of the number decides."""
    assert zones_of(address) == zones


@pytest.mark.parametrize("address", ["+18005550100", "+18885550100", "+15005550100"])
def test_a_number_of_no_place_counts_in_all_zones_of_its_country(address: str) -> None:
    """Toll-free and personal numbers may be answered from Guam to Newfoundland."""
    zones = zones_of(address)
    assert {"Pacific/Guam", "Pacific/Honolulu", EASTERN, "America/St_Johns"} <= set(zones)


@pytest.mark.parametrize("address", ["+881612345678", "+80012345678", "+9991234567", "nonsense"])
def test_a_number_of_no_country_counts_at_utc(address: str) -> None:
    """A number that nothing is known about has a zone all the same: it must not wait for ever."""
    assert zones_of(address) == NOWHERE
    assert places_of(address) == ()


@settings(deadline=None)
@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_every_number_has_zones_that_exist(address: str) -> None:
    """Whatever E.164 number comes, its zones can be asked for the time."""
    zones = zones_of(address)
    assert zones == tuple(sorted(set(zones)))
    assert all(
        datetime(2026, 6, 1, tzinfo=ZoneInfo(zone)).utcoffset() is not None for zone in zones
    )
    places_of(address)


@pytest.mark.parametrize(
    ("address", "places"),
    [
        ("+13055550123", ("US-FL", "US")),
        ("+15145550123", ("CA-QC", "CA")),
        ("+19025550123", ("CA",)),
        ("+17875550123", ("PR",)),
        ("+18005550100", ("US",)),
        ("+33612345678", ("FR",)),
        ("+821012345678", ("KR",)),
        ("+442071838750", ("GB",)),
    ],
)
def test_places(address: str, places: tuple[str, ...]) -> None:
    """A number's place is told from the most exact to the country."""
    assert places_of(address) == places


def test_area_codes_agree_with_the_geocoder() -> None:
    """No area code is filed under another state than libphonenumber's geocoder gives it."""
    wrong = {}
    for prefix, names in GEOCODE_DATA.items():
        if len(prefix) == 4 and prefix.startswith("1"):
            place = names["en"]
            state = STATES.get(place) or place.rpartition(", ")[2]
            ours = area_codes()[prefix[1:]].partition("-")[2]
            if ours and ours != state:
                wrong[prefix] = (ours, place)
    assert wrong == {}


def test_area_codes_agree_with_the_countries() -> None:
    """Every area code that libphonenumber gives a zone is known, in the country it gives."""
    codes = {prefix[1:4] for prefix in TIMEZONE_DATA if prefix.startswith("1") and len(prefix) > 3}
    assert codes - area_codes().keys() == set()
    wrong = {code for code in codes if _country(code) != area_codes()[code].partition("-")[0]}
    assert wrong == set()


def test_no_area_code_in_use_is_left_out() -> None:
    """Every area code that has ordinary numbers has a place and zones of its own."""
    everywhere = zones_of("+18005550100")
    in_use = {str(code) for code in range(200, 1000) if _country(str(code))}
    assert in_use - area_codes().keys() == set()
    assert {code for code in in_use if zones_of(f"+1{code}5550123") == everywhere} == set()


def _country(code: str) -> str | None:
    """Of the first ordinary number found in an area code."""
    for exchange in range(200, 1000, 7):
        number = PhoneNumber(country_code=1, national_number=int(f"{code}{exchange}5678"))
        if phonenumbers.number_type(number) in {
            PhoneNumberType.FIXED_LINE_OR_MOBILE,
            PhoneNumberType.FIXED_LINE,
            PhoneNumberType.MOBILE,
        }:
            return phonenumbers.region_code_for_number(number)
    return None


def test_no_country_is_answered_with_hours_that_it_does_not_keep() -> None:
    """libphonenumber's stand-ins from neighbouring countries are all replaced."""
    wrong = {}
    for prefix in TIMEZONE_DATA:
        calling_code = _calling_code(prefix)
        kept = {_hours(zone) for zone in _zones_of_country(calling_code)}
        if calling_code == 1 or not kept:
            continue
        foreign = [zone for zone in zones_of(f"+{prefix}{'5' * (11 - len(prefix))}")
                   if _hours(zone) not in kept]  # fmt: skip
        if foreign:
            wrong[prefix] = foreign
    assert wrong == {}


def _calling_code(prefix: str) -> int:
    known = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    return next(int(prefix[:n]) for n in (1, 2, 3) if int(prefix[:n]) in known)


def _zones_of_country(calling_code: int) -> Iterator[str]:
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[calling_code]
    for region in regions:
        yield from zones_by_country().get(region, ())


@cache
def _hours(zone: str) -> tuple[timedelta | None, ...]:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    return tuple(
        (first + timedelta(days=day)).astimezone(ZoneInfo(zone)).utcoffset()
        for day in range(0, 730, 3)
    )
