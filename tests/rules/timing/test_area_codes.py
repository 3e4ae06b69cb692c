"""North American area codes, held to the list of those who give them out."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from shared.rules.timing.local_time import zone
from shared.rules.timing.zones import area_codes, places_of, zones_of

LIST = Path(__file__).with_name("area_codes.csv")
# The day of the list, in winter: what each letter says of the clocks.
DAY = datetime(2025, 11, 26, 12, tzinfo=UTC)
LETTERS = {"N": -3.5, "A": -4.0, "E": -5.0, "C": -6.0, "M": -7.0, "P": -8.0}
NOT_YET = "9999"


@cache
def rows() -> list[dict[str, str]]:
    lines = LIST.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def zones(code: str) -> set[str]:
    return set(zones_of(f"+1{code}5550123"))


def test_every_code_that_is_given_out_is_known() -> None:
    """A code that Parley knows nothing of would count as being everywhere from Guam to Canada."""
    assert {row["code"] for row in rows()} - area_codes().keys() == set()


def test_every_overlay_has_at_least_the_zones_of_the_code_under_it() -> None:
    """A new code is laid over ground that an older one has: its owners sleep at the same hours."""
    since = {row["code"]: row["in_service"] or NOT_YET for row in rows()}
    lacking = {}
    for row in rows():
        code = row["code"]
        for other in row["shares"].split():
            missing = zones(other) - zones(code)
            if since[other] < since[code] and missing:
                lacking[code] = (other, sorted(missing))
    assert lacking == {}


def test_every_overlay_lies_in_the_state_of_the_code_under_it() -> None:
    """The rules of a state hold for its new codes, too."""
    places = {row["code"]: places_of(f"+1{row['code']}5550123") for row in rows()}
    wrong = {
        row["code"]: other
        for row in rows()
        for other in row["shares"].split()
        if places[other] != places[row["code"]]
    }
    assert wrong == {}


def test_every_code_has_the_zones_that_its_administrator_names() -> None:
    """No code of the United States or Canada lacks a zone that the administrator gives it."""
    lacking = {}
    for row in rows():
        if row["place"] and row["zones"]:
            kept = {DAY.astimezone(zone(name)).utcoffset() for name in zones(row["code"])}
            named = {timedelta(hours=LETTERS[letter]) for letter in row["zones"]}
            if not named <= kept:
                lacking[row["code"]] = row["zones"]
    assert lacking == {}
