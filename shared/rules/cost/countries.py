"""Which country a number belongs to: prices and permissions go by it.

The calling code is not enough: +1 alone is the United States, Canada, Puerto Rico and twenty more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from shared.base.ids import country_of_erased, is_erased
from shared.rules.timing.zones import NORTH_AMERICA, area_codes

# What phonenumbers says of numbers that belong to no country, such as +800.
_NO_COUNTRY: Final = "001"


def country_of(address: str) -> str | None:
    """The ISO 3166 code (two letters, XK for Kosovo) of an E.164 number's country.

    None for numbers of no country and of none that is known. About 40 microseconds. Of a number
    that was erased, the country that was kept in its place.
    """
    if is_erased(address):
        return country_of_erased(address)
    found = _reader()(address)
    if found is None and address.startswith(NORTH_AMERICA):
        # The range is newer than the numbering data; the area code is the administrator's.
        place = area_codes().get(address[2:5])
        return None if place is None else place.partition("-")[0]
    return found


@cache
def known_countries() -> frozenset[str]:
    """Every code that `country_of` can answer."""
    import phonenumbers  # noqa: PLC0415  # costs a cold start 36 ms

    return frozenset(phonenumbers.SUPPORTED_REGIONS)


@cache
def _reader() -> Callable[[str], str | None]:
    import phonenumbers  # noqa: PLC0415  # costs a cold start 36 ms
    from phonenumbers import NumberParseException  # noqa: PLC0415

    def read(address: str) -> str | None:
        try:
            region = phonenumbers.region_code_for_number(phonenumbers.parse(address, None))
        except NumberParseException:
            return None
        return None if region == _NO_COUNTRY else region

    return read
